"""Agreement of two engines, against values worked out by hand and in the published examples."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from pipelines.agreement import agreement, agreements, icc_3_1, ranks
from pipelines.errors import UserError
from pipelines.params_publish import PublishParams
from pipelines.publish import VersionRecord, build
from schemas.voice_sets import CROSS_CHECKED
from tests.pipelines.lake_factory import change, recording_name, write_lake


def test_bias_and_limits_are_those_of_bland_and_altman() -> None:
    found = agreement("hnr_db", "dB", "praat", np.array([2.0, 4.0, 6.0, 9.0]), np.array([1.0, 3.0, 3.0, 8.0]))
    assert found.n == 4
    assert found.bias == pytest.approx(1.5)
    # Differences 1, 1, 3, 1: their standard deviation is 1.
    assert found.lower == pytest.approx(1.5 - 1.96)
    assert found.upper == pytest.approx(1.5 + 1.96)


def test_icc_3_1_of_two_judges_of_shrout_and_fleiss() -> None:
    # Judges 2 and 4 of their table 2, worked out by its formula: MS between 8.15, MS error 1.75.
    one, other = np.array([2.0, 1, 4, 1, 5, 2]), np.array([6.0, 2, 6, 4, 9, 7])
    rows = np.column_stack([one, other])
    between = 2 * np.var(rows.mean(axis=1), ddof=1)
    error = np.var(one - other, ddof=1) / 2
    assert icc_3_1(one, other) == pytest.approx((between - error) / (between + error))


def test_consistency_forgives_a_constant_difference_and_nothing_else() -> None:
    values = np.array([1.0, 2.0, 5.0, 3.0])
    assert icc_3_1(values, values + 10) == pytest.approx(1.0)
    assert icc_3_1(values, -values) == pytest.approx(-1.0)
    assert (icc_3_1(values, 2 * values) or 0) < 0.9


def test_spearman_sees_order_alone() -> None:
    found = agreement("f1_mean_hz", "Hz", "praat", np.array([1.0, 2.0, 3.0, 4.0]), np.array([1.0, 10.0, 100.0, 1000.0]))
    assert found.spearman == pytest.approx(1.0)
    assert (found.pearson or 0) < 0.9


def test_equal_values_share_their_rank() -> None:
    assert ranks(np.array([5.0, 1.0, 5.0, 5.0])).tolist() == [3.0, 1.0, 3.0, 3.0]


def test_too_few_or_constant_values_have_no_correlation() -> None:
    few = agreement("hnr_db", "dB", "praat", np.array([1.0, 2.0]), np.array([1.0, 2.0]))
    assert (few.n, few.pearson, few.bias, few.icc) == (2, None, None, None)
    flat = agreement("hnr_db", "dB", "praat", np.array([1.0, 1.0, 1.0]), np.array([1.0, 2.0, 3.0]))
    assert (flat.pearson, flat.spearman, flat.bias) == (None, None, -1.0)


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    """Three recordings of the pain group, one a day; the second's reading has Praat's values."""
    return write_lake(tmp_path / "lake", people=2, recordings=3)


def published(lake: Path) -> Path:
    file = lake.parent / "painlake-v0001.duckdb"
    build(lake, file, VersionRecord(1, "0.1.0"), [], PublishParams())
    return file


def test_units_are_brought_together_before_engines_are_compared(lake: Path) -> None:
    semitones = pl.lit(24.0, pl.Float32).alias("F0semitoneFrom27.5Hz_sma3nz_amean")
    for person, number in ((1, 1), (1, 2), (1, 3), (2, 1)):
        name = recording_name(person, number)
        change(lake, name, "voice_functionals", lambda frame: frame.with_columns(semitones))
        f0 = pl.when(feature="f0_geometric_mean_hz").then(100.0 + number).otherwise("value")
        change(lake, name, "voice_cross_check", lambda frame, f0=f0: frame.with_columns(f0.alias("value")))  # type: ignore[misc]  # bound on purpose
    found = {each.feature: each for each in agreements(published(lake))}
    assert list(found) == list(CROSS_CHECKED)
    # 24 semitones above 27.5 Hz are 110 Hz; Praat's are 101, 102, 103 and 101.
    assert found["f0_geometric_mean_hz"].n == 4
    assert found["f0_geometric_mean_hz"].bias == pytest.approx(110 - 101.75)


def test_without_a_second_engine_it_says_how_to_get_one(lake: Path) -> None:
    for person, number in ((1, 1), (1, 2), (1, 3), (2, 1)):
        change(lake, recording_name(person, number), "voice_cross_check", lambda frame: frame.clear())
    with pytest.raises(UserError, match=r"set voice\.cross_check to praat"):
        agreements(published(lake))
