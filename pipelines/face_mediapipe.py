"""The face engine `mediapipe`: Face Landmarker's expression scores, landmarks and pose as the columns of `au_frames`."""

from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.action_units import ENGINE, columns, intensities, support
from pipelines.engine import Engine
from pipelines.face_geometry import gaze, mouth_openness
from pipelines.face_model import identity
from pipelines.frame_quality import centre_speed
from pipelines.head_pose import openface_angles, openface_rotations
from pipelines.params_face import FaceParams
from schemas.face import AU_FRAMES

if TYPE_CHECKING:
    import av

    from pipelines.face_trace import Traced

_LIDS_HALF_CLOSED = 1.5
"""Intensity of AU43 from which lids cover so much that the engine only guesses where the iris is."""


class MediaPipe:
    """MediaPipe's Face Landmarker."""

    name = ENGINE

    def identity(self, params: FaceParams) -> Engine:
        """See `FaceEngine.identity`."""
        return identity(params)

    def support(self) -> pl.DataFrame:
        """See `FaceEngine.support`."""
        return support()

    def try_out(self, params: FaceParams) -> None:
        """See `FaceEngine.try_out`: look for a face in a grey picture."""
        from pipelines.landmarker import open_landmarker  # noqa: PLC0415 - loading it is what is tried

        open_landmarker(params).track(np.full((120, 160, 3), 128, dtype=np.uint8), 0.0)

    def measure(self, media: bytes, recording: str, params: FaceParams) -> pl.DataFrame:  # noqa: ARG002 - of the protocol
        """See `FaceEngine.measure`."""
        from pipelines.media import decoded_frames  # noqa: PLC0415 - publication asks what is supported, and decodes nothing

        along = Along(params)
        for decoded, timestamp_s in decoded_frames(media):
            along.take(decoded, timestamp_s)
        return along.rows()

    def along(self, params: FaceParams) -> "Callable[[], Along]":
        """See `FaceEngine.along`."""
        return partial(Along, params)


class Along:
    """See `pipelines.face_engine.FaceAlong`.

    Args:
        params: how faces are found and measured.
    """

    def __init__(self, params: FaceParams) -> None:
        # Here: publication asks this engine what it supports, and needs no landmarker for it.
        from pipelines.face_trace import FaceTrace  # noqa: PLC0415 - see above

        self._params = params
        self._trace = FaceTrace(params)

    def take(self, decoded: "av.VideoFrame", timestamp_s: float) -> None:
        """See `pipelines.frames.FrameTaker`."""
        self._trace.take(decoded, timestamp_s)

    def rows(self) -> pl.DataFrame:
        """See `pipelines.face_engine.FaceAlong.rows`."""
        traced = self._trace.traced()
        measured = _measure(traced, self._params)
        everywhere = {name: _spread(values, traced.found) for name, values in measured.items()}
        boxes_px = np.stack([everywhere[name] for name in _BOX], axis=1)
        everywhere["face_speed"] = centre_speed(boxes_px, traced.times_s)
        return pl.DataFrame(
            {
                "frame": np.arange(len(traced.times_s)),
                "timestamp_s": traced.times_s,
                "face_found": traced.found,
                "face_count": _or_null(traced.counts),
                **{name: _or_null(values) for name, values in everywhere.items()},
            }
        )


_BOX = ("face_x", "face_y", "face_w", "face_h")


def _measure(traced: "Traced", params: FaceParams) -> dict[str, NDArray[np.float64]]:
    """All measures of the frames with a face, by column."""
    faces, rotations = traced.faces, traced.rotations
    if faces is None or rotations is None:
        empty = np.empty(0)
        measures = AU_FRAMES.names[AU_FRAMES.names.index("face_x") :]
        return dict.fromkeys(measures, empty)
    angles = openface_angles(rotations)
    facing = np.all(np.abs(angles[:, :2]) <= params.max_turn_rad, axis=1)
    found = intensities(faces.scores, faces.points, angles, facing)
    eyes_open = found["AU43"] < _LIDS_HALF_CLOSED
    gaze_rad = np.where((facing & eyes_open)[:, np.newaxis], gaze(faces.points, openface_rotations(rotations)), np.nan)
    return {
        **dict(zip(_BOX, (faces.boxes * np.tile(traced.sizes_px[traced.found], 2)).T, strict=True)),
        **dict(zip(("pose_Rx", "pose_Ry", "pose_Rz"), angles.T, strict=True)),
        "face_size": faces.boxes[:, 3],
        "face_brightness": faces.regions[:, 0],
        "face_sharpness": faces.regions[:, 1],
        "face_outside": faces.outside,
        "mouth_open": np.where(facing, mouth_openness(faces.points), np.nan),
        "gaze_x": gaze_rad[:, 0],
        "gaze_y": gaze_rad[:, 1],
        **columns(found),
    }


def _spread(values: NDArray[np.float64], found: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Values of the frames with a face, among all frames; NaN elsewhere."""
    everywhere = np.full(len(found), np.nan)
    everywhere[found] = values
    return everywhere


def _or_null(values: NDArray[np.float64]) -> pl.Series:
    return pl.Series(values, nan_to_null=True)
