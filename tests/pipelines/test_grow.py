"""A version built upon the last one's file has exactly the rows of one that is built anew."""

import dataclasses
import logging
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from pipelines import grow as grow_module
from pipelines import known as known_module
from pipelines import publish as publish_module
from pipelines.grow import Base
from pipelines.known import store_of
from pipelines.known_tables import dataset_summary, known_table
from pipelines.params_publish import EventParams, NeutralParams, PublishParams
from pipelines.parquet import read_provenance, write_parquet
from pipelines.publish import VersionRecord, publish
from pipelines.recording import Recording, Task
from pipelines.seal import sha256_of
from pipelines.warehouse import open_warehouse
from schemas.clinical import CLINICAL_OBSERVATIONS
from schemas.core import Table
from schemas.meta import PROVENANCE
from schemas.tables import TABLES, VIEWS
from tests.pipelines.lake_factory import (
    change,
    feature_file,
    pseudonym,
    recording_name,
    write_clinical,
    write_lake,
    write_person,
    write_recording,
)

GROWING = PublishParams(grow_from_recordings=1)


def version(number: int) -> VersionRecord:
    return VersionRecord(number, "0.1.0", "2026-11-21T02:00:00Z", "abc123", "c" * 64, "d" * 64)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study with its first version: two persons with three recordings, whose faces move, each otherwise."""
    root = tmp_path_factory.mktemp("grow")
    lake = moving(write_lake(root / "lake"), [(1, 1), (1, 2), (2, 1)])
    publish(lake, root / "warehouse", version(1), [], GROWING)
    return root


@pytest.fixture
def lake(published: Path, tmp_path: Path) -> Path:
    """A copy of its lake, with its file in the folder `warehouse` beside it."""
    shutil.copytree(published, tmp_path, dirs_exist_ok=True, symlinks=True)
    return tmp_path / "lake"


@pytest.fixture
def base(lake: Path) -> Path:
    """The first version's file."""
    return lake.parent / "warehouse" / "painlake-v0001.duckdb"


def moving(lake: Path, recordings: list[tuple[int, int]]) -> Path:
    for person, number in recordings:
        shift = person + number / 2

        def wave(frame: pl.DataFrame, shift: float = shift) -> pl.DataFrame:
            moved = ((pl.col("frame") / 7 + shift).sin() * 2 + 2).cast(pl.Float32)
            return frame.with_columns(moved.alias("AU04_r"), (moved / shift).cast(pl.Float32).alias("AU12_r"))

        change(lake, recording_name(person, number), "au_frames", wave)
    return lake


def rows(file: Path, table: Table) -> list[tuple[object, ...]]:
    with open_warehouse(file) as connection:
        found = connection.execute(f"SELECT * FROM {table.schema}.{table.name}").fetchall()  # noqa: S608 - names from schemas/
    return sorted(found, key=repr)


def grown(lake: Path, base: Path, params: PublishParams = GROWING, number: int = 2) -> Path:
    return publish(lake, base.parent, version(number), [], params, Base(base))


def anew(lake: Path, folder: Path, params: PublishParams = GROWING, number: int = 2) -> Path:
    return publish(lake, folder / "anew", version(number), [], params)


def assert_equal(one: Path, other: Path) -> None:
    for table in (*TABLES.values(), *VIEWS.values()):
        assert repr(rows(one, table)) == repr(rows(other, table)), table.name


@pytest.fixture
def built_anew(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The files that were built anew, as they are built."""
    built: list[Path] = []
    build = publish_module.build

    def noted(lake: Path, target: Path, *rest: Any, **known: Any) -> None:
        built.append(target)
        build(lake, target, *rest, **known)

    monkeypatch.setattr(publish_module, "build", noted)
    return built


def add_recording(lake: Path) -> None:
    write_recording(lake, 1, 3)
    moving(lake, [(1, 3)])


def add_person(lake: Path) -> None:
    write_person(lake, 3, 2)
    moving(lake, [(3, 1), (3, 2)])


def add_nothing(lake: Path) -> None:
    assert lake.is_dir()


def add_observation(lake: Path) -> None:
    path = lake / pseudonym(1) / "clinical" / f"{CLINICAL_OBSERVATIONS.name}.parquet"
    there = pl.read_parquet(path).to_dicts()
    write_clinical(lake, 1, CLINICAL_OBSERVATIONS, [*there, there[-1] | {"study_minute": 99_000}])


def add_task(lake: Path) -> None:
    path = lake / pseudonym(2) / "recordings" / f"{recording_name(2, 1)}.json"
    one = Recording.read(path)
    path.write_bytes(dataclasses.replace(one, tasks=(*one.tasks, Task("free_speech", 8.5, 9.0))).to_json())


ADDITIONS = [add_recording, add_person, add_observation, add_task, add_nothing]


@pytest.mark.parametrize(
    ("add", "over"),
    [
        *((add, "person") for add in ADDITIONS),
        *(pytest.param(add, "recording", marks=pytest.mark.slow) for add in ADDITIONS),
    ],
)
def test_what_is_built_upon_has_the_rows_of_what_is_built_anew(
    lake: Path, base: Path, built_anew: list[Path], add: Callable[[Path], None], over: str
) -> None:
    params = GROWING.model_copy(update={"neutral": NeutralParams.model_validate({"over": over})})
    if over != "person":
        base = publish(lake, base.parent, version(1), [], params)
        built_anew.clear()
    add(lake)
    file = grown(lake, base, params)
    assert built_anew == []
    assert file.stat().st_mode & 0o777 == 0o444
    assert_equal(file, anew(lake, lake.parent, params))


@pytest.mark.parametrize("add", [add_recording, add_task])
def test_what_was_known_before_hides_nothing_that_is_new(
    lake: Path, base: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, add: Callable[[Path], None]
) -> None:
    # As if all files were old enough to be known.
    monkeypatch.setattr(known_module, "_SETTLED_NS", 0)
    store = store_of(tmp_path)
    dataset_summary(lake, store)
    known_table(lake, PROVENANCE, store)
    add(lake)
    with monkeypatch.context() as patch:
        patch.setattr(publish_module, "build", lambda *_, **__: pytest.fail("built anew"))
        file = publish(lake, base.parent, version(2), [], GROWING, Base(base, sha256_of(base)), store)
    assert_equal(file, anew(lake, lake.parent))


def test_frames_that_come_later_are_taken_in(lake: Path, tmp_path: Path, built_anew: list[Path]) -> None:
    late = [path for path in sorted(lake.glob(f"*/*/{recording_name(1, 2)}*.parquet")) if path.parent.name != "quality"]
    for path in late:
        path.rename(tmp_path / path.name.replace(".parquet", f".{path.parent.name}"))
    base = publish(lake, tmp_path / "warehouse", version(1), [], GROWING)
    built_anew.clear()
    for path in late:
        (tmp_path / path.name.replace(".parquet", f".{path.parent.name}")).rename(path)
    file = grown(lake, base)
    assert built_anew == []
    assert_equal(file, anew(lake, tmp_path))


@pytest.mark.slow
def test_a_file_is_built_upon_again_and_again(lake: Path, base: Path, tmp_path: Path, built_anew: list[Path]) -> None:
    file = base
    for number, add in enumerate((add_recording, add_person, add_observation), 2):
        add(lake)
        file = grown(lake, file, number=number)
    assert built_anew == []
    assert_equal(file, anew(lake, tmp_path, number=4))


def supersede(lake: Path) -> None:
    write_recording(lake, 1, 1, superseded=True)


def correct(lake: Path) -> None:
    write_clinical(lake, 1, CLINICAL_OBSERVATIONS, [{"study_minute": 10_030, "nrs_now": 7.0}])


def remove_person(lake: Path) -> None:
    shutil.rmtree(lake / pseudonym(2))


def remove_recording(lake: Path) -> None:
    for path in lake.glob(f"*/*/{recording_name(1, 2)}*"):
        path.unlink()


def measure_again(lake: Path) -> None:
    path = feature_file(lake, recording_name(1, 1), "au_frames")
    provenance = read_provenance(path)
    assert provenance is not None
    write_parquet(path, pl.read_parquet(path), provenance | {"key": "0" * 64})


@pytest.mark.parametrize("how", [supersede, correct, remove_person, remove_recording, measure_again])
def test_a_row_that_changed_or_went_has_the_file_built_anew(
    lake: Path, base: Path, built_anew: list[Path], how: Callable[[Path], None]
) -> None:
    how(lake)
    assert built_anew == [grown(lake, base)]


def test_nothing_of_an_erased_person_is_in_the_bytes_of_the_next_file(lake: Path, base: Path) -> None:
    assert pseudonym(2).encode() in base.read_bytes()
    remove_person(lake)
    add_recording(lake)
    assert pseudonym(2).encode() not in grown(lake, base).read_bytes()


@pytest.mark.parametrize(
    "update",
    [{"events": EventParams(onset_r=2.0)}, {"nrs_window_h": 12.0}, {"grow_from_recordings": 5}],
    ids=["thresholds", "window", "too small"],
)
def test_other_parameters_or_few_recordings_have_the_file_built_anew(
    lake: Path, base: Path, built_anew: list[Path], update: dict[str, object]
) -> None:
    add_recording(lake)
    params = GROWING.model_copy(update=update)
    assert built_anew == [grown(lake, base, params)]


def test_other_code_has_the_file_built_anew(
    lake: Path, base: Path, built_anew: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grow_module, "_made_by", lambda: "another")
    assert built_anew == [grown(lake, base)]


def test_a_file_that_holds_other_frames_than_the_lake_is_not_built_upon(
    lake: Path, base: Path, built_anew: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    # As no stage does: other rows under the same provenance.
    change(lake, recording_name(1, 1), "au_frames", lambda frame: frame.head(10))
    with caplog.at_level(logging.WARNING):
        assert built_anew == [grown(lake, base)]
    assert "is not built upon: main.au_frames has" in caplog.text.replace('"', "")


def test_what_is_no_published_file_is_not_built_upon(lake: Path, base: Path, built_anew: list[Path]) -> None:
    base.chmod(0o644)
    base.write_bytes(base.read_bytes()[:4096])
    assert built_anew == [grown(lake, base)]


def test_a_file_is_hashed_only_where_it_would_be_built_upon(
    lake: Path, base: Path, built_anew: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    hashed: list[Path] = []

    def noted(path: Path) -> str:
        hashed.append(path)
        return sha256_of(path)

    monkeypatch.setattr(grow_module, "sha256_of", noted)
    known = Base(base, sha256_of(base))
    other = GROWING.model_copy(update={"nrs_window_h": 12.0})
    publish(lake, base.parent, version(2), [], other, known)
    assert (hashed, len(built_anew)) == ([], 1)
    publish(lake, base.parent, version(3), [], GROWING, known)
    assert (hashed, len(built_anew)) == ([base], 1)


def test_a_file_whose_bytes_changed_is_not_built_upon(
    lake: Path, base: Path, built_anew: list[Path], caplog: pytest.LogCaptureFixture
) -> None:
    known = Base(base, sha256_of(base))
    base.chmod(0o644)
    damaged = bytearray(base.read_bytes())
    damaged[-1000] ^= 1
    base.write_bytes(damaged)
    with caplog.at_level(logging.WARNING):
        publish(lake, base.parent, version(2), [], GROWING, known)
    assert [file.name for file in built_anew] == ["painlake-v0002.duckdb"]
    assert "painlake-v0001.duckdb is not built upon" in caplog.text
