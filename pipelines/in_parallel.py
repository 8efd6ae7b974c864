"""The same for many things in a few threads, with no more of them under way than there are threads for."""

from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 4


def in_parallel(work: Callable[[T], R], items: Iterable[T], threads: int) -> Iterator[tuple[T, R]]:
    """Each item with what the work made of it, in the order of the items.

    Args:
        work: done in a thread; worth it where it waits, or gives up Python's lock as hashing does.
        items: taken as they are needed, so they may be many.
        threads: how many at once.

    Raises:
        Exception: what the work raised.

    Example:
        dict(in_parallel(md5_of, paths, 4))
    """
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[tuple[T, Future[R]]] = deque()
        try:
            for item in items:
                waiting.append((item, pool.submit(work, item)))
                if len(waiting) >= threads * _AHEAD:
                    first, future = waiting.popleft()
                    yield first, future.result()
            while waiting:
                first, future = waiting.popleft()
                yield first, future.result()
        finally:
            for _, future in waiting:
                future.cancel()


def ahead(items: Iterable[T]) -> Generator[T]:
    """The same items, each made in a thread while the one before it is used.

    Args:
        items: worth it where making one waits, or gives up Python's lock as reading does. Two of them are in memory.

    Raises:
        Exception: what making one raised, in its turn.

    Example:
        for frame in ahead(read_in_turn(paths)): ...
    """
    made = iter(items)
    with ThreadPoolExecutor(1) as thread:
        following = thread.submit(_next, made)
        while item := following.result():
            following = thread.submit(_next, made)
            yield item[0]


def _next(items: Iterator[T]) -> tuple[()] | tuple[T]:
    """The next item, or none; by itself a StopIteration would not come through a future."""
    for item in items:
        return (item,)
    return ()
