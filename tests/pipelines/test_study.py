"""Making a study takes seconds of git and DVC: one is made for the whole module, and nothing here changes it."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.errors import RunInProgressError, UserError
from pipelines.params import Params
from pipelines.repository import Repository
from pipelines.study import Study, make_study, open_study, painlake_version, template
from pipelines.vault import FOLDER_VARIABLE, Vault
from pipelines.vault_key import KEY_FILE_VARIABLE, KEY_VARIABLE

SECRETS = (
    "vault/vault.age",
    "vault/master.key",
    "state/ledger.sqlite",
    "landing/007.mp4",
    "warehouse/a.duckdb",
    "lake/.x.partial",
)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Study:
    root = tmp_path_factory.mktemp("made")
    with pytest.MonkeyPatch.context() as patch:
        for variable in (FOLDER_VARIABLE, KEY_FILE_VARIABLE, KEY_VARIABLE):
            patch.delenv(variable, raising=False)
        return make_study(root / "study", str(root / "hospital's zone"), str(root / "store"))


def test_a_study_has_its_vault_its_parameters_and_an_empty_lake(made: Study) -> None:
    assert Vault.open(made.vault).people == []
    assert list(made.lake.iterdir()) == []
    params = made.params()
    assert params.study.landing == str(made.root.parent / "hospital's zone")
    assert params.model_copy(update={"study": Params().study}) == Params()
    assert open_study(made.root) == made


def test_only_the_owner_may_look_into_state_and_vault(made: Study) -> None:
    for folder in (made.state, made.quarantine, made.vault):
        assert folder.stat().st_mode & 0o777 == 0o700


def test_git_has_what_makes_a_dataset_and_no_secret(made: Study) -> None:
    repository = Repository(made.root)
    assert set(repository.git("ls-files").split()) == {
        ".dvc/.gitignore", ".dvc/config", ".dvcignore", ".gitignore", "dvc.yaml", "params.yaml",
    }  # fmt: skip
    assert repository.git("status", "--porcelain") == ""
    ignored = repository.git("check-ignore", *SECRETS).split()
    assert ignored == list(SECRETS)


def test_dvc_tells_nobody_copies_and_has_its_remote(made: Study) -> None:
    settings = (made.root / ".dvc" / "config").read_text()
    for line in ("analytics = false", "check_update = false", 'type = "reflink,copy"', "remote = store"):
        assert line in settings or line.replace('"', "") in settings
    assert str(made.root.parent / "store") in settings
    assert Repository(made.root).has_remote


def test_our_templates_are_what_a_study_gets(made: Study) -> None:
    assert (made.root / "dvc.yaml").read_bytes() == template("dvc.yaml").read_bytes()


@pytest.mark.parametrize("occupied", ["file", "folder"])
def test_a_place_that_holds_something_is_left_alone(tmp_path: Path, occupied: str) -> None:
    place = tmp_path / "study"
    if occupied == "file":
        place.write_text("mine")
    else:
        place.mkdir()
        (place / "mine").touch()
    with pytest.raises(UserError, match="is not empty: name a new folder"):
        make_study(place, None, None)
    assert sorted(path.name for path in tmp_path.rglob("*")) in (["study"], ["mine", "study"])


@pytest.mark.parametrize("places", [("ftp://hospital", None), (None, "https://store")])
def test_a_place_of_another_kind_is_refused_before_anything_is_written(
    tmp_path: Path, places: tuple[str | None, str | None]
) -> None:
    with pytest.raises(UserError, match="landing and remote are folders or s3://bucket/prefix"):
        make_study(tmp_path / "study", *places)
    assert not (tmp_path / "study").exists()


@pytest.mark.parametrize("places", [("s3://key:hunter2@hospital", None), (None, "s3://key:hunter2@backup/dvc")])
def test_a_credential_in_an_address_is_refused_before_anything_is_written(
    tmp_path: Path, places: tuple[str | None, str | None]
) -> None:
    with pytest.raises(UserError, match=r"credentials come from the environment or ~/\.aws alone") as refused:
        make_study(tmp_path / "study", *places)
    assert "hunter2" not in str(refused.value)
    assert not (tmp_path / "study").exists()


def test_what_is_no_study_says_how_to_make_one(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no study at .*: make one with `painlake init"):
        open_study(tmp_path / "none")
    with pytest.raises(UserError, match="is no study: make one with `painlake init`"):
        open_study(tmp_path)


def test_the_vault_may_lie_on_another_volume(made: Study, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(FOLDER_VARIABLE, str(tmp_path))
    assert made.vault == tmp_path


# --- one run at a time ---


def test_a_second_run_is_told_that_one_is_in_progress(tmp_path: Path) -> None:
    study = Study(tmp_path)
    with study.held(), pytest.raises(RunInProgressError, match="RUN_IN_PROGRESS: another run holds") as refused:
        study.held().__enter__()
    assert refused.value.exit_code == 3
    with study.held():
        pass


def test_a_killed_run_holds_nothing(tmp_path: Path) -> None:
    held = "import os, pathlib, sys; from pipelines.study import Study\nwith Study(pathlib.Path(sys.argv[1])).held(): os.kill(os.getpid(), 9)"
    killed = subprocess.run([sys.executable, "-c", held, tmp_path], cwd=Path(__file__).parents[2], check=False)
    assert killed.returncode == -signal.SIGKILL
    with Study(tmp_path).held():
        assert (tmp_path / "state" / "lock").exists()


def test_who_ended_well_left_nothing_half_written(tmp_path: Path) -> None:
    study = Study(tmp_path)
    with study.held():
        assert study.may_have_leavings()
        study.note_cleared()
        assert not study.may_have_leavings()
    for _ in range(2):
        with study.held():
            assert not study.may_have_leavings()


def test_who_ended_otherwise_may_have_left_something_until_it_was_cleared(tmp_path: Path) -> None:
    study = Study(tmp_path)
    with study.held():
        study.note_cleared()
    held = "import os, pathlib, sys; from pipelines.study import Study\nwith Study(pathlib.Path(sys.argv[1])).held(): os.kill(os.getpid(), 9)"
    subprocess.run([sys.executable, "-c", held, tmp_path], cwd=Path(__file__).parents[2], check=False)
    for _ in range(2):
        # A holder that clears nothing, such as `painlake vault check`, does not make it good.
        with study.held():
            assert study.may_have_leavings()
    with study.held():
        study.note_cleared()
    with pytest.raises(RuntimeError), study.held():
        raise RuntimeError
    with study.held():
        assert study.may_have_leavings()


def test_the_installed_version_is_known() -> None:
    assert painlake_version().count(".") >= 2
