"""Long tables are taken in file by file, short ones by key; what is not a number is missing, and presence is decided."""

import math
from collections.abc import Iterator
from pathlib import Path

import duckdb
import polars as pl
import pytest

from pipelines.duckdb_tables import create_sql, hand_over
from pipelines.errors import PainLakeError
from pipelines.lake import files
from pipelines.params_publish import PresenceParams
from pipelines.take_in import take_in, take_in_by_key
from pipelines.warehouse import building
from schemas.face import AU_FRAMES
from schemas.quality import QUALITY_MEASURES
from schemas.voice import VOICE_FRAMES
from tests.pipelines.lake_factory import FRAMES, change, feature_file, recording_name, write_lake

FIRST, SECOND = recording_name(1, 1), recording_name(1, 2)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return write_lake(tmp_path / "lake")


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with building(tmp_path / "new.duckdb", 500) as made:
        for table in (AU_FRAMES, VOICE_FRAMES, QUALITY_MEASURES):
            made.execute(create_sql(table, quick=True))
        yield made


def test_rows_stand_in_the_order_of_the_files_however_many_are_read_at_once(
    lake: Path, connection: duckdb.DuckDBPyConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = files(lake, VOICE_FRAMES.name)[::-1]
    expected = pl.concat([pl.read_parquet(path) for path in paths]).fill_nan(None)
    for at_once in (1, 2, 100):
        monkeypatch.setattr("pipelines.take_in._AT_ONCE", at_once)
        connection.execute("TRUNCATE voice_frames")
        assert take_in(connection, VOICE_FRAMES, paths, PresenceParams()) == expected.height
        assert connection.execute("FROM voice_frames").pl().equals(expected)


@pytest.mark.parametrize("at_once", [1, 3, 256])
def test_short_tables_stand_in_the_order_of_their_key_however_much_is_held_at_once(
    lake: Path, connection: duckdb.DuckDBPyConnection, at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipelines.take_in._SHORT_AT_ONCE", at_once)
    change(lake, FIRST, QUALITY_MEASURES.name, lambda frame: frame.reverse())
    paths = files(lake, QUALITY_MEASURES.name)
    expected = pl.concat([pl.read_parquet(path) for path in paths]).sort(QUALITY_MEASURES.key).fill_nan(None)
    assert take_in_by_key(connection, QUALITY_MEASURES, paths[::-1]) == expected.height
    assert connection.execute("FROM quality_measures").pl().equals(expected)


def test_no_files_are_no_rows(connection: duckdb.DuckDBPyConnection) -> None:
    assert take_in(connection, VOICE_FRAMES, [], PresenceParams()) == 0
    assert take_in_by_key(connection, QUALITY_MEASURES, []) == 0


def test_what_is_not_a_number_is_missing_and_neither_present_nor_absent(
    lake: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    change(lake, FIRST, "au_frames", lambda frame: frame.with_columns(
        pl.when(pl.col("frame") == 1).then(math.nan).otherwise(pl.lit(0.7, pl.Float32)).alias("AU06_r"),
        pl.lit(2.0, pl.Float32).alias("AU45_r"),
        *(pl.lit(None, pl.Int16).alias(f"{unit}_c") for unit in ("AU06", "AU45")),
        pl.lit(1, pl.Int16).alias("AU04_c"), pl.lit(0.0, pl.Float32).alias("AU04_r"),
    ))  # fmt: skip
    path = feature_file(lake, FIRST, "au_frames")
    # 0.7 in single precision is a little less than 0.7, and still reaches it.
    assert take_in(connection, AU_FRAMES, [path], PresenceParams(present_r=0.7)) == FRAMES
    columns = "isnan(AU06_r), AU06_c, AU45_c, AU04_c"
    found = connection.execute(f"SELECT {columns} FROM au_frames WHERE frame IN (0, 1) ORDER BY frame").fetchall()  # noqa: S608 - of this file
    assert found == [(False, 1, 0, 1), (None, None, 0, 1)]


def test_other_types_are_brought_to_those_declared_and_other_columns_are_refused(
    lake: Path, connection: duckdb.DuckDBPyConnection
) -> None:
    change(lake, FIRST, "voice_frames", lambda frame: frame.with_columns(pl.col(pl.Float32).cast(pl.Float64)))
    paths = [feature_file(lake, name, "voice_frames") for name in (FIRST, SECOND)]
    rows = sum(pl.read_parquet(path).height for path in paths)
    assert take_in(connection, VOICE_FRAMES, paths, PresenceParams()) == rows
    change(lake, SECOND, "voice_frames", lambda frame: frame.drop("timestamp_s"))
    with pytest.raises(ValueError, match="missing columns"):
        take_in(connection, VOICE_FRAMES, paths, PresenceParams())
    # Nothing of a file that came before either.
    assert connection.execute("SELECT count(*) FROM voice_frames").fetchone() == (rows,)


def test_a_file_that_cannot_be_read_is_named(lake: Path, connection: duckdb.DuckDBPyConnection) -> None:
    path = feature_file(lake, FIRST, "voice_frames")
    path.write_bytes(b"no parquet")
    with pytest.raises(PainLakeError, match=FIRST):
        take_in(connection, VOICE_FRAMES, [path], PresenceParams())


def test_who_interrupts_is_told_so(connection: duckdb.DuckDBPyConnection) -> None:
    def interrupted() -> Iterator[pl.DataFrame]:
        yield VOICE_FRAMES.frame()
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hand_over(connection, VOICE_FRAMES, interrupted())
    assert connection.execute("SELECT count(*) FROM voice_frames").fetchone() == (0,)
