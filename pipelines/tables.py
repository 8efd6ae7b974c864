"""Taking in the delivered tables: persons and consent into the vault, clinical rows into the lake by pseudonym.

Deliveries add up: a row that a later file no longer has stays, a row under the same key with other values replaces
the earlier one, and each row has its own fate in the ledger.
"""

import hashlib
import json
import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, date, datetime
from functools import partial
from pathlib import Path
from zoneinfo import ZoneInfo

import polars as pl

from pipelines.audit import Event
from pipelines.calendar import age_a, age_band, study_time
from pipelines.consent import check_person
from pipelines.csvfile import Row, read_csv
from pipelines.deliveries import Delivery
from pipelines.desk import Desk
from pipelines.errors import Reason, Rejection
from pipelines.landing_zone import LandedFile
from pipelines.ledger import Ledger
from pipelines.parquet import write_parquet
from pipelines.tables_again import released_tables, table_named
from pipelines.tables_known import TablesKnown
from pipelines.tombstone import row_of_erased, without_erased_lines
from pipelines.vault_records import ConsentEvent, Person
from schemas.clinical import CLINICAL_OBSERVATIONS, MEDICATIONS, QUESTIONNAIRE_ITEMS
from schemas.core import Table
from schemas.faults import FAULTS, Effect, Fate
from schemas.landing import CONSENT_SCOPES, DELIVERED_TABLES, DeliveredTable
from schemas.people import PARTICIPANTS

log = logging.getLogger("painlake")

CLINICAL = {
    "clinical": (CLINICAL_OBSERVATIONS, "observed_at"),
    "medications": (MEDICATIONS, "administered_at"),
    "questionnaires": (QUESTIONNAIRE_ITEMS, "completed_at"),
}
"""Delivered table -> the table it becomes and the column of its time."""


def take_tables(desk: Desk, files: dict[str, LandedFile]) -> list[str]:
    """Take in every delivered table.

    Read are those that are new, and those of which a row's fate may hang on another table: consent on its person, and
    every other row on consent (see `pipelines.tables_known`).

    Args:
        desk: where from and where to.
        files: from `table_files`.

    Returns:
        The pseudonyms whose clinical tables changed, sorted.
    """
    tables = {table.name: table for table in DELIVERED_TABLES}
    known = TablesKnown(desk)
    released = any(entry.kind == "table" and "RELEASED" in entry.codes for entry in desk.ledger.waiting())
    left = {} if released else {name: sha for name, file in files.items() if (sha := known.sha256_of(name, file))}
    read = {name: _read(desk, file) for name, file in files.items() if name not in left}
    there = {hashlib.sha256(each).hexdigest() for each in read.values() if isinstance(each, bytes)}
    again = released_tables(desk, there | set(left.values()))
    for kept in again:
        if kept.table == "participants":
            _enrol_all(desk, tables[kept.table], kept.content, only_new=True)
    registered = read.get("participants")
    if isinstance(registered, bytes):
        _enrol_all(desk, tables["participants"], registered)
    changed: set[str] = set()
    entries = []
    for name in _READING_ORDER:
        # What is older goes first, and yields to what has been taken in since.
        for kept in again:
            if kept.table == name:
                entry, of_table = _give_fate(desk, tables[name], kept.entry, kept.content, None)
                entries.append(entry)
                changed |= of_table
        if name in read:
            entry, of_table = _take(desk, tables[name], files[name], read[name], known)
            entries.append(entry)
            changed |= of_table
        desk.vault.save()
    # Not in the order of participants.csv, which the files' times would show to whoever sees the lake.
    everyone = sorted(desk.vault.people, key=lambda person: person.pseudonym)
    changed |= {person.pseudonym for person in everyone if _write_participant(desk, person, known)}
    # Last of all: once they are entered, no run reads these files again.
    for entry in entries:
        desk.ledger.enter(entry)
    known.keep()
    return sorted(changed)


_READING_ORDER = ("consent", "participants", *CLINICAL)
"""Consent first: it decides about all other rows."""


def unsettled_tables(desk: Desk) -> set[str]:
    """The delivered tables that were still being written at the last look: what hangs on them waits."""
    waiting = [entry for entry in desk.ledger.waiting() if entry.kind == "table" and "NOT_STABLE" in entry.codes]
    return {table_named(desk.vault.name_of(entry.delivery) or "") for entry in waiting}


def _read(desk: Desk, file: LandedFile) -> bytes | Rejection:
    """A table's bytes, or why there are none: still being written, or unreadable."""
    earlier = desk.ledger.by_name(desk.vault.digest("name", file.path))
    if not desk.is_stable(file.modified_at, file.stamp, earlier):
        return Rejection("NOT_STABLE", "written a moment ago, or by a clock that runs ahead")
    try:
        content = desk.landing.read(file.path)
    except Rejection as error:
        return error
    changed = len(content) != file.size or desk.landing.stamp(file.path) != file.stamp
    return Rejection("NOT_STABLE", "it changed while it was read") if changed else content


def _enrol_all(desk: Desk, table: DeliveredTable, content: bytes, *, only_new: bool = False) -> None:
    """Enter everyone into the vault, so that consent finds its person; the rows get their fates later."""
    try:
        rows = read_csv(content, table, desk.zone)
    except Rejection:
        return
    for row in rows:
        enrolled = _enrolled(row)
        if enrolled is None:
            continue
        register = {
            name: value.isoformat() if isinstance(value, date) else (None if value is None else str(value))
            for name, value in row.values.items()
            if name != "participant_id"
        }
        if desk.vault.tombstone_of(str(row.values["participant_id"])) is not None:
            continue
        if only_new and desk.vault.person(str(row.values["participant_id"])) is not None:
            continue
        desk.vault.enrol(str(row.values["participant_id"]), enrolled, register)
    desk.vault.save()


def _enrolled(row: Row) -> date | None:
    """The day of enrolment, or None where the row is refused or has the person born later."""
    enrolled, birth = row.values.get("enrolled_at"), row.values.get("birth_date")
    sound = row.code is None and isinstance(enrolled, date) and isinstance(birth, date) and birth < enrolled
    return enrolled if sound and isinstance(enrolled, date) else None


def _take(
    desk: Desk, table: DeliveredTable, file: LandedFile, content: bytes | Rejection, tables_known: TablesKnown
) -> tuple[Delivery, set[str]]:
    """Give the rows of a table that lies in the landing zone their fates; gives its own entry, and whose data changed."""
    sha256 = hashlib.sha256(content).hexdigest() if isinstance(content, bytes) else None
    delivery = desk.vault.label("delivery", file.path, sha256 or "", length=12)
    desk.vault.remember_name(delivery, file.path)
    name_digest, at = desk.vault.digest("name", file.path), desk.now.isoformat()
    known = desk.ledger.find(delivery)
    entry = Delivery(
        delivery, "table", name_digest, file.stamp, sha256, file.size, None, None, Fate.DEFERRED, (),
        at if known is None else known.first_seen, at,
    )  # fmt: skip
    if isinstance(content, bytes):
        desk.ledger.forget_unread(name_digest)
        entry, changed = _give_fate(desk, table, entry, content, tables_known)
        if entry.fate is Fate.PUBLISHED:
            tables_known.note_table(table.name, file)
        return entry, changed
    reason = Reason(content.code, content.detail)
    effect = FAULTS[content.code].effect
    if known is not None and (known.stamp, known.reasons) == (entry.stamp, (reason,)):
        entry = replace(entry, decided_at=known.decided_at)
    if effect is Effect.QUARANTINE:
        desk.quarantine.keep(delivery, file.path, b"")
        entry = replace(entry, sha256="", fate=Fate.QUARANTINED)
    return replace(entry, reasons=(reason,)), set()


def _give_fate(
    desk: Desk, table: DeliveredTable, entry: Delivery, content: bytes, tables_known: TablesKnown | None
) -> tuple[Delivery, set[str]]:
    """Give a table's rows their fates; gives entry and changes.

    Args:
        desk: where to.
        table: which.
        entry: as it will be entered.
        content: its bytes.
        tables_known: None for a table of before, which is known to nobody and replaces no row that is there.
    """
    name = desk.vault.name_of(entry.delivery) or ""
    known = desk.ledger.find(entry.delivery)
    try:
        rows = read_csv(content, table, desk.zone)
    except Rejection as rejection:
        reasons = (Reason(rejection.code, rejection.detail),)
        if known is not None and known.reasons == reasons:
            entry = replace(entry, decided_at=known.decided_at)
        desk.quarantine.keep(entry.delivery, name, without_erased_lines(content, desk.vault))
        return replace(entry, fate=Fate.QUARANTINED, reasons=reasons), set()
    changed = _Rows(desk, table, tables_known).take(rows, entry.delivery, name)
    return replace(entry, fate=Fate.PUBLISHED, reasons=()), changed


class _Rows:
    """The rows of one delivered table on their way to the vault or the lake."""

    def __init__(self, desk: Desk, table: DeliveredTable, known: TablesKnown | None) -> None:
        self._desk = desk
        self._table = table
        self._known = known
        self._before = desk.ledger.rows_of(table.name)
        self._accepted: dict[str, list[tuple[str, Row]]] = {}
        self._consent: dict[str, list[str]] = {}

    def take(self, rows: list[Row], delivery: str, path: str) -> set[str]:
        fates = []
        refused = []
        places = []
        seen: Counter[str] = Counter()
        for row in rows:
            seen[row.text] += 1
            digest = self._desk.vault.digest("row", self._table.name, row.text, str(seen[row.text]))
            person, reason = self._judge(row)
            fate = Fate.PUBLISHED
            of_erased = reason is not None and reason.code == "ERASED_SUBJECT"
            if reason is not None and (of_erased or not self._stands(digest)):
                fate = Fate.QUARANTINED
                # Of an erased person nothing may be kept.
                if not of_erased:
                    refused.append({"line": row.line, "code": reason.code, "detail": reason.detail, "text": row.text})
                    places.append((digest, delivery, row.line, reason.detail))
            elif seen[row.text] > 1:
                fate = Fate.DUPLICATE
            elif reason is None and person is not None:
                self._accepted.setdefault(person.pseudonym, []).append((digest, row))
            code = reason.code if fate is Fate.QUARANTINED and reason is not None else None
            fates.append((digest, None if person is None else person.pseudonym, fate.value, code))
        erased = sum(code == "ERASED_SUBJECT" for *_, code in fates)
        if erased:
            log.warning("ERASED_SUBJECT: %d rows of %s are of erased persons", erased, self._table.name)
        changed = self._keep()
        if refused:
            content = "\n".join(json.dumps(row) for row in refused).encode()
            self._desk.quarantine.keep(f"{delivery}-rows", f"{path}: rows", content)
        else:
            self._desk.quarantine.drop(f"{delivery}-rows")
        if self._desk.audit is not None and self._consent:
            # Before the vault has them, so that a change that was kept is never without its line.
            noted = sorted(self._consent.items())
            self._desk.audit.append_all(Event("consent_noted", who, {"events": what}) for who, what in noted)
        self._desk.vault.save()
        self._desk.ledger.record_refused(self._table.name, places, self._desk.now.isoformat())
        new = [row for row in fates if self._before.get(row[0]) != row[1:]]
        self._desk.ledger.record_rows(self._table.name, new)
        return changed

    def _stands(self, digest: str) -> bool:
        """Whether a row has been taken in before."""
        return self._before.get(digest, ("", "", ""))[1] == Fate.PUBLISHED

    def _judge(self, row: Row) -> tuple[Person | None, Reason | None]:
        of_erased = row_of_erased(row.text, self._desk.vault)
        if of_erased or row.code is not None:
            code = "ERASED_SUBJECT" if of_erased else str(row.code)
            # A row in conflict may be one that was taken in before: it stays its person's.
            whose = None if of_erased else self._desk.vault.person(str(row.values.get("participant_id")))
            return whose, Reason(code, f"line {row.line}: {row.detail}")
        person = self._desk.vault.person(str(row.values["participant_id"]))
        if self._table.name == "participants" and _enrolled(row) is None:
            return person, Reason("VALUE_RANGE", f"line {row.line}: born after enrolment")
        if person is None:
            return None, Reason("UNKNOWN_ID", f"line {row.line}")
        if self._table.name == "consent":
            return person, self._note_consent(person, row)
        try:
            check_person(person, self._desk.params.land, self._desk.params.protocol, self._desk.now, self._desk.now)
        except Rejection as error:
            return person, Reason(error.code, f"line {row.line}: {error.detail}")
        return person, None

    def _note_consent(self, person: Person, row: Row) -> Reason | None:
        recorded = row.values["recorded_at"]
        scopes = [part for part in str(row.values["scope"]).lower().replace("+", "|").split("|") if part]
        if not isinstance(recorded, datetime) or not scopes or any(scope not in CONSENT_SCOPES for scope in scopes):
            return Reason("VALUE_RANGE", f"line {row.line}: scope is none of {', '.join(CONSENT_SCOPES)}")
        for scope in scopes:
            event = ConsentEvent(recorded.astimezone(UTC).isoformat(), str(row.values["status"]), scope)
            if event not in person.consent:
                person.consent.append(event)
                self._consent.setdefault(person.pseudonym, []).append(f"{scope}:{event.status}")
        return None

    def _keep(self) -> set[str]:
        """Merge the accepted rows into their persons' tables; returns whose changed."""
        if self._table.name not in CLINICAL:
            return set()
        table, time_column = CLINICAL[self._table.name]
        changed = set()
        merge = partial(_merge, table=table, yields=self._known is None)
        for pseudonym, accepted in sorted(self._accepted.items()):
            path = clinical_folder(self._desk.lake, pseudonym) / f"{table.name}.parquet"
            digests = [digest for digest, _ in accepted]
            if self._known is not None and self._known.is_same(path, digests):
                continue
            person = self._desk.vault.of_pseudonym(pseudonym)
            rows = [_clinical_row(person, row, table, time_column, self._desk.zone) for _, row in accepted]
            if _replace(self._desk.ledger, path, partial(merge, new=table.frame(rows))):
                changed.add(pseudonym)
            if self._known is not None:
                self._known.note_rows(path, digests)
        return changed


def clinical_folder(lake: Path, pseudonym: str) -> Path:
    """Where a person's clinical tables stand."""
    return lake / pseudonym / "clinical"


def _clinical_row(person: Person, row: Row, table: Table, time_column: str, zone: ZoneInfo) -> dict[str, object]:
    moment = row.values[time_column]
    if not isinstance(moment, datetime):
        raise TypeError(f"{time_column} was not read as a time")
    values = {name: value for name, value in row.values.items() if name in table.names}
    return {"participant": person.pseudonym, **study_time(moment, person.day_zero_date, zone)._asdict(), **values}


def _merge(old: pl.DataFrame | None, *, new: pl.DataFrame, table: Table, yields: bool) -> pl.DataFrame:
    both = new if old is None else pl.concat([new, old] if yields else [old, new])
    return table.conform(both.unique(list(table.key), keep="last", maintain_order=True).sort(list(table.key)))


def _replace(ledger: Ledger, path: Path, change: Callable[[pl.DataFrame | None], pl.DataFrame]) -> bool:
    """Rewrite a person's table if that changes it; the ledger learns of it first."""
    old = pl.read_parquet(path) if path.is_file() else None
    new = change(old)
    if old is not None and old.equals(new):
        return False
    ledger.mark_dirty(path.parent.parent.name)
    write_parquet(path, new)
    return True


def _write_participant(desk: Desk, person: Person, tables_known: TablesKnown) -> bool:
    """Write a person's row, and empty tables beside it, once consent stands; whether anything changed."""
    try:
        check_person(person, desk.params.land, desk.params.protocol, desk.now, desk.now)
    except Rejection:
        return False
    known = person.register
    birth = date.fromisoformat(str(known["birth_date"]))
    age = age_a(birth, person.day_zero_date)
    row = {name: known.get(name) for name in PARTICIPANTS.names if name in known}
    row["participant"] = person.pseudonym
    row["age_band"] = age_band(age, desk.params.pseudonymise.age_band_years)
    row["language"] = None if known.get("language") is None else str(known["language"]).lower()
    folder = clinical_folder(desk.lake, person.pseudonym)
    own, digest = folder / "participants.parquet", [desk.vault.digest("row", PARTICIPANTS.name, json.dumps(row))]
    changed = False
    if not tables_known.is_same(own, digest):
        changed = _replace(desk.ledger, own, lambda _: PARTICIPANTS.frame([dict(row)]))
        tables_known.note_rows(own, digest)
    for table, _ in CLINICAL.values():
        path = folder / f"{table.name}.parquet"
        if not path.is_file():
            changed |= _replace(desk.ledger, path, lambda _, table=table: table.frame())  # type: ignore[misc]  # as above
    return changed
