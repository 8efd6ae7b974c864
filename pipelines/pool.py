"""Worker processes: a decoder that crashes or hangs costs one recording, not the run."""

import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import TimeoutError as Timeout
from types import TracebackType
from typing import Any, Self, TypeVar

from pebble import ProcessExpired, ProcessPool

from pipelines.errors import Rejection

T = TypeVar("T")

_ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "POLARS_MAX_THREADS")
"""The workers are the parallelism: libraries that start threads of their own would only get in each other's way."""


class Workers:
    """A pool of worker processes.

    Args:
        count: how many; 0 for one a core.
        timeout_s: how long a piece of work may take.
    """

    def __init__(self, count: int, timeout_s: float) -> None:
        self.count = count or len(os.sched_getaffinity(0))
        self._timeout_s = timeout_s
        # Spawned, not forked: the parent has threads (Prefect's), and a fork of those can hang.
        self._pool = ProcessPool(
            max_workers=self.count,
            initializer=_prepare,
            context=multiprocessing.get_context("spawn"),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._pool.close()  # type: ignore[no-untyped-call]  # pebble annotates half of its methods
        else:
            self._pool.stop()  # type: ignore[no-untyped-call]  # the same
        self._pool.join()

    def warm(self, function: Callable[[], object]) -> None:
        """Have a worker do something slow to start, such as an import, while nobody waits for it."""
        self._pool.schedule(function)

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function in a worker and wait for it; callers wait in threads of their own.

        Raises:
            Rejection: what the function raised, or `DECODER_CRASH`, `DECODER_TIMEOUT`, `RESOURCE_LIMIT` for a worker
                that died, hung, or ran out of memory.
        """
        try:
            result: T = self._pool.schedule(function, args=list(arguments), timeout=self._timeout_s).result()
        except Timeout as error:
            raise Rejection("DECODER_TIMEOUT", f"not done within {self._timeout_s:g} s") from error
        except ProcessExpired as error:
            raise Rejection("DECODER_CRASH", f"the worker ended with code {error.exitcode}") from error
        except MemoryError as error:
            raise Rejection("RESOURCE_LIMIT", "out of memory") from error
        return result


def _prepare() -> None:
    for name in _ONE_THREAD:
        os.environ[name] = "1"
    os.environ.setdefault("GLOG_minloglevel", "3")
