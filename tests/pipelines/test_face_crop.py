"""A turned rectangle of a picture: what lies in it, where its points lie, and what stands beyond the picture."""

import math

import cv2
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from pipelines.face_crop import Region, around, crop, letterbox, squared

side = st.floats(20, 400)


def a_picture() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """200 x 300, brightness rising to the right in one channel and down in another."""
    picture = np.zeros((200, 300, 3), dtype=np.uint8)
    picture[..., 0] = np.arange(300) // 2
    picture[..., 1] = np.arange(200)[:, np.newaxis]
    return picture


def test_a_level_region_comes_back_as_it_is() -> None:
    picture = a_picture()
    assert np.array_equal(crop(picture, Region(150, 100, 64, 64, 0), 64), picture[68:132, 118:182])


def test_a_region_may_be_stretched() -> None:
    found = crop(a_picture(), Region(150, 100, 128, 32, 0), 32)
    assert int(found[0, 31, 0]) - int(found[0, 0, 0]) == 62
    assert int(found[31, 0, 1]) - int(found[0, 0, 1]) == 31


@given(st.floats(60, 140), st.floats(60, 140), st.floats(20, 60), st.floats(20, 60), st.floats(-3, 3))
def test_what_is_seen_at_a_place_of_the_region_lies_there_in_the_picture(
    x: float, y: float, width: float, height: float, angle: float
) -> None:
    region = Region(x, y, width, height, angle)
    found = crop(a_picture(), region, 64)
    (place,) = region.to_picture(np.array([[20 / 64, 48 / 64, 0.0]]))
    assert abs(float(found[48, 20, 0]) - place[0] / 2) <= 1.5
    assert abs(float(found[48, 20, 1]) - place[1]) <= 1.5


def test_depth_is_in_widths_of_the_region() -> None:
    assert Region(0, 0, 50, 80, 1.0).to_picture(np.array([[0.5, 0.5, -0.2]])).tolist() == [[0, 0, -10]]


def test_beyond_the_picture_stands_its_edge_or_black() -> None:
    white = np.full((100, 100, 4), 255, dtype=np.uint8)
    assert crop(white, Region(0, 0, 80, 80, 0), 40).min() == 255
    black = crop(white, Region(0, 0, 80, 80, 0), 40, beyond=cv2.BORDER_CONSTANT)
    assert black[:19, :19].max() == 0
    assert black[21:, 21:].min() == 255


@given(side, side)
def test_a_letterbox_holds_the_whole_picture(width: float, height: float) -> None:
    region = letterbox(round(width), round(height))
    corners = region.to_picture(np.array([[0, 0, 0], [1, 1, 0.0]]))
    assert (corners[0, :2] <= 0).all()
    assert (corners[1, :2] >= (round(width), round(height))).all()


def test_a_face_that_is_tilted_gives_a_region_that_is_tilted() -> None:
    region = around(np.array([10.0, 20.0, 40.0, 60.0]), np.array([20.0, 30.0]), np.array([30.0, 40.0]))
    assert (region.x, region.y, region.width, region.height) == (30, 50, 60, 90)
    assert region.angle == math.pi / 4
    assert squared(region).width == squared(region).height == 90
