"""Wrong use and missing things: one clear line, the right exit code, and nothing written."""

import json
from pathlib import Path

import pytest

from pipelines.study import Study, make_study
from tests.flows.conftest import painlake


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    return make_study(tmp_path_factory.mktemp("cli") / "study", None, None)


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and ".git" not in path.parts
    }


def refused(study: Path, *arguments: object, env: dict[str, str] | None = None) -> str:
    """The one line that a refused command says."""
    before = contents(study) if study.is_dir() else None
    done = painlake(*arguments, env=env, check=False)
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stdout == ""
    assert "Traceback" not in done.stderr
    assert (contents(study) if study.is_dir() else None) == before
    said = [line for line in done.stderr.splitlines() if not line.startswith("[")]
    assert len(said) == 1
    return said[0]


@pytest.mark.parametrize("command", ["ingest", "status", "versions", "serve"])
def test_no_such_study(command: str, tmp_path: Path) -> None:
    line = refused(tmp_path / "nowhere", command, "--study", tmp_path / "nowhere")
    assert "no study at" in line
    assert "painlake init" in line


def test_a_misspelt_parameter_names_the_nearest_right_one(study: Study) -> None:
    text = study.params_file.read_text(encoding="utf-8")
    study.params_file.write_text(text.replace("grid_hz:", "grid_hertz:"), encoding="utf-8")
    try:
        assert "did you mean 'grid_hz'?" in refused(study.root, "ingest", "--study", study.root)
    finally:
        study.params_file.write_text(text, encoding="utf-8")


def test_landing_is_absent(study: Study) -> None:
    (study.root / "landing").rename(study.root / "moved")
    try:
        assert "landing zone" in refused(study.root, "ingest", "--study", study.root)
    finally:
        (study.root / "moved").rename(study.root / "landing")


def test_the_vaults_key_is_missing(study: Study) -> None:
    key = study.vault / "master.key"
    key.rename(study.root / "key")
    try:
        assert "master key" in refused(study.root, "ingest", "--study", study.root)
    finally:
        (study.root / "key").rename(key)


def test_the_vault_is_elsewhere(study: Study, tmp_path: Path) -> None:
    line = refused(study.root, "ingest", "--study", study.root, env={"PAINLAKE_VAULT": str(tmp_path)})
    assert str(tmp_path) in line


def test_a_query_before_anything_is_published(study: Study) -> None:
    assert "nothing has been published" in refused(study.root, "query", "SELECT 1", "--study", study.root)


def test_a_version_that_does_not_exist(study: Study) -> None:
    assert "no version v0009" in refused(study.root, "checkout", "v0009", "--study", study.root)


def test_a_folder_that_is_not_empty_becomes_no_study(study: Study) -> None:
    assert "not empty" in refused(study.root, "init", study.root)


def test_a_delivery_that_is_not_in_quarantine(study: Study) -> None:
    assert "nothing in quarantine" in refused(study.root, "quarantine", "show", "XYZ", "--study", study.root)


def test_the_study_may_be_named_before_the_command_or_in_the_environment(study: Study) -> None:
    plain = painlake("status", "--study", study.root).stdout
    assert painlake("--study", study.root, "status").stdout == plain
    assert painlake("status", env={"PAINLAKE_STUDY": str(study.root)}).stdout == plain


def test_a_night_on_an_empty_landing_zone_is_no_error(study: Study) -> None:
    done = painlake("ingest", "--json", "--study", study.root)
    state = json.loads(done.stdout)
    assert (state["outcome"], state["landed"], state["balanced"], state["version"]) == ("nothing new", 0, True, None)
    assert "Prefect" not in done.stderr
