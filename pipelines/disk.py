"""A disk that is full or may not be written: the run stops writing, says so in one line, and the last version stays."""

import errno
from collections.abc import Iterator
from pathlib import Path

from pipelines.errors import PainLakeError

_FULL = "it is full: free some space, then run again"
_READ_ONLY = "it is read-only or not ours to write: mend that, then run again"
_CODES = {
    errno.ENOSPC: _FULL,
    errno.EDQUOT: _FULL,
    errno.EFBIG: _FULL,
    errno.EROFS: _READ_ONLY,
}
_NOT_ALLOWED = {errno.EACCES, errno.EPERM}
_WORDS = {
    "no space left on device": _FULL,
    "disk quota exceeded": _FULL,
    "file too large": _FULL,
    "database or disk is full": _FULL,
    "disk i/o error": _FULL,
    "read-only file system": _READ_ONLY,
    "readonly database": _READ_ONLY,
}
"""What SQLite, DuckDB, polars, git and DVC say, whose errors carry no number."""


class DiskError(PainLakeError):
    """The study's disk cannot be written; what was written before stands."""


def disk_error(error: BaseException, root: Path) -> DiskError | None:
    """What a failure says about the study's disk, if that is what failed.

    Args:
        error: of any library; its causes are looked at, too.
        root: the study's folder, to name.

    >>> print(disk_error(OSError(errno.ENOSPC, "No space left on device"), Path("study")))
    the disk of study cannot be written: it is full: free some space, then run again; the last version stays
    >>> disk_error(ValueError("no number"), Path("study")) is None
    True
    """
    for each in _chain(error):
        if isinstance(each, DiskError):
            return each
        said = str(each).lower()
        what = _of_number(each, root) if isinstance(each, OSError) else None
        what = what or next((what for words, what in _WORDS.items() if words in said), None)
        if what is not None:
            return DiskError(f"the disk of {root} cannot be written: {what}; the last version stays")
    return None


def _of_number(error: OSError, root: Path) -> str | None:
    # What may not be read in the landing zone is a delivery's own fault.
    if error.errno in _NOT_ALLOWED and Path(str(error.filename)).is_relative_to(root):
        return _READ_ONLY
    return _CODES.get(error.errno or 0)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    each: BaseException | None = error
    while each is not None and id(each) not in seen:
        seen.add(id(each))
        yield each
        each = each.__cause__ or each.__context__
