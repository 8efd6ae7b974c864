"""What the face stage reads off a synthetic person who holds one look after the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.film import encode, h264
from pipelines.face import measure_face
from pipelines.params_face import FaceParams
from pipelines.recording import Recording
from pipelines.synthetic.face import FaceModel
from pipelines.synthetic.turn import AHEAD, Turn
from schemas.face import AU_NAMES, PRESENCE_ONLY

UNITS = tuple(unit for unit in AU_NAMES if unit not in PRESENCE_ONLY)
MEASURES = (*UNITS, "PSPI")
POSE = ("pitch", "yaw")
COLUMNS = (*(f"{unit}_r" for unit in UNITS), "pspi")
"""The measures as columns of `au_frames`."""
RECORDING = Recording("P000000000-00000000", "P000000000", "V1", 0, 0, 0, None, None, (), "0" * 64)

_HOLD, _SETTLED = 10, 4
"""Frames for which a look is held, since the tracker smooths, and those at the end of it that count."""
_SIZE_PX = (640, 480)
_FPS = 25.0

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Look:
    """A movement of the face, by action unit 0 to 1, and how far the head is turned."""

    expression: Mapping[str, float] = field(default_factory=dict)
    turn: Turn = AHEAD


def read_off(person: int, looks: Sequence[Look]) -> Values:
    """What is measured of each look.

    Args:
        person: seed of the face.
        looks: held one after the other, in one film at 25 Hz that hardly loses anything in encoding.

    Returns:
        looks x (MEASURES and POSE): intensities of 0-5, PSPI of 0-16 and rad; NaN where not measured.
    """
    face = FaceModel(person, *_SIZE_PX)
    images = (image for look in looks for image in [face.render(look.expression, turn=look.turn)] * _HOLD)
    frames = measure_face(encode(images, h264(crf=8), _FPS), RECORDING, FaceParams())
    values = frames.select(pl.col(*COLUMNS, "pose_Rx", "pose_Ry").cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    return np.asarray(values.reshape(len(looks), _HOLD, -1)[:, -_SETTLED:].mean(axis=1), dtype=np.float64)
