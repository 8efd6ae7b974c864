"""What confines a process that decodes what others made: limits on memory and time, no network, no trace on a disk."""

import ctypes
import math
import mmap
import os
import resource
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import connection, parent_process
from typing import TYPE_CHECKING, Self

from pipelines.seccomp import forbid_network, has_network

if TYPE_CHECKING:
    # It brings polars, which a worker loads when it has something to do with it.
    from pipelines.params import StudyParams

_MB = 1_000_000
_PR_SET_DUMPABLE = 4

_SETTINGS = {
    # The workers are the parallelism: libraries that start threads of their own would only get in each other's way.
    "OMP_NUM_THREADS": "1",
    # The voice-activity model asks for four whatever the line above says, and they spin for one another: five times the
    # computing of one.
    "OMP_THREAD_LIMIT": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "POLARS_MAX_THREADS": "1",
    # Arrow's own allocator takes a gigabyte of address space at once, which the limit on memory would count.
    "ARROW_DEFAULT_MEMORY_POOL": "system",
    # Whatever the run's own process keeps of what polars has freed (see flows.environment), a worker gives it back.
    "_RJEM_MALLOC_CONF": "",
}


@dataclass(frozen=True, slots=True)
class Limits:
    """What a worker and each piece of its work may take.

    Args:
        wall_s: time by the clock, for a piece of work.
        cpu_s: computing time of all its threads, for a piece of work; None for any.
        memory_mb: memory of the process (of its own writable memory, as the kernel counts it); None for any.
        max_picture_mpx: larger pictures are refused before they are decoded.
        require_isolation: whether to do nothing where memory or network cannot be limited.
    """

    wall_s: float
    cpu_s: float | None = None
    memory_mb: int | None = None
    max_picture_mpx: float | None = None
    require_isolation: bool = False

    @classmethod
    def of(cls, params: "StudyParams") -> Self:
        """The limits that a study sets to what decodes its recordings."""
        return cls(
            params.unit_timeout_s,
            params.unit_cpu_s,
            params.worker_memory_mb,
            params.max_picture_mpx,
            params.require_isolation,
        )


def confine(limits: Limits) -> None:
    """Confine this process for good; before it has imported anything heavy or started a thread."""
    os.environ.update(_SETTINGS)
    os.environ.setdefault("GLOG_minloglevel", "3")
    # If memory runs out, the kernel shall end a worker rather than the run or a neighbour's database.
    with suppress(OSError), open("/proc/self/oom_score_adj", "w", encoding="ascii") as file:  # noqa: PTH123 - not a path
        file.write("1000")
    # A dump of a crashed decoder would hold the recording in plain.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(OSError, AttributeError):
        # Where dumps go to a program, the limit above does not hold.
        ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
    if limits.memory_mb is not None:
        resource.setrlimit(resource.RLIMIT_DATA, (limits.memory_mb * _MB, limits.memory_mb * _MB))
    if limits.max_picture_mpx is not None:
        # PyAV is loaded by those alone that are to decode.
        from pipelines.bounds import BOUNDS, Bounds  # noqa: PLC0415 - see above

        BOUNDS.set(Bounds(max_picture_mpx=limits.max_picture_mpx))
    forbid_network()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End at once when the run is killed: the next one must not meet this one's workers."""
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGKILL)


def lacking(limits: Limits) -> tuple[str, ...]:
    """Which confinement does not hold in this process, though it was asked for; found out by trying.

    Returns:
        Any of "memory" and "network".
    """
    found = ["network"] if has_network() else []
    if limits.memory_mb is not None:
        # Asking for it is all: memory that nobody writes to is not taken.
        with suppress(OSError), mmap.mmap(-1, limits.memory_mb * _MB, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS):
            found.insert(0, "memory")
    return tuple(found)


@contextmanager
def computing_time(cpu_s: float | None) -> Iterator[None]:
    """Have the kernel end this process with SIGXCPU when it has computed for longer; whole seconds, rounded up."""
    _, most = resource.getrlimit(resource.RLIMIT_CPU)
    if cpu_s is not None:
        used = resource.getrusage(resource.RUSAGE_SELF)
        resource.setrlimit(resource.RLIMIT_CPU, (math.ceil(used.ru_utime + used.ru_stime + cpu_s), most))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_CPU, (most, most))
