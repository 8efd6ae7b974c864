"""What the face stage reads off a synthetic person who holds one look after the other."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from benchmarks.film import encode, h264
from pipelines.face import measure_face
from pipelines.params_face import FaceParams
from pipelines.recording import Recording
from pipelines.synthetic.face import FaceModel
from schemas.face import AU_NAMES, PRESENCE_ONLY

UNITS = tuple(unit for unit in AU_NAMES if unit not in PRESENCE_ONLY)
MEASURES = (*UNITS, "PSPI")
COLUMNS = (*(f"{unit}_r" for unit in UNITS), "pspi")
"""The measures as columns of `au_frames`."""
RECORDING = Recording("P000000000-00000000", "P000000000", "V1", 0, 0, 0, None, None, (), "0" * 64)

_HOLD, _SETTLED = 10, 4
"""Frames for which a look is held, since the tracker smooths, and those at the end of it that count."""
_SIZE_PX = (640, 480)
_FPS = 25.0

Values = NDArray[np.float64]


def read_off(person: int, looks: Sequence[Mapping[str, float]]) -> Values:
    """What is measured of each look.

    Args:
        person: seed of the face.
        looks: intensities of action units, 0 to 1; held one after the other, in one film at 25 Hz that hardly loses
            anything in encoding.

    Returns:
        looks x MEASURES: intensities of 0-5 and PSPI of 0-16; NaN where not measured.
    """
    face = FaceModel(person, *_SIZE_PX)
    images = (image for look in looks for image in [face.render(look)] * _HOLD)
    frames = measure_face(encode(images, h264(crf=8), _FPS), RECORDING, FaceParams())
    values = frames.select(pl.col(*COLUMNS).cast(pl.Float64).fill_null(float("nan"))).to_numpy()
    return np.asarray(values.reshape(len(looks), _HOLD, -1)[:, -_SETTLED:].mean(axis=1), dtype=np.float64)
