"""Where things are in the photograph, and how far each action unit moves them.

Coordinates are pixels of scikit-image's 512 x 512 `astronaut` (x to the right, y down), found once with MediaPipe's
Face Landmarker. "Right" and "left" are the person's own, so the right eye stands on the left of the picture.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

Points = tuple[tuple[float, float], ...]

ACTION_UNITS: Final = (
    "AU01", "AU02", "AU04", "AU05", "AU06", "AU07", "AU09", "AU10", "AU12", "AU15", "AU17", "AU20", "AU25", "AU26", "AU43",
)  # fmt: skip
"""The action units a synthetic face can show, by the numbers of the Facial Action Coding System (Ekman et al. 2002)."""

FACE_CENTRE: Final = (224.0, 118.0)
FACE_MIDLINE_X: Final = 223.5
CHIN_Y: Final = 178.0
NOSE_BASE_Y: Final = 133.5
NECK_Y: Final = 204.0


@dataclass(frozen=True, slots=True)
class Eye:
    """An eye's opening as drawn in the photograph: lid edges from the outer to the inner corner by ascending x.

    `brow_y`, `cheek_y`: where the skin that follows the lids is at rest.
    """

    upper: Points
    lower: Points
    brow_y: float
    cheek_y: float


RIGHT_EYE: Final = Eye(
    upper=((195.4, 101.2), (197.3, 99.4), (199.3, 98.5), (202.7, 98.1), (206.3, 98.6), (209.9, 100.3), (214.0, 103.8)),
    lower=(
        (195.4, 101.2),
        (198.4, 103.2),
        (200.7, 104.0),
        (204.3, 104.5),
        (207.7, 104.3),
        (211.1, 104.0),
        (214.0, 103.8),
    ),
    brow_y=91.5,
    cheek_y=116.0,
)
LEFT_EYE: Final = Eye(
    upper=(
        (236.3, 105.0),
        (240.6, 102.0),
        (244.3, 100.7),
        (248.1, 100.7),
        (251.5, 101.5),
        (253.6, 102.7),
        (255.5, 104.5),
    ),
    lower=(
        (236.3, 105.0),
        (239.3, 105.6),
        (242.5, 106.2),
        (246.1, 106.8),
        (249.6, 106.7),
        (252.1, 106.2),
        (255.5, 104.5),
    ),
    brow_y=94.0,
    cheek_y=118.0,
)
UPPER_LIP_EDGE: Final = (
    (203.9, 139.9), (206.4, 140.3), (209.5, 140.8), (213.3, 141.4), (217.9, 142.4), (223.5, 143.3), (229.3, 143.0),
    (234.2, 142.5), (238.0, 142.1), (241.1, 141.9), (243.7, 141.8),
)  # fmt: skip
LOWER_LIP_EDGE: Final = (
    (203.9, 139.9), (207.0, 143.3), (209.6, 145.5), (213.4, 147.6), (217.9, 149.1), (223.3, 149.9), (228.7, 149.7),
    (233.4, 148.6), (237.2, 146.9), (240.1, 144.8), (243.7, 141.8),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Bump:
    """Skin at (`x`, `y`) moves by (`dx`, `dy`) px; its surroundings follow with a Gaussian of (`sx`, `sy`) px."""

    x: float
    y: float
    sx: float
    sy: float
    dx: float
    dy: float


def _pair(right: tuple[float, float], left: tuple[float, float], spread: tuple[float, float],
          inward: float, down: float) -> tuple[Bump, Bump]:  # fmt: skip
    """The same movement on both sides of the face."""
    return (Bump(*right, *spread, inward, down), Bump(*left, *spread, -inward, down))


BUMPS: Final[Mapping[str, tuple[Bump, ...]]] = {
    "AU01": _pair((214, 91), (236.5, 92), (8, 7), 0, -5.5),
    "AU02": _pair((194, 89), (258.5, 92), (9, 7), 0, -5.5),
    "AU04": _pair((205, 90), (246, 92), (13, 7.5), 3.0, 7.0),
    "AU06": _pair((194, 118), (255, 120), (14, 10), 0, -7.5),
    "AU09": (
        *_pair((211, 124), (237, 125.5), (8, 9), 0, -6.0),
        *_pair((217, 95), (234.5, 96), (8, 7), 1.0, 3.0),
    ),
    "AU10": _pair((213, 137), (234.5, 138), (9, 6), 0, -3.0),
    "AU12": _pair((202.5, 139.5), (245, 141.5), (11, 9), -4.5, -4.5),
    "AU15": _pair((203.5, 142), (244, 144), (9, 8), -0.5, 5.0),
    "AU17": (Bump(223.5, 162, 16, 10, 0, -5.0), Bump(223.5, 149, 9, 5, 0, -2.0)),
    "AU20": _pair((203, 141), (244.5, 143), (12, 9), -6.0, 1.5),
}  # fmt: skip
"""The unit movement of each action unit at full intensity; lids, lips and jaw are moved by `pipelines.synthetic.warp`."""

AT_REST: Final[Mapping[str, float]] = {"AU12": -1.15, "AU06": -0.15}
"""What takes the photograph's smile to a neutral face."""
