"""The ledger's seal: the SHA-256 of the whole file, so that one changed bit anywhere in it shows.

SQLite has no checksums of its own. `state/ledger.seal` holds the sum in the form of `sha256sum`, twice, so that damage to
the seal is told from damage to the ledger. A writer breaks the seal, durably, before its first write, and seals anew
when it closes: a run that is killed leaves an unsealed ledger, never one that looks damaged, and the next run seals it.
"""

import hashlib
import os
import re
import sqlite3
from collections.abc import Iterable
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import Any

from pipelines.durable import sync, write_durably
from pipelines.errors import UserError

_READS = re.compile(r"\s*(SELECT|BEGIN|COMMIT|ROLLBACK|PRAGMA\s+(?!user_version|application_id))\b", re.IGNORECASE)
_LINE = re.compile(r"([0-9a-f]{64})  (\S+)")


class Seal(Enum):
    """What a look at a sealed file finds."""

    WHOLE = "whole"
    NONE = "none"
    """No seal: a writer has it open, or was killed."""
    SPOILT = "spoilt"
    """The seal itself is damaged."""
    BROKEN = "broken"
    """The file is not what was sealed."""


def seal_file(path: Path) -> Path:
    """Where a file's seal stands.

    >>> seal_file(Path("state/ledger.sqlite")).name
    'ledger.seal'
    """
    return path.with_suffix(".seal")


def sha256_of(path: Path) -> str:
    """A file's SHA-256, hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def seal_of(path: Path) -> Seal:
    """Compare a file with its seal; a writer may be at work, and is not taken for damage."""
    content = _content(path)
    if content is None:
        return Seal.NONE
    try:
        lines = content.decode("ascii").split("\n")
    except UnicodeDecodeError:
        lines = []
    match = _LINE.fullmatch(lines[0]) if lines else None
    if match is None or lines != [lines[0], lines[0], ""] or match[2] != path.name:
        return Seal.SPOILT
    if sha256_of(path) == match[1]:
        return Seal.WHOLE
    return Seal.BROKEN if _content(path) == content else seal_of(path)


def _content(path: Path) -> bytes | None:
    try:
        return seal_file(path).read_bytes()
    except FileNotFoundError:
        return None


def seal(path: Path) -> None:
    """Seal a file as it stands."""
    line = f"{sha256_of(path)}  {path.name}\n"
    write_durably(seal_file(path), (line + line).encode(), mode=0o600)


def refuse_broken(path: Path) -> None:
    """See that a file is what was sealed: a writer would seal the damage with it.

    Raises:
        UserError: it is not.
    """
    if path.is_file() and (found := seal_of(path)) in {Seal.BROKEN, Seal.SPOILT}:
        what = path if found is Seal.BROKEN else seal_file(path)
        raise UserError(
            f"{what} is damaged: restore {path.name} and {seal_file(path).name} from a backup; "
            f"if you put this file there yourself, remove {seal_file(path).name} beside it"
        )


class SealedConnection(sqlite3.Connection):
    """A connection to a sealed SQLite file, which breaks the seal before anything is written.

    Where another connection has sealed the file meanwhile, the next write breaks that seal too.
    """

    sealed_path: str | None = None

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        """Run a statement."""
        self._before(sql)
        return super().execute(sql, parameters)

    def executemany(self, sql: str, parameters: Iterable[Any], /) -> sqlite3.Cursor:
        """Run a statement for each of several rows."""
        self._before(sql)
        return super().executemany(sql, parameters)

    def executescript(self, sql_script: str, /) -> sqlite3.Cursor:
        """Run several statements; those that find everything made already leave the seal whole."""
        super().execute("PRAGMA query_only = ON")
        try:
            return super().executescript(sql_script)
        except sqlite3.OperationalError:
            super().execute("PRAGMA query_only = OFF")
            self._break()
            return super().executescript(sql_script)
        finally:
            super().execute("PRAGMA query_only = OFF")

    def close_sealed(self) -> None:
        """Close, and seal the file if this connection, or one that was killed, has written to it.

        Where another connection is at work, or the disk is full, the file stays unsealed.
        """
        path = None if self.sealed_path is None else Path(self.sealed_path)
        busy = True
        with suppress(sqlite3.Error):
            busy = bool(super().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0])
        super().close()
        if path is None or busy or seal_file(path).exists():
            return
        log = Path(f"{path}-wal")
        with suppress(OSError):
            if not log.exists() or log.stat().st_size == 0:
                seal(path)

    def _before(self, sql: str) -> None:
        if _READS.match(sql) is None:
            self._break()

    def _break(self) -> None:
        if self.sealed_path is None:
            return
        seal = seal_file(Path(self.sealed_path))
        try:
            os.unlink(seal)  # noqa: PTH108 - at each write, mostly for nothing: no path is made of it
        except FileNotFoundError:
            return
        sync(seal.parent)
