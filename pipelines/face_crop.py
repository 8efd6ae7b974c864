"""Where a face is in a picture, as a turned rectangle, and that part of the picture as a network takes it."""

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

# One thread: the workers are processes already.
cv2.setNumThreads(1)


@dataclass(frozen=True, slots=True)
class Region:
    """A rectangle in a picture: its centre, its sides, and how far it is turned clockwise (as shown); px and rad."""

    x: float
    y: float
    width: float
    height: float
    angle: float

    def to_picture(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Points of the region as points of the picture.

        Args:
            points: n x 3; x and y as shares of the region's sides, depth as a share of its width.

        Returns:
            n x 3 in px of the picture, depth too.

        >>> Region(50, 40, 20, 20, 0).to_picture(np.array([[0.5, 1, 0.5]])).tolist()
        [[50.0, 50.0, 10.0]]
        """
        across, down = (points[:, 0] - 0.5) * self.width, (points[:, 1] - 0.5) * self.height
        cos, sin = math.cos(self.angle), math.sin(self.angle)
        # Axis after axis in memory: what is taken over all points later is then taken in one go.
        return np.stack(
            (cos * across - sin * down + self.x, sin * across + cos * down + self.y, points[:, 2] * self.width)
        ).T


def around(box: NDArray[np.float64], left_eye: NDArray[np.float64], right_eye: NDArray[np.float64]) -> Region:
    """The region half as large again as a face's box, turned so that the eyes lie level.

    Args:
        box: x, y, width, height, px.
        left_eye: x and y of the eye that is on the left in an upright picture, px.
        right_eye: of the other.
    """
    across, down = right_eye - left_eye
    x, y, width, height = (float(each) for each in box)
    return Region(x + width / 2, y + height / 2, 1.5 * width, 1.5 * height, math.atan2(float(down), float(across)))


def squared(region: Region) -> Region:
    """A square on the longer side of a region."""
    side = max(region.width, region.height)
    return Region(region.x, region.y, side, side, region.angle)


def letterbox(width_px: int, height_px: int) -> Region:
    """The square that a whole picture fits into, centred."""
    side = float(max(width_px, height_px))
    return Region(width_px / 2, height_px / 2, side, side, 0.0)


def crop(image: NDArray[np.uint8], region: Region, side_px: int, *, beyond: int = cv2.BORDER_REPLICATE) -> NDArray[Any]:
    """A region of a picture, brought to a square of a given size.

    Samples lie on corners and not in the middles of pixels, as in MediaPipe, which the networks were trained with.

    Args:
        image: height x width x 3 or 4, uint8.
        region: what is cut out; its sides may differ and are stretched.
        side_px: of what comes back.
        beyond: what stands outside the picture: its edge, or with `cv2.BORDER_CONSTANT` black.

    Returns:
        side x side x 3 or 4, uint8.
    """
    cos, sin = math.cos(region.angle), math.sin(region.angle)
    across, down = region.width / side_px, region.height / side_px
    half_x, half_y = region.width / 2, region.height / 2
    to_picture = np.array(
        [
            [cos * across, -sin * down, region.x - cos * half_x + sin * half_y],
            [sin * across, cos * down, region.y - sin * half_x - cos * half_y],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(image, to_picture, (side_px, side_px), flags=flags, borderMode=beyond)
