"""The ledger's file: how it is opened and sealed, and the books in it that are of no delivery: work, versions, runs."""

import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any

from pipelines.durable import write_durably
from pipelines.durable_steps import durable
from pipelines.errors import UserError
from pipelines.ledger_schema import SCHEMA
from pipelines.seal import SealedConnection, refuse_broken


class LedgerFile:
    """An open ledger, without its deliveries. Every method is one transaction, so a crash leaves it whole.

    Args:
        path: the SQLite file; made if missing.
        read_only: refuse to write (for `status` beside a run).

    Raises:
        UserError: the file is no ledger, is not what was sealed, or cannot be reached.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        if not read_only:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            refuse_broken(path)
            if not path.exists():
                _make(path)
        mode = "ro" if read_only else "rwc"
        try:
            self._db = sqlite3.connect(
                f"file:{path}?mode={mode}",
                uri=True,
                check_same_thread=False,
                isolation_level=None,
                factory=SealedConnection,
            )
            self._db.sealed_path = None if read_only else str(path)
            self._db.row_factory = sqlite3.Row
            if read_only:
                # SQLite opens any file: only a first question shows whether it is a ledger.
                self._db.execute("SELECT NULL FROM deliveries LIMIT 0")
            else:
                self._db.execute("PRAGMA journal_mode = WAL")
                self._db.execute("PRAGMA synchronous = FULL")
                self._db.executescript(SCHEMA)
        except sqlite3.Error as error:
            raise UserError(f"the ledger {path} cannot be read ({error}): restore it from a backup") from error

    def close(self) -> None:
        """Close the file, and seal it if it was written to."""
        self._db.close_sealed()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make several writes one."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def _one(self) -> AbstractContextManager[None]:
        """One transaction, the caller's where there is one: by itself, SQLite waits for the disk after each row."""
        return nullcontext() if self._db.in_transaction else self.transaction()

    # --- units of work ---

    def unit(self, recording: str, stage: str) -> tuple[str, str] | None:
        """The key and output digest under which a unit is done, or None."""
        row = self._db.execute(
            "SELECT key, sha256 FROM units WHERE recording = ? AND stage = ?", (recording, stage)
        ).fetchone()
        return None if row is None else (row["key"], row["sha256"])

    def units_with_digests(self) -> dict[tuple[str, str], tuple[str, str]]:
        """The key and output digest of all units that are done, by recording and stage."""
        rows = self._db.execute("SELECT * FROM units")
        return {(row["recording"], row["stage"]): (row["key"], row["sha256"]) for row in rows}

    @durable("ledger")
    def finish_unit(self, recording: str, stage: str, key: str, sha256: str) -> None:
        """Enter that a unit is done."""
        self._db.execute("INSERT OR REPLACE INTO units VALUES (?, ?, ?, ?)", (recording, stage, key, sha256))

    @durable("ledger")
    def forget_units(self, recording: str) -> None:
        """Forget a recording's units."""
        self._db.execute("DELETE FROM units WHERE recording = ?", (recording,))

    # --- persons whose folder changed since the last version ---

    @durable("ledger")
    def mark_dirty(self, *participants: str) -> None:
        """Note, before it is done, that persons' folders change."""
        with self._one():
            self._db.executemany("INSERT OR IGNORE INTO dirty VALUES (?)", [(each,) for each in participants])

    def dirty(self) -> list[str]:
        """Whose folders changed since the last version, sorted."""
        return [row["participant"] for row in self._db.execute("SELECT participant FROM dirty ORDER BY participant")]

    @durable("ledger")
    def clear_dirty(self) -> None:
        """A version has it all."""
        self._db.execute("DELETE FROM dirty")

    # --- sums of files whose bytes nothing else knows ---

    @durable("ledger")
    def note_sum(self, path: str, sha256: str) -> None:
        """Enter the SHA-256 of a file, by its path in the study."""
        self._db.execute("INSERT OR REPLACE INTO sums VALUES (?, ?)", (path, sha256))

    @durable("ledger")
    def forget_sum(self, path: str) -> None:
        """Forget the SHA-256 of a file that changes or goes."""
        self._db.execute("DELETE FROM sums WHERE path = ?", (path,))

    def sums(self) -> dict[str, str]:
        """The SHA-256 of each such file, by its path in the study."""
        try:
            return {row["path"]: row["sha256"] for row in self._db.execute("SELECT path, sha256 FROM sums")}
        except sqlite3.OperationalError:
            # As with `withdrawn`.
            return {}

    def problems(self) -> list[str]:
        """What SQLite finds wrong with the file."""
        found = [str(row[0]) for row in self._db.execute("PRAGMA integrity_check")]
        return [] if found == ["ok"] else found

    # --- versions and runs ---

    @durable("ledger")
    def mark_pushed(self, at: str) -> None:
        """The remote has all versions so far."""
        self._db.execute("UPDATE versions SET pushed_at = ? WHERE pushed_at IS NULL", (at,))

    def versions(self) -> list[dict[str, Any]]:
        """All published versions, oldest first."""
        return [dict(row) for row in self._db.execute("SELECT * FROM versions ORDER BY number")]

    @durable("ledger")
    def begin_run(self, at: str) -> int:
        """Enter the begin of a run; returns its number."""
        return int(self._db.execute("INSERT INTO runs (started_at) VALUES (?)", (at,)).lastrowid or 0)

    @durable("ledger")
    def end_run(self, run: int, outcome: str, fingerprint: str | None, at: str) -> None:
        """Enter the end of a run, and of which state of code and parameters it was a whole one."""
        self._db.execute(
            "UPDATE runs SET finished_at = ?, outcome = ?, fingerprint = ? WHERE rowid = ?",
            (at, outcome, fingerprint, run),
        )

    def was_interrupted(self) -> bool:
        """Whether the run that began last has not ended: asked before another one begins, it was killed."""
        row = self._db.execute("SELECT finished_at FROM runs ORDER BY rowid DESC LIMIT 1").fetchone()
        return row is not None and row["finished_at"] is None

    def last_run(self) -> dict[str, Any] | None:
        """The last run that ended, or None."""
        row = self._db.execute(
            "SELECT * FROM runs WHERE finished_at IS NOT NULL ORDER BY rowid DESC LIMIT 1"
        ).fetchone()
        return None if row is None else dict(row)


def _make(path: Path) -> None:
    """Make an empty ledger: whoever is killed here leaves none, and not one without tables, which no reader takes."""
    with closing(sqlite3.connect(":memory:")) as empty:
        empty.executescript(SCHEMA)
        content = empty.serialize()
    try:
        write_durably(path, content, mode=0o600, step="ledger.make", first=True)
    except OSError as error:
        raise UserError(f"the ledger {path} cannot be made: {error.strerror}") from error
