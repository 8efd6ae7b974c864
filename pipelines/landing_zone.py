"""Where deliveries lie: what every landing zone gives, and one in a folder; one in a bucket is in `pipelines.storage`."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Protocol

from pipelines.errors import Rejection, TemporaryError, UserError


@dataclass(frozen=True, slots=True)
class LandedFile:
    """A file as the listing tells, unread.

    Args:
        path: relative to the landing zone, with slashes.
        stamp: changes when the file changes: size and modification time, or the etag.
        regular: False for links, sockets and the like, which are never followed.
        listable: False for a folder whose files cannot be listed: it stands for all of them.
    """

    path: str
    size: int
    stamp: str
    modified_at: datetime
    regular: bool = True
    listable: bool = True


class Readable(Protocol):
    """What a landed file can be read from."""

    def read(self, path: str) -> bytes:
        """A file's bytes.

        Raises:
            Rejection: `UNREADABLE`; `NOT_STABLE`, where it is seen to change meanwhile.
        """


class Landing(Readable, Protocol):
    """A landing zone; read only to us."""

    def files(self) -> list[LandedFile]:
        """All files, sorted by path.

        Raises:
            UserError: the landing zone is not there.
        """

    def stamp(self, path: str) -> str | None:
        """A file's stamp as of now, or None where it is gone."""


def open_landing(where: str, root: Path) -> Landing:
    """The landing zone of a study.

    Args:
        where: a folder, taken from `root` if relative, or s3://bucket/prefix.
        root: the study's folder.
    """
    if where.startswith("s3://"):
        from pipelines.s3_client import bucket_and_prefix  # noqa: PLC0415 - as the next
        from pipelines.storage import S3Landing  # noqa: PLC0415 - it builds on this module

        return S3Landing(*bucket_and_prefix(where))
    return FolderLanding(root / where)


_PASSING = {
    errno.EAGAIN, errno.EBUSY, errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.EHOSTUNREACH,
    errno.ENETDOWN, errno.ENETUNREACH, errno.ENOTCONN, errno.ECONNRESET,
}  # fmt: skip
"""What a network share answers when it is away for a while."""


@dataclass(frozen=True, slots=True)
class FolderLanding:
    """A landing zone in a folder."""

    root: Path

    def files(self) -> list[LandedFile]:
        """All files below the folder; links are listed, not followed; a folder that cannot be listed stands for itself.

        Raises:
            UserError: the landing zone is not there, or cannot be listed itself.
        """
        self.check()
        return sorted(self._walk(), key=lambda file: file.path)

    def check(self) -> None:
        """See that the folder is there and can be listed, without listing what is below it.

        Raises:
            UserError: it is not there, or cannot be listed.
        """
        if not self.root.is_dir():
            raise UserError(f"the landing zone {self.root} is not there: mount it, or set study.landing in params.yaml")
        try:
            with os.scandir(self.root) as entries:
                next(entries, None)
        except OSError as error:
            raise UserError(f"the landing zone {self.root} cannot be listed: mend its permissions") from error

    def _walk(self) -> Iterator[LandedFile]:
        # With texts, not paths: there are two files a recording, and each would be taken apart and put together again.
        folders = [""]
        while folders:
            folder = folders.pop()
            # What is moved away during the walk, as an upload's temporary name is, has not landed.
            try:
                with os.scandir(self.root / folder) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            folders.append(f"{folder}{entry.name}/")
                            continue
                        with suppress(FileNotFoundError):
                            yield self._file(entry, folder)
            except FileNotFoundError:
                continue
            except OSError:
                # Permission, or a disk's or a mount's own failure: it costs this folder, not the night.
                where, never = folder.rstrip("/") or ".", datetime.fromtimestamp(0, tz=UTC)
                yield LandedFile(where, 0, "unlistable", never, regular=False, listable=False)

    def _file(self, entry: "os.DirEntry[str]", folder: str) -> LandedFile:
        known = entry.stat(follow_symlinks=False)
        return LandedFile(
            f"{folder}{entry.name}",
            known.st_size,
            _stamp(known),
            # A file system takes any time at all; a date has four digits for its year.
            datetime.fromtimestamp(min(max(known.st_mtime, 0.0), _LATEST_S), tz=UTC),
            entry.is_file(follow_symlinks=False),
        )

    def read(self, path: str) -> bytes:
        """A file's bytes; a link is not followed, and a pipe or device that took a file's place is not waited for."""
        try:
            handle = os.open(self.root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
            with os.fdopen(handle, "rb") as file:
                if not stat.S_ISREG(os.fstat(handle).st_mode):
                    raise Rejection("UNREADABLE", "it is no plain file")
                return file.read()
        except OSError as error:
            if error.errno in _PASSING:
                raise TemporaryError(f"the landing zone does not answer: {error.strerror}") from error
            raise Rejection("UNREADABLE", error.strerror or "it cannot be read") from error

    def stamp(self, path: str) -> str | None:
        """Size and modification time as of now."""
        try:
            return _stamp((self.root / path).lstat())
        except OSError:
            return None


_LATEST_S = datetime(9999, 12, 30, tzinfo=UTC).timestamp()


def _stamp(known: os.stat_result) -> str:
    return f"{known.st_size}:{known.st_mtime_ns}"
