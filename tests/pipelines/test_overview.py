import pytest

from pipelines.audit import read_audit
from pipelines.errors import RunInProgressError, UserError
from pipelines.overview import all_versions, overview, release, set_aside
from pipelines.repository import Repository
from pipelines.study import Study
from schemas.faults import FAULTS, Fate
from tests.pipelines.landing_factory import ID, NAME, Hospital, LightStudy, small_mp4

MP4 = small_mp4()


def quarantined(study: LightStudy, hospital: Hospital) -> str:
    """The id of a delivery with a wrong hash."""
    hospital.admit()
    path = hospital.film(MP4, sidecar={"sha256": "0" * 64})
    study.land()
    return study.entry(path).delivery


def test_a_new_study_has_nothing_and_balances(study: LightStudy) -> None:
    found = overview(study.study)
    assert (found["landed"], found["balanced"], found["version"], found["last_run"]) == (0, True, None, None)
    assert (found["warehouse"], found["backed_up"]) == (None, True)
    assert set_aside(study.study) == []


def test_the_state_counts_fates_and_names_version_and_last_run(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    hospital.film(MP4)
    hospital.film(b"", "empty.mp4")
    run = study.ledger.begin_run("2026-06-01T00:00:00+00:00")
    study.night()
    study.publish()
    study.ledger.end_run(run, "published", None, "2026-06-01T00:10:00+00:00")
    found = overview(study.study)
    assert {fate.value: found[fate.value] for fate in Fate} == {
        "published": 1, "quarantined": 1, "deferred": 0, "duplicate": 0, "erased": 0,
    }  # fmt: skip
    assert (found["landed"], found["balanced"], found["reasons"]) == (2, True, {"EMPTY_FILE": 1})
    assert (found["version"], found["backed_up"]) == ("v0001", False)
    assert found["last_run"]["outcome"] == "published"
    assert found["warehouse"].endswith("warehouse/current")


def test_what_is_set_aside_says_why_and_what_to_do_and_names_nobody(study: LightStudy, hospital: Hospital) -> None:
    delivery = quarantined(study, hospital)
    (entry,) = set_aside(study.study)
    fault = FAULTS["CHECKSUM_MISMATCH"]
    assert (entry["delivery"], entry["code"], entry["kind"]) == (delivery, "CHECKSUM_MISMATCH", "media")
    assert (entry["meaning"], entry["next_step"]) == (fault.meaning, fault.next_step)
    assert entry["bytes"] == len(MP4)
    assert not any(secret in str(entry) for secret in (ID, NAME))


def test_a_released_delivery_is_tried_again_by_the_next_run(study: LightStudy, hospital: Hospital) -> None:
    delivery = quarantined(study, hospital)
    assert not study.look().anything
    release(study.study, delivery, "the sidecar is right")
    entry = study.ledger.find(delivery)
    assert entry is not None
    assert (entry.fate, entry.codes, entry.reasons[0].detail) == (Fate.DEFERRED, ("RELEASED",), "the sidecar is right")
    assert set_aside(study.study) == []
    study.land()
    again = study.ledger.find(delivery)
    assert again is not None
    assert again.codes == ("CHECKSUM_MISMATCH",)


def test_a_released_table_is_read_again(study: LightStudy, hospital: Hospital) -> None:
    hospital.write("clinical.csv", b"no table")
    study.land()
    (entry,) = set_aside(study.study)
    assert not study.look().tables_changed
    release(study.study, entry["delivery"], "try again")
    assert study.look().tables_changed


@pytest.mark.parametrize("name", ["nobody", ""])
def test_what_is_not_in_quarantine_cannot_be_released(study: LightStudy, name: str) -> None:
    with pytest.raises(UserError, match="nothing in quarantine is called"):
        release(study.study, name, "why")


def test_a_published_delivery_cannot_be_released(study: LightStudy, hospital: Hospital) -> None:
    hospital.admit()
    path = hospital.film(MP4)
    study.night()
    study.publish()
    with pytest.raises(UserError, match="nothing in quarantine"):
        release(study.study, study.entry(path).delivery, "why")
    assert study.entry(path).fate is Fate.PUBLISHED


def test_a_release_is_in_the_audit_log_with_its_reason(study: LightStudy, hospital: Hospital) -> None:
    delivery = quarantined(study, hospital)
    release(study.study, delivery, "the sidecar is right")
    (entry,) = read_audit(study.study)
    assert (entry["action"], entry["subject"]) == ("quarantine_released", delivery)
    assert entry["detail"] == {"codes": ["CHECKSUM_MISMATCH"], "reason": "the sidecar is right"}


@pytest.mark.parametrize("reason", [ID, f"consent of {ID.lower()}, see form", f"({ID})"])
def test_a_reason_that_names_a_participant_is_refused(study: LightStudy, hospital: Hospital, reason: str) -> None:
    delivery = quarantined(study, hospital)
    with pytest.raises(UserError, match="the reason names a participant") as refused:
        release(study.study, delivery, reason)
    assert ID not in str(refused.value)
    assert read_audit(study.study) == []


def test_nothing_is_released_beside_a_run(study: LightStudy, hospital: Hospital) -> None:
    delivery = quarantined(study, hospital)
    with study.study.held(), pytest.raises(RunInProgressError):
        release(study.study, delivery, "why")


def test_a_ledger_that_cannot_be_read_is_a_users_error(study: LightStudy) -> None:
    broken = Study(study.study.root / "broken")
    broken.state.mkdir(parents=True)
    broken.ledger.write_bytes(b"no database at all" * 100)
    with pytest.raises(UserError, match="cannot be read"):
        overview(broken)


def test_versions_are_told_with_their_commit_and_backup(study: LightStudy) -> None:
    repository = Repository(study.study.root)
    repository.git("init", "--quiet")
    (study.study.root / ".gitignore").write_text("vault\nstate\n")
    commit = repository.commit("A dataset")
    repository.tag(1, "A version")
    study.ledger.publish_version(1, str(commit), [], "2026-06-01T00:00:00+00:00")
    study.ledger.mark_pushed("2026-06-01T01:00:00+00:00")
    assert all_versions(study.study) == [
        {
            "version": "v0001", "tag": "dataset-v0001", "git_commit": commit,
            "published_at": "2026-06-01T00:00:00+00:00", "backed_up": True,
        }
    ]  # fmt: skip
