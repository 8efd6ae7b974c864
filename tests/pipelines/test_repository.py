import subprocess
from pathlib import Path

import pytest

from pipelines.errors import PainLakeError
from pipelines.repository import Repository, tag_name, version_name


@pytest.fixture(autouse=True)
def _nobodys_git(monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(variable, "/dev/null")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """Git alone: DVC's part is tested where a whole study is made."""
    one = Repository(tmp_path)
    one.git("init", "--quiet", "--initial-branch", "main")
    (tmp_path / "a").write_text("one")
    one.commit("Begin")
    return one


def test_a_commit_is_made_of_what_changed_and_none_of_nothing(repository: Repository, tmp_path: Path) -> None:
    assert repository.commit("Nothing") is None
    (tmp_path / "a").write_text("two")
    commit = repository.commit("Change")
    assert commit == repository.head()
    assert repository.git("log", "--format=%an %s").splitlines() == ["PainLake Change", "PainLake Begin"]


def test_whoever_has_set_a_name_commits_under_it(repository: Repository, tmp_path: Path) -> None:
    repository.git("config", "user.email", "engineer@hospital")
    repository.git("config", "user.name", "Engineer")
    (tmp_path / "a").write_text("two")
    repository.commit("Change")
    assert repository.git("log", "--format=%an", "--max-count=1").strip() == "Engineer"


def test_versions_are_tags_and_stand_in_the_order_of_their_numbers(repository: Repository, tmp_path: Path) -> None:
    assert (repository.versions(), repository.version_at_head()) == ([], None)
    for number in (9999, 1, 10000):
        repository.tag(number, "A version")
    repository.git("tag", "dataset-v1")
    repository.git("tag", "dataset-v0002-draft")
    assert repository.versions() == [1, 9999, 10000]
    assert repository.version_at_head() == 10000
    (tmp_path / "a").write_text("two")
    later = repository.commit("Change")
    assert repository.version_at_head() is None
    assert repository.commit_of(1) != later


def test_a_killed_run_may_tag_again(repository: Repository) -> None:
    repository.tag(1, "A version")
    repository.tag(1, "The same again")
    assert repository.versions() == [1]
    assert repository.commit_of(1) == repository.head()


def test_the_time_of_a_commit_is_utc(repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2026-03-01T12:00:00+01:00")
    (tmp_path / "a").write_text("two")
    commit = repository.commit("Change")
    assert commit is not None
    assert repository.time_of(commit) == "2026-03-01T11:00:00+00:00"


def test_a_command_that_fails_says_so_in_one_line(repository: Repository) -> None:
    with pytest.raises(PainLakeError, match=r"^git rev-list failed: fatal: .*") as failed:
        repository.commit_of(7)
    assert "\n" not in str(failed.value)


def test_a_missing_git_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(*_: object, **__: object) -> None:
        raise FileNotFoundError

    monkeypatch.setattr(subprocess, "run", missing)
    with pytest.raises(PainLakeError, match="git is not installed: PainLake needs it"):
        Repository(tmp_path).head()


def test_no_command_asks_a_person_or_tells_its_maker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    environments = []

    def spy(command: list[str], env: dict[str, str], **_: object) -> subprocess.CompletedProcess[str]:
        environments.append(env)
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", spy)
    Repository(tmp_path).git("fetch")
    Repository(tmp_path).dvc("push")
    wanted = {"DVC_NO_ANALYTICS": "1", "DO_NOT_TRACK": "1", "GIT_TERMINAL_PROMPT": "0"}
    assert all(wanted.items() <= environment.items() for environment in environments)
    assert len(environments) == 2


def test_dvcs_lock_is_waited_for_and_other_failures_are_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter(["ERROR: Unable to acquire lock", "ERROR: Unable to acquire lock", "", "ERROR: disk full"])

    def run(command: list[str], **_: object) -> subprocess.CompletedProcess[str]:
        said = next(answers)
        return subprocess.CompletedProcess(command, int(bool(said)), "done", said)

    slept: list[float] = []
    monkeypatch.setattr(subprocess, "run", run)
    monkeypatch.setattr("pipelines.repository.time.sleep", slept.append)
    assert Repository(tmp_path).dvc("status") == "done"
    assert len(slept) == 2
    with pytest.raises(PainLakeError, match="dvc push failed: ERROR: disk full"):
        Repository(tmp_path).dvc("push")
    assert len(slept) == 2


@pytest.mark.parametrize(
    ("text", "there"),
    [(None, False), ("[core]\n    analytics = false\n", False), ("[core]\n    remote = store\n", True)],
)
def test_a_remote_is_read_from_dvcs_settings(tmp_path: Path, text: str | None, *, there: bool) -> None:
    if text is not None:
        (tmp_path / ".dvc").mkdir()
        (tmp_path / ".dvc" / "config").write_text(text)
    assert Repository(tmp_path).has_remote is there


def test_a_setting_of_this_machine_alone_counts(tmp_path: Path) -> None:
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc" / "config.local").write_text(
        "[core]\n    remote = store\n['remote \"store\"']\n    url = /mnt/x\n"
    )
    assert Repository(tmp_path).has_remote


@pytest.mark.parametrize(
    ("number", "tag", "name"), [(1, "dataset-v0001", "v0001"), (12345, "dataset-v12345", "v12345")]
)
def test_a_version_has_a_tag_and_a_name(number: int, tag: str, name: str) -> None:
    assert (tag_name(number), version_name(number)) == (tag, name)
