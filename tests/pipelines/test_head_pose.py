"""OpenFace's angles from MediaPipe's matrices."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipelines.head_pose import openface_angles

Matrix = NDArray[np.float64]


def about_x(angle: float) -> Matrix:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[1, 0, 0], [0, c, -s], [0, s, c]])


def about_y(angle: float) -> Matrix:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, 0, s], [0, 1, 0], [-s, 0, c]])


def about_z(angle: float) -> Matrix:
    c, s = math.cos(angle), math.sin(angle)
    return np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])


def angles_of(rotation: Matrix) -> tuple[float, float, float]:
    pitch, yaw, roll = openface_angles(rotation[np.newaxis])[0]
    return float(pitch), float(yaw), float(roll)


def where(rotation: Matrix, point: tuple[float, float, float]) -> Matrix:
    """Where a point of the canonical face (x to the picture's right, y up, z to the viewer) comes to lie."""
    return np.asarray(rotation @ np.array(point), dtype=np.float64)


def test_a_frontal_face_has_no_angles() -> None:
    assert angles_of(np.eye(3)) == (0.0, 0.0, 0.0)


def test_a_nose_that_sinks_is_a_positive_pitch() -> None:
    rotation = about_x(0.3)
    assert where(rotation, (0, 0, 1))[1] < 0
    assert angles_of(rotation) == pytest.approx((0.3, 0, 0))


def test_a_nose_that_turns_to_the_left_of_the_picture_is_a_positive_yaw() -> None:
    rotation = about_y(-0.3)
    assert where(rotation, (0, 0, 1))[0] < 0
    assert angles_of(rotation) == pytest.approx((0, 0.3, 0))


def test_a_crown_that_tilts_to_the_right_of_the_picture_is_a_positive_roll() -> None:
    rotation = about_z(-0.3)
    assert where(rotation, (0, 1, 0))[0] > 0
    assert angles_of(rotation) == pytest.approx((0, 0, 0.3))


angle = st.floats(-1.4, 1.4)


@given(pitch=angle, yaw=angle, roll=angle, scale=st.floats(0.5, 2))
def test_angles_are_those_of_the_product_rx_ry_rz_whatever_the_scale(
    pitch: float, yaw: float, roll: float, scale: float
) -> None:
    flip = np.diag([1.0, -1.0, -1.0])
    openface = about_x(pitch) @ about_y(yaw) @ about_z(roll)
    assert angles_of(scale * flip @ openface @ flip) == pytest.approx((pitch, yaw, roll), abs=1e-6)


def test_many_frames_at_once_are_as_each_alone() -> None:
    rotations = np.stack([about_x(0.1), about_y(0.2) @ about_z(0.4), np.eye(3)])
    together = openface_angles(rotations)
    assert together.shape == (3, 3)
    assert np.array_equal(together, np.concatenate([openface_angles(one[np.newaxis]) for one in rotations]))
