import json
from pathlib import Path

import polars as pl
import pytest

from pipelines.errors import PainLakeError
from pipelines.known_tables import dataset_summary
from pipelines.lake import count_rows, files, people, read_provenance, read_recordings, read_table
from schemas.tables import LAKE_TABLES, TABLES, VOICE_TABLES
from tests.pipelines.lake_factory import (
    FRAMES,
    change,
    feature_file,
    pseudonym,
    recording_name,
    write_lake,
    write_recording,
)

FIRST = recording_name(1, 1)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return write_lake(tmp_path / "lake")


def test_the_people_are_the_folders(lake: Path) -> None:
    (lake / ".tmp").mkdir()
    assert people(lake) == [pseudonym(1), pseudonym(2)]


def test_every_table_is_read_as_declared(lake: Path) -> None:
    for table in LAKE_TABLES:
        assert read_table(lake, table).schema == pl.Schema(table.polars_schema())


def test_rows_come_in_the_same_order_whatever_the_order_of_writing(tmp_path: Path) -> None:
    forward, backward = tmp_path / "forward", tmp_path / "backward"
    write_lake(forward)
    write_recording(backward, 2, 1)
    write_recording(backward, 1, 2)
    write_recording(backward, 1, 1)
    for name in ("recordings", "tasks", "au_frames", "provenance"):
        assert read_table(backward, TABLES[name]).equals(read_table(forward, TABLES[name]))


def test_recordings_take_their_technical_columns_from_the_quality_measures(lake: Path) -> None:
    (first, *_) = read_table(lake, TABLES["recordings"]).rows(named=True)
    assert first["recording"] == FIRST
    assert (first["duration_s"], first["fps"], first["width"], first["height"], first["sample_rate_hz"]) == (
        8.0, 25.0, 640, 480, 48000,
    )  # fmt: skip
    assert (first["flags"], first["status"]) == ("DARK NOISY", "current")


def test_what_was_not_measured_is_missing_and_not_zero(lake: Path) -> None:
    recordings = read_recordings(lake, TABLES["quality_measures"].frame())
    assert recordings["duration_s"].null_count() == recordings.height
    assert recordings["width"].null_count() == recordings.height


def test_a_superseded_recording_says_so(lake: Path) -> None:
    name = write_recording(lake, 1, 3, superseded=True)
    assert read_table(lake, TABLES["recordings"]).filter(recording=name)["status"].to_list() == ["superseded"]


def test_functionals_and_frames_of_voice_are_told_apart(lake: Path) -> None:
    assert all(path.name.endswith(".functionals.parquet") for path in files(lake, "voice_functionals"))
    assert len(files(lake, "voice_frames")) == len(files(lake, "voice_functionals")) == 3


def test_each_table_of_voice_has_files_of_its_own(lake: Path) -> None:
    found = {table.name: set(files(lake, table.name)) for table in VOICE_TABLES}
    assert {name: len(paths) for name, paths in found.items()} == dict.fromkeys(found, 3)
    assert len(set().union(*found.values())) == 3 * len(VOICE_TABLES)


def test_a_recording_without_a_feature_file_has_no_such_rows(lake: Path) -> None:
    feature_file(lake, FIRST, "au_frames").unlink()
    assert FIRST not in read_table(lake, TABLES["au_frames"])["recording"]
    assert count_rows(files(lake, "au_frames")) == 2 * FRAMES


def test_provenance_is_one_row_a_recording_and_stage(lake: Path) -> None:
    provenance = read_provenance(lake)
    assert provenance.height == 3 * 4
    assert provenance["stage"].unique().sort().to_list() == ["align", "face", "quality", "voice"]


def test_a_file_with_other_columns_is_given_alone(lake: Path) -> None:
    change(lake, recording_name(1, 2), "au_frames", lambda frame: frame.drop("pspi"))
    found = read_table(lake, TABLES["au_frames"])
    assert "pspi" not in found.columns
    assert found["recording"].unique().to_list() == [recording_name(1, 2)]


def test_a_file_that_is_no_parquet_is_named(lake: Path) -> None:
    feature_file(lake, FIRST, "au_frames").write_bytes(b"nonsense")
    with pytest.raises(PainLakeError, match=f"face/{FIRST}.parquet cannot be read"):
        read_table(lake, TABLES["au_frames"])


def test_a_sidecar_that_is_none_is_named(lake: Path) -> None:
    (lake / pseudonym(1) / "recordings" / f"{FIRST}.json").write_text("{}")
    with pytest.raises(PainLakeError, match=f"{FIRST}.json is no sidecar"):
        read_table(lake, TABLES["tasks"])


def test_the_summary_counts_people_recordings_hours_and_rows(lake: Path) -> None:
    write_recording(lake, 1, 3, superseded=True)
    summary = dataset_summary(lake)
    assert (summary["people"], summary["recordings"], summary["recordings_superseded"]) == (2, 3, 1)
    assert summary["groups"] == {"control": 1, "pain": 1}
    assert summary["hours"] == round(3 * 8 / 3600, 4)
    tables = summary["tables"]
    assert isinstance(tables, dict)
    assert tables["au_frames"] == 4 * FRAMES
    assert json.dumps(summary) == json.dumps(dataset_summary(lake))


def test_an_empty_lake_has_empty_tables(tmp_path: Path) -> None:
    summary = dataset_summary(tmp_path)
    assert (summary["people"], summary["recordings"], summary["hours"]) == (0, 0, 0)
    assert all(read_table(tmp_path, table).is_empty() for table in LAKE_TABLES)
