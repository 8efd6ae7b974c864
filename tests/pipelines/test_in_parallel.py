"""Work in threads gives its results in the order of the items, and takes no more of them than it must."""

import threading
from collections.abc import Iterator

import pytest

from pipelines.in_parallel import ahead, in_parallel


@pytest.mark.parametrize("threads", [1, 3])
def test_results_come_in_the_order_of_the_items(threads: int) -> None:
    assert list(in_parallel(lambda n: n * n, range(20), threads)) == [(n, n * n) for n in range(20)]


def test_items_made_ahead_come_in_their_order_whatever_they_are() -> None:
    assert list(ahead([3, None, 0, ()])) == [3, None, 0, ()]
    assert list(ahead([])) == []


def test_the_next_item_is_made_while_one_is_used_and_no_other() -> None:
    begun = [threading.Event() for _ in range(4)]

    def made() -> Iterator[int]:
        for number, event in enumerate(begun):
            event.set()
            yield number

    for number in ahead(made()):
        if number + 1 < len(begun):
            assert begun[number + 1].wait(60)
        assert not any(event.is_set() for event in begun[number + 2 :])


def test_what_cannot_be_made_is_told_in_its_turn() -> None:
    def made() -> Iterator[int]:
        yield 1
        raise KeyError("second")

    items = ahead(made())
    assert next(items) == 1
    with pytest.raises(KeyError, match="second"):
        next(items)


def test_who_needs_no_more_items_waits_for_none_but_the_next() -> None:
    made: list[int] = []

    def endless() -> Iterator[int]:
        while True:
            made.append(len(made))
            yield made[-1]

    items = ahead(endless())
    assert next(items) == 0
    items.close()
    assert len(made) <= 2
