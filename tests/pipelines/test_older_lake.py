"""What an earlier or later PainLake published can still be built: what it did not measure is NULL, never made up."""

from pathlib import Path

import polars as pl
import pytest

from pipelines.errors import UserError
from pipelines.older_lake import bring_up
from pipelines.params_publish import PublishParams
from pipelines.parquet import read_provenance, write_parquet
from pipelines.publish import VersionRecord, build
from pipelines.warehouse import open_warehouse
from tests.pipelines.lake_factory import feature_file, recording_name, write_lake


def rewrite(path: Path, frame: pl.DataFrame) -> None:
    write_parquet(path, frame, read_provenance(path))


def test_a_lake_of_this_code_is_left_as_it_is(tmp_path: Path) -> None:
    lake = write_lake(tmp_path / "lake")
    before = {path: path.read_bytes() for path in lake.rglob("*.parquet")}
    assert bring_up(lake) == []
    assert {path: path.read_bytes() for path in lake.rglob("*.parquet")} == before


def test_a_column_that_older_code_did_not_have_is_null_and_one_that_this_code_lacks_is_left_out(tmp_path: Path) -> None:
    lake = write_lake(tmp_path / "lake")
    path = feature_file(lake, recording_name(1, 1), "au_frames")
    older = pl.read_parquet(path).drop("gaze_x").with_columns(gaze_angle=pl.lit(0.1))
    rewrite(path, older)
    stated = read_provenance(path)
    assert bring_up(lake) == ["au_frames.gaze_angle is left out", "au_frames.gaze_x is NULL"]
    assert read_provenance(path) == stated, "what made a file still stands in it"
    build(lake, tmp_path / "v1.duckdb", VersionRecord(1, "0.1.0"), (), PublishParams())
    with open_warehouse(tmp_path / "v1.duckdb") as connection:
        found = connection.execute(
            "SELECT count(*), count(gaze_x), count(face_found) FROM au_frames WHERE recording = ?",
            [recording_name(1, 1)],
        ).fetchone()
    assert found == (older.height, 0, older.height)


def test_a_column_that_must_have_values_is_not_made_up(tmp_path: Path) -> None:
    lake = write_lake(tmp_path / "lake")
    path = feature_file(lake, recording_name(1, 1), "aligned_frames")
    rewrite(path, pl.read_parquet(path).drop("face_mask"))
    with pytest.raises(UserError, match=r"no aligned_frames\.face_mask: build it with the PainLake that made it"):
        bring_up(lake)


def test_values_of_another_kind_are_named(tmp_path: Path) -> None:
    lake = write_lake(tmp_path / "lake")
    path = feature_file(lake, recording_name(1, 1), "au_frames")
    frame = pl.read_parquet(path).drop("gaze_x").with_columns(pose_Rx=pl.lit("level"))
    rewrite(path, frame)
    with pytest.raises(UserError, match=r"au_frames\.pose_Rx of this version is no FLOAT"):
        bring_up(lake)
