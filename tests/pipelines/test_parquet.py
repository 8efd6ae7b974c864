from pathlib import Path

import polars as pl
import pytest

from pipelines.parquet import read_provenance, write_parquet

FRAME = pl.DataFrame(
    {"name": ["a", None], "value": [0.1, None], "count": [1, None], "flag": [True, None]},
    schema={"name": pl.String, "value": pl.Float32, "count": pl.Int16, "flag": pl.Boolean},
)


@pytest.mark.parametrize("provenance", [None, {"stage": "face", "key": "k", "reasons": [["NO_FACE", ""]]}])
def test_rows_types_and_what_is_missing_come_back(tmp_path: Path, provenance: dict[str, object] | None) -> None:
    path = tmp_path / "deep" / "a.parquet"
    content = write_parquet(path, FRAME, provenance)
    assert path.read_bytes() == content
    assert pl.read_parquet(path).equals(FRAME, null_equal=True)
    assert pl.read_parquet(path).schema == FRAME.schema
    assert read_provenance(path) == provenance


def test_the_same_rows_and_provenance_give_the_same_bytes(tmp_path: Path) -> None:
    one = write_parquet(tmp_path / "a.parquet", FRAME, {"stage": "face", "key": "k"})
    other = write_parquet(tmp_path / "b.parquet", FRAME.clone(), {"key": "k", "stage": "face"})
    assert one == other


def test_another_provenance_gives_other_bytes(tmp_path: Path) -> None:
    one, other = (write_parquet(tmp_path / "a.parquet", FRAME, {"key": key}) for key in "ab")
    assert one != other


@pytest.mark.parametrize("content", [None, b"", b"no parquet", b"PAR1" + b"\x00" * 20 + b"PAR1"])
def test_what_is_no_parquet_says_nothing_of_its_making(tmp_path: Path, content: bytes | None) -> None:
    if content is not None:
        (tmp_path / "a.parquet").write_bytes(content)
    assert read_provenance(tmp_path / "a.parquet") is None


def test_a_table_without_rows_keeps_its_types(tmp_path: Path) -> None:
    write_parquet(tmp_path / "a.parquet", FRAME.clear())
    assert pl.read_parquet(tmp_path / "a.parquet").schema == FRAME.schema


def test_numbers_leave_no_run_of_digits_that_looks_like_an_identity(tmp_path: Path) -> None:
    rising = pl.DataFrame(
        {"frame": range(200), "value": [0.37 * n for n in range(200)]}, schema_overrides={"frame": pl.Int32}
    )
    assert b"1234567" not in write_parquet(tmp_path / "a.parquet", rising)


@pytest.mark.parametrize("text", ["x", "painlake \x18\x08painlake\x18 is named", "é" * 40_000])
def test_provenance_is_read_whatever_it_says_and_however_long_it_is(tmp_path: Path, text: str) -> None:
    stated = {"stage": "face", "engine": "painlake", "said": text}
    write_parquet(tmp_path / "a.parquet", FRAME, stated)
    assert read_provenance(tmp_path / "a.parquet") == stated


def test_a_file_cut_at_its_end_says_nothing_of_its_making(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    content = write_parquet(path, FRAME, {"stage": "face"})
    for cut in (1, 4, 8, 100):
        path.write_bytes(content[:-cut])
        assert read_provenance(path) is None
