"""Smooth local warps of the photograph: displacement fields, and the seams where lids and lips part.

Warps are inverse maps: for each target pixel they name the source pixel.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from pipelines.synthetic.anatomy import (
    CHIN_Y,
    FACE_MIDLINE_X,
    LOWER_LIP_EDGE,
    NECK_Y,
    NOSE_BASE_Y,
    UPPER_LIP_EDGE,
    Bump,
    Eye,
    Points,
)

FloatArray = NDArray[np.float32]
Image = NDArray[np.uint8]

_MOUTH_INSIDE: Final = np.array((58, 26, 26), dtype=np.float32)
_JAW_DROP_PX: Final = 10.0
_LIPS_PART_PX: Final = 3.5
_UPPER_LIP_RAISE_PX: Final = 2.5
_LID_OVERLAP_PX: Final = 1.2
_LID_RAISE: Final = 0.45
"""How much higher a widened eye is, as a share of its opening."""
_LIPS_MEET: Final = 0.5
"""Where closed lips meet, as a share of the photograph's open mouth from the upper lip on."""


def bump_field(bumps: Iterable[Bump], x: FloatArray, y: FloatArray) -> FloatArray:
    """How far the skin moves at each point.

    Args:
        bumps: movements, summed.
        x: coordinates in the photograph, any shape.
        y: the same, of the same shape.

    Returns:
        float32, shape (*x.shape, 2): (dx, dy) in pixels of the photograph.
    """
    field = np.zeros((*x.shape, 2), dtype=np.float32)
    for bump in bumps:
        weight = np.exp(-0.5 * (((x - bump.x) / bump.sx) ** 2 + ((y - bump.y) / bump.sy) ** 2))
        field[..., 0] += bump.dx * weight
        field[..., 1] += bump.dy * weight
    return field


@dataclass(frozen=True, slots=True)
class Window:
    """The part of the enlarged photograph that a seam redraws, and each pixel's place in the photograph."""

    rows: slice
    columns: slice
    x: FloatArray
    y: FloatArray
    scale: float

    @classmethod
    def around(cls, left: float, top: float, right: float, bottom: float, scale: float) -> "Window":
        """The window over a box of the photograph that is `scale` times enlarged."""
        rows = slice(int(top * scale), int(bottom * scale))
        columns = slice(int(left * scale), int(right * scale))
        y, x = np.mgrid[rows, columns].astype(np.float32) / np.float32(scale)
        return cls(rows, columns, x, y, scale)


class EyeSeam:
    """Draws the lids of one eye: the upper one sinks over the eye with its own skin, the lower one rises.

    Args:
        eye: its opening in the photograph.
        scale: how much the photograph is enlarged.
    """

    def __init__(self, eye: Eye, scale: float) -> None:
        left, right = eye.upper[0][0], eye.upper[-1][0]
        self._window = Window.around(left - 1, eye.brow_y - 1, right + 1, eye.cheek_y + 1, scale)
        self._upper = _curve(eye.upper, self._window.x[0])
        self._lower = _curve(eye.lower, self._window.x[0])
        self._brow_y, self._cheek_y = eye.brow_y, eye.cheek_y

    def draw(self, source: Image, target: Image, closed: float, tightened: float, widened: float = 0.0) -> None:
        """Redraw the eye in `target` from `source`, both the whole enlarged photograph.

        Args:
            source: the photograph as it is.
            target: changed in place.
            closed: 0 open as in the photograph, 1 closed.
            tightened: how much of the opening the lower lid covers, 0 to 1.
            widened: how far the upper lid is drawn up, 0 to 1; the eye is stretched, since nothing is behind the lid.
        """
        window, opening = self._window, self._lower - self._upper
        y = window.y
        # The lower lid's rim is pale: only a lid that passes it looks closed.
        overlap = np.float32(_LID_OVERLAP_PX * closed) * np.clip(opening / 3, 0, 1)
        low_edge: FloatArray = self._lower - np.float32(tightened) * opening
        top_edge: FloatArray = np.minimum(self._upper + np.float32(closed) * (opening + overlap), low_edge + overlap)
        top_edge = top_edge - np.float32(_LID_RAISE * widened) * opening
        # The lid slides down as a whole: most of the stretch lies high, under the brow, where skin is smooth.
        fall = top_edge - self._upper
        lid = y - fall * _ease((y - self._brow_y) / (top_edge - self._brow_y))
        below = y + (self._lower - low_edge) * _ease((self._cheek_y - y) / (self._cheek_y - low_edge))
        from_y = np.where(
            y < top_edge, np.minimum(lid, self._upper - np.float32(0.3)), np.where(y > low_edge, below, y)
        )
        if widened:
            wide = (low_edge - y) / np.maximum(low_edge - top_edge, np.float32(0.1))
            from_y = np.where((y >= top_edge) & (y <= low_edge), low_edge - wide * opening, from_y)
        _redraw(source, target, window, from_y)


class MouthSeam:
    """Draws lips and jaw: closes the photograph's smile, parts the lips, drops the jaw, shows what is behind.

    Args:
        scale: how much the photograph is enlarged.
    """

    def __init__(self, scale: float) -> None:
        self._window = Window.around(FACE_MIDLINE_X - 56, NOSE_BASE_Y - 4, FACE_MIDLINE_X + 56, NECK_Y + 1, scale)
        x = self._window.x[0]
        self._upper, self._lower = _curve(UPPER_LIP_EDGE, x), _curve(LOWER_LIP_EDGE, x)
        left, right = UPPER_LIP_EDGE[0][0], UPPER_LIP_EDGE[-1][0]
        across = (2 * x - left - right) / (right - left)
        self._lens = np.sqrt(np.clip(1 - across**2, 0, 1)).astype(np.float32)
        self._jaw = np.exp(-0.5 * ((x - FACE_MIDLINE_X) / 20) ** 2).astype(np.float32)

    def draw(self, source: Image, target: Image, movement: Mapping[str, float]) -> None:
        """Redraw the mouth in `target` from `source`, both the whole enlarged photograph.

        Args:
            source: the photograph as it is.
            target: changed in place.
            movement: intensities 0 to 1 of AU10 (upper lip raised), AU25 (lips parted) and AU26 (jaw dropped).
        """
        window = self._window
        y = window.y
        raised = np.float32(_UPPER_LIP_RAISE_PX * movement.get("AU10", 0.0))
        parted = np.float32(_LIPS_PART_PX * movement.get("AU25", 0.0))
        dropped = np.float32(_JAW_DROP_PX * movement.get("AU26", 0.0))
        meet = self._upper + np.float32(_LIPS_MEET) * (self._lower - self._upper)
        upper = meet - (raised + np.float32(0.35) * parted) * self._lens
        lower = meet + (np.float32(0.65) * parted + dropped) * self._lens
        above = y - (upper - self._upper) * _ease((y - NOSE_BASE_Y) / (upper - NOSE_BASE_Y))
        chin = np.float32(CHIN_Y) + dropped
        toward_chin = np.clip((y - lower) / (chin - lower), 0, 1)
        shift = (lower - self._lower) * _ease(1 - toward_chin) + dropped * self._jaw * _ease(toward_chin)
        below = y - shift * _ease((NECK_Y - y) / (NECK_Y - chin))
        inside = (y >= upper) & (y <= lower)
        from_y = np.where(y < upper, np.minimum(above, self._upper), np.maximum(below, self._lower))
        from_y = np.where(inside, np.clip(y, self._upper + np.float32(0.8), None), from_y)
        # Teeth stay with the skull; below them, and beside them, the mouth is dark.
        dark = np.where(inside, np.clip((y - self._lower + np.float32(2.0)) / np.float32(1.5), 0, 1), 0)
        _redraw(source, target, window, from_y, dark.astype(np.float32))


def _redraw(source: Image, target: Image, window: Window, from_y: FloatArray, dark: FloatArray | None = None) -> None:
    map_x, map_y = window.x * np.float32(window.scale), from_y.astype(np.float32) * np.float32(window.scale)
    drawn = cv2.remap(source, map_x, map_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    if dark is not None:
        soft = cv2.GaussianBlur(dark, (0, 0), 0.7)[..., None]
        drawn = np.rint(drawn * (1 - soft) + _MOUTH_INSIDE * soft).astype(np.uint8)
    target[window.rows, window.columns] = drawn


def _curve(points: Points, x: FloatArray) -> FloatArray:
    """A lid's or lip's edge at each x; beyond its corners the corner's own height."""
    xs, ys = zip(*points, strict=True)
    return np.asarray(np.interp(x, xs, ys), dtype=np.float32)


def _ease(share: FloatArray) -> FloatArray:
    """From 0 to 1 without a kink at either end."""
    clipped: FloatArray = np.clip(share, 0, 1)
    eased: FloatArray = clipped * clipped * (np.float32(3) - np.float32(2) * clipped)
    return eased
