"""What arrives broken: deliveries and table rows of every kind, on top of the healthy ones."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from typing import Final

from pipelines.synthetic.deliveries import Checksum, Delivery, sound_delivery
from pipelines.synthetic.people import CAMERA_PREFIX, HOSPITAL_ZONE, Person, make_person
from pipelines.synthetic.tables import Row, clinical_rows, medications_rows

_KEPT_SHARE: Final = 0.6
_ERROR_PAGE: Final = b"""<!DOCTYPE html>
<html><head><title>413 Request Entity Too Large</title></head>
<body><h1>413 Request Entity Too Large</h1><p>The upload was refused.</p></body></html>
"""


@dataclass(frozen=True, slots=True)
class Broken:
    """The broken part of a landing zone.

    `people` are registered for it and are in nobody else's way; `strangers` are not registered; `withdrawn_at` says by
    participant id who withdrew their consent when.
    """

    deliveries: tuple[Delivery, ...] = ()
    people: tuple[Person, ...] = ()
    strangers: tuple[Person, ...] = ()
    withdrawn_at: Mapping[str, datetime] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a healthy patient's further recording arrives broken."""

    code: str
    damage: Callable[[bytes], bytes] = bytes
    filmed: bool = True
    index_first: bool = False
    checksum: Checksum = "absent"
    sidecar: bool = True


def _cut(media: bytes) -> bytes:
    """An upload that broke off."""
    return media[: round(_KEPT_SHARE * len(media))]


def _nothing(_: bytes) -> bytes:
    return b""


def _error_page(_: bytes) -> bytes:
    """What a proxy answered instead of the file."""
    return _ERROR_PAGE


_KINDS: Final = (
    _Kind("EMPTY_FILE", damage=_nothing, filmed=False),
    _Kind("CHECKSUM_MISMATCH", checksum="wrong"),
    _Kind("TRUNCATED", damage=_cut, index_first=True),
    _Kind("NO_INDEX", damage=_cut),
    _Kind("TYPE_MISMATCH", damage=_error_page, filmed=False),
    _Kind("WAITING_PAIR", sidecar=False),
)


def broken_deliveries(people: Sequence[Person], seed: int, seconds: float) -> Broken:
    """Plan one delivery of each kind of fault.

    Args:
        people: the healthy study; its patients get further, broken recordings.
        seed: the study's.
        seconds: length of the recordings that are made for it.
    """
    patients = [person for person in people if person.group == "pain"]
    deliveries = [_further(patients[k % len(patients)], k, kind, seconds) for k, kind in enumerate(_KINDS)]
    deliveries.append(_again(patients[0]))

    stranger = make_person(900, seed, group="pain", participant_id="PT-90417")
    withdrawn = make_person(901, seed, group="pain", participant_id="PT-90122")
    child = replace(
        make_person(902, seed, group="pain", participant_id="PT-90233"), birth_date=date(2009, 5, 10 + seed % 19)
    )
    excluded = replace(make_person(903, seed, group="pain", participant_id="PT-90344"), exclusion="dementia")
    deliveries += [
        _only(stranger, "UNKNOWN_ID", seconds),
        _only(withdrawn, "NO_CONSENT", seconds),
        _only(child, "PROTOCOL_UNDERAGE", seconds),
        _only(excluded, "PROTOCOL_EXCLUDED", seconds),
    ]
    evening_before = datetime.combine(withdrawn.enrolled_on, time(19, 30), tzinfo=HOSPITAL_ZONE)
    return Broken(
        deliveries=tuple(deliveries),
        people=(withdrawn, child, excluded),
        strangers=(stranger,),
        withdrawn_at={withdrawn.participant_id: evening_before},
    )


def break_tables(rows: Mapping[str, list[Row]], people: Sequence[Person]) -> dict[str, int]:
    """Add broken rows of patients to the tables, in place: a score of 14, one key twice, a mangled id.

    Returns:
        How many rows of each table are to be quarantined.
    """
    patient = next(person for person in people if person.group == "pain")
    observed, administered = clinical_rows([patient])[0], medications_rows([patient])[0]
    evening = datetime.combine(patient.visits[0].recorded_at.date(), time(22, 0))
    out_of_range = observed | {"observed_at": evening.isoformat(), "nrs_now": "14"}
    later = (evening + timedelta(minutes=45)).isoformat()
    twice = [observed | {"observed_at": later, "nrs_now": now, "nrs_worst_24h": "8"} for now in ("3", "7")]
    rows["clinical"].extend([out_of_range, *twice])
    rows["medications"].append(administered | {"participant_id": "1E+05"})
    return {"clinical": 3, "medications": 1}


def _further(person: Person, number: int, kind: _Kind, seconds: float) -> Delivery:
    """A further recording of a patient on the day of the last visit, broken on its way."""
    visit = person.visits[-1]
    recorded_at = visit.recorded_at + timedelta(minutes=4 * (number + 1))
    take = person.take(visit.take.seed + 1 + number, recorded_at, seconds, 0.3, "mp4")
    return Delivery(
        path=f"recordings/{person.participant_id}/{visit.label}/{CAMERA_PREFIX}{9500 + number}.mp4",
        person=person,
        visit=visit.label,
        recorded_at=recorded_at,
        take=replace(take, index_first=kind.index_first) if kind.filmed else None,
        expected=kind.code,
        damage=kind.damage,
        checksum=kind.checksum,
        sidecar=kind.sidecar,
    )


def _again(person: Person) -> Delivery:
    """The first recording once more under another name, which sorts after its own."""
    delivery = sound_delivery(person, person.visits[0])
    stem, dot, ending = delivery.path.rpartition(".")
    return replace(delivery, path=f"{stem}_copy{dot}{ending}", expected="DUPLICATE")


def _only(person: Person, code: str, seconds: float) -> Delivery:
    """The only, technically sound, recording of a person who may not be in the study."""
    day = person.enrolled_on + timedelta(days=1)
    recorded_at = datetime.combine(day, time(11, 20), tzinfo=HOSPITAL_ZONE)
    return Delivery(
        path=f"recordings/{person.participant_id}/V1/{person.given}{person.family}.mp4",
        person=person,
        visit="V1",
        recorded_at=recorded_at,
        take=person.take(person.seed, recorded_at, seconds, 0.4, "mp4"),
        expected=code,
    )
