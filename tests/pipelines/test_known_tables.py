"""Tables and counts that are put together from what is known of each person, beside those that are read."""

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines import known, known_tables
from pipelines.errors import PainLakeError
from pipelines.known import store_of
from pipelines.known_tables import KNOWN_TABLES, dataset_summary, known_table
from pipelines.lake import read_table
from pipelines.version import write_index, write_summary
from schemas.core import Table
from schemas.people import RECORDINGS, TASKS
from tests.pipelines.lake_factory import (
    FRAMES,
    change,
    feature_file,
    pseudonym,
    recording_name,
    write_lake,
    write_recording,
)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_SETTLED_NS", -1)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return write_lake(tmp_path / "lake", people=3)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return store_of(tmp_path / "state")


@pytest.fixture
def read(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Whose files are read."""
    found: list[str] = []

    really = known_tables._rows

    def spy(lake: Path, table: Table, some: Sequence[str]) -> list[Any]:
        found.extend(some)
        return really(lake, table, some)

    monkeypatch.setattr(known_tables, "_rows", spy)
    return found


@pytest.mark.parametrize("table", KNOWN_TABLES, ids=lambda table: table.name)
def test_a_table_is_the_same_whether_its_rows_are_known_or_read(
    lake: Path, store: Path, table: Table, read: list[str]
) -> None:
    for _ in range(2):
        assert known_table(lake, table, store).equals(read_table(lake, table))
    assert read == [pseudonym(n) for n in (1, 2, 3)]
    write_recording(lake, 2, 4, superseded=True)
    assert known_table(lake, table, store).equals(read_table(lake, table))
    assert read[3:] == [pseudonym(2)]
    assert known_table(lake, table).equals(read_table(lake, table))


def test_one_persons_measures_of_other_columns_take_nothing_from_anybody_else(lake: Path, store: Path) -> None:
    known_table(lake, RECORDINGS, store)
    change(lake, recording_name(1, 1), "quality_measures", lambda frame: frame.drop("unit"))
    now = known_table(lake, RECORDINGS, store)
    assert now.equals(known_table(lake, RECORDINGS))
    by_person = dict(now.group_by("participant").agg(pl.col("duration_s").null_count()).iter_rows())
    assert (by_person[pseudonym(1)] > 0, by_person[pseudonym(2)], by_person[pseudonym(3)]) == (True, 0, 0)


def test_what_was_measured_anew_is_read_again(lake: Path, store: Path) -> None:
    before = known_table(lake, RECORDINGS, store)
    longer = pl.when(measure="duration_s").then(9.5).otherwise("value").alias("value")
    change(lake, recording_name(1, 1), "quality_measures", lambda frame: frame.with_columns(longer))
    after = known_table(lake, RECORDINGS, store)
    assert (before["duration_s"][0], after["duration_s"][0]) == (8.0, 9.5)


def test_a_sidecar_that_is_none_is_named_each_night(lake: Path, store: Path) -> None:
    known_table(lake, TASKS, store)
    (lake / pseudonym(2) / "recordings" / f"{recording_name(2, 1)}.json").write_text("{}")
    for _ in range(2):
        with pytest.raises(PainLakeError, match="is no sidecar"):
            known_table(lake, TASKS, store)


def test_the_summary_has_the_same_bytes_whatever_was_known(lake: Path, store: Path, tmp_path: Path) -> None:
    def written(name: str, known_so_far: Path | None) -> bytes:
        write_summary(lake, tmp_path / name, known_so_far)
        return (tmp_path / name).read_bytes()

    first = written("first", store)
    assert first == written("second", store) == written("third", None)
    write_recording(lake, 1, 3)
    feature_file(lake, recording_name(3, 1), "au_frames").unlink()
    later = written("later", store)
    assert later != first
    assert later == written("later still", store) == written("last", None)


def test_the_summary_reads_nobody_whose_files_stand_as_they_stood(
    lake: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[str] = []
    really = known_tables._counted

    def spy(lake: Path, some: Sequence[str]) -> list[tuple[list[str | None], dict[str, int]]]:
        counted.extend(some)
        return really(lake, some)

    monkeypatch.setattr(known_tables, "_counted", spy)
    dataset_summary(lake, store)
    counted.clear()
    clinical = lake / pseudonym(3) / "clinical" / "participants.parquet"
    os.utime(clinical, (1_700_000_000, 1_700_000_000))
    dataset_summary(lake, store)
    assert counted == [pseudonym(3)]


def test_a_person_who_is_gone_is_forgotten(lake: Path, store: Path) -> None:
    dataset_summary(lake, store)
    (lake / pseudonym(3)).rename(lake.parent / "elsewhere")
    dataset_summary(lake, store)
    assert pseudonym(3).encode() not in store.read_bytes()
    assert pseudonym(2).encode() in store.read_bytes()


def test_rows_are_counted_one_by_one_where_polars_cannot_read_the_files_together(lake: Path) -> None:
    change(lake, recording_name(1, 1), "au_frames", lambda frame: frame.drop("pspi"))
    feature_file(lake, recording_name(2, 1), "voice_frames").write_bytes(b"nonsense")
    with pytest.raises(PainLakeError, match="cannot be read as parquet"):
        dataset_summary(lake)
    feature_file(lake, recording_name(2, 1), "voice_frames").unlink()
    rows = dataset_summary(lake)["tables"]
    assert isinstance(rows, dict)
    assert rows["au_frames"] == 5 * FRAMES


def test_the_index_is_what_yaml_would_write(lake: Path, tmp_path: Path) -> None:
    import yaml  # noqa: PLC0415 - for its own writing alone

    index = tmp_path / "index.yaml"
    assert write_index(lake, index) == [pseudonym(n) for n in (1, 2, 3)]
    head, _, rest = index.read_text(encoding="utf-8").partition("\n")
    assert head.startswith("# Written by PainLake")
    assert rest == yaml.safe_dump(yaml.safe_load(rest), sort_keys=False)
    empty = tmp_path / "empty"
    empty.mkdir()
    assert write_index(empty, index) == []
    assert yaml.safe_load(index.read_text(encoding="utf-8"))["people"] == []
    assert json.dumps(dataset_summary(empty)["groups"]) == "{}"
