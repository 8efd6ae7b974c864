"""openSMILE's further sets: openSMILE's own numbers, long, and only where they are asked for."""

import numpy as np
import opensmile
import polars as pl
import pytest
from numpy.typing import NDArray
from pydantic import ValidationError

from pipelines.mono import Sound
from pipelines.params import VoiceParams
from pipelines.spans import Piece, Span
from pipelines.voice_sets import features_long, series
from schemas.voice_sets import VOICE_FEATURES_LONG, VOICE_SERIES

RATE = 16_000
NAME = "P000000000-00000000"
T = np.arange(RATE) / RATE
BUZZ = sum(0.1 * np.sin(2 * np.pi * 150 * k * T) / k for k in range(1, 15)).astype(np.float32)  # type: ignore[union-attr]  # a sum of arrays is one
HISS = np.random.default_rng(1).normal(0, 0.05, RATE).astype(np.float32)
BOTH = ("functionals", "lld")


def params(*sets: str, levels: tuple[str, ...] = BOTH) -> VoiceParams:
    return VoiceParams.model_validate({"feature_sets": ("eGeMAPSv02", *sets), "levels": levels})


def piece(samples: NDArray[np.float32] = BUZZ, cause: str | None = None) -> Piece:
    return Piece(Span("reading", 0.0, 0.0, 1.0, cause), "task", Sound(samples, RATE, 0.0))


@pytest.mark.parametrize(("name", "n"), [("GeMAPSv01b", 62), ("ComParE_2016", 6373), ("emobase", 988)])
def test_functionals_are_opensmiles_own(name: str, n: int) -> None:
    rows = features_long([(piece(), False)], NAME, params(name))
    theirs = opensmile.Smile(opensmile.FeatureSet[name], opensmile.FeatureLevel.Functionals).process_signal(BUZZ, RATE)
    assert rows["feature"].to_list() == list(theirs.columns)
    assert len(rows) == n
    assert np.array_equal(rows["value"].to_numpy(), theirs.to_numpy()[0], equal_nan=True)
    assert rows.select("recording", "task", "segment", "feature_set").unique().row(0) == (NAME, "reading", "task", name)


@pytest.mark.parametrize(("name", "n"), [("GeMAPSv01b", 18), ("ComParE_2016", 65), ("emobase", 26)])
def test_descriptors_are_opensmiles_own(name: str, n: int) -> None:
    rows = series(Sound(BUZZ, RATE, 0.25), NAME, params(name))
    theirs = opensmile.Smile(opensmile.FeatureSet[name], opensmile.FeatureLevel.LowLevelDescriptors).process_signal(
        BUZZ, RATE
    )
    assert len(rows) == n
    assert rows["feature"].to_list() == list(theirs.columns)
    assert np.array_equal(np.stack(rows["values"].to_list()).T.astype(np.float32), theirs.to_numpy())
    assert set(rows["start_s"]) == {0.25}


def test_rows_conform_and_are_the_same_each_time() -> None:
    chosen = params("GeMAPSv01b", "emobase")
    tables = [
        (
            features_long([(piece(), False), (piece(HISS), False)], NAME, chosen),
            series(Sound(BUZZ, RATE, 0.0), NAME, chosen),
        )
        for _ in range(2)
    ]
    (long, lists), (again, lists_again) = tables
    assert long.schema == pl.Schema(VOICE_FEATURES_LONG.polars_schema())
    assert lists.schema == pl.Schema(VOICE_SERIES.polars_schema())
    assert long.equals(again)
    assert lists.equals(lists_again)


def test_nothing_is_measured_that_was_not_asked_for() -> None:
    assert features_long([(piece(), False)], NAME, VoiceParams()).is_empty()
    assert series(Sound(BUZZ, RATE, 0.0), NAME, VoiceParams()).is_empty()
    assert features_long([(piece(), False)], NAME, params("emobase", levels=("lld",))).is_empty()
    assert series(Sound(BUZZ, RATE, 0.0), NAME, params("emobase", levels=("functionals",))).is_empty()


def test_what_has_a_cause_has_no_rows() -> None:
    assert features_long([(piece(BUZZ[:0], "too_short"), False)], NAME, params("emobase")).is_empty()
    assert series(None, NAME, params("emobase")).is_empty()
    assert series(Sound(BUZZ[:500], RATE, 0.0), NAME, params("emobase")).is_empty()


@pytest.mark.parametrize("name", ["GeMAPSv01b", "ComParE_2016", "emobase"])
def test_what_needs_voice_is_missing_where_nothing_is_voiced(name: str) -> None:
    rows = features_long([(piece(HISS), True)], NAME, params(name))
    pitch = rows.filter(pl.col("feature").str.contains("F0|jitter|shimmer"))
    assert len(pitch) > 10
    assert pitch["value"].null_count() == len(pitch)
    assert rows.filter(pl.col("feature").str.contains("(?i)loudness|mfcc|energy"))["value"].null_count() == 0


def test_the_wide_set_cannot_be_left_out() -> None:
    with pytest.raises(ValidationError, match="name eGeMAPSv02 and any further sets, each once"):
        VoiceParams(feature_sets=("emobase",))
