"""How bright, contrasty and sharp a picture is."""

from typing import NamedTuple

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

# One thread: the workers are processes already.
cv2.setNumThreads(1)


class Picture(NamedTuple):
    """Measures of one frame's luma in full range (0-255)."""

    brightness: float
    contrast: float
    sharpness: float


def picture(frame: av.VideoFrame, side_px: int, scaler: VideoReformatter) -> Picture:
    """Measure one frame, scaled down to `side_px` on its longer side; smaller ones stay as they are.

    Args:
        frame: a decoded frame; its rotation does not matter to these measures.
        side_px: the size at which sharpness compares between resolutions.
        scaler: the same for all frames of a recording: to set one up takes longer than to use it.
    """
    scale = min(1.0, side_px / max(frame.width, frame.height))
    width, height = max(3, round(frame.width * scale)), max(3, round(frame.height * scale))
    # Averaging over areas: other filters soften edges by an amount that depends on the scale.
    scaled = scaler.reformat(frame, width=width, height=height, format="gray", interpolation="AREA", threads=1)
    luma = np.asarray(scaled.to_ndarray(), dtype=np.uint8)
    mean, deviation = cv2.meanStdDev(luma)
    return Picture(float(mean[0, 0]), float(deviation[0, 0]), laplacian_variance(luma))


def laplacian_variance(luma: NDArray[np.uint8]) -> float:
    """Variance of the Laplacian (4-neighbour kernel, border left out): the less, the more blurred.

    Source: Pech-Pacheco et al. 2000, ICPR, doi:10.1109/ICPR.2000.903548.

    Args:
        luma: height x width, each at least 3.

    >>> laplacian_variance(np.full((5, 5), 80, np.uint8))
    0.0
    """
    # In whole numbers, and summed in double precision: a third of NumPy's time.
    _, deviation = cv2.meanStdDev(cv2.Laplacian(luma, cv2.CV_16S, ksize=1)[1:-1, 1:-1])
    return float(deviation[0, 0]) ** 2
