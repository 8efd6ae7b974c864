"""Bytes in memory that another process of this user can read: no plaintext on a disk, nothing through a pipe."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipelines.landing_zone import FolderLanding, Landing, Readable


@dataclass(frozen=True, slots=True)
class Held:
    """A file without a name, in the memory of the process that made it; it lasts until that process closes it."""

    pid: int
    descriptor: int

    @property
    def path(self) -> Path:
        """By which this user's processes reach it (proc(5); memfd_create(2))."""
        return Path(f"/proc/{self.pid}/fd/{self.descriptor}")

    def read(self, path: str) -> bytes:  # noqa: ARG002 - it holds the one file that it was made for
        """Its bytes, as a landing zone gives a file's."""
        return self.path.read_bytes()


@contextmanager
def held() -> Iterator[Held]:
    """An empty file in memory, until the block ends."""
    descriptor = os.memfd_create("painlake")
    try:
        yield Held(os.getpid(), descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def within_reach(landing: Landing, path: str) -> Iterator[Readable]:
    """Something from which a worker, which has no network, can read a landed file.

    A folder is that already; from a bucket the bytes are fetched here, and lie in memory until the block ends.

    Args:
        landing: where the file is.
        path: the file.

    Raises:
        Rejection: `UNREADABLE`.
    """
    if isinstance(landing, FolderLanding):
        yield landing
        return
    with held() as memory:
        with memory.path.open("wb") as file:
            file.write(landing.read(path))
        yield memory
