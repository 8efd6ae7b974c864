"""A synthetic patient's face: one photograph, warped into persons and expressions.

The photograph is scikit-image's `astronaut` (NASA, public domain), which ships inside its wheel.
"""

from collections.abc import Mapping
from functools import cache
from typing import Final

import cv2
import numpy as np

from pipelines.synthetic.anatomy import (
    ACTION_UNITS,
    AT_REST,
    BUMPS,
    FACE_CENTRE,
    LEFT_EYE,
    RIGHT_EYE,
    Bump,
)
from pipelines.synthetic.warp import EyeSeam, FloatArray, Image, MouthSeam, bump_field

_SCALE: Final = 2.0
"""The photograph is enlarged once, so that the seams are finer than a pixel of the video."""
_GRID: Final = 4
"""Displacements are smooth: they are computed for every fourth pixel of the enlarged photograph."""
_HEIGHT: Final = 320
"""Rows of the photograph that a frame can show."""
_HEAD_RADIUS: Final = (62.0, 84.0)

Head = tuple[float, float, float]
STILL: Final[Head] = (0.0, 0.0, 0.0)


class FaceModel:
    """One synthetic person, wholly given by the seed: geometry, light and framing.

    Args:
        seed: any whole number; the same seed gives the same pixels.
        width, height: of the frames, in pixels.

    >>> FaceModel(7, width=160, height=90).render({"AU04": 1.0}).shape
    (90, 160, 3)
    """

    def __init__(self, seed: int, width: int = 640, height: int = 360) -> None:
        rng = np.random.default_rng(seed)
        self.width, self.height = width, height
        self._photograph = _lit(_enlarged(), rng)
        self._to_grid, self._to_photograph = _framing(rng, width, height)
        rows, columns = self._photograph.shape[0] // _GRID, self._photograph.shape[1] // _GRID
        y, x = np.mgrid[:rows, :columns].astype(np.float32) * np.float32(_GRID / _SCALE)
        self._units = {unit: bump_field(bumps, x, y) for unit, bumps in BUMPS.items()}
        self._person = bump_field(_geometry(rng), x, y)
        self._head = _head_fields(x, y)
        self._eyes = (EyeSeam(RIGHT_EYE, _SCALE), EyeSeam(LEFT_EYE, _SCALE))
        self._mouth = MouthSeam(_SCALE)

    def render(self, expression: Mapping[str, float], head: Head = STILL) -> Image:
        """One frame.

        Args:
            expression: intensities of `ACTION_UNITS`, 0 (at rest) to 1 (full).
            head: the head's shift to the right and down, in thousandths of the frame's width, and its roll, clockwise
                in radians.

        Returns:
            uint8, shape (height, width, 3), RGB.

        Raises:
            ValueError: an expression names an action unit that this face does not have.
        """
        unknown = sorted(set(expression) - set(ACTION_UNITS))
        if unknown:
            raise ValueError(f"no such action unit: {', '.join(unknown)}; known are {', '.join(ACTION_UNITS)}")
        drawn = self._photograph.copy()
        closed = min(1.0, expression.get("AU43", 0.0) + 0.12 * expression.get("AU07", 0.0))
        tightened = min(1.0, 0.35 * expression.get("AU07", 0.0) + 0.12 * expression.get("AU06", 0.0))
        for eye in self._eyes:
            eye.draw(self._photograph, drawn, closed, tightened, expression.get("AU05", 0.0))
        self._mouth.draw(self._photograph, drawn, expression)

        moved = self._person + self._moved_head(head)
        for unit, field in self._units.items():
            intensity = expression.get(unit, 0.0) + AT_REST.get(unit, 0.0)
            if intensity:
                moved += np.float32(intensity) * field
        displacement = cv2.warpAffine(
            moved,
            self._to_grid,
            (self.width, self.height),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        from_x, from_y = cv2.split(self._to_photograph - np.float32(_SCALE) * displacement)
        frame = cv2.remap(drawn, from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)
        return np.asarray(frame, dtype=np.uint8)

    def _moved_head(self, head: Head) -> FloatArray:
        """Where the head's own movement takes each point, fading out into the background."""
        dx, dy, roll = head
        weight, across, down = self._head
        px = self.width / 1000 * float(np.hypot(*self._to_grid[0, :2])) * _GRID / _SCALE
        mirror = np.sign(self._to_grid[0, 0])
        sine, cosine = np.sin(roll) * mirror, np.cos(roll) - 1
        return np.stack(
            (
                dx * px * mirror * weight + cosine * across - sine * down,
                dy * px * weight + sine * across + cosine * down,
            ),
            axis=-1,
        ).astype(np.float32)


@cache
def _enlarged() -> Image:
    """The photograph's upper part, enlarged and sharpened to what a camera gives."""
    from skimage import data  # noqa: PLC0415 - an optional dependency: only the demo needs it

    part = np.ascontiguousarray(data.astronaut()[:_HEIGHT])  # type: ignore[no-untyped-call] # untyped in its wheel
    large = cv2.resize(part, None, fx=_SCALE, fy=_SCALE, interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.addWeighted(large, 1.8, cv2.GaussianBlur(large, (0, 0), 1.6), -0.8, 0), dtype=np.uint8)


def _lit(photograph: Image, rng: np.random.Generator) -> Image:
    """The photograph in this person's light: brightness, gamma, colour cast and a gradient across."""
    height, width = photograph.shape[:2]
    gamma, gain = rng.uniform(0.85, 1.25), rng.uniform(0.85, 1.05)
    cast = 1 + rng.uniform(-0.07, 0.07, 3)
    angle, slope = rng.uniform(0, 2 * np.pi), rng.uniform(0.0, 0.25)
    y, x = np.mgrid[:height, :width].astype(np.float32)
    toward = (x / width - 0.45) * np.cos(angle) + (y / height - 0.35) * np.sin(angle)
    linear = (photograph.astype(np.float32) / 255) ** np.float32(gamma) * gain * cast.astype(np.float32)
    shaded: FloatArray = linear * (1 + np.float32(slope) * toward.astype(np.float32))[..., None]
    return np.asarray(np.clip(np.rint(shaded * 255), 0, 255), dtype=np.uint8)


def _framing(rng: np.random.Generator, width: int, height: int) -> tuple[FloatArray, FloatArray]:
    """How the camera stands: maps from a frame's pixel to the displacement grid and to the enlarged photograph."""
    shown = rng.uniform(195, 225)
    centre = (FACE_CENTRE[0] + rng.uniform(-14, 14), 0.5 * shown + rng.uniform(0, 8))
    mirror = -1.0 if rng.random() < 0.5 else 1.0
    step = shown / height
    affine = np.array([[mirror * step, 0, centre[0]], [0, step, centre[1]]])
    affine[:, 2] -= affine[:, :2] @ np.array([(width - 1) / 2, (height - 1) / 2])
    y, x = np.mgrid[:height, :width]
    source = np.stack((affine[0, 0] * x + affine[0, 2], affine[1, 1] * y + affine[1, 2]), axis=-1)
    return (affine * _SCALE / _GRID).astype(np.float32), (source * _SCALE).astype(np.float32)


def _geometry(rng: np.random.Generator) -> tuple[Bump, ...]:
    """This person's build: broad movements, nearly the same on both sides, that stay without folds."""
    x, y = FACE_CENTRE
    bumps = []
    for across, down, reach, most in ((40, 10, 22, 3.5), (30, 45, 20, 3.5), (20, -20, 18, 2.0), (12, 8, 14, 1.5)):
        outward, lower = rng.uniform(-most, most, 2)
        for side in (-1, 1):
            own_x, own_y = rng.uniform(-0.4, 0.4, 2)
            bumps.append(Bump(x + side * across, y + down, reach, reach, side * outward + own_x, 0.6 * lower + own_y))
    bumps.append(Bump(x, y + 60, 24, 18, 0.0, rng.uniform(-3, 4)))
    return tuple(bumps)


def _head_fields(x: FloatArray, y: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
    across, down = x - np.float32(FACE_CENTRE[0]), y - np.float32(FACE_CENTRE[1])
    beyond = np.hypot(across / np.float32(_HEAD_RADIUS[0]), down / np.float32(_HEAD_RADIUS[1]))
    weight = np.exp(-(np.clip(beyond - 0.8, 0, None) ** 2) / 0.35).astype(np.float32)
    return weight, weight * across, weight * down
