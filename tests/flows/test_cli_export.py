"""`painlake export elan` as users call it."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from flows.cli import app
from tests.pipelines.lake_factory import recording_name
from tests.pipelines.release_factory import PublishedStudy, published_study


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> PublishedStudy:
    return published_study(tmp_path_factory.mktemp("cli") / "study")


def painlake(study: PublishedStudy, *arguments: object) -> Result:
    return CliRunner().invoke(app, ["--study", str(study.study.root), *map(str, arguments)])


def test_one_recording_goes_into_a_file(published: PublishedStudy, tmp_path: Path) -> None:
    done = painlake(published, "export", "elan", recording_name(1, 1), tmp_path / "out.eaf", "--pspi", "4")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{tmp_path / 'out.eaf'}\n"
    assert 'TIER_ID="PSPI &gt;= 4"' in (tmp_path / "out.eaf").read_text(encoding="utf-8")


def test_all_go_into_a_folder(published: PublishedStudy, tmp_path: Path) -> None:
    done = painlake(published, "export", "elan", "--all", tmp_path / "all")
    assert done.exit_code == 0, done.output
    assert done.stdout == f"{len(list((tmp_path / 'all').iterdir()))} recordings in {tmp_path / 'all'}\n"


@pytest.mark.parametrize("words", [[], ["P000000001-00000001"], ["P000000001-00000001", "x.eaf", "--all", "all"]])
def test_what_to_export_and_whither_must_be_told(
    published: PublishedStudy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    done = painlake(published, "export", "elan", *words)
    assert done.exit_code == 2
    assert done.stderr == "painlake: name a recording and a file, or --all and a folder\n"
    assert list(tmp_path.iterdir()) == []


def test_films_of_patients_leave_the_study_only_where_somebody_says_yes(
    published: PublishedStudy, tmp_path: Path
) -> None:
    refused = painlake(published, "export", "films", tmp_path / "films")
    assert refused.exit_code == 2
    assert "the films show patients, unencrypted: say --yes" in refused.stderr
    asked = painlake(published, "export", "films", tmp_path / "films", "--yes")
    assert "set face.openface.csv_folder" in asked.stderr
    assert not (tmp_path / "films").exists()
