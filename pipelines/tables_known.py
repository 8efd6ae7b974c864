"""Which delivered tables, and whose rows in them, are as they were when they were taken in: they are left alone.

A table's file that stands as it stood is read again only where a row of it was refused for what another table or the
time of day decides. Of a table that is read, the persons whose rows are the same, and whose table in the lake stands as
it was left, are passed over. Digests are keyed by the vault, since rows hold identities.
"""

import hashlib
import json
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from pipelines.desk import Desk
from pipelines.known import Known, digest_of, place_of
from pipelines.landing_zone import LandedFile
from schemas.faults import Fate
from schemas.landing import DELIVERED_TABLES
from schemas.tables import CLINICAL_TABLES

_CODE = (
    "pipelines.known", "pipelines.tables_known", "pipelines.tables", "pipelines.tables_again", "pipelines.csvfile",
    "pipelines.calendar", "pipelines.consent", "pipelines.parquet",
)  # fmt: skip
_LIBRARIES = ("polars", "pyarrow")
_MAY_CHANGE = frozenset({"UNKNOWN_ID", "NO_CONSENT", "PROTOCOL_UNDERAGE", "PROTOCOL_EXCLUDED", "ERASED_SUBJECT"})
"""Why a row is refused that may be accepted tomorrow, though its table has not changed."""


class TablesKnown:
    """What is known of the delivered tables; `keep` once all of them are entered in the ledger.

    Args:
        desk: with ledger, vault and the store of what is known; without a store nothing is.
    """

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        params = desk.params
        asked = [params.land, params.protocol, params.pseudonymise]
        declared = [repr(DELIVERED_TABLES), repr(CLINICAL_TABLES), str(desk.zone)]
        rules = digest_of(_CODE, _LIBRARIES, json.dumps([*(each.model_dump_json() for each in asked), *declared]))
        self._tables = Known(desk.store, "delivered tables", rules)
        self._rows = Known(desk.store, "rows of delivered tables", rules)
        self._noted: dict[str, str] = {}

    def sha256_of(self, name: str, file: LandedFile) -> str | None:
        """The SHA-256 of a delivered table that has nothing new to say; None of one that is to be read."""
        stamp = self._tables.get(name)
        earlier = self._desk.ledger.by_name(self._desk.vault.digest("name", file.path))
        if stamp != file.stamp or not earlier:
            return None
        entry = earlier[-1]
        taken_in = entry.stamp == file.stamp and entry.fate is Fate.PUBLISHED
        return entry.sha256 if taken_in and not self._desk.ledger.row_codes(name) & _MAY_CHANGE else None

    def note_table(self, name: str, file: LandedFile) -> None:
        """A table was read and its rows have their fates."""
        self._noted[name] = file.stamp

    def is_same(self, path: Path, rows: Iterable[str]) -> bool:
        """Whether a person's table in the lake stands as these rows left it.

        Args:
            path: of the table.
            rows: keyed digests of what it was made from.
        """
        return bool(self._rows.get(_name(path)) == [_digest(rows), _place(path)])

    def note_rows(self, path: Path, rows: Iterable[str]) -> None:
        """A person's table was made, or found to be made, from these rows."""
        self._rows.put(_name(path), [_digest(rows), _place(path)])

    def keep(self) -> None:
        """Know all that was noted from now on."""
        for name, stamp in self._noted.items():
            self._tables.put(name, stamp)
        self._tables.keep()
        # A person's rows that were not asked for are of a table that was not read.
        self._rows.keep(forget=False)


def _name(path: Path) -> str:
    return f"{path.parent.parent.name}/{path.stem}"


def _place(path: Path) -> str | None:
    # As this run has left it: nobody else writes here, so there is no waiting for it to settle.
    with suppress(FileNotFoundError):
        return place_of(path.stat())
    return None


def _digest(rows: Iterable[str]) -> str:
    return hashlib.sha256("\n".join(rows).encode()).hexdigest()
