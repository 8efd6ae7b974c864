"""From landmarks, how the face is turned: held against faces that were turned and projected."""

import io
import math
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from pipelines.canonical_face import CanonicalFace, read_canonical_face
from pipelines.face_model import load_model
from pipelines.params_face import FaceParams

Matrix = NDArray[np.float64]
_BUNDLE = zipfile.ZipFile(io.BytesIO(load_model(FaceParams())))
METADATA = _BUNDLE.read("geometry_pipeline_metadata_landmarks.binarypb")
FACE = read_canonical_face(METADATA)
angle = st.floats(-0.6, 0.6)


def turned(pitch: float, yaw: float, roll: float) -> Matrix:
    (cp, sp), (cy, sy), (cr, sr) = ((math.cos(a), math.sin(a)) for a in (pitch, yaw, roll))
    about_x = np.array([[1, 0, 0], [0, cp, -sp], [0, sp, cp]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cr, -sr, 0], [sr, cr, 0], [0, 0, 1]])
    return np.asarray(about_x @ about_y @ about_z)


def filmed(rotation: Matrix, place: Matrix) -> tuple[Matrix, Matrix]:
    """Landmarks of the canonical face as a camera of 63 degrees sees them, in heights from the picture's middle."""
    points = FACE.points @ rotation.T + place
    height = 2 * math.tan(math.radians(31.5))
    # What the network calls depth is the true one, in the scale of the face's own place.
    scale = -1 / place[2]
    away = -(points[:, 2] - place[2]) * scale
    flat = points[:, :2] / -points[:, 2:] * (1, -1)
    return np.column_stack((flat, away)) / height, np.array([float(away.mean()) / height])


@given(st.tuples(angle, angle, angle), st.tuples(st.floats(-8, 8), st.floats(-8, 8), st.floats(-80, -35)))
def test_a_face_that_was_turned_is_found_turned(
    angles: tuple[float, float, float], place: tuple[float, float, float]
) -> None:
    rotation = turned(*angles)
    points, depth = filmed(rotation, np.array(place))
    found = FACE.rotations(points[np.newaxis], depth)[0]
    assert np.allclose(found @ found.T, np.eye(3), atol=1e-9)
    assert math.degrees(math.acos(min(1.0, (np.trace(found.T @ rotation) - 1) / 2))) < 3


def test_many_faces_at_once_are_as_each_by_itself() -> None:
    some = [filmed(turned(0.1 * i, -0.2 * i, 0.3), np.array([i, 0.0, -50.0])) for i in range(3)]
    points, depths = np.stack([each[0] for each in some]), np.concatenate([each[1] for each in some])
    alone = [FACE.rotations(points[i : i + 1], depths[i : i + 1])[0] for i in range(3)]
    assert np.array_equal(FACE.rotations(points, depths), np.stack(alone))


def test_a_mirrored_face_is_no_rotation_of_one() -> None:
    points, depth = filmed(np.eye(3), np.array([0.0, 0.0, -50.0]))
    found = FACE.rotations((points * (-1, 1, 1))[np.newaxis], depth)[0]
    assert np.linalg.det(found) == pytest.approx(1)


def test_the_bundle_holds_landmarks_left_and_right_of_the_middle_with_the_same_weight() -> None:
    assert isinstance(FACE, CanonicalFace)
    assert len(FACE.landmarks) == len(FACE.points) == len(FACE.weights) == 33
    heavy = FACE.weights @ FACE.points[:, 0]
    assert abs(heavy) < 1e-3 * float(FACE.weights @ np.abs(FACE.points[:, 0]))


@pytest.mark.parametrize("metadata", [b"", b"\x08\x01", b"\x0f\x00"])
def test_something_else_is_refused(metadata: bytes) -> None:
    with pytest.raises(ValueError, match=r"canonical face|protocol buffers"):
        read_canonical_face(metadata)
