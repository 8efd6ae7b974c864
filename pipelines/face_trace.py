"""The main face of a recording, frame by frame, as the Face Landmarker sees it along any pass over the frames."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipelines.frame_quality import Region, face_region
from pipelines.frames import FrameConverter
from pipelines.landmarker import Face, open_landmarker
from pipelines.params_face import FaceParams

if TYPE_CHECKING:
    import av

Values = NDArray[np.float64]

_AT_ONCE = 64
"""Faces whose expressions are scored together."""


@dataclass(frozen=True, slots=True)
class Faces:
    """n faces, one of each frame that has one.

    `boxes`: n x 4 (x, y, width, height, as shares of the picture); `outside`: n shares of landmarks outside it;
    `points`: n x the landmarks of `pipelines.face_geometry.LANDMARKS` x 3, in px of the picture; `scores`: n x 52;
    `stances`: what `Landmarker.rotations` takes; `regions`: n x 2, brightness and sharpness.
    """

    boxes: Values
    outside: Values
    points: Values
    scores: Values
    stances: Values
    regions: Values


@dataclass(frozen=True, slots=True)
class Traced:
    """All frames of a recording: n times and sizes as shown, whether there is a face, how many where they were counted.

    `faces` and their `rotations` (n x 3 x 3, see `Landmarker.rotations`) are of the frames with one; None where none has.
    """

    times_s: Values
    sizes_px: NDArray[np.int_]
    found: NDArray[np.bool_]
    counts: Values
    faces: Faces | None
    rotations: Values | None


class FaceTrace:
    """Follows the main face of one recording and counts the others.

    Args:
        params: how faces are found.

    Raises:
        UserError: the model is missing or another one than stated.
    """

    def __init__(self, params: FaceParams) -> None:
        self._params = params
        self._landmarker = open_landmarker(params)
        self._converter = FrameConverter("rgba", params.max_width_px)
        self._times_s: list[float] = []
        self._sizes_px: list[tuple[int, int]] = []
        self._found: list[bool] = []
        self._counts: list[float] = []
        self._next_count_s = -math.inf
        self._latest: list[tuple[Face, Region]] = []
        self._done: list[Faces] = []

    def take(self, decoded: "av.VideoFrame", timestamp_s: float) -> None:
        """See `pipelines.frames.FrameTaker`."""
        params = self._params
        frame = self._converter.convert(decoded, len(self._times_s), timestamp_s)
        self._times_s.append(timestamp_s)
        self._sizes_px.append((frame.shown_width_px, frame.shown_height_px))
        face = self._landmarker.track(frame.image, timestamp_s - self._times_s[0])
        self._found.append(face is not None)
        if face is not None:
            self._latest.append((face, face_region(frame.image, face.box)))
            if len(self._latest) == _AT_ONCE:
                self._settle()
        due = timestamp_s >= self._next_count_s
        if due:
            self._next_count_s = timestamp_s + params.count_every_s
        self._counts.append(self._landmarker.count(frame.image, params.second_face_min_size, face) if due else math.nan)

    def traced(self) -> Traced:
        """What came of all frames taken."""
        if self._latest:
            self._settle()
        faces = None
        if self._done:
            fields = Faces.__dataclass_fields__
            faces = Faces(**{name: np.concatenate([getattr(each, name) for each in self._done]) for name in fields})
        return Traced(
            times_s=np.array(self._times_s, dtype=np.float64),
            sizes_px=np.array(self._sizes_px, dtype=np.int_).reshape(-1, 2),
            found=np.array(self._found, dtype=bool),
            counts=np.array(self._counts, dtype=np.float64),
            faces=faces,
            rotations=None if faces is None else self._landmarker.rotations(faces.stances),
        )

    def _settle(self) -> None:
        """Score the latest faces, and keep of them what is asked for at the end."""
        faces = [face for face, _ in self._latest]
        self._done.append(
            Faces(
                boxes=np.stack([face.box for face in faces]),
                outside=np.array([face.outside for face in faces]),
                points=np.stack([face.points for face in faces]),
                scores=self._landmarker.scores(faces),
                stances=np.stack([face.stance for face in faces]),
                regions=np.array([region for _, region in self._latest], dtype=np.float64),
            )
        )
        self._latest.clear()
