"""What is in quarantine, for people: deliveries and refused rows, with what was found and what to do; never whose."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from pipelines.deliveries import Delivery, RefusedRow
from pipelines.errors import UserError
from pipelines.ledger import Ledger
from pipelines.measured import measured
from pipelines.study import Study
from pipelines.waiting import waited
from schemas.faults import FAULTS, Fate

Kind = Literal["media", "table", "row", "other"]

_AGE = re.compile(r"(?P<count>[0-9]+(\.[0-9]+)?) ?(?P<unit>[hdw]?)")
_UNITS = {"": timedelta(days=1), "h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
_COLUMNS_MISSING = "columns missing: "


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which entries are wanted; None is no wish.

    Args:
        code: of `schemas.faults`.
        kind: of what.
        deliveries: ids; a delivery's refused rows are wanted with it.
        older_than: set aside before so long.
        newer_than: set aside since so long.
    """

    code: str | None = None
    kind: Kind | None = None
    deliveries: Sequence[str] = ()
    older_than: timedelta | None = None
    newer_than: timedelta | None = None

    def __post_init__(self) -> None:
        if self.code is not None and self.code not in FAULTS:
            raise UserError(f"there is no code {self.code}: see `painlake quarantine list`")

    def takes(self, entry: dict[str, Any], age: timedelta | None) -> bool:
        """Whether an entry is wanted."""
        return (
            self.code in {None, entry["code"]}
            and self.kind in {None, entry["kind"]}
            and (not self.deliveries or bool({entry["delivery"], entry["of_delivery"]} & set(self.deliveries)))
            and (self.older_than is None or (age is not None and age >= self.older_than))
            and (self.newer_than is None or (age is not None and age <= self.newer_than))
        )


EVERYTHING = Wanted()


def parse_age(text: str) -> timedelta:
    """An age such as `7d`, `12h`, `2w`; a number alone is days.

    Raises:
        UserError: it is none.

    >>> parse_age("36h") == parse_age("1.5")
    True
    """
    found = _AGE.fullmatch(text.strip().lower())
    if found is None:
        raise UserError(f"{text!r} is no age: say 7d for seven days, 12h for twelve hours")
    return float(found["count"]) * _UNITS[found["unit"]]


def in_quarantine(study: Study, wanted: Wanted = EVERYTHING, now: datetime | None = None) -> list[dict[str, Any]]:
    """What is in quarantine, oldest first: deliveries and, of tables that were taken in, the rows that were refused.

    Args:
        study: the study.
        wanted: which entries.
        now: the time that ages count to; None for the present.

    Returns:
        One document for each: `delivery` (its id; a row's is that of its delivery and the line, `ID:LINE`),
        `of_delivery`, `kind`, `code`, `found`, `meaning`, `next_step`, `bytes`, `sha256`, `participant` (the pseudonym,
        where known), `since`, `age_days`, `table` and `line` of a row, `missing_columns` of a table, `measured`
        (`pipelines.measured`), and `kept`: whether the delivered bytes are there to be tried again.
    """
    if not study.ledger.is_file():
        return []
    ledger = Ledger(study.ledger, read_only=True)
    try:
        deliveries = [entry for entry in ledger.deliveries() if entry.fate is Fate.QUARANTINED]
        # Of an erased person's rows there is a count, and nothing else.
        rows = [row for row in ledger.refused_rows() if row.code != "ERASED_SUBJECT"]
    finally:
        ledger.close()
    entries = [*(_of_delivery(study, entry) for entry in deliveries), *(_of_row(study, row) for row in rows)]
    at = now or datetime.now(tz=UTC)
    chosen = []
    for entry in entries:
        age = None if entry["since"] is None else waited(entry["since"], at)
        entry["age_days"] = None if age is None else round(age / timedelta(days=1), 2)
        if wanted.takes(entry, age):
            chosen.append(entry)
    return sorted(chosen, key=lambda entry: (entry["since"] or "", entry["of_delivery"] or "", entry["line"] or 0))


def details_of(study: Study, delivery: str, now: datetime | None = None) -> dict[str, Any]:
    """One entry, and under `rows` the refused rows of a table's delivery.

    Args:
        study: the study.
        delivery: an id as `in_quarantine` gives it.
        now: the time that ages count to; None for the present.

    Raises:
        UserError: nothing of that name is in quarantine.
    """
    found = in_quarantine(study, Wanted(deliveries=[delivery]), now)
    itself = next((entry for entry in found if entry["delivery"] == delivery), None)
    rows = [entry for entry in found if entry["delivery"] != delivery]
    if itself is not None:
        return {**itself, "rows": rows}
    if not rows:
        raise UserError(f"nothing in quarantine is called {delivery}: see `painlake quarantine list`")
    oldest = rows[0]
    told = {
        **dict.fromkeys(oldest),
        "delivery": delivery,
        "of_delivery": delivery,
        "kind": "table",
        "table": oldest["table"],
        "found": f"{len(rows)} of its rows were refused; the others were taken in",
        "next_step": "see each row, then release: its refused rows are read again",
        "since": oldest["since"],
        "age_days": oldest["age_days"],
        "kept": oldest["kept"],
    }
    return {**told, "rows": rows}


def _of_delivery(study: Study, entry: Delivery) -> dict[str, Any]:
    reason = entry.reasons[0]
    columns = reason.detail.removeprefix(_COLUMNS_MISSING) if reason.detail.startswith(_COLUMNS_MISSING) else ""
    return {
        "delivery": entry.delivery,
        "of_delivery": entry.delivery,
        "kind": entry.kind,
        **_told(reason.code, reason.detail),
        "bytes": entry.bytes,
        "sha256": entry.sha256,
        "participant": entry.participant,
        "since": entry.decided_at,
        "table": None,
        "line": None,
        "missing_columns": columns.split(", ") if columns else [],
        "kept": (study.quarantine / f"{entry.delivery}.age").is_file(),
    }


def _of_row(study: Study, row: RefusedRow) -> dict[str, Any]:
    return {
        "delivery": row_id(row),
        "of_delivery": row.delivery,
        "kind": "row",
        **_told(row.code, row.detail or ""),
        "bytes": None,
        "sha256": None,
        "participant": row.participant,
        "since": row.since,
        "table": row.table,
        "line": row.line,
        "missing_columns": [],
        "kept": row.delivery is not None and (study.quarantine / f"{row.delivery}-rows.age").is_file(),
    }


def row_id(row: RefusedRow) -> str:
    """A row's id: of its delivery, and the line; of rows from before the ledger knew where, its table and digest."""
    return f"{row.table}:{row.digest[:12]}" if row.delivery is None else f"{row.delivery}:{row.line}"


def _told(code: str, found: str) -> dict[str, Any]:
    fault = FAULTS[code]
    return {
        "code": code,
        "found": found,
        "meaning": fault.meaning,
        "next_step": fault.next_step,
        "measured": measured(found),
    }
