"""What is known of each person's files, so that a night reads the files that are new: a file is looked at once.

`state/checked.sqlite` has a line a person and kind of facts: what was found out, with how the files stood on the disk
then (size, times, number). Where a file stands otherwise, or the code or declarations behind a kind are others, it is
looked at again. The store can be deleted at any time; what it knows is then found out anew.
"""

import hashlib
import json
import logging
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing, suppress
from functools import cache
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

log = logging.getLogger("painlake")

_NAME = "checked.sqlite"
_SETTLED_NS = 2_000_000_000
"""A file written less than two seconds ago could be written again without its times showing it."""
_PEOPLE_AT_ONCE = 50


def store_of(state: Path) -> Path:
    """Where a study keeps what it knows."""
    return state / _NAME


def forget_known(state: Path) -> None:
    """Delete all that is known, and with it whom it is known of."""
    for path in state.glob(f"{_NAME}*"):
        path.unlink(missing_ok=True)


def stamp_of(known: os.stat_result) -> str:
    """How a file stands on the disk; empty for one written a moment ago, which nothing may be known of yet."""
    if time.time_ns() - max(known.st_mtime_ns, known.st_ctime_ns) <= _SETTLED_NS:
        return ""
    return place_of(known)


def place_of(known: os.stat_result) -> str:
    """Size, times and number of a file."""
    return f"{known.st_size:x}:{known.st_mtime_ns:x}:{known.st_ctime_ns:x}:{known.st_ino:x}"


def stamps(folder: Path, names: Iterable[str]) -> list[tuple[str, str]]:
    """The files in some of a person's folders, as `folder/name`, each with how it stands; sorted."""
    found = []
    for name in names:
        with suppress(FileNotFoundError), os.scandir(folder / name) as entries:
            found += [(f"{name}/{entry.name}", stamp_of(entry.stat())) for entry in entries if entry.is_file()]
    return sorted(found)


class Known:
    """Facts of one kind by person, kept in the store; each call opens it for itself.

    Args:
        store: the SQLite file; None keeps nothing.
        kind: of the facts.
        rules: a digest of what they depend on besides the files; under another one nothing is known.
    """

    def __init__(self, store: Path | None, kind: str, rules: str) -> None:
        self._store = store
        self._kind = kind
        self._rules = rules
        self._new: dict[str, str] = {}
        self._asked: set[str] = set()
        self._connection: sqlite3.Connection | None = None
        if store is not None and store.is_file():
            try:
                self._connection = _opened(store)
            except sqlite3.Error:
                self._make_anew()

    def get(self, name: str) -> Any:
        """What is known of a person, or None."""
        self._asked.add(name)
        if name in self._new:
            return json.loads(self._new[name])
        if self._connection is None:
            return None
        try:
            row = self._connection.execute(
                "SELECT facts FROM known WHERE kind = ? AND name = ? AND rules = ?", (self._kind, name, self._rules)
            ).fetchone()
            return None if row is None else json.loads(row[0])
        except (sqlite3.Error, ValueError):
            self._make_anew()
            return None

    def put(self, name: str, facts: Any) -> None:
        """Know something of a person from now on; what can be said in JSON."""
        self._new[name] = json.dumps(facts, separators=(",", ":"))

    def keep(self, *, forget: bool = True) -> None:
        """Keep what was found out, and forget the persons that nobody asked for: they are gone.

        Args:
            forget: whether all persons were asked for.
        """
        try:
            gone = (
                set() if self._connection is None or not forget else _names(self._connection, self._kind) - self._asked
            )
        except sqlite3.Error:
            self._make_anew()
            gone = set()
        self._close()
        if self._store is None or not (self._new or gone):
            return
        self._store.parent.mkdir(mode=0o700, exist_ok=True)
        try:
            with closing(_opened(self._store)) as connection:
                connection.execute("BEGIN IMMEDIATE")
                gone_rows = [(self._kind, each) for each in gone]
                connection.executemany("DELETE FROM known WHERE kind = ? AND name = ?", gone_rows)
                rows = [(self._kind, name, self._rules, facts) for name, facts in self._new.items()]
                connection.executemany("INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?)", rows)
                connection.execute("COMMIT")
        except sqlite3.DatabaseError as error:
            # It only saves time: what was to be found out has been found out.
            log.warning("%s could not be written: %s", self._store.name, error)
        self._new = {}

    def _make_anew(self) -> None:
        self._close()
        if self._store is not None:
            log.warning("%s is damaged and made anew", self._store.name)
            forget_known(self._store.parent)

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _opened(store: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(store, isolation_level=None)
    try:
        connection.execute("PRAGMA secure_delete = ON")
        connection.execute(
            "CREATE TABLE IF NOT EXISTS known "
            "(kind TEXT, name TEXT, rules TEXT NOT NULL, facts TEXT NOT NULL, PRIMARY KEY (kind, name))"
        )
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def _names(connection: sqlite3.Connection, kind: str) -> set[str]:
    return {row[0] for row in connection.execute("SELECT name FROM known WHERE kind = ?", (kind,))}


def facts_by_person(
    known: Known, lake: Path, people: Sequence[str], folders: Sequence[str], find_out: Callable[[Sequence[str]], Any]
) -> Iterator[tuple[str, Any]]:
    """The facts of each person, in the order given: those that are known, and those that are found out now.

    Args:
        known: what is known of this kind; it is kept at the end, if there was no error.
        lake: the lake.
        people: pseudonyms.
        folders: of a person, on whose files the facts hang.
        find_out: gives the facts of some persons, in their order, as JSON has them.
    """
    for begin in range(0, len(people), _PEOPLE_AT_ONCE):
        some = people[begin : begin + _PEOPLE_AT_ONCE]
        signatures = {person: _signature(stamps(lake / person, folders)) for person in some}
        had = {person: known.get(person) for person in some}
        new = [person for person in some if had[person] is None or had[person][0] != signatures[person]]
        found = dict(zip(new, find_out(new), strict=True)) if new else {}
        for person in some:
            if person in found and signatures[person]:
                known.put(person, [signatures[person], found[person]])
            yield person, found[person] if person in found else had[person][1]
    known.keep()


def _signature(files: Sequence[tuple[str, str]]) -> str:
    """A digest of how a person's files stand; empty where one was written a moment ago."""
    if not all(stamp for _, stamp in files):
        return ""
    return hashlib.sha256(json.dumps(files).encode(errors="surrogateescape")).hexdigest()[:32]


@cache
def digest_of(modules: tuple[str, ...], libraries: tuple[str, ...], declared: str = "") -> str:
    """A digest of what facts depend on: source of modules, versions of libraries, declarations as text."""
    digest = hashlib.sha256(declared.encode())
    for module in modules:
        spec = find_spec(module)
        if spec is None or spec.origin is None:
            raise ModuleNotFoundError(module)
        digest.update(Path(spec.origin).read_bytes())
    for library in libraries:
        digest.update(f"{library} {version(library)}\0".encode())
    return digest.hexdigest()[:32]
