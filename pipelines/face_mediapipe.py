"""The face engine `mediapipe`: Face Landmarker's expression scores, landmarks and pose as the columns of `au_frames`."""

import math
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.action_units import ENGINE, columns, intensities, support
from pipelines.engine import Engine
from pipelines.face_geometry import gaze, mouth_openness
from pipelines.face_model import identity
from pipelines.frame_quality import Region, centre_speed, face_region
from pipelines.head_pose import openface_angles, openface_rotations
from pipelines.params_face import FaceParams
from schemas.face import AU_FRAMES

if TYPE_CHECKING:
    from pipelines.landmarker import Face

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
        # Here: publication asks this engine what it supports, and needs no landmarker for it.
        from pipelines.landmarker import open_landmarker  # noqa: PLC0415 - see above
        from pipelines.media import video_frames  # noqa: PLC0415 - the same

        times_s: list[float] = []
        counts: list[float] = []
        sizes_px: list[tuple[int, int]] = []
        faces: list[Face | None] = []
        regions: list[Region] = []
        landmarker = open_landmarker(params)
        next_count_s = -math.inf
        for frame in video_frames(media, pixels="rgba", max_width=params.max_width_px):
            times_s.append(frame.timestamp_s)
            sizes_px.append((frame.shown_width_px, frame.shown_height_px))
            face = landmarker.track(frame.image, frame.timestamp_s - times_s[0])
            faces.append(face)
            if face is not None:
                regions.append(face_region(frame.image, face.box))
            due = frame.timestamp_s >= next_count_s
            if due:
                next_count_s = frame.timestamp_s + params.count_every_s
            counts.append(landmarker.count(frame.image, params.second_face_min_size, face) if due else math.nan)
        found = np.array([face is not None for face in faces], dtype=bool)
        sizes = np.array(sizes_px).reshape(-1, 2)[found]
        there = [face for face in faces if face is not None]
        rotations = landmarker.rotations(there) if there else np.empty((0, 3, 3))
        measured = _measure(there, rotations, regions, sizes, params)
        everywhere = {name: _spread(values, found) for name, values in measured.items()}
        boxes_px = np.stack([everywhere[name] for name in _BOX], axis=1)
        everywhere["face_speed"] = centre_speed(boxes_px, np.array(times_s, dtype=np.float64))
        return pl.DataFrame(
            {
                "frame": np.arange(len(faces)),
                "timestamp_s": np.array(times_s, dtype=np.float64),
                "face_found": found,
                "face_count": _or_null(np.array(counts, dtype=np.float64)),
                **{name: _or_null(values) for name, values in everywhere.items()},
            }
        )


_BOX = ("face_x", "face_y", "face_w", "face_h")


def _measure(
    faces: "list[Face]",
    rotations: NDArray[np.float64],
    regions: list[Region],
    sizes_px: NDArray[np.int_],
    params: FaceParams,
) -> dict[str, NDArray[np.float64]]:
    """All measures of n faces, with their n x 3 x 3 rotations and n regions, in frames of n x 2 (width, height) as shown, by column."""
    if not faces:
        empty = np.empty(0)
        measures = AU_FRAMES.names[AU_FRAMES.names.index("face_x") :]
        return dict.fromkeys(measures, empty)
    boxes = np.stack([face.box for face in faces])
    angles = openface_angles(rotations)
    points = np.stack([face.points for face in faces])
    scores = np.stack([face.scores for face in faces])
    facing = np.all(np.abs(angles[:, :2]) <= params.max_turn_rad, axis=1)
    found = intensities(scores, points, angles, facing)
    eyes_open = found["AU43"] < _LIDS_HALF_CLOSED
    gaze_rad = np.where((facing & eyes_open)[:, np.newaxis], gaze(points, openface_rotations(rotations)), np.nan)
    return {
        **dict(zip(_BOX, (boxes * np.tile(sizes_px, 2)).T, strict=True)),
        **dict(zip(("pose_Rx", "pose_Ry", "pose_Rz"), angles.T, strict=True)),
        "face_size": boxes[:, 3],
        "face_brightness": np.array([region.brightness for region in regions]),
        "face_sharpness": np.array([region.sharpness for region in regions]),
        "face_outside": np.array([face.outside for face in faces]),
        "mouth_open": np.where(facing, mouth_openness(points), np.nan),
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
