"""Writing so that a crash leaves either the old file or the new one, whole."""

import os
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

from pipelines.durable_steps import name_of_caller
from pipelines.faultpoints import fault_point

_EACH_S = 0.5
"""How long what a growing file has new waits to be written."""


def write_durably(
    path: Path, content: bytes, mode: int = 0o644, step: str | None = None, *, first: bool = False
) -> None:
    """Write a file under a temporary name beside it, flush it to the disk, then rename it into place.

    Args:
        path: where; its folder is made.
        content: the whole file.
        mode: its permissions, set before it gets its name.
        step: what the fault points around it are called; else as the caller is.
        first: what is there by then stays as it is.
    """
    with written_durably(path, mode, step, first=first) as temporary:
        temporary.write_bytes(content)


@contextmanager
def written_durably(path: Path, mode: int = 0o644, step: str | None = None, *, first: bool = False) -> Iterator[Path]:
    """Give a temporary path to write to; rename it to `path` once it is on the disk, or remove it on an error."""
    what = step or name_of_caller()
    fault_point(f"{what}.before")
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".partial", dir=path.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(mode)
        sync(temporary)
        fault_point(f"{what}.written")
        if first:
            _name_if_free(temporary, path)
        else:
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    sync(path.parent)
    fault_point(f"{what}.after")


def _name_if_free(temporary: Path, path: Path) -> None:
    """Give a file its name unless another process was quicker."""
    try:
        path.hardlink_to(temporary)
    except FileExistsError:
        pass
    except OSError:
        # A file system without hard links, as of some network shares.
        if not path.exists():
            temporary.replace(path)
    temporary.unlink(missing_ok=True)


def sync(path: Path) -> None:
    """Flush a file, or a folder's list of names, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def written_meanwhile(path: Path) -> Iterator[None]:
    """Have a file that grows written to the disk as it does, so that the end need not wait for all of it.

    Args:
        path: a file that is there. Locks of this process on it go: it is no other process's business yet.

    Raises:
        OSError: it could not be written. To be told here is to be told once: the last `sync` may not be told again.
    """
    ended = Event()
    with ThreadPoolExecutor(1) as thread:
        writing = thread.submit(_write_until, ended, path)
        try:
            yield
        finally:
            ended.set()
        writing.result()


def _write_until(ended: Event, path: Path) -> None:
    while not ended.wait(_EACH_S):
        sync(path)


def remove_partials(folder: Path, *, below: bool = True) -> int:
    """Remove what a killed run left half written in `folder` and below, or there alone; returns how many files."""
    pattern = ".*.partial"
    left = list(folder.rglob(pattern) if below else folder.glob(pattern)) if folder.is_dir() else []
    for path in left:
        path.unlink(missing_ok=True)
    return len(left)
