"""`painlake benchmark au`, in this process: a published study, or a file of frames, against labels."""

import json
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from flows.cli import app
from pipelines.params_publish import PublishParams
from pipelines.publish import VersionRecord, publish
from pipelines.study import Study, make_study
from pipelines.warehouse import current_link, open_warehouse
from tests.pipelines.lake_factory import write_lake


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["benchmark", "au", *(str(argument) for argument in arguments)])


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Study:
    made = make_study(tmp_path_factory.mktemp("benchmark") / "study", None, None)
    write_lake(made.lake, people=3, recordings=1)
    publish(made.lake, made.warehouse, VersionRecord(1, "0.1.0"), [], PublishParams())
    return made


@pytest.fixture(scope="module")
def labels(study: Study) -> Path:
    """A coder who says exactly what the engine did, a grade higher; and of one recording that nobody has."""
    path = study.root.parent / "labels.csv"
    with open_warehouse(current_link(study.warehouse)) as warehouse:
        rows = warehouse.execute(
            "SELECT recording, frame, 'AU04' AS action_unit, AU04_r * 0.5 + 1 AS intensity, "
            "(row_number() OVER (ORDER BY recording, frame) % 2) AS presence FROM au_frames WHERE AU04_r IS NOT NULL"
        ).pl()
    elsewhere = rows.head(5).with_columns(recording=pl.lit("nowhere"))
    pl.concat([rows, elsewhere]).write_csv(path)
    return path


def test_a_published_version_is_compared_with_a_coder(study: Study, labels: Path) -> None:
    done = run("--study", study.root, "--labels", labels)
    assert done.exit_code == 0, done.output
    header, _, row, _, rests_on, *left_out = done.stdout.splitlines()
    assert header.split() == ["action", "unit", "n", "persons", "coder", "engine", "F1", "ICC(3,1)", "AUC"]
    assert row.split()[0] == "AU04"
    assert "(long) against " in rests_on
    assert left_out == ["not among them: 5 labels of 1 recordings that are not among the engine's"]


def test_as_json_it_has_all_numbers(study: Study, labels: Path) -> None:
    found = json.loads(run("--study", study.root, "--labels", labels, "--json").stdout)
    assert set(found) == {"engines", "layout", "labels", "used", "left_out", "action_units"}
    (unit,) = found["action_units"]
    assert unit["groups"] == 3
    assert set(unit["icc"]) == {"value", "low", "high"}
    assert found["labels"] == found["used"] + 5


@pytest.fixture
def disfa(tmp_path: Path) -> list[object]:
    """DISFA's layout, and frames of another program under another name."""
    for unit, grades in ((4, [0, 3, 0, 2]), (12, [0, 0, 5, 0])):
        folder = tmp_path / "ActionUnit_Labels" / "SN001"
        folder.mkdir(parents=True, exist_ok=True)
        lines = [f"{number},{grade}\n" for number, grade in enumerate(grades, start=1)]
        (folder / f"SN001_au{unit}.txt").write_text("".join(lines))
    (tmp_path / "mapping.csv").write_text("video,recording\nSN001,mine\n")
    frames = {"recording": ["mine"] * 4, "frame": range(4), "AU04_r": [0.0, 3, 0, 2], "AU12_r": [5.0, 5, 0, 5]}
    pl.DataFrame(frames, strict=False).write_parquet(tmp_path / "frames.parquet")
    return [
        "--labels", tmp_path / "ActionUnit_Labels", "--mapping", tmp_path / "mapping.csv",
        "--predictions", tmp_path / "frames.parquet",
    ]  # fmt: skip


def test_disfas_labels_against_another_programs_frames_need_no_study(disfa: list[object]) -> None:
    done = run(*disfa, "--json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    first, second = found["action_units"]
    assert (first["action_unit"], first["f1"]["value"], first["icc"]["value"], first["auc"]["value"]) == (
        "AU04",
        1,
        1,
        1,
    )
    assert (second["action_unit"], second["f1"]["value"], second["auc"]["value"]) == ("AU12", 0, 0)
    assert found["engines"] == ["frames.parquet"]


def test_two_sources_of_frames_are_one_too_many(disfa: list[object]) -> None:
    done = run(*disfa, "--version", "v0001")
    assert (done.exit_code, done.stderr) == (2, "painlake: name --predictions or --version, not both\n")


def test_bad_input_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    path = tmp_path / "labels.csv"
    path.write_text("recording,frame,action_unit,intensity\nR1,0,AU04,nine\n")
    done = run("--labels", path, "--study", tmp_path)
    assert done.exit_code == 2
    assert done.stderr == f"painlake: {path}, line 2: intensity: 'nine' is no number\n"


def test_its_help_names_the_layouts_files() -> None:
    said = " ".join(run("--help").stdout.split())
    assert all(word in said for word in ("SN001_au1.txt", "ll042t1aaaff001_facs.txt", "timestamp_s"))
