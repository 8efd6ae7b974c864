"""How well each frame shows its face: what decides later, by thresholds in views, whether the frame is usable."""

import math
from typing import NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

_SIDE_PX = 64
"""Faces are brought to this size before their sharpness is taken, so that near and far ones compare."""
_LUMA = np.array([0.299, 0.587, 0.114, 0.0])
"""ITU-R BT.601."""
_LAPLACIAN = np.array([[0.0, 1.0, 0.0], [1.0, -4.0, 1.0], [0.0, 1.0, 0.0]])


class Region(NamedTuple):
    """The picture within a face's box: mean luma (0-255), and sharpness, NaN where all of it is equally bright."""

    brightness: float
    sharpness: float


_NOTHING = Region(float("nan"), float("nan"))


def face_region(image: NDArray[np.uint8], box: NDArray[np.float64]) -> Region:
    """Measure the picture of a face.

    Args:
        image: height x width x 4, RGBA.
        box: x, y, width, height of the face, as shares of the image; what lies outside is cut off.

    Returns:
        Both NaN where less than 3 x 3 px of the face are in the picture. Sharpness is the variance of the Laplacian
        over the variance of luma, at 64 x 64 px.

    Source:
        Pech-Pacheco et al. 2000, ICPR, doi:10.1109/ICPR.2000.903548.

    >>> face_region(np.full((40, 40, 4), 80, np.uint8), np.array([0.1, 0.1, 0.5, 0.5])).brightness
    80.0
    """
    height, width = image.shape[:2]
    x, y, wide, high = box.tolist()
    left, right = max(math.floor(x * width), 0), min(math.ceil((x + wide) * width), width)
    top, bottom = max(math.floor(y * height), 0), min(math.ceil((y + high) * height), height)
    if right - left < 3 or bottom - top < 3:
        return _NOTHING
    luma = _small_luma(image[top:bottom, left:right])
    mean, variance = _mean_and_variance(luma)
    laplacian = np.asarray(cv2.filter2D(luma, -1, _LAPLACIAN), dtype=np.float64)[1:-1, 1:-1]
    # Below a grey level's variance there is only rounding to divide by.
    return Region(round(mean, 6), _mean_and_variance(laplacian)[1] / variance if variance > 1e-3 else float("nan"))


def _mean_and_variance(values: NDArray[np.float64]) -> tuple[float, float]:
    """Of all values; a fifth of the time of NumPy's, which checks what these arrays always are."""
    mean, deviation = cv2.meanStdDev(values)
    return float(mean[0, 0]), float(deviation[0, 0]) ** 2


def _small_luma(region: NDArray[np.uint8]) -> NDArray[np.float64]:
    """The luma of a region at 64 x 64 px: each the mean of 2 x 2 samples, evenly spread, or of a pixel that is repeated.

    Four samples and no mean over the whole area: on each frame of a near face that would cost a tenth of finding it.
    """
    rows, columns = ((2 * np.arange(2 * _SIDE_PX) + 1) * side // (4 * _SIDE_PX) for side in region.shape[:2])
    # A pixel is one number while it is moved. Rows first, since they lie together in memory.
    pixels = region.view(np.uint32)[..., 0].take(rows, axis=0).take(columns, axis=1)
    samples = pixels.view(np.uint8).reshape(_SIDE_PX, 2, 2 * _SIDE_PX, 4)
    lines = samples[:, 0].astype(np.uint16) + samples[:, 1]
    summed = lines.reshape(_SIDE_PX, _SIDE_PX, 2, 4)
    return np.asarray((summed[:, :, 0] + summed[:, :, 1]) @ (_LUMA / 4), dtype=np.float64)


def centre_speed(boxes_px: NDArray[np.float64], times_s: NDArray[np.float64]) -> NDArray[np.float64]:
    """How fast the face's centre moves since the frame before.

    Args:
        boxes_px: n x 4 (x, y, width, height), NaN where no face was found.
        times_s: n times.

    Returns:
        n speeds in widths of the face a second; NaN in the first frame and where either frame has no face.

    >>> centre_speed(np.array([[0, 0, 10, 10], [5, 0, 10, 10]]), np.array([0, 0.1])).tolist()
    [nan, 5.0]
    """
    speeds = np.full(len(boxes_px), np.nan)
    if len(boxes_px) > 1:
        centres = boxes_px[:, :2] + boxes_px[:, 2:] / 2
        moved = np.linalg.norm(np.diff(centres, axis=0), axis=1) / boxes_px[1:, 2]
        spans = np.diff(times_s)
        speeds[1:] = np.divide(moved, spans, out=np.full(len(moved), np.nan), where=spans > 0)
    return speeds
