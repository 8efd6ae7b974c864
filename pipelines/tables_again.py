"""Delivered tables that were released from quarantine: read again from what is kept, where their files have gone.

Of a table that was refused whole, the whole is kept; of one that was taken in, the rows that were refused. The rows
stand on the lines on which they were delivered, so that what is said of them still fits.
"""

import csv
import io
import json
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import PurePosixPath

from pipelines.deliveries import Delivery
from pipelines.desk import Desk
from pipelines.errors import Reason
from schemas.faults import Fate
from schemas.landing import DELIVERED_TABLES, DeliveredTable

_TABLES = {table.name: table for table in DELIVERED_TABLES}


@dataclass(frozen=True, slots=True)
class KeptTable:
    """A released table: what the ledger has of it, and its kept bytes or its refused rows as a CSV file."""

    table: str
    entry: Delivery
    content: bytes = field(repr=False)


def table_named(path: str) -> str:
    """The delivered table that a file is, by its name.

    >>> table_named("Clinical.CSV")
    'clinical'
    """
    return PurePosixPath(path).stem.lower()


def released_tables(desk: Desk, there: AbstractSet[str]) -> list[KeptTable]:
    """The released tables whose files have gone or hold something else now, in the order of their release.

    Of one of which nothing is kept there is nothing to try: it is set aside as `VANISHED`.

    Args:
        desk: with ledger, vault and quarantine.
        there: SHA-256 of the tables in the landing zone.
    """
    found = []
    for entry in desk.ledger.waiting():
        if entry.kind != "table" or "RELEASED" not in entry.codes or entry.sha256 in there:
            continue
        name = table_named(desk.vault.name_of(entry.delivery) or "")
        content = _kept(desk, entry, name)
        if name in _TABLES and content is not None:
            entry = replace(entry, decided_at=desk.now.isoformat())  # noqa: PLW2901 - the same delivery
            found.append(KeptTable(name, entry, content))
            continue
        reason = Reason("VANISHED", "nothing of it is kept")
        at = desk.now.isoformat()
        desk.ledger.enter(replace(entry, fate=Fate.QUARANTINED, reasons=(reason,), decided_at=at))
    return found


def _kept(desk: Desk, entry: Delivery, name: str) -> bytes | None:
    whole = desk.quarantine.fetch(entry.delivery) if desk.quarantine.is_whole(entry) else None
    if whole is not None:
        return whole[1]
    rows = desk.quarantine.fetch(f"{entry.delivery}-rows")
    return None if rows is None or name not in _TABLES else rows_as_csv(rows[1], _TABLES[name])


def rows_as_csv(kept: bytes, table: DeliveredTable) -> bytes:
    r"""Refused rows as the CSV file that they stood in, without the others.

    Args:
        kept: a JSON object a line, with the row's `line` and its `text` as `pipelines.csvfile` gives it.
        table: which table it is.

    >>> consent = DELIVERED_TABLES[1]
    >>> rows_as_csv(b'{"line": 3, "text": "{\\"participant_id\\": \\"007\\", \\"scope\\": null}"}', consent)
    b'participant_id,recorded_at,status,scope\r\n\r\n007,,,\r\n'
    """
    rows = sorted((json.loads(line) for line in kept.decode().split("\n") if line), key=lambda row: int(row["line"]))
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(table.fields)
    at = 1
    for row in rows:
        text = json.loads(row["text"])
        cells = text if isinstance(text, list) else [_cell(text.get(name)) for name in table.fields]
        spans = 1 + sum(cell.count("\n") for cell in cells)
        blank = max(int(row["line"]) - at - spans, 0)
        out.write("\r\n" * blank)
        writer.writerow(cells)
        at += blank + spans
    return out.getvalue().encode()


def _cell(value: object) -> str:
    if isinstance(value, float):
        # Without an exponent, which no hospital writes and the reader refuses.
        return format(Decimal(repr(value)), "f")
    return "" if value is None else str(value)
