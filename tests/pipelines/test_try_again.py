"""Release: what was set aside is tried again, from the landing zone or from what is kept."""

import shutil
from collections.abc import Callable
from datetime import timedelta

import pytest

from pipelines.audit import read_audit
from pipelines.errors import Reason, RunInProgressError, UserError
from pipelines.ledger_counts import counts
from pipelines.pseudonymise import open_recording
from pipelines.quarantine_list import Wanted, in_quarantine
from pipelines.set_aside import set_aside
from pipelines.tables import clinical_folder
from pipelines.try_again import release_from_quarantine
from schemas.faults import Fate
from tests.pipelines.landing_factory import ID, NAME, NOW, Hospital, LightStudy, small_mp4

MP4 = small_mp4()


def quarantined(study: LightStudy, hospital: Hospital) -> str:
    """The id of a delivery with a wrong hash."""
    hospital.admit()
    path = hospital.film(MP4, sidecar={"sha256": "0" * 64})
    study.land()
    return study.entry(path).delivery


def released(study: LightStudy, *deliveries: str, reason: str = "asked the ward") -> list[str]:
    return release_from_quarantine(study.study, Wanted(deliveries=deliveries), reason)


def emptied(study: LightStudy) -> None:
    """The hospital empties its folder."""
    for path in study.landing.root.iterdir():
        shutil.rmtree(path) if path.is_dir() else path.unlink()


# --- releasing ---


def test_a_released_delivery_is_tried_again_by_the_next_run(study: LightStudy, hospital: Hospital) -> None:
    delivery = quarantined(study, hospital)
    assert not study.look().anything
    assert released(study, delivery, reason="the sidecar is right") == [delivery]
    entry = study.ledger.find(delivery)
    assert entry is not None
    assert (entry.fate, entry.codes, entry.reasons[0].detail) == (Fate.DEFERRED, ("RELEASED",), "the sidecar is right")
    assert in_quarantine(study.study) == []
    study.land()
    again = study.ledger.find(delivery)
    assert again is not None
    assert again.codes == ("CHECKSUM_MISMATCH",)


def test_all_of_a_code_are_released_at_once(study: LightStudy, hospital: Hospital) -> None:
    paths = [hospital.film(small_mp4(90 + n), f"{n}.mp4") for n in range(3)]
    empty = hospital.film(b"", "empty.mp4", visit="V9", sidecar={"visit": "V2"})
    study.land()
    done = release_from_quarantine(study.study, Wanted(code="UNKNOWN_ID"), "they are registered now")
    assert done == sorted(study.entry(path).delivery for path in paths)
    assert study.entry(empty).fate is Fate.QUARANTINED
    hospital.admit()
    assert len(study.land()) == 3


@pytest.mark.parametrize("name", ["nobody", ""])
def test_what_is_not_in_quarantine_cannot_be_released_and_nothing_else_is(
    study: LightStudy, hospital: Hospital, name: str
) -> None:
    delivery = quarantined(study, hospital)
    with pytest.raises(UserError, match="nothing in quarantine is called"):
        released(study, delivery, name)
    assert [entry["delivery"] for entry in in_quarantine(study.study)] == [delivery]
    assert read_audit(study.study) == []


def test_a_code_that_nothing_has_and_one_that_does_not_exist(study: LightStudy) -> None:
    with pytest.raises(UserError, match="nothing in quarantine"):
        release_from_quarantine(study.study, Wanted(code="EMPTY_FILE"), "why")
    with pytest.raises(UserError, match="there is no code EMPTY"):
        Wanted(code="EMPTY")


def test_a_published_delivery_cannot_be_released(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    study.night()
    study.publish()
    with pytest.raises(UserError, match="nothing in quarantine"):
        released(study, study.entry(path).delivery)
    assert study.entry(path).fate is Fate.PUBLISHED


def test_a_release_is_in_the_audit_log_with_its_reason(study: LightStudy, hospital: Hospital) -> None:
    delivery = quarantined(study, hospital)
    released(study, delivery, reason="the sidecar is right")
    (entry,) = read_audit(study.study)
    assert (entry["action"], entry["subject"]) == ("quarantine_released", delivery)
    assert entry["detail"] == {"codes": ["CHECKSUM_MISMATCH"], "reason": "the sidecar is right"}


@pytest.mark.parametrize("reason", ["", "  "])
def test_a_reason_must_be_given(study: LightStudy, hospital: Hospital, reason: str) -> None:
    delivery = quarantined(study, hospital)
    with pytest.raises(UserError, match="say why"):
        released(study, delivery, reason=reason)


@pytest.mark.parametrize("reason", [ID, f"consent of {ID.lower()}, see form", f"({ID})"])
def test_a_reason_that_names_a_participant_is_refused(study: LightStudy, hospital: Hospital, reason: str) -> None:
    delivery = quarantined(study, hospital)
    with pytest.raises(UserError, match="the reason names a participant") as refused:
        released(study, delivery, reason=reason)
    assert ID not in str(refused.value)
    assert read_audit(study.study) == []


def test_nothing_is_released_beside_a_run(study: LightStudy, hospital: Hospital) -> None:
    delivery = quarantined(study, hospital)
    with study.study.held(), pytest.raises(RunInProgressError):
        released(study, delivery)


# --- the file has gone from the landing zone ---


def released_without_its_file(study: LightStudy, hospital: Hospital) -> tuple[str, str]:
    """A delivery that was set aside, whose file has gone, and that is released once its person is known; path and id."""
    path = hospital.film(MP4)
    study.land()
    delivery = study.entry(path).delivery
    emptied(study)
    hospital.admit()
    released(study, delivery)
    return path, delivery


def test_a_recording_whose_file_has_gone_is_taken_in_from_the_kept_copy(study: LightStudy, hospital: Hospital) -> None:
    path, delivery = released_without_its_file(study, hospital)
    (recording,) = study.night()
    entry = study.entry(path)
    assert (entry.delivery, entry.fate, entry.recording) == (delivery, Fate.DEFERRED, recording.recording)
    person = study.vault.of_pseudonym(recording.participant)
    assert open_recording(study.study.lake, recording, person.identity)
    assert study.quarantine.path(delivery).is_file()
    study.publish()
    study.land()
    assert study.entry(path).fate is Fate.PUBLISHED
    assert not study.quarantine.path(delivery).exists()
    assert counts(study.ledger)["balanced"]


def test_it_is_judged_as_any_other_and_may_be_set_aside_again(study: LightStudy, hospital: Hospital) -> None:
    path = hospital.film(MP4)
    study.land()
    delivery = study.entry(path).delivery
    emptied(study)
    released(study, delivery)
    assert study.land() == []
    assert (study.entry(path).fate, study.entry(path).codes) == (Fate.QUARANTINED, ("UNKNOWN_ID",))
    kept = study.quarantine.fetch(delivery)
    assert kept is not None
    assert kept[:2] == (path, MP4)
    assert kept[2] is not None
    assert not study.look().anything


def test_a_killed_run_leaves_it_to_the_next(study: LightStudy, hospital: Hospital) -> None:
    released_without_its_file(study, hospital)
    (killed,) = study.land()
    (recording,) = study.night()
    assert recording.recording == killed.recording.recording
    assert study.land() == []


def test_what_a_later_stage_refuses_is_kept_though_its_file_has_gone(study: LightStudy, hospital: Hospital) -> None:
    path, delivery = released_without_its_file(study, hospital)
    (accepted,) = study.land()
    study.bring_in(accepted)
    set_aside(study.desk, delivery, Reason("NO_AUDIO", ""), accepted.sidecar)
    kept = study.quarantine.fetch(delivery)
    assert kept is not None
    assert kept == (path, MP4, accepted.sidecar)


def test_a_missing_half_that_comes_later_is_joined_with_the_kept_one(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    path = f"recordings/{ID}/V1/{NAME}.mp4"
    hospital.write(path, MP4)
    study.land()
    study.now = NOW + timedelta(days=8)
    study.land()
    assert study.entry(path).codes == ("ORPHAN",)
    (study.landing.root / path).unlink()
    hospital.describe(path)
    released(study, study.entry(path).delivery, reason="the sidecar has come")
    (recording,) = study.night()
    assert study.entry(path).recording == recording.recording
    study.publish()
    study.land()
    assert [entry.fate for entry in study.ledger.deliveries("media")] == [Fate.PUBLISHED]
    assert study.ledger.deliveries("other") == []


def test_a_newer_file_of_its_name_goes_first_and_the_released_one_gives_way(
    study: LightStudy, hospital: Hospital
) -> None:
    path = hospital.film(MP4)
    study.land()
    older = study.entry(path).delivery
    hospital.film(small_mp4(91))
    hospital.admit()
    released(study, older)
    (accepted,) = study.land()
    assert accepted.delivery != older
    first, _ = sorted(study.entries(path), key=lambda entry: entry.delivery != older)
    assert (first.fate, first.codes) == (Fate.QUARANTINED, ("REPLACED",))
    study.bring_in(accepted)
    study.publish()
    assert study.land() == []
    assert study.quarantine.fetch(older) is not None


def test_of_what_was_never_read_there_is_nothing_to_try(
    study: LightStudy, hospital: Hospital, monkeypatch: pytest.MonkeyPatch
) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    study.params = study.params.model_copy(
        update={"land": study.params.land.model_copy(update={"max_file_mb": 0.0001})}
    )
    study.land()
    assert study.entry(path).codes == ("RESOURCE_LIMIT",)
    emptied(study)
    released(study, study.entry(path).delivery)
    study.land()
    assert (study.entry(path).fate, study.entry(path).codes) == (Fate.QUARANTINED, ("VANISHED",))


# --- tables ---

Break = Callable[[Hospital], None]


def scores(study: LightStudy) -> list[float]:
    import polars as pl  # noqa: PLC0415 - the other tests need it not

    person = study.vault.person(ID)
    assert person is not None
    table = pl.read_parquet(clinical_folder(study.study.lake, person.pseudonym) / "clinical_observations.parquet")
    found: list[float] = table["nrs_now"].to_list()
    return found


def test_a_released_table_is_read_again(study: LightStudy, hospital: Hospital) -> None:
    hospital.write("clinical.csv", b"no table")
    study.land()
    (entry,) = in_quarantine(study.study)
    assert not study.look().tables_changed
    released(study, entry["delivery"])
    assert study.look().tables_changed
    study.land()
    assert study.entry("clinical.csv").codes == ("CSV_DIALECT",)
    assert not study.look().anything


def test_a_table_whose_file_has_gone_is_read_again_from_the_kept_copy(study: LightStudy, hospital: Hospital) -> None:
    hospital.write("clinical.csv", b"no table")
    study.land()
    (entry,) = in_quarantine(study.study)
    emptied(study)
    released(study, entry["delivery"])
    study.land()
    again = study.entry("clinical.csv")
    assert (again.delivery, again.fate, again.codes) == (entry["delivery"], Fate.QUARANTINED, ("CSV_DIALECT",))
    assert not study.look().anything


def test_refused_rows_whose_file_has_gone_are_taken_in_once_released(study: LightStudy, hospital: Hospital) -> None:
    hospital.score("4")
    hospital.score("eleven", at="2026-03-16T09:00:00+01:00")
    hospital.score("3,5", at="2026-03-17T09:00:00+01:00")
    study.land()
    assert study.rows("clinical") == {"landed": 3, "published": 0, "quarantined": 3}
    row = in_quarantine(study.study, Wanted(kind="row"))[-1]
    emptied(study)
    hospital.admit()
    assert released(study, row["delivery"]) == [row["of_delivery"]]
    study.land()
    assert scores(study) == [4.0, 3.5]
    assert study.rows("clinical") == {"landed": 3, "published": 2, "quarantined": 1}
    (left,) = in_quarantine(study.study)
    assert (left["code"], left["line"], left["of_delivery"]) == ("VALUE_RANGE", 3, row["of_delivery"])
    assert study.entry("clinical.csv").fate is Fate.PUBLISHED
    assert not study.look().anything


def test_rows_that_are_tried_again_replace_no_newer_value(study: LightStudy, hospital: Hospital) -> None:
    hospital.table("clinical", {"participant_id": ID, "observed_at": "2026-03-15 09:00", "nrs_now": "4"})
    study.land()
    (row,) = in_quarantine(study.study)
    hospital.admit()
    hospital.table("clinical", {"participant_id": ID, "observed_at": "2026-03-15 09:00", "nrs_now": "6"})
    study.land()
    released(study, row["delivery"])
    for _ in range(2):
        study.land()
        assert scores(study) == [6.0]
    assert not study.look().anything
    assert study.rows("clinical") == {"landed": 2, "published": 2, "quarantined": 0}


def test_a_released_register_changes_nobody_who_is_known_since(study: LightStudy, hospital: Hospital) -> None:
    drift = b"participant_id,birth_date,sex\nMRN-other,1950-01-01,F\n"
    hospital.write("participants.csv", drift)
    study.land()
    (entry,) = in_quarantine(study.study)
    hospital.admit(site="south")
    released(study, entry["delivery"])
    study.land()
    person = study.vault.person(ID)
    assert person is not None
    assert person.register["site"] == "south"
    assert [each["code"] for each in in_quarantine(study.study)] == ["SCHEMA_DRIFT"]
