"""The filter is steady where little moves, follows what moves fast, and forgets when told to."""

import numpy as np
from numpy.typing import NDArray

from pipelines.one_euro import OneEuroFilter


def through(values: NDArray[np.float64], filtered: OneEuroFilter, rate_hz: float = 30.0) -> NDArray[np.float64]:
    return np.array([filtered(each, (i + 1) / rate_hz, 1.0) for i, each in enumerate(values)])


def a_filter() -> OneEuroFilter:
    return OneEuroFilter(min_cutoff_hz=0.05, beta=80.0, speed_cutoff_hz=1.0)


def test_what_stands_still_stays() -> None:
    assert np.array_equal(through(np.full((20, 3), 7.5), a_filter()), np.full((20, 3), 7.5))


def test_a_trembling_is_smoothed() -> None:
    trembling = np.random.default_rng(0).normal(0, 1e-3, (300, 5))
    smooth = through(trembling, a_filter())
    assert np.std(np.diff(smooth[50:], axis=0)) < 0.3 * np.std(np.diff(trembling[50:], axis=0))


def test_a_fast_movement_is_followed_within_a_tenth_of_a_second() -> None:
    jump = np.concatenate([np.zeros((10, 1)), np.ones((10, 1))])
    smooth = through(jump, a_filter())
    assert smooth[9, 0] == 0
    assert smooth[12, 0] > 0.95


def test_each_value_goes_its_own_way() -> None:
    together = np.random.default_rng(1).normal(0, 1, (40, 2))
    both = through(together, a_filter())
    for column in range(2):
        assert np.array_equal(both[:, column], through(together[:, column], a_filter()))


def test_after_a_reset_nothing_of_before_is_left() -> None:
    values = np.random.default_rng(2).normal(0, 1, (30, 2))
    used = a_filter()
    through(np.full((9, 2), 100.0), used)
    used.reset()
    assert np.array_equal(through(values, used), through(values, a_filter()))


def test_the_speed_counts_in_sizes_of_the_object() -> None:
    values = np.random.default_rng(3).normal(0, 1, (30, 2))
    small, large = a_filter(), a_filter()
    for i, each in enumerate(values):
        assert np.allclose(small(each, (i + 1) / 30, 2.0) * 10, large(each * 10, (i + 1) / 30, 20.0))
