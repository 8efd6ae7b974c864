"""Turn a photographed head up, down and to the sides: each point moves as far as it lies before the axis of the turn.

The photograph has no depth, so the head's is a smooth guess: half a barrel with a nose. That is enough for turns of about
0.3 rad, in which nothing that was hidden comes into sight.
"""

from typing import Final

import cv2
import numpy as np

from pipelines.synthetic.anatomy import FACE_CENTRE, FACE_MIDLINE_X, Bump
from pipelines.synthetic.warp import FloatArray

_NOSE: Final = Bump(FACE_MIDLINE_X, 124, 7, 11, 0, 13)
"""How far the nose stands out, as `dy`, in pixels of the photograph."""
_FRONT, _SIDE, _HALF_WIDTH = 36.0, -13.0, 50.0
"""How far the face's midline and its sides lie before the axis, and how far they are apart, px: MediaPipe's canonical
face has 5.3 and -2 cm at 7.5 cm, and hardly changes from forehead to chin. An eye is 60 px from the other's far side."""
_REACH: Final = (64.0, 92.0)
_ROUNDS: Final = 6

Turn = tuple[float, float]
"""Pitch (positive with the chin down) and yaw (positive to the left of the photograph), rad, in OpenFace's signs."""
AHEAD: Final[Turn] = (0.0, 0.0)


def turn_field(x: FloatArray, y: FloatArray, turn: Turn, step: float) -> FloatArray:
    """From where a turned head's points come.

    Args:
        x: coordinates in the photograph, on an even grid, rows x columns.
        y: the same, of the same shape.
        turn: pitch and yaw, rad.
        step: of the grid, px.

    Returns:
        float32, rows x columns x 2: how far (dx, dy) each point has come, in pixels of the photograph.
    """
    pitch, yaw = turn
    across, down = x - np.float32(FACE_CENTRE[0]), y - np.float32(FACE_CENTRE[1])
    nose = _NOSE.dy * np.exp(-0.5 * (((x - _NOSE.x) / _NOSE.sx) ** 2 + ((y - _NOSE.y) / _NOSE.sy) ** 2))
    depth = _FRONT + (_SIDE - _FRONT) * np.clip(across / _HALF_WIDTH, -1.2, 1.2) ** 2 + nose
    beyond = np.clip(np.hypot(across / _REACH[0], down / _REACH[1]) - 0.85, 0, None)
    held = np.exp(-(beyond**2) / 0.1)
    forward = np.stack(
        (
            held * ((np.cos(yaw) - 1) * across - np.sin(yaw) * depth),
            held * ((np.cos(pitch) - 1) * down + np.sin(pitch) * depth),
        ),
        axis=-1,
    ).astype(np.float32)
    # The field says where points go; a picture is drawn by where they come from.
    columns, rows = (each.astype(np.float32) for each in np.meshgrid(np.arange(x.shape[1]), np.arange(x.shape[0])))
    come = forward
    for _ in range(_ROUNDS):
        from_x, from_y = columns - come[..., 0] / np.float32(step), rows - come[..., 1] / np.float32(step)
        drawn = cv2.remap(forward, from_x, from_y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        come = np.asarray(drawn, dtype=np.float32)
    return come
