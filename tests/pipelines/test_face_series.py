"""Summaries over time weigh each frame by how long it stands."""

import numpy as np
import pytest

from pipelines.au_events import track
from pipelines.face_series import head_speed, pairs, share_and_area, spread, together
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
    share, jaccard = together(present, np.array([0.1, 0.2, 0.1, 9.0]))
    assert share[0, 1] == pytest.approx(0.25)
    assert jaccard[0, 1] == pytest.approx(1 / 3)
    assert share[0, 2] == 0
    assert jaccard[0, 2] == 0
    assert np.isnan(jaccard[2, 2])


def test_units_never_measured_together_have_no_share() -> None:
    share, _ = together(np.array([[1, NAN], [NAN, 1]]), np.array([0.1, 0.1]))
    assert np.isnan(share[0, 1])


def test_pairs_are_all_of_two_once() -> None:
    names, (rows, columns) = pairs(("a", "b", "c"))
    assert names == [("a", "b"), ("a", "c"), ("b", "c")]
    assert list(zip(rows, columns, strict=True)) == [(0, 1), (0, 2), (1, 2)]
