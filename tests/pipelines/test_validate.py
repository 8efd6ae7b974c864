from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from pipelines.errors import PainLakeError
from pipelines.params import ValidateParams
from pipelines.validate import read_report, validate
from tests.pipelines.lake_factory import change, feature_file, pseudonym, recording_name, write_lake

FIRST = recording_name(1, 1)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    return write_lake(tmp_path / "lake")


def test_a_sound_lake_passes_and_its_report_can_be_read_back(lake: Path, tmp_path: Path) -> None:
    report = tmp_path / "reports" / "validation.json"
    outcome = validate(lake, report, ValidateParams())
    assert outcome.passed
    assert [str(result) for result in outcome.results if not result.success] == []
    assert read_report(report) == outcome
    assert str(tmp_path) not in report.read_text()


def test_damaged_features_hold_back_and_the_report_names_the_checks_but_no_value(lake: Path, tmp_path: Path) -> None:
    change(lake, FIRST, "au_frames", lambda frame: frame.with_columns(pl.lit(5.4321, pl.Float32).alias("AU06_r")))
    change(lake, FIRST, "voice_frames", lambda frame: pl.concat([frame, frame.head(1)]))
    change(lake, FIRST, "aligned_frames", lambda frame: frame.with_columns(recording=pl.lit("P777777777-77777777")))
    feature_file(lake, recording_name(1, 2), "voice_functionals").write_bytes(b"nonsense")
    report = tmp_path / "validation.json"
    outcome = validate(lake, report, ValidateParams())
    assert not outcome.passed
    assert {(result.table, result.check, result.column) for result in outcome.holding_back} >= {
        ("au_frames", "range", "AU06_r"),
        ("voice_frames", "unique", "recording, frame"),
        ("aligned_frames", "stands_in_recordings", "recording"),
        ("voice_functionals", "readable", ""),
    }
    assert "5.43" not in report.read_text()
    assert "P777777777" not in report.read_text()


def test_the_same_lake_gives_the_same_report_and_warnings_do_not_hold_back(lake: Path, tmp_path: Path) -> None:
    path = lake / pseudonym(2) / "clinical" / "clinical_observations.parquet"
    pl.read_parquet(path).with_columns(nrs_now=pl.lit(4.0)).write_parquet(path)
    first, second = tmp_path / "first.json", tmp_path / "second.json"
    outcome = validate(lake, first, ValidateParams())
    validate(lake, second, ValidateParams())
    assert outcome.passed
    assert [(result.table, result.check) for result in outcome.warnings] == [
        ("clinical_observations", "controls_without_pain")
    ]
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("damage", "check", "columns"),
    [
        (lambda frame: pl.concat([frame, frame.head(1)]), "unique", "recording, task, segment, feature_set, feature"),
        (lambda frame: frame.with_columns(segment=pl.lit("half")), "allowed", "segment"),
        (lambda frame: frame.with_columns(value=pl.lit(float("inf"), pl.Float32)), "finite", ""),
        (lambda frame: frame.with_columns(recording=pl.lit(recording_name(1, 2))), "readable", ""),
        (lambda frame: frame.drop("segment"), "names", ""),
        (lambda frame: frame.with_columns(pl.col("value").cast(pl.Float64)), "types", ""),
    ],
)
def test_a_table_too_long_for_memory_is_checked_file_by_file(
    lake: Path, tmp_path: Path, damage: Callable[[pl.DataFrame], pl.DataFrame], check: str, columns: str
) -> None:
    change(lake, FIRST, "voice_features_long", damage)
    outcome = validate(lake, tmp_path / "validation.json", ValidateParams())
    assert ("voice_features_long", check, columns) in {(r.table, r.check, r.column) for r in outcome.holding_back}


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"results": [{}]}'])
def test_what_is_no_report_is_refused(tmp_path: Path, content: bytes | None) -> None:
    report = tmp_path / "validation.json"
    if content is not None:
        report.write_bytes(content)
    with pytest.raises(PainLakeError, match=r"validation\.json is no validation report"):
        read_report(report)
