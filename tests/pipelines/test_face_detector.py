"""Faces in whole pictures: where they are, however large and in whatever corner, one box each."""

import numpy as np
import pytest

from pipelines.face_detector import blended, detect, overlaps
from pipelines.face_networks import Networks, open_networks
from pipelines.params_face import FaceParams
from tests.pipelines.video_factory import Image, plain

pytest.importorskip("skimage", reason="the synthetic face is scikit-image's photograph")
from pipelines.synthetic.face import FaceModel


@pytest.fixture(scope="module")
def networks() -> Networks:
    return open_networks(FaceParams())


@pytest.fixture(scope="module")
def person() -> Image:
    return FaceModel(2, width=320, height=240).render({})


def pasted(person: Image, x: int, y: int, width: int = 640, height: int = 480) -> Image:
    picture = np.full((height, width, 3), 90, dtype=np.uint8)
    picture[y : y + person.shape[0], x : x + person.shape[1]] = person
    return picture


@pytest.mark.parametrize(("x", "y"), [(0, 0), (320, 0), (40, 200), (160, 120)])
def test_a_face_is_found_where_it_is(networks: Networks, person: Image, x: int, y: int) -> None:
    (alone,) = detect(networks, person, 0.5)
    (found,) = detect(networks, pasted(person, x, y), 0.5)
    assert found.box == pytest.approx(np.add(alone.box, (x, y, 0, 0)), abs=25)
    assert found.eyes == pytest.approx(np.add(alone.eyes, (x, y)), abs=25)


def test_a_tall_picture_is_no_obstacle(networks: Networks, person: Image) -> None:
    (found,) = detect(networks, pasted(person, 20, 300, width=360, height=640), 0.5)
    assert 300 < found.eyes[0, 1] < 540


def test_the_eyes_lie_in_the_box_the_left_one_of_the_picture_first(networks: Networks, person: Image) -> None:
    (found,) = detect(networks, person, 0.5)
    x, y, width, height = found.box
    assert x < found.eyes[0, 0] < found.eyes[1, 0] < x + width
    assert (np.abs(found.eyes[:, 1] - y - height / 2) < height / 2).all()


def test_two_faces_are_two(networks: Networks, person: Image) -> None:
    picture = np.concatenate([person, person], axis=1)
    assert len(detect(networks, picture, 0.5)) == 2


def test_where_nobody_is_there_is_nothing(networks: Networks) -> None:
    assert detect(networks, plain(90), 0.5) == []


def test_boxes_of_one_face_are_averaged_by_how_sure_they_are() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 11, 10], [40, 40, 50, 50.0]])
    first, second = blended(boxes, np.array([0.6, 0.9, 0.7]))
    assert first == pytest.approx([0.6, 0, 10.6, 10])
    assert second.tolist() == [40, 40, 50, 50]


def test_an_empty_box_is_a_face_of_its_own_and_ends() -> None:
    assert len(blended(np.zeros((3, 4)), np.array([0.9, 0.8, 0.7]))) == 3


def test_overlap_is_the_share_of_the_union() -> None:
    boxes = np.array([[0, 0, 2, 2], [1, 0, 3, 2], [5, 5, 6, 6.0]])
    assert overlaps(boxes, boxes[0]) == pytest.approx([1, 1 / 3, 0])
