"""Worker processes: a decoder that crashes, hangs or runs wild costs one recording, not the run."""

import ctypes
import gc
import logging
import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Callable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as Timeout
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, suppress
from pathlib import Path
from queue import LifoQueue
from types import TracebackType
from typing import Any, Self, TypeVar

from pebble import ProcessExpired, ProcessPool

from pipelines.confine import Limits, computing_time, confine, lacking
from pipelines.errors import PainLakeError, Rejection
from pipelines.handover import Held, held

T = TypeVar("T")

log = logging.getLogger("painlake")

_NO_MEMORY = re.compile(
    rb"bad_alloc|memory allocation of \d+ bytes failed|out of memory|cannot allocate memory", re.IGNORECASE
)
"""Last words of C++, Rust and others that end the process where no memory is given to them."""


class Workers:
    """Worker processes, each confined, and each in a pebble pool of its own.

    In one pool for all, a worker that dies while it holds the pool's channel, or between two pieces of work, would take
    its neighbours' work with it.

    Args:
        count: how many; 0 for one a core.
        limits: what each may take.
    """

    does_two_at_once = True
    """Whether a stage may be measured along another one's pass over the frames."""

    def __init__(self, count: int, limits: Limits) -> None:
        self.count = count or len(os.sched_getaffinity(0))
        self._resources = ExitStack()
        self._workers = [_Worker(limits, self._resources.enter_context(held())) for _ in range(self.count)]
        # The last one back is the first one out: it has its libraries loaded.
        self._idle: LifoQueue[_Worker] = LifoQueue()
        for worker in reversed(self._workers):
            self._idle.put(worker)
        self._told = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with self._resources:
            for worker in self._workers:
                worker.close(at_once=error is not None)

    def warm(self, function: Callable[..., object], *arguments: Any) -> None:
        """Have every worker do something slow to start, such as an import, while nobody waits for it."""
        for worker in self._workers:
            worker.warm(function, arguments)

    def run(self, function: Callable[..., T], *arguments: Any) -> T:
        """Run a function in a worker and wait for it; callers wait in threads of their own.

        What ends a worker from outside (SIGKILL), or finds too little memory in a worker that others have used before,
        is not proven to be this work's doing: it is tried once more, in a fresh worker.

        Raises:
            Rejection: what the function raised, or `DECODER_CRASH`, `DECODER_TIMEOUT`, `RESOURCE_LIMIT` for a worker
                that died, took too long, or asked for too much memory.
            PainLakeError: no worker can be started, or none that is confined as the limits require.
        """
        worker = self._idle.get()
        try:
            try:
                result, missing = worker.do(function, arguments)
            except _NotProvenError:
                result, missing = worker.do(function, arguments)
        finally:
            self._idle.put(worker)
        if missing and not self._told:
            self._told = True
            log.warning("this machine does not limit the %s of workers", " and ".join(missing))
        return result


class _NotProvenError(Rejection):
    """A worker ended, and that need not be its work's doing."""


class _Worker:
    """One worker process at a time, replaced when it ends.

    Args:
        limits: what it may take.
        words: what it writes to standard error: for us to read if it dies, and for no log.
    """

    def __init__(self, limits: Limits, words: Held) -> None:
        self._limits = limits
        self._words = words
        self._done = 0
        self._pool = self._start()

    def _start(self) -> "ProcessPool":
        return ProcessPool(
            max_workers=1,
            initializer=_prepare,
            initargs=(self._limits, self._words.path),
            # Spawned, not forked: the parent has threads (Prefect's), and a fork of those can hang.
            context=multiprocessing.get_context("spawn"),
        )

    def close(self, *, at_once: bool) -> None:
        """End it; when it is through with its work, or at once."""
        if at_once:
            self._pool.stop()  # type: ignore[no-untyped-call]  # pebble annotates half of its methods
        else:
            self._pool.close()  # type: ignore[no-untyped-call]  # the same
        self._pool.join()

    def begin(self, function: Callable[..., T], *arguments: Any, timeout_s: float | None = None) -> "Future[T]":
        """Have it begin something."""
        try:
            return self._pool.schedule(function, args=arguments, timeout=timeout_s)
        except RuntimeError:
            # It was killed while it had nothing to do.
            self._renew()
            return self._pool.schedule(function, args=arguments, timeout=timeout_s)

    def warm(self, function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
        """Have it do something under its limits whose result nobody waits for."""
        self._done += 1
        self.begin(_load, self._limits, function, arguments, timeout_s=self._limits.wall_s)

    def do(self, function: Callable[..., T], arguments: tuple[Any, ...]) -> tuple[T, tuple[str, ...]]:
        """Do a piece of work; returns its result, and which confinement is lacking."""
        limits, worn = self._limits, self._done > 0
        self._done += 1
        self._words.path.write_bytes(b"")
        killed_before = _kills()
        try:
            return self._finish(function, arguments)
        except Timeout as error:
            self._done = 0
            raise Rejection("DECODER_TIMEOUT", f"not done within {limits.wall_s:g} s") from error
        except ProcessExpired as error:
            self._done = 0
            raise self._verdict(int(error.exitcode), worn=worn, killed=_kills() > killed_before) from error
        except MemoryError as error:
            # What it had taken by then is in pieces.
            self._renew()
            kind = _NotProvenError if worn else Rejection
            raise kind("RESOURCE_LIMIT", self._too_much) from error

    def _finish(self, function: Callable[..., T], arguments: tuple[Any, ...]) -> tuple[T, tuple[str, ...]]:
        work = (_do, self._limits, function, arguments)
        try:
            return self.begin(*work, timeout_s=self._limits.wall_s).result()
        except BrokenProcessPool:
            # It was killed before it had begun.
            self._renew()
        try:
            return self.begin(*work, timeout_s=self._limits.wall_s).result()
        except BrokenProcessPool as error:
            raise PainLakeError("no worker process can be started on this machine") from error

    def _renew(self) -> None:
        self.close(at_once=True)
        self._pool, self._done = self._start(), 0

    def _verdict(self, code: int, *, worn: bool, killed: bool) -> Rejection:
        """What the way in which a worker ended says of its work."""
        if code == -signal.SIGXCPU:
            return Rejection("DECODER_TIMEOUT", f"more than {self._limits.cpu_s:g} s of computing")
        if _NO_MEMORY.search(self._words.path.read_bytes()):
            return (_NotProvenError if worn else Rejection)("RESOURCE_LIMIT", self._too_much)
        if code == -signal.SIGKILL and killed:
            return _NotProvenError("RESOURCE_LIMIT", "the machine ran out of memory")
        how = signal.strsignal(-code) if code < 0 else f"code {code}"
        return (_NotProvenError if code == -signal.SIGKILL else Rejection)(
            "DECODER_CRASH", f"the worker ended with {how}"
        )

    @property
    def _too_much(self) -> str:
        return "out of memory" if self._limits.memory_mb is None else f"more than {self._limits.memory_mb} MB of memory"


def _prepare(limits: Limits, words: Path) -> None:
    descriptor = os.open(words, os.O_WRONLY | os.O_APPEND)
    os.dup2(descriptor, 2)
    os.close(descriptor)
    confine(limits)


def _load(limits: Limits, function: Callable[..., object], arguments: tuple[Any, ...]) -> None:
    # Libraries are many objects that stay: to look for rings among them while they are loaded takes a fifth of the time.
    gc.disable()
    try:
        _do(limits, function, arguments)
    finally:
        gc.enable()


def _do(limits: Limits, function: Callable[..., T], arguments: tuple[Any, ...]) -> tuple[T, tuple[str, ...]]:
    missing, loaded = lacking(limits), len(sys.modules)
    if missing and limits.require_isolation:
        raise PainLakeError(
            f"this machine does not limit the {' and '.join(missing)} of workers: run where the kernel allows it "
            "(Linux with seccomp), or set study.require_isolation to false in params.yaml"
        )
    try:
        with computing_time(limits.cpu_s):
            result = function(*arguments)
    except MemoryError:
        # A plain one: FFmpeg's own cannot be sent from process to process.
        raise MemoryError from None
    finally:
        # A container that was read is a ring of objects, and keeps the whole file until somebody looks for such rings.
        gc.collect()
        _give_back()
    if len(sys.modules) > loaded:
        # Libraries, which are there to stay: to go through them takes 0.07 s each time, a third of a second a recording.
        gc.freeze()
    return result, missing


def _give_back() -> None:
    """Hand memory that is free back to the machine: otherwise the next piece of work begins with the last one's."""
    # Of glibc alone; other C libraries keep less, or nothing.
    with suppress(AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _kills() -> int:
    """How many processes the kernel has ended on this machine for want of memory."""
    try:
        counters = dict(line.split() for line in Path("/proc/vmstat").read_text(encoding="ascii").splitlines())
    except OSError:
        return 0
    return int(counters.get("oom_kill", 0))
