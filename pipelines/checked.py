"""What is known of each feature file, so that a night checks the files that are new: a file is looked at once.

`state/checked.sqlite` has a line a file: the file's size, times and number on the disk as they were, a digest of the
rules and the code that checked it, and what the rules across tables need of it. Where any of these differs, the file is
read again. The store can be deleted at any time; what it knows is then found out anew.
"""

import hashlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

from schemas.tables import FEATURE_TABLES

log = logging.getLogger("painlake")

_NAME = "checked.sqlite"
_SETTLED_NS = 2_000_000_000
"""A file written less than two seconds ago could be written again without its times showing it."""
_AT_ONCE = 64
"""Files: polars takes a small part of the time for many together."""
_CODE = (
    "pipelines.checked", "pipelines.validate", "pipelines.lake", "expectations.suites", "expectations.engine",
    "expectations.results", "expectations.relations",
)  # fmt: skip
_LIBRARIES = ("great-expectations", "pandas", "polars", "pyarrow")


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of a feature file of one recording.

    Args:
        rows: how many it has.
        sound: whether it has the declared columns, rows of its own recording alone, and breaks no rule of its table.
        last_s: the latest time in it; None where it has no times.
        disordered: rows whose time is not later than that of the row before.
    """

    rows: int
    sound: bool
    last_s: float | None = None
    disordered: int = 0


def store_of(state: Path) -> Path:
    """Where a study keeps what it knows."""
    return state / _NAME


def forget_checked(state: Path) -> None:
    """Delete all that is known, and with it whom it is known of."""
    for path in state.glob(f"{_NAME}*"):
        path.unlink(missing_ok=True)


class Checked:
    """The facts of files, from the store where they are known, else found out and kept.

    Args:
        store: the SQLite file; None keeps nothing.
        lake: whose files they are.
    """

    def __init__(self, store: Path | None, lake: Path) -> None:
        self._store = store
        self._lake = lake
        self._known: dict[str, tuple[str, str]] = {}
        self._new: dict[str, tuple[str, str]] = {}
        self._seen: set[str] = set()
        self.looked_at = 0
        if store is not None and store.is_file():
            try:
                self._known = _read(store)
            except (sqlite3.Error, ValueError):
                log.warning("%s is damaged and made anew", store.name)
                forget_checked(store.parent)

    def facts(
        self, paths: Sequence[Path], find_out: Callable[[Sequence[Path]], Sequence[FileFacts]]
    ) -> list[FileFacts]:
        """The facts of files, in their order.

        Args:
            paths: the files, in the lake.
            find_out: reads some of them together.

        Raises:
            OSError: one is not there.
        """
        found: dict[Path, FileFacts] = {}
        unknown: dict[Path, tuple[str, str] | None] = {}
        for path in paths:
            name = os.path.relpath(path, self._lake)
            self._seen.add(name)
            stat = path.stat()
            signature = f"{stat.st_size}:{stat.st_mtime_ns}:{stat.st_ctime_ns}:{stat.st_ino}:{rules_sha256()}"
            known = self._known.get(name)
            if known is not None and known[0] == signature:
                found[path] = FileFacts(**json.loads(known[1]))
                continue
            settled = time.time_ns() - max(stat.st_mtime_ns, stat.st_ctime_ns) > _SETTLED_NS
            unknown[path] = (name, signature) if settled else None
        self.looked_at += len(unknown)
        waiting = list(unknown)
        for begin in range(0, len(waiting), _AT_ONCE):
            some = waiting[begin : begin + _AT_ONCE]
            for path, facts in zip(some, find_out(some), strict=True):
                found[path] = facts
                entry = unknown[path]
                if entry is not None:
                    self._new[entry[0]] = (entry[1], json.dumps(asdict(facts)))
        return [found[path] for path in paths]

    def keep(self) -> None:
        """Keep what was found out, and forget the files that are gone."""
        gone = self._known.keys() - self._seen
        if self._store is None or not (self._new or gone):
            return
        self._store.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            _write(self._store, self._new, gone)
        except sqlite3.DatabaseError as error:
            # It only saves time: the checks have been made.
            log.warning("%s could not be written: %s", self._store.name, error)


def _read(store: Path) -> dict[str, tuple[str, str]]:
    with closing(_opened(store)) as connection:
        return {row[0]: (row[1], row[2]) for row in connection.execute("SELECT path, signature, facts FROM checked")}


def _write(store: Path, new: dict[str, tuple[str, str]], gone: Iterable[str]) -> None:
    with closing(_opened(store)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.executemany("DELETE FROM checked WHERE path = ?", [(each,) for each in gone])
        rows = [(path, *values) for path, values in new.items()]
        connection.executemany("INSERT OR REPLACE INTO checked VALUES (?, ?, ?)", rows)
        connection.execute("COMMIT")


def _opened(store: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(store, isolation_level=None)
    try:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS checked (path TEXT PRIMARY KEY, signature TEXT NOT NULL, facts TEXT NOT NULL)"
        )
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@cache
def rules_sha256() -> str:
    """A digest of what decides how a file is judged: the declarations, the code of the checks and their libraries."""
    digest = hashlib.sha256(repr(FEATURE_TABLES).encode())
    for module in _CODE:
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(module)
        digest.update(Path(spec.origin).read_bytes())
    for library in _LIBRARIES:
        digest.update(f"{library} {version(library)}\0".encode())
    return digest.hexdigest()[:32]
