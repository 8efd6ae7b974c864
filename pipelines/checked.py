"""What is known of each feature file, so that a night checks the files that are new: a file is looked at once.

A file becomes known only once Great Expectations has judged rows of it too (see `pipelines.validate`).
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path

from pipelines.known import Known, digest_of, stamp_of
from schemas.tables import FEATURE_TABLES

_AT_ONCE = 64
"""Files: polars takes a small part of the time for many together."""
_CODE = (
    "pipelines.known", "pipelines.checked", "pipelines.validate", "pipelines.lake", "expectations.suites",
    "expectations.engine", "expectations.results", "expectations.relations",
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
        decoded: how many frames were decoded, in measures of quality alone.
    """

    rows: int
    sound: bool
    last_s: float | None = None
    disordered: int = 0
    decoded: float | None = None


class Checked:
    """The facts of one table's files, from the store where they are known, else found out and kept.

    Args:
        store: see `pipelines.known`; None keeps nothing.
        table: the table's name.
    """

    def __init__(self, store: Path | None, table: str) -> None:
        self._known = Known(store, f"files of {table}", rules_sha256())
        self.looked_at = 0

    def facts(
        self, paths: Sequence[Path], find_out: Callable[[Sequence[Path]], Sequence[FileFacts]]
    ) -> list[FileFacts]:
        """The facts of files, in their order.

        Args:
            paths: the files, in the lake: `<person>/<folder>/<name>`, each person's one after the other.
            find_out: reads some of them together.

        Raises:
            OSError: one is not there.
        """
        stamps, found, had = {}, {}, {}
        for path in paths:
            person = path.parent.parent.name
            if person not in had:
                had[person] = self._known.get(person) or {}
            stamps[path] = stamp = stamp_of(os.stat(path))  # noqa: PTH116 - for each of a million files
            entry = had[person].get(path.name)
            if entry is not None and stamp and entry[0] == stamp:
                found[path] = FileFacts(*entry[1:])
        new = [path for path in paths if path not in found]
        self.looked_at += len(new)
        for begin in range(0, len(new), _AT_ONCE):
            some = new[begin : begin + _AT_ONCE]
            found.update(zip(some, find_out(some), strict=True))
        self._note(paths, stamps, found, had)
        return [found[path] for path in paths]

    def _note(
        self,
        paths: Sequence[Path],
        stamps: dict[Path, str],
        found: dict[Path, FileFacts],
        had: dict[str, dict[str, list[object]]],
    ) -> None:
        now: dict[str, dict[str, list[object]]] = {person: {} for person in had}
        for path in paths:
            if stamps[path]:
                now[path.parent.parent.name][path.name] = [stamps[path], *astuple(found[path])]
        for person, entries in now.items():
            if entries != had[person]:
                self._known.put(person, entries)

    def keep(self) -> None:
        """Keep what was found out, and forget the files that are gone."""
        self._known.keep()


def rules_sha256() -> str:
    """A digest of what decides how a file is judged: the declarations, the code of the checks and their libraries."""
    return digest_of(_CODE, _LIBRARIES, repr(FEATURE_TABLES))
