"""What follows from landmarks alone, on eyes made of numbers: the direction of a gaze, within the head."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipelines.face_geometry import LANDMARKS, gaze, mouth_openness

Points = NDArray[np.float64]

EYE_WIDTH, EYEBALL = 30.0, 12.0
OUTER_R, INNER_R, INNER_L, OUTER_L = -60.0, -30.0, 30.0, 60.0


def eyes(across_rad: float, down_rad: float) -> Points:
    """A face's landmarks, 1 x k x 3, whose irises look that way; x right in the picture, y down."""
    points = np.zeros((1, len(LANDMARKS), 3))
    for landmark, x in ((33, OUTER_R), (133, INNER_R), (362, INNER_L), (263, OUTER_L)):
        points[0, LANDMARKS.index(landmark), 0] = x
    looking = np.array([np.sin(across_rad), np.sin(down_rad), 0.0]) * EYEBALL
    for iris, corners in ((468, (OUTER_R, INNER_R)), (473, (INNER_L, OUTER_L))):
        points[0, LANDMARKS.index(iris)] = looking + np.array([np.mean(corners), 0.0, 0.0])
    return points


def turned(axis: int, angle_rad: float) -> Points:
    """A rotation about one axis, as a 3 x 3."""
    one, other = [i for i in range(3) if i != axis]
    rotation = np.eye(3)
    rotation[[one, other], [one, other]] = np.cos(angle_rad)
    rotation[one, other], rotation[other, one] = -np.sin(angle_rad), np.sin(angle_rad)
    return rotation


@given(across=st.floats(-0.6, 0.6), down=st.floats(-0.6, 0.6), axis=st.integers(0, 2), turn=st.floats(-0.5, 0.5))
def test_the_gaze_is_that_of_the_eyes_however_the_head_is_turned(
    across: float, down: float, axis: int, turn: float
) -> None:
    rotation = turned(axis, turn)
    found = gaze(eyes(across, down) @ rotation.T, rotation[np.newaxis])
    assert found[0] == pytest.approx((across, down), abs=1e-9)


def test_an_iris_far_out_of_its_eye_is_no_error() -> None:
    points = eyes(0.3, 0.0)
    points[0, [LANDMARKS.index(468), LANDMARKS.index(473)], 0] += 100
    assert gaze(points, np.eye(3)[np.newaxis])[0, 0] == pytest.approx(np.pi / 2)


def test_an_open_mouth_is_measured_against_the_eyes() -> None:
    points = eyes(0, 0)
    points[0, LANDMARKS.index(14), 1] = 24.0
    assert mouth_openness(points)[0] == pytest.approx(24 / 120)
