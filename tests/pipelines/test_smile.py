import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines import smile
from pipelines.smile import run_both_levels, run_functionals, run_smile, try_engine

SECOND = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)


def test_names_and_values_stand_in_the_same_order() -> None:
    found = run_smile(SECOND, 16_000, "GeMAPSv01b", "LowLevelDescriptors")
    assert found.values.shape == (96, len(found.names))
    assert found.values.dtype == np.float32
    assert found.names[0] == "Loudness_sma3"


def test_what_exceeds_full_scale_is_clipped_and_does_not_wrap_round() -> None:
    square: NDArray[np.float32] = np.sign(SECOND)
    over, at = (
        run_smile(samples, 16_000, "emobase", "Functionals").values
        for samples in (np.float32(1.5) * square, np.where(square > 0, 32767 / 32768, -1.0).astype(np.float32))
    )
    assert np.array_equal(over, at, equal_nan=True)


@pytest.mark.parametrize("feature_set", ["eGeMAPSv02", "GeMAPSv01b"])
def test_both_levels_in_one_run_are_what_each_gives_alone(feature_set: str) -> None:
    loud = np.float32(12) * SECOND
    descriptors, functionals = run_both_levels(loud, 16_000, feature_set)
    np.testing.assert_array_equal(descriptors, run_smile(loud, 16_000, feature_set, "LowLevelDescriptors").values)
    np.testing.assert_array_equal(functionals, run_smile(loud, 16_000, feature_set, "Functionals").values)
    np.testing.assert_array_equal(functionals, run_functionals(loud, 16_000, feature_set))


def test_longer_sound_than_is_handed_over_at_once_is_whole() -> None:
    long = np.tile(SECOND, 9)
    expected = run_smile(long, 16_000, "eGeMAPSv02", "Functionals").values
    np.testing.assert_array_equal(run_functionals(long, 16_000, "eGeMAPSv02"), expected)


def test_what_fills_no_window_has_no_functionals() -> None:
    found = run_functionals(SECOND[:100], 16_000, "eGeMAPSv02")
    assert found.shape == (1, 88)
    assert np.isnan(found).all()


def test_an_engine_that_does_not_run_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    try_engine()

    def broken(*_: object) -> None:
        raise RuntimeError("no engine")

    monkeypatch.setattr(smile, "run_smile", broken)
    with pytest.raises(RuntimeError):
        try_engine()
