"""Summaries over time weigh each frame by how long it stands."""

from unittest.mock import patch

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.au_events import track
from pipelines.face_series import Presence, extent, head_speed, pairs, share_and_area, spread, together
from pipelines.head_pose import openface_angles

NAN = float("nan")


def test_a_score_counts_as_long_as_it_stands_and_only_where_measured() -> None:
    found = share_and_area(np.array([4.0, 1.0, NAN, 2.0]), np.array([0.1, 0.3, 5.0, 0.1]), 2.0)
    assert found == {"valid_s": pytest.approx(0.5), "above_share": pytest.approx(0.4), "area": pytest.approx(0.9)}


def test_a_score_that_was_never_measured_has_no_share_and_no_area() -> None:
    assert share_and_area(np.array([NAN]), np.array([0.1]), 2.0) == {"valid_s": 0.0, "above_share": None, "area": None}


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_head_that_turns_evenly_has_that_speed_about_any_axis(axis: int) -> None:
    angles = np.zeros((5, 3))
    angles[:, axis] = np.arange(5) * 0.02
    speeds = head_speed(angles, track(np.zeros(5, dtype=np.int64), np.arange(5, dtype=np.float64) * 0.04, 0.2))
    assert np.isnan(speeds[0])
    assert speeds[1:] == pytest.approx(0.5)


def test_a_turn_about_a_slanted_axis_is_the_angle_of_the_one_rotation() -> None:
    rng = np.random.default_rng(1)
    turns, _ = np.linalg.qr(rng.normal(size=(2, 3, 3)))
    turns *= np.sign(np.linalg.det(turns))[:, np.newaxis, np.newaxis]
    relative = turns[0].T @ turns[1]
    angle = np.arccos((np.trace(relative) - 1) / 2)
    speeds = head_speed(openface_angles(turns), track(np.zeros(2, dtype=np.int64), np.array([0.0, 0.1]), 0.2))
    assert speeds[1] == pytest.approx(angle / 0.1)


def test_a_head_has_no_speed_over_gaps_and_missing_poses() -> None:
    angles = np.zeros((4, 3))
    angles[1] = NAN
    speeds = head_speed(angles, track(np.zeros(4, dtype=np.int64), np.array([0, 0.04, 0.08, 0.5]), 0.2))
    assert np.all(np.isnan(speeds))


def test_a_spread_of_too_few_values_is_missing() -> None:
    assert spread(np.array([2.0, NAN])) == {"mean": 2.0, "sd": None, "range": 0.0}
    assert spread(np.array([NAN])) == {"mean": None, "sd": None, "range": None}


def test_two_units_together_are_time_with_both_over_time_with_either() -> None:
    present = np.array([[1, 1, 0], [1, 0, 0], [0, 0, 0], [NAN, 1, 0]], dtype=np.float64)
    share, jaccard = together(Presence.of(present.T, np.array([0.1, 0.2, 0.1, 9.0])), 0, 4)
    assert share[0, 1] == pytest.approx(0.25)
    assert jaccard[0, 1] == pytest.approx(1 / 3)
    assert share[0, 2] == 0
    assert jaccard[0, 2] == 0
    assert np.isnan(jaccard[2, 2])


def test_units_never_measured_together_have_no_share() -> None:
    share, _ = together(Presence.of(np.array([[1, NAN], [NAN, 1]]), np.array([0.1, 0.1])), 0, 2)
    assert np.isnan(share[0, 1])


@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 40),
    st.integers(0, 40),
    st.sampled_from([1, 7, 512]),
)
def test_units_together_are_those_of_the_frames_that_count_however_many_are_taken_at_once(
    seed: int, first: int, count: int, at_once: int
) -> None:
    numbers = np.random.default_rng(seed)
    present = numbers.choice([0.0, 1.0, NAN], (3, 80))
    durations_s = numbers.uniform(0, 0.1, 80)
    with patch("pipelines.face_series._AT_ONCE", at_once):
        share, jaccard = together(Presence.of(present, durations_s), first, first + count)
    for i, j in np.ndindex(3, 3):
        one, other = present[[i, j], first : first + count]
        weights = durations_s[first : first + count]
        measured = ~np.isnan(one) & ~np.isnan(other)
        both_s = weights[measured & (one == 1) & (other == 1)].sum()
        either_s = weights[measured & ((one == 1) | (other == 1))].sum()
        for found, whole_s in ((share, weights[measured].sum()), (jaccard, either_s)):
            assert found[i, j] == pytest.approx(both_s / whole_s if whole_s > 1e-9 else NAN, nan_ok=True)


def test_an_extent_is_that_of_what_was_measured() -> None:
    assert extent(np.array([NAN, 2.0, -1.0])) == 3.0
    assert extent(np.array([5.0])) == 0.0
    assert extent(np.array([NAN])) is None
    assert extent(np.array([])) is None


def test_pairs_are_all_of_two_once() -> None:
    names, (rows, columns) = pairs(("a", "b", "c"))
    assert names == [("a", "b"), ("a", "c"), ("b", "c")]
    assert list(zip(rows, columns, strict=True)) == [(0, 1), (0, 2), (1, 2)]
