"""Consent decides before a byte of media is decoded, and a withdrawal stops what would come after it."""

from contextlib import nullcontext
from dataclasses import replace
from typing import Any

import pytest

from pipelines.audit import open_audit, read_audit
from pipelines.errors import UserError
from pipelines.measuring import Measuring
from pipelines.night import Night
from pipelines.person import measure_person
from pipelines.pseudonymise import recordings_folder
from pipelines.recording import Recording
from pipelines.stages import MEDIA_STAGES
from pipelines.work import Done, Unit
from schemas.faults import Fate
from tests.pipelines.landing_factory import ID, Hospital, LightStudy, small_mp4

MP4 = small_mp4()
BEFORE, SINCE, TO_COME = "2026-03-01T09:00:00+01:00", "2026-04-01T09:00:00+02:00", "2026-09-01T09:00:00+02:00"
"""The recording is of 15 March, the night of 1 June."""

Events = list[tuple[str, str, tuple[str, ...]]]
BOTH = ("recording", "ai_research")


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """What FFmpeg was asked to open: nothing else here can decode media."""
    opened: list[object] = []

    def crash(file: object, *_: object, **__: object) -> None:
        opened.append(file)
        raise SystemError("a decoder ran")

    monkeypatch.setattr("av.open", crash)
    return opened


def night_of(study: LightStudy, monkeypatch: pytest.MonkeyPatch) -> tuple[Night, list[Unit]]:
    """A night whose units are noted, and done by nobody."""
    units: list[Unit] = []

    def do(unit: Unit) -> Done:
        units.append(unit)
        return Done(unit.stage, unit.recording.recording, unit.key, "0" * 64, ())

    monkeypatch.setattr("pipelines.measuring.do_unit", do)
    monkeypatch.setattr("pipelines.person.do_unit", do)
    monkeypatch.setattr("pipelines.person.Workers", lambda *_: nullcontext(Inline()))
    audit = open_audit(study.study, study.vault)
    repository: Any = None
    desk = replace(study.desk, audit=audit, quarantine=replace(study.quarantine, audit=audit))
    return Night(study.study, desk, audit, repository, Measuring(desk, audit)), units


class Inline:
    """Workers that work in this process, a stage at a time."""

    does_two_at_once = False

    def run(self, function: Any, *arguments: Any) -> Any:
        return function(*arguments)


@pytest.mark.parametrize(
    "events",
    [
        [],
        [("withdrawn", BEFORE, BOTH)],
        [("given", BEFORE, BOTH), ("withdrawn", "2026-03-10T09:00:00+01:00", BOTH)],
        [("given", BEFORE, BOTH), ("expired", "2026-03-10T09:00:00+01:00", BOTH)],
        [("given", BEFORE, ("recording",))],
        [("given", BEFORE, ("ai_research", "sharing"))],
        [("given", SINCE, BOTH)],
        [("given", BEFORE, BOTH), ("withdrawn", SINCE, ("ai_research",))],
        [("given", BEFORE, BOTH), ("withdrawn", TO_COME, BOTH)],
    ],
    ids=["none", "withdrawn", "withdrawn before", "expired before", "one scope", "other scope", "later", "withdrawn later",
         "withdrawn at a time to come"],
)  # fmt: skip
def test_without_consent_no_decoder_runs(
    study: LightStudy, hospital: Hospital, decoded: list[object], events: Events
) -> None:
    hospital.register()
    for status, at, scopes in events:
        hospital.consent(status, at, scopes)
    path = hospital.film(MP4)
    assert study.night() == []
    assert (study.entry(path).fate, study.entry(path).codes) == (Fate.QUARANTINED, ("NO_CONSENT",))
    assert decoded == []
    assert list(study.study.lake.rglob("*.age")) == []


@pytest.mark.parametrize("events", [
    [("given", BEFORE, BOTH)],
    [("given", BEFORE, BOTH), ("expired", SINCE, BOTH)],
    [("given", BEFORE, BOTH), ("expired", TO_COME, BOTH)],
])  # fmt: skip
def test_with_consent_one_does(study: LightStudy, hospital: Hospital, decoded: list[object], events: Events) -> None:
    hospital.register()
    for status, at, scopes in events:
        hospital.consent(status, at, scopes)
    hospital.film(MP4)
    with pytest.raises(SystemError, match="a decoder ran"):
        study.night()
    assert len(decoded) == 1


# --- a withdrawal that comes later ---


@pytest.fixture
def taken_in(study: LightStudy, hospital: Hospital) -> Recording:
    """A recording in the lake, in no version yet."""
    hospital.admit()
    hospital.film(MP4)
    (recording,) = study.night()
    return recording


def test_nothing_more_is_measured_of_a_person_who_withdrew(
    study: LightStudy, hospital: Hospital, taken_in: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    study.publish()
    night, _ = night_of(study, monkeypatch)
    assert night.measuring.stale(but=()) == [taken_in]
    hospital.consent("withdrawn", SINCE)
    night.take_tables(study.look())
    assert night.measuring.stale(but=()) == []
    second = hospital.film(small_mp4(60), "second.mp4")
    assert study.land() == []
    assert study.entry(second).codes == ("NO_CONSENT",)
    with pytest.raises(UserError, match=f"{taken_in.participant} has withdrawn consent"):
        measure_person(study.study, "quality", taken_in.participant, print)


def test_what_a_killed_run_left_unpublished_is_set_aside_and_kept(
    study: LightStudy, hospital: Hospital, taken_in: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    night, _ = night_of(study, monkeypatch)
    hospital.consent("withdrawn", SINCE)
    night.take_tables(study.look())
    entry = study.ledger.deliveries("media")[0]
    assert (entry.fate, entry.codes, entry.recording) == (Fate.QUARANTINED, ("NO_CONSENT",), None)
    assert not recordings_folder(study.study.lake, taken_in.participant).exists()
    kept = study.quarantine.fetch(entry.delivery)
    assert kept is not None
    assert kept[1] == MP4
    assert not study.look().candidates


# --- who was handed what ---


def test_each_handing_out_of_a_key_is_in_the_audit_log_and_only_decoding_stages_get_one(
    study: LightStudy, taken_in: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    night, units = night_of(study, monkeypatch)
    person = study.vault.of_pseudonym(taken_in.participant)
    workers: Any = Inline()
    for stage in MEDIA_STAGES:
        assert night.measuring.measure(stage.name, taken_in, None, workers)
    entries = [e for e in read_audit(study.study) if e["action"] == "recording_decrypted"]
    assert [(e["subject"], e["detail"]["stage"]) for e in entries] == [
        (taken_in.recording, stage) for stage in ("quality", "face", "voice")
    ]
    assert {unit.stage: unit.identity for unit in units} == {
        "quality": person.identity, "face": person.identity, "voice": person.identity, "align": "",
    }  # fmt: skip


def test_no_key_is_handed_out_that_the_log_could_not_note(
    study: LightStudy, taken_in: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    night, units = night_of(study, monkeypatch)

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pipelines.audit.os.fsync", full)
    workers: Any = Inline()
    with pytest.raises(OSError, match="No space left"):
        night.measuring.measure("face", taken_in, None, workers)
    assert units == []


def test_dvc_repro_leaves_its_lines_too(
    study: LightStudy, taken_in: Recording, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, units = night_of(study, monkeypatch)
    assert measure_person(study.study, "voice", taken_in.participant, print) == 1
    assert [unit.stage for unit in units] == ["voice"]
    (entry,) = read_audit(study.study)
    assert (entry["action"], entry["subject"]) == ("recording_decrypted", taken_in.recording)


def test_changes_of_consent_and_readings_of_the_quarantine_are_in_the_audit_log(
    study: LightStudy, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    night, _ = night_of(study, monkeypatch)
    hospital.admit()
    night.take_tables(study.look())
    hospital.consent("withdrawn", SINCE, ("ai_research",))
    night.take_tables(study.look())
    night.take_tables(replace(study.look(), tables_changed=True))
    path = hospital.film(b"")
    study.land()
    delivery = study.entry(path).delivery
    assert night.desk.quarantine.fetch(delivery) is not None
    person = study.vault.person(ID)
    assert person is not None
    assert [(e["action"], e["subject"], e["detail"]) for e in read_audit(study.study)] == [
        ("consent_noted", person.pseudonym, {"events": ["recording:given", "ai_research:given"]}),
        ("consent_noted", person.pseudonym, {"events": ["ai_research:withdrawn"]}),
        ("quarantine_read", delivery, {}),
    ]
    assert ID.encode() not in study.study.audit.read_bytes()
