"""`painlake release` as users call it: exit codes, one line for what is refused, one document for programs."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from flows.cli import app
from tests.pipelines.release_factory import PEOPLE, PublishedStudy, published_study


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> PublishedStudy:
    return published_study(tmp_path_factory.mktemp("cli") / "study")


def painlake(study: PublishedStudy, *arguments: object) -> Result:
    return CliRunner().invoke(app, ["--study", str(study.study.root), *map(str, arguments)])


def test_it_says_what_was_made_and_where(published: PublishedStudy, tmp_path: Path) -> None:
    done = painlake(published, "release", "--profile", "open", tmp_path / "out")
    assert done.exit_code == 0, done.output
    said = done.stdout
    assert str(tmp_path / "out") in said
    assert f"{PEOPLE - 2} of {PEOPLE} people" in said
    assert "k = 5; language: left out" in said
    assert "Pseudonymised data remain personal data" in said
    assert (tmp_path / "out" / "painlake-v0001-open.duckdb").is_file()


def test_json_is_the_report(published: PublishedStudy, tmp_path: Path) -> None:
    done = painlake(published, "release", "--profile", "partner", "--json", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout) == json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))


def test_what_is_refused_is_one_line_and_nothing_is_written(published: PublishedStudy, tmp_path: Path) -> None:
    text = published.study.params_file.read_text(encoding="utf-8")
    published.study.params_file.write_text(text.replace("k_anonymity: 5", "k_anonymity: 20"), encoding="utf-8")
    try:
        done = painlake(published, "release", "--profile", "open", tmp_path / "out")
    finally:
        published.study.params_file.write_text(text, encoding="utf-8")
    assert done.exit_code == 2
    assert done.stdout == ""
    assert done.stderr.startswith("painlake: k = 20 cannot be met")
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [[], ["--profile", "everyone"]])
def test_a_profile_must_be_named_and_known(published: PublishedStudy, tmp_path: Path, arguments: list[str]) -> None:
    done = painlake(published, "release", *arguments, tmp_path / "out")
    assert done.exit_code == 2
    assert not (tmp_path / "out").exists()


def test_another_run_holds_the_study(published: PublishedStudy, tmp_path: Path) -> None:
    with published.study.held():
        done = painlake(published, "release", "--profile", "open", tmp_path / "out")
    assert done.exit_code == 3
    assert "RUN_IN_PROGRESS" in done.stderr
