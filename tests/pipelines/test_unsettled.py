"""What can come by itself no more gets its fate: nothing waits for ever, nothing is lost."""

from datetime import timedelta

import pytest

from pipelines.audit import open_audit
from pipelines.errors import Reason
from pipelines.ledger_counts import counts
from pipelines.params import LandParams, Params
from pipelines.pseudonymise import open_recording
from pipelines.set_aside import keep_bytes, set_aside, take_out
from pipelines.unsettled import drop_unknown, settle
from schemas.faults import Fate
from tests.pipelines.landing_factory import ID, NAME, NOW, Hospital, LightStudy, small_mp4

MP4 = small_mp4()


def days_later(study: LightStudy, days: float) -> None:
    study.now = NOW + timedelta(days=days)


def vanish(study: LightStudy, path: str) -> None:
    (study.landing.root / path).unlink()
    (study.landing.root / path).with_suffix(".json").unlink(missing_ok=True)


def test_a_half_that_went_before_the_other_came_has_vanished_after_the_days(
    study: LightStudy, hospital: Hospital
) -> None:
    path = f"recordings/{ID}/V1/{NAME}.mp4"
    hospital.write(path, MP4)
    study.land()
    vanish(study, path)
    days_later(study, 6.9)
    study.land()
    assert study.entry(path).codes == ("WAITING_PAIR",)
    days_later(study, 7)
    study.land()
    assert (study.entry(path).fate, study.entry(path).codes) == (Fate.QUARANTINED, ("VANISHED",))
    assert study.entry(path).reasons[0].detail == "it was WAITING_PAIR before"
    assert counts(study.ledger)["balanced"]


def test_what_vanished_is_taken_in_when_it_comes_again_as_the_same_delivery(
    study: LightStudy, hospital: Hospital
) -> None:
    hospital.admit()
    path = f"recordings/{ID}/V1/{NAME}.mp4"
    moved = hospital.write(path, MP4)
    study.land()
    first = study.entry(path).delivery
    hidden = moved.rename(study.study.root / "moved")
    days_later(study, 8)
    study.land()
    hidden.rename(moved)
    hospital.describe(path)
    (accepted,) = study.land()
    assert accepted.delivery == first == study.entry(path).delivery


def test_an_unstable_file_that_went_has_vanished(study: LightStudy, hospital: Hospital) -> None:
    study.params = Params(land=LandParams(stable_after_s=60))
    hospital.at = NOW - timedelta(seconds=10)
    path = hospital.film(MP4)
    study.land()
    assert study.entry(path).codes == ("NOT_STABLE",)
    vanish(study, path)
    days_later(study, 8)
    study.land()
    assert study.entry(path).codes == ("VANISHED",)


def test_what_was_accepted_and_went_before_it_was_in_the_lake_has_vanished(
    study: LightStudy, hospital: Hospital
) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    study.land()
    vanish(study, path)
    days_later(study, 8)
    assert study.land() == []
    entry = study.entry(path)
    assert (entry.fate, entry.codes, entry.recording) == (Fate.QUARANTINED, ("VANISHED",), None)
    hospital.film(MP4)
    assert len(study.land()) == 1
    assert study.entry(path).delivery == entry.delivery


def test_what_is_in_the_lake_is_published_wherever_its_file_is(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    study.night()
    vanish(study, path)
    days_later(study, 30)
    study.land()
    assert study.entry(path).codes == ("AWAITING_PUBLICATION",)
    study.publish()
    assert study.entry(path).fate is Fate.PUBLISHED


def test_a_clock_that_was_years_ahead_keeps_nothing_waiting_for_years(study: LightStudy, hospital: Hospital) -> None:
    path = f"recordings/{ID}/V1/{NAME}.mp4"
    hospital.write(path, MP4)
    days_later(study, 3650)
    study.land()
    days_later(study, 1)
    study.land()
    assert study.entry(path).codes == ("ORPHAN",)


def test_bytes_that_were_replaced_before_they_were_in_the_lake_give_way(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    study.land()
    hospital.film(small_mp4(91))
    study.night()
    study.publish()
    assert [(entry.fate, entry.codes) for entry in study.entries(path)] == [
        (Fate.QUARANTINED, ("REPLACED",)),
        (Fate.PUBLISHED, ("SUPERSEDES",)),
    ]
    assert not study.look().anything


def test_bytes_that_are_in_the_lake_do_not_give_way(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    study.night()
    hospital.film(small_mp4(91))
    study.night()
    study.publish()
    assert [entry.fate for entry in study.entries(path)] == [Fate.PUBLISHED, Fate.PUBLISHED]


def test_a_sidecar_that_waited_alone_becomes_part_of_its_recordings_delivery(
    study: LightStudy, hospital: Hospital
) -> None:
    hospital.admit()
    path = f"recordings/{ID}/V1/{NAME}.mp4"
    hospital.describe(path)
    study.land()
    days_later(study, 8)
    study.land()
    (orphan,) = study.ledger.deliveries("other")
    assert orphan.codes == ("ORPHAN",)
    hospital.write(path, MP4)
    study.night()
    study.publish()
    study.land()
    assert study.ledger.deliveries("other") == []
    assert not study.quarantine.path(orphan.delivery).exists()
    assert not study.look().anything


def test_a_sidecar_that_is_left_behind_is_no_delivery(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    study.night()
    study.publish()
    (study.landing.root / path).unlink()
    assert not study.look().anything


# --- bytes that are to be kept, and whose file has gone ---


def test_of_what_is_taken_out_of_the_lake_picture_and_sound_are_kept(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    (recording,) = study.night()
    person = study.vault.of_pseudonym(recording.participant)
    stripped = open_recording(study.study.lake, recording, person.identity)
    vanish(study, path)
    audit = open_audit(study.study, study.vault)
    assert keep_bytes(study.desk, study.entry(path))
    take_out(study.desk, recording)
    set_aside(study.desk, study.entry(path).delivery, Reason("NO_CONSENT", ""))
    audit.close()
    kept = study.quarantine.fetch(study.entry(path).delivery)
    assert kept == (path, stripped, None)


def test_where_nothing_is_left_nothing_is_claimed(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    study.land()
    vanish(study, path)
    set_aside(study.desk, study.entry(path).delivery, Reason("UNREADABLE", "No such file"))
    entry = study.entry(path)
    assert (entry.fate, entry.sha256) == (Fate.QUARANTINED, None)
    assert study.quarantine.fetch(entry.delivery) is None
    assert not study.quarantine.is_whole(entry)


def test_bytes_that_changed_after_they_were_judged_wait_for_another_look(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    (accepted,) = study.land()
    hospital.film(small_mp4(91))
    set_aside(study.desk, accepted.delivery, Reason("NOT_STABLE", "it changed after it was judged"))
    assert (study.entry(path).fate, study.entry(path).codes) == (Fate.DEFERRED, ("NOT_STABLE",))
    assert list(study.study.quarantine.iterdir()) == []
    (again,) = study.land()
    assert again.delivery == accepted.delivery
    assert len(study.entries(path)) == 1


@pytest.mark.parametrize("days", [1, 8])
def test_settling_twice_changes_nothing(study: LightStudy, hospital: Hospital, days: float) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    study.land()
    vanish(study, path)
    days_later(study, days)
    settle(study.desk, study.look())
    before = study.ledger.deliveries()
    settle(study.desk, study.look())
    assert study.ledger.deliveries() == before


def test_a_copy_of_what_a_killed_run_never_entered_goes_and_all_others_stay(
    study: LightStudy, hospital: Hospital
) -> None:
    hospital.admit()
    hospital.table(
        "clinical", {"participant_id": "PT-nobody", "observed_at": "2026-03-15T09:30:00+01:00", "nrs_now": "3"}
    )
    hospital.film(b"", sidecar={"participant_id": ID})
    study.land()
    kept = {path.name for path in study.quarantine.folder.glob("*.age")}
    (of_rows,) = (name for name in kept if name.endswith("-rows.age"))
    assert len(kept) >= 2
    for name in ("KILLEDKILLED", "KILLEDKILLED-rows"):
        study.quarantine.keep(name, "clinical.csv", b"what the hospital has replaced since")
    # Its rows were entered and the table itself was not, when the run was killed.
    study.ledger.forget(of_rows.removesuffix("-rows.age"))
    drop_unknown(study.desk)
    assert {path.name for path in study.quarantine.folder.glob("*.age")} == kept
