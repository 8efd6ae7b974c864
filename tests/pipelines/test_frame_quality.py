"""Light, sharpness and speed of a face, whatever its size in the picture."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.frame_quality import Region, centre_speed, face_region

BOX = np.array([0.25, 0.25, 0.5, 0.5])
Image = NDArray[np.uint8]


def textured(side: int, seed: int = 0) -> Image:
    """A picture whose texture keeps its size relative to the picture."""
    coarse = np.random.default_rng(seed).integers(40, 200, (128, 128))
    return np.repeat(np.kron(coarse, np.ones((side // 128, side // 128)))[..., np.newaxis], 3, axis=2).astype(np.uint8)


def region(image: Image, box: NDArray[np.float64]) -> Region:
    opaque = np.full((*image.shape[:2], 1), 255, dtype=np.uint8)
    return face_region(np.concatenate((image, opaque), axis=2), box)


def blurred(image: Image, times: int) -> Image:
    smooth = image.astype(np.float64)
    for _ in range(times):
        for axis in (0, 1):
            smooth = (np.roll(smooth, 1, axis) + 2 * smooth + np.roll(smooth, -1, axis)) / 4
    return smooth.astype(np.uint8)


def test_brightness_is_the_mean_luma_within_the_box_alone() -> None:
    image = np.zeros((100, 80, 3), dtype=np.uint8)
    image[25:75, 20:60] = (10, 100, 200)
    assert region(image, BOX).brightness == pytest.approx(0.299 * 10 + 0.587 * 100 + 0.114 * 200)


def test_a_blurred_face_is_less_sharp() -> None:
    image = textured(256)
    sharpness = [region(blurred(image, times), BOX).sharpness for times in (0, 4, 16, 64)]
    assert sharpness == sorted(sharpness, reverse=True)
    assert sharpness[-1] < sharpness[0] / 10


def test_sharpness_depends_neither_on_light_nor_on_contrast_nor_on_size() -> None:
    image = textured(256)
    plainly = region(image, BOX).sharpness
    assert region((image // 2 + 20).astype(np.uint8), BOX).sharpness == pytest.approx(plainly, rel=0.02)
    assert region(textured(512), BOX).sharpness == pytest.approx(plainly, rel=0.02)


def test_a_face_smaller_than_the_common_size_is_measured_too() -> None:
    assert region(textured(128)[::4, ::4], BOX).sharpness > 0


@pytest.mark.parametrize("box", [[1.2, 0.1, 0.5, 0.5], [0.5, 0.5, 0.001, 0.001], [-0.9, 0.0, 0.9, 1.0]])
def test_a_face_outside_the_picture_has_no_region(box: list[float]) -> None:
    assert np.isnan(region(textured(128), np.array(box))).all()


def test_a_face_partly_outside_is_measured_where_it_shows() -> None:
    assert region(np.full((50, 50, 3), 90, np.uint8), np.array([-0.2, 0.5, 0.8, 0.9])).brightness == 90


def test_an_even_face_has_no_sharpness() -> None:
    assert np.isnan(region(np.full((50, 50, 3), 90, np.uint8), BOX).sharpness)


def test_a_face_has_no_speed_without_the_frame_before() -> None:
    boxes = np.array([[0, 0, 10, 10], [1, 0, 10, 10], [np.nan] * 4, [1, 0, 10, 10], [1, 3, 10, 10]])
    speeds = centre_speed(boxes, np.array([0, 0.1, 0.2, 0.3, 0.4]))
    assert speeds[[1, 4]] == pytest.approx([1.0, 3.0])
    assert np.isnan(speeds[[0, 2, 3]]).all()
    assert len(centre_speed(np.empty((0, 4)), np.empty(0))) == 0
