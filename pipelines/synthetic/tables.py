"""The hospital's CSV files about synthetic patients, in the dialects that hospitals have."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from typing import Final

import numpy as np

from pipelines.synthetic.people import HOSPITAL_ZONE, Person, Visit
from schemas.landing import CONSENT_SCOPES, DELIVERED_TABLES

Row = dict[str, str]


@dataclass(frozen=True, slots=True)
class Dialect:
    """How one file is written; `columns_reversed` since columns may come in any order."""

    delimiter: str = ","
    decimal: str = "."
    encoding: str = "utf-8"
    newline: str = "\n"
    columns_reversed: bool = False


DIALECTS: Final[Mapping[str, Dialect]] = {
    "participants": Dialect(),
    "consent": Dialect(newline="\r\n"),
    "clinical": Dialect(delimiter=";", decimal=",", encoding="utf-8-sig"),
    "medications": Dialect(delimiter=";", decimal=",", encoding="cp1252", newline="\r\n"),
    "questionnaires": Dialect(columns_reversed=True),
}
_NUMBERS: Final = {
    table.name: {name for name, field in table.fields.items() if field.kind == "number"} for table in DELIVERED_TABLES
}
_COLUMNS: Final = {table.name: tuple(table.fields) for table in DELIVERED_TABLES}


def participants_rows(people: Iterable[Person]) -> list[Row]:
    """One row a person."""
    return [
        {
            "participant_id": person.participant_id,
            "birth_date": person.birth_date.isoformat(),
            "sex": person.sex,
            "group": person.group,
            "site": person.site,
            "language": person.language,
            "tumour_type": person.tumour_type,
            "tumour_stage": person.tumour_stage,
            "admission_reason": person.admission_reason,
            "enrolled_at": person.enrolled_on.isoformat(),
            "exclusion": person.exclusion,
        }
        for person in people
    ]


def consent_rows(people: Iterable[Person], withdrawn_at: Mapping[str, datetime]) -> list[Row]:
    """Consent of every scope on the morning of enrolment, and its withdrawal by those who withdrew.

    Args:
        people: everyone enrolled.
        withdrawn_at: by participant id.
    """
    rows = []
    for person in people:
        given_at = datetime.combine(person.enrolled_on, time(8, 15), tzinfo=HOSPITAL_ZONE)
        moments = [(given_at, "given")]
        if person.participant_id in withdrawn_at:
            moments.append((withdrawn_at[person.participant_id], "withdrawn"))
        rows += [
            {
                "participant_id": person.participant_id,
                "recorded_at": at.isoformat(timespec="seconds"),
                "status": status,
                "scope": scope,
            }
            for at, status in moments
            for scope in CONSENT_SCOPES
        ]
    return rows


def clinical_rows(people: Iterable[Person]) -> list[Row]:
    """Pain scores some hours before, just before and some hours after each recording."""
    rows: list[Row] = []
    for person in people:
        rng = np.random.default_rng([person.seed, 5])
        ecog = int(rng.integers(0, 4))
        for visit in person.visits:
            times_min = (-int(rng.integers(150, 240)), -int(rng.integers(5, 40)), int(rng.integers(60, 200)))
            rows.extend(_observation(person, visit, minutes, ecog, rng) for minutes in times_min)
    return rows


def _observation(person: Person, visit: Visit, minutes: int, ecog: int, rng: np.random.Generator) -> Row:
    near = abs(minutes) < 60
    now = 0 if person.group == "control" else int(np.clip(visit.nrs + (0 if near else rng.integers(-2, 3)), 0, 10))
    worst = 0 if person.group == "control" else int(np.clip(max(now, visit.nrs) + rng.integers(0, 3), 0, 10))
    mean = 0.0 if person.group == "control" else (now + worst) / 2
    return {
        "participant_id": person.participant_id,
        "observed_at": _wall_clock(visit.recorded_at + timedelta(minutes=minutes)),
        "nrs_now": str(now),
        "nrs_worst_24h": str(worst),
        "nrs_mean_24h": f"{mean:.1f}",
        "ecog": str(ecog),
        # Not every observation is complete: an empty cell is a missing value.
        "clinical_status": str(rng.choice(("stable", "improving", "deteriorating", ""))),
    }


def medications_rows(people: Iterable[Person]) -> list[Row]:
    """Analgesics by the steps of the WHO ladder before each recording of a patient in pain."""
    rows = []
    for person in people:
        rng = np.random.default_rng([person.seed, 6])
        for visit in person.visits:
            if visit.nrs == 0:
                continue
            given = [("N02BE01", "paracetamol", 1000.0, "oral", 240)]
            if visit.nrs >= 4:
                given.append(("N02AA05", "oxycodone", float(rng.choice((5, 10, 20))), "oral", 120))
            if visit.nrs >= 6:
                given.append(("N02AA01", "morphine", float(rng.choice((2.5, 5.0, 7.5))), "subcutaneous", 60))
            if visit.nrs >= 8:
                given.append(("N02AB03", "fentanyl 25 µg", 0.025, "transdermal", 600))
            for atc_code, drug, dose_mg, route, before_min in given:
                at = visit.recorded_at - timedelta(minutes=before_min + int(rng.integers(-20, 40)))
                rows.append(
                    {
                        "participant_id": person.participant_id,
                        "administered_at": _wall_clock(at),
                        "atc_code": atc_code,
                        "drug": drug,
                        "dose_mg": f"{dose_mg:g}",
                        "route": route,
                    }
                )
    return rows


def questionnaires_rows(people: Iterable[Person]) -> list[Row]:
    """The fourteen items of the HADS (Zigmond and Snaith 1983), each 0 to 3, on the day of the first recording."""
    rows = []
    for person in people:
        rng = np.random.default_rng([person.seed, 7])
        for visit in person.visits[:1]:
            low_mood = 0.2 + 0.05 * visit.nrs
            at = _wall_clock(visit.recorded_at + timedelta(minutes=int(rng.integers(20, 50))))
            rows += [
                {
                    "participant_id": person.participant_id,
                    "completed_at": at,
                    "instrument": "HADS",
                    "item": f"HADS_{item}",
                    "value": str(int(rng.binomial(3, low_mood))),
                }
                for item in range(1, 15)
            ]
    return rows


def csv_bytes(table: str, rows: Sequence[Row]) -> bytes:
    """The file as the hospital writes it, in its table's dialect."""
    dialect = DIALECTS[table]
    columns = _COLUMNS[table][::-1] if dialect.columns_reversed else _COLUMNS[table]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, delimiter=dialect.delimiter, lineterminator=dialect.newline)
    writer.writeheader()
    for row in rows:
        numbers = {name: row[name].replace(".", dialect.decimal) for name in _NUMBERS[table]}
        writer.writerow(row | numbers)
    return text.getvalue().encode(dialect.encoding)


def _wall_clock(at: datetime) -> str:
    """Local time as the ward's computers write it, without an offset."""
    return at.astimezone(HOSPITAL_ZONE).replace(tzinfo=None).isoformat(timespec="seconds")
