import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from expectations import engine, suites
from expectations.results import CheckResult
from pipelines import checked, known
from pipelines import validate as validate_module
from pipelines.checked import Checked, FileFacts
from pipelines.known import forget_known, store_of
from pipelines.params import ValidateParams
from pipelines.validate import validate
from schemas.face import AU_FRAMES
from schemas.tables import TABLES
from tests.pipelines.lake_factory import change, feature_file, recording_name, write_lake, write_recording

FIRST = recording_name(1, 1)
SECOND = recording_name(1, 2)
SOUND = FileFacts(3, sound=True, last_s=1.5)


@pytest.fixture
def store(tmp_path: Path) -> Path:
    return store_of(tmp_path / "state")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "lake" / "P000000001" / "face" / f"{FIRST}.parquet"
    path.parent.mkdir(parents=True)
    path.write_bytes(b"some rows")
    settle(path)
    return path


def settle(*paths: Path) -> None:
    """As if time had passed since they were written."""
    for path in paths:
        os.utime(path, (1_700_000_000, 1_700_000_000))


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(known, "_SETTLED_NS", -1)


def is_known(store: Path, file: Path) -> bool:
    """Whether the facts of a file come from the store."""
    asked: list[None] = []

    def find_out(paths: Sequence[Path]) -> list[FileFacts]:
        asked.append(None)
        return [SOUND for _ in paths]

    of_table = Checked(store, "au_frames")
    assert of_table.facts([file], find_out) == [SOUND]
    of_table.keep()
    return not asked


def test_what_was_found_out_is_known_from_then_on(store: Path, file: Path) -> None:
    assert [is_known(store, file) for _ in range(3)] == [False, True, True]


@pytest.mark.parametrize(
    "alter",
    [
        lambda file: file.write_bytes(b"some more rows"),
        lambda file: file.write_bytes(b"same size"),
        lambda file: os.utime(file, (1_700_000_001, 1_700_000_001)),
        lambda file: file.with_suffix(".new").write_bytes(b"some rows") and file.with_suffix(".new").replace(file),
    ],
    ids=["size", "content", "time", "another file of that name"],
)
def test_a_file_that_changed_is_looked_at_again(store: Path, file: Path, alter: Callable[[Path], object]) -> None:
    is_known(store, file)
    alter(file)
    assert not is_known(store, file)


def test_other_rules_or_other_code_look_at_every_file_again(
    store: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_known(store, file)
    monkeypatch.setattr(checked, "rules_sha256", lambda: "other")
    assert not is_known(store, file)


def test_the_digest_of_the_rules_follows_the_declarations(monkeypatch: pytest.MonkeyPatch) -> None:
    before = checked.rules_sha256()
    stricter = replace(AU_FRAMES, columns=tuple(replace(each, minimum=0.5) for each in AU_FRAMES))
    monkeypatch.setattr(checked, "FEATURE_TABLES", (stricter,))
    assert checked.rules_sha256() != before


def test_a_file_written_a_moment_ago_is_not_taken_as_known(
    store: Path, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(known, "_SETTLED_NS", 60_000_000_000)
    assert [is_known(store, file) for _ in range(2)] == [False, False]


def test_a_damaged_store_is_made_anew(store: Path, file: Path) -> None:
    is_known(store, file)
    store.write_bytes(b"no database" * 1000)
    assert [is_known(store, file) for _ in range(2)] == [False, True]


def test_nothing_is_kept_of_files_that_are_gone_nor_after_an_erasure(store: Path, file: Path) -> None:
    is_known(store, file)
    other = file.with_name(f"{SECOND}.parquet")
    shutil.copy(file, other)
    file.unlink()
    is_known(store, other)
    assert FIRST.encode() not in store.read_bytes()
    forget_known(store.parent)
    assert list(store.parent.iterdir()) == []


# --- the checks are the same with and without ---


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake whose tables are all taken for long ones."""
    monkeypatch.setattr(validate_module, "_WHOLE_UP_TO_FILES", 0)
    return write_lake(tmp_path / "lake", people=3)


def found(lake: Path, table: str, store: Path | None) -> tuple[list[CheckResult], list[tuple[object, ...]] | None]:
    """What is found of a table, and what the rules across tables are told of it."""
    results, frame = validate_module._check_files(lake, TABLES[table], Checked(store, table))
    return list(results), None if frame is None else frame.rows()


DAMAGES: dict[str, tuple[str, Callable[[pl.DataFrame], pl.DataFrame]]] = {
    "range": ("au_frames", lambda frame: frame.with_columns(pl.lit(5.4321, pl.Float32).alias("AU06_r"))),
    "twice": ("voice_frames", lambda frame: pl.concat([frame, frame.head(1)])),
    "late": ("aligned_frames", lambda frame: frame.with_columns(t_s=pl.col("t_s") + 1000)),
    "disordered": ("au_frames", lambda frame: frame.with_columns(timestamp_s=-pl.col("timestamp_s") + 8)),
    "frames": ("au_frames", lambda frame: frame.head(7)),
    "set": ("voice_functionals", lambda frame: frame.with_columns(feature_set=pl.lit("none"))),
    "foreign": ("aligned_frames", lambda frame: frame.with_columns(recording=pl.lit("P777777777-77777777"))),
    "types": ("av_offsets", lambda frame: frame.with_columns(pl.col("av_offset_s").cast(pl.Float32))),
}  # fmt: skip


@pytest.mark.parametrize("damage", ["range", "twice", "disordered", "frames", "foreign", "types"])
def test_a_night_that_knows_the_other_files_finds_the_damage_as_one_that_knows_none(
    lake: Path, store: Path, damage: str
) -> None:
    table, edit = DAMAGES[damage]
    sound = found(lake, table, store)
    change(lake, FIRST, table, edit)
    damaged = found(lake, table, store)
    assert damaged != sound
    assert damaged == found(lake, table, None)
    assert damaged == found(lake, table, store)


def test_checked_file_by_file_or_whole_the_same_fails(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("range", "twice", "late", "set"):
        change(lake, FIRST, *DAMAGES[name])
    by_file = validate(lake, lake.parent / "report.json", ValidateParams())
    monkeypatch.setattr(validate_module, "_WHOLE_UP_TO_FILES", 1000)
    whole = validate(lake, lake.parent / "report.json", ValidateParams())
    assert [(r.table, r.check, r.column, r.success) for r in by_file.results] == [
        (r.table, r.check, r.column, r.success) for r in whole.results
    ]
    assert {r.check for r in by_file.results if not r.success} == {
        "range", "unique", "within_recording", "allowed", "times_increase",
    }  # fmt: skip


def test_files_that_came_or_went_are_noticed(lake: Path, store: Path) -> None:
    found(lake, "au_frames", store)
    write_recording(lake, 1, 3)
    feature_file(lake, SECOND, "au_frames").unlink()
    results, rows = found(lake, "au_frames", store)
    assert (results, rows) == found(lake, "au_frames", None)
    assert rows is not None
    assert [row[0] for row in rows] == [
        FIRST,
        recording_name(1, 3),
        recording_name(2, 1),
        *(recording_name(3, n) for n in (1, 2)),
    ]


# --- what Great Expectations is shown ---


@pytest.fixture
def judged(monkeypatch: pytest.MonkeyPatch) -> list[set[str]]:
    """The recordings of the rows that Great Expectations is shown, a set for each time it is asked about rows."""
    asked: list[set[str]] = []
    run_rules = engine.run_rules

    def spy(frame: pl.DataFrame, *arguments: Any, **options: Any) -> list[CheckResult]:
        if "recording" in frame.columns:
            asked.append(set(frame["recording"]))
        return run_rules(frame, *arguments, **options)

    monkeypatch.setattr(suites, "run_rules", spy)
    return asked


@pytest.mark.parametrize("table", ["au_frames", "quality_measures"])
def test_it_judges_rows_of_every_file_in_the_night_in_which_the_file_is_new(
    lake: Path, store: Path, judged: list[set[str]], table: str
) -> None:
    everyone = {path.name.partition(".")[0] for path in (lake.glob("*/quality/*.parquet"))}
    nights = [found(lake, table, store)]
    added = write_recording(lake, 1, 3)
    nights += [found(lake, table, store), found(lake, table, store)]
    assert judged[0] <= everyone
    assert len(judged[0]) > 0
    assert judged[1:] == [{added}, set()]
    assert all(result.success for results, _ in nights for result in results)


def test_what_it_finds_and_polars_did_not_is_found_again_in_the_next_night(
    lake: Path, store: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    change(lake, FIRST, *DAMAGES["range"])
    monkeypatch.setattr(validate_module, "is_sound", lambda *_: True)
    nights = [found(lake, "au_frames", store)[0] for _ in range(2)]
    assert nights[0] == nights[1]
    assert [(each.check, each.column) for each in nights[0] if not each.success] == [("range", "AU06_r")]


def test_a_file_that_breaks_a_rule_does_not_have_the_others_read_again(lake: Path, store: Path) -> None:
    change(lake, FIRST, *DAMAGES["range"])
    found(lake, "au_frames", store)
    second = Checked(store, "au_frames")
    validate_module._check_files(lake, TABLES["au_frames"], second)
    assert second.looked_at == 0


@pytest.mark.slow
def test_a_report_is_the_same_whatever_was_known(lake: Path, store: Path) -> None:
    report = lake.parent / "report.json"
    validate(lake, report, ValidateParams(), store)
    for damage in DAMAGES.values():
        change(lake, FIRST, *damage)
    write_recording(lake, 1, 3)
    written = []
    for known_so_far in (store, store, None):
        validate(lake, report, ValidateParams(), known_so_far)
        written.append(report.read_bytes())
    assert written[0] == written[1] == written[2]
