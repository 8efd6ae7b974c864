"""A delivered file and its fate, as the ledger knows them."""

import json
import sqlite3
from dataclasses import dataclass
from typing import Literal

from pipelines.errors import Reason
from schemas.faults import Fate

Kind = Literal["media", "table", "other"]


@dataclass(frozen=True, slots=True)
class Delivery:
    """One delivered file and its fate. An accepted recording is deferred until a version has it."""

    delivery: str
    kind: Kind
    name_digest: str
    stamp: str
    sha256: str | None
    bytes: int
    participant: str | None
    recording: str | None
    fate: Fate
    reasons: tuple[Reason, ...]
    first_seen: str
    decided_at: str
    duplicate_of: str | None = None

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes it was given."""
        return tuple(reason.code for reason in self.reasons)


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A delivered table's row in quarantine; `detail` names columns and limits, never a value."""

    table: str
    digest: str
    participant: str | None
    code: str
    delivery: str | None
    line: int | None
    detail: str | None
    since: str | None


def delivery_of(row: sqlite3.Row) -> Delivery:
    """A delivery from its row in the ledger."""
    values = dict(row)
    values["fate"] = _FATES[values["fate"]]
    # Most have none, and there is a row for each file that ever landed.
    values["reasons"] = (
        () if values["reasons"] == "[]" else tuple(Reason(*each) for each in json.loads(values["reasons"]))
    )
    return Delivery(**values)


_FATES = {fate.value: fate for fate in Fate}
