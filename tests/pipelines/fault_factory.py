"""What a decoder may do to its process; workers import this by its name, and quickly."""

import ctypes
import os
import resource
import signal
import socket
from pathlib import Path
from typing import NoReturn


def die_by(number: int) -> None:
    os.kill(os.getpid(), number)


def die_once(mark: Path) -> str:
    """Is killed the first time, as by an administrator."""
    if not mark.exists():
        mark.touch()
        die_by(signal.SIGKILL)
    return "done"


def compute_for_ever() -> NoReturn:
    while True:
        pass


def take(count: int) -> int:
    return len(bytearray(count))


def take_while_there_is_much_taken(mark: Path) -> str:
    """Is out of memory the first time only, as after others who left none."""
    if not mark.exists():
        mark.touch()
        raise MemoryError
    return "done"


def abort_for_want_of_memory() -> None:
    """As C++ does."""
    os.write(2, b"terminate called after throwing an instance of 'std::bad_alloc'\n")
    os.abort()


def ffmpeg_without_memory() -> None:
    import av  # noqa: PLC0415 - loading it takes longer than all else here

    av.error.err_check(-12)


def sockets() -> dict[str, bool]:
    """Which kinds of socket can be opened."""
    found = {}
    for family in ("AF_INET", "AF_INET6", "AF_NETLINK", "AF_PACKET", "AF_VSOCK", "AF_UNIX"):
        try:
            socket.socket(getattr(socket, family), socket.SOCK_DGRAM).close()
            found[family] = True
        except PermissionError:
            found[family] = False
    return found


def calls_refused() -> list[int]:
    """The errors of io_uring_setup, and of ptrace on a machine where its number is known."""
    libc = ctypes.CDLL(None, use_errno=True)
    numbers = [425, {"x86_64": 101, "aarch64": 117}[os.uname().machine]]
    return [ctypes.get_errno() for number in numbers if libc.syscall(number, 0, 0, 0, 0) == -1]


def connect_out() -> None:
    socket.create_connection(("127.0.0.1", 9), timeout=1)


def core_limit_and_dumpable() -> tuple[tuple[int, int], int]:
    return resource.getrlimit(resource.RLIMIT_CORE), ctypes.CDLL(None).prctl(3, 0, 0, 0, 0)


def decode_with_little_memory(media: bytes, more_mb: int) -> int:
    """Decode with only so much more memory than there is in use; returns how many pictures came of it."""
    from pipelines.bounds import BOUNDS, Bounds  # noqa: PLC0415 - as above
    from pipelines.media import video_frames  # noqa: PLC0415 - as above

    BOUNDS.set(Bounds(max_picture_mpx=100.0))
    status = dict(line.split(":") for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines())
    most = int(status["VmData"].split()[0]) * 1024 + more_mb * 1_000_000
    resource.setrlimit(resource.RLIMIT_DATA, (most, resource.getrlimit(resource.RLIMIT_DATA)[1]))
    return sum(1 for _ in video_frames(media, pixels="luma", max_width=64))


def leave_mark(folder: Path) -> None:
    (folder / str(os.getpid())).touch()


def voice_activity_of_noise() -> tuple[bytes, int]:
    """Its bytes, and how many threads it began."""
    import numpy as np  # noqa: PLC0415 - as above

    from pipelines.mono import Sound  # noqa: PLC0415 - as above
    from pipelines.speech import speech_probability  # noqa: PLC0415 - as above

    noise = np.random.default_rng(1).normal(0, 0.05, 16_000).astype(np.float32)
    before = len(list(Path("/proc/self/task").iterdir()))
    found = speech_probability(Sound(noise, 16_000, 0.0)).tobytes()
    return found, len(list(Path("/proc/self/task").iterdir())) - before
