"""`painlake agreement`, in this process: over a study whose warehouse is built from made-up tables."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from flows.cli import app
from pipelines.params_publish import PublishParams
from pipelines.publish import VersionRecord, publish
from pipelines.study import Study, make_study
from schemas.voice_sets import CROSS_CHECKED
from tests.pipelines.lake_factory import write_lake


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = make_study(tmp_path_factory.mktemp("agreement") / "study", None, None)
    write_lake(made.lake, people=2, recordings=2)
    publish(made.lake, made.warehouse, VersionRecord(1, "0.1.0"), [], PublishParams())
    return made


def run(*arguments: object) -> str:
    done = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_each_feature_has_a_row_with_its_number_of_stretches(study: Study) -> None:
    header, _, *rows = run("agreement", "--study", study.root).splitlines()
    assert header.split()[:4] == ["feature", "unit", "engine", "n"]
    assert [row.split()[0] for row in rows] == list(CROSS_CHECKED)
    assert {tuple(row.split()[2:4]) for row in rows} == {("praat", "3")}


def test_as_json_it_is_a_list_of_features(study: Study) -> None:
    found = json.loads(run("agreement", "--study", study.root, "--json"))
    assert [each["feature"] for each in found] == list(CROSS_CHECKED)
    assert set(found[0]) == {"feature", "unit", "engine", "n", "pearson", "spearman", "bias", "lower", "upper", "icc"}


def test_without_a_publication_it_says_so(tmp_path: Path) -> None:
    made = make_study(tmp_path / "study", None, None)
    done = CliRunner().invoke(app, ["agreement", "--study", str(made.root)])
    assert done.exit_code == 2
    assert "nothing has been published yet" in done.stderr
