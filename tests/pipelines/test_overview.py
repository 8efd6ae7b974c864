import pytest

from pipelines.errors import UserError
from pipelines.overview import all_versions, overview
from pipelines.repository import Repository
from pipelines.study import Study
from schemas.faults import Fate
from tests.pipelines.landing_factory import Hospital, LightStudy, small_mp4

MP4 = small_mp4()


def test_a_new_study_has_nothing_and_balances(study: LightStudy) -> None:
    found = overview(study.study)
    assert (found["landed"], found["balanced"], found["version"], found["last_run"]) == (0, True, None, None)
    assert (found["warehouse"], found["backed_up"]) == (None, True)


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
