"""The face stage: a video becomes one row a frame, with action units, head pose and pain score."""

import math

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.action_units import au_support, columns, intensities
from pipelines.errors import Reason
from pipelines.face_model import engine
from pipelines.head_pose import openface_angles
from pipelines.landmarker import Face, open_landmarker
from pipelines.media import open_media, video_frames
from pipelines.params import FaceParams
from pipelines.recording import Recording
from schemas.face import AU_FRAMES

__all__ = ["au_support", "engine", "face_reasons", "measure_face"]


def measure_face(media: bytes, recording: Recording, params: FaceParams) -> pl.DataFrame:
    """Measure the main face in every frame of a recording.

    Args:
        media: the whole file.
        recording: whose it is.
        params: how faces are found and measured.

    Returns:
        `au_frames`: a row for each decoded frame, in presentation order; no row where there is no video track. Same
        bytes in, same frame out.

    Raises:
        Rejection: the container cannot be opened.
        UserError: the model is missing or another one than stated.

    Example:
        frames = measure_face(path.read_bytes(), recording, FaceParams())
        frames.filter(pl.col("face_found"))["AU12_r"].mean()
    """
    if not _has_video(media):
        return AU_FRAMES.frame()
    times_s: list[float] = []
    counts: list[float] = []
    sizes_px: list[tuple[int, int]] = []
    faces: list[Face | None] = []
    with open_landmarker(params) as landmarker:
        next_count_s = -math.inf
        for frame in video_frames(media, pixels="rgb", max_width=params.max_width_px):
            due = frame.timestamp_s >= next_count_s
            if due:
                next_count_s = frame.timestamp_s + params.count_every_s
            times_s.append(frame.timestamp_s)
            counts.append(landmarker.count(frame.image, params.second_face_min_size) if due else math.nan)
            sizes_px.append((frame.shown_width_px, frame.shown_height_px))
            faces.append(landmarker.track(frame.image, frame.timestamp_s - times_s[0]))
    found = np.array([face is not None for face in faces], dtype=bool)
    measured = _measure([face for face in faces if face is not None], np.array(sizes_px).reshape(-1, 2)[found], params)
    return AU_FRAMES.conform(
        pl.DataFrame(
            {
                "recording": [recording.recording] * len(faces),
                "frame": np.arange(len(faces)),
                "timestamp_s": np.array(times_s, dtype=np.float64),
                "face_found": found,
                "face_count": _or_null(np.array(counts, dtype=np.float64)),
                **{name: _or_null(_spread(values, found)) for name, values in measured.items()},
            }
        )
    )


def _has_video(media: bytes) -> bool:
    with open_media(media) as container:
        return bool(container.streams.video)


def _measure(faces: list[Face], sizes_px: NDArray[np.int_], params: FaceParams) -> dict[str, NDArray[np.float64]]:
    """All measures of n faces in frames of n x 2 (width, height) as shown, by column."""
    if not faces:
        empty = np.empty(0)
        measures = AU_FRAMES.names[AU_FRAMES.names.index("face_x") :]
        return dict.fromkeys(measures, empty)
    boxes_px = np.stack([face.box for face in faces]) * np.tile(sizes_px, 2)
    angles = openface_angles(np.stack([face.rotation for face in faces]))
    points = np.stack([face.points for face in faces])
    scores = np.stack([face.scores for face in faces])
    return {
        **dict(zip(("face_x", "face_y", "face_w", "face_h"), boxes_px.T, strict=True)),
        **dict(zip(("pose_Rx", "pose_Ry", "pose_Rz"), angles.T, strict=True)),
        **columns(intensities(scores, points, angles, params), params),
    }


def _spread(values: NDArray[np.float64], found: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Values of the frames with a face, among all frames; NaN elsewhere."""
    everywhere = np.full(len(found), np.nan)
    everywhere[found] = values
    return everywhere


def _or_null(values: NDArray[np.float64]) -> pl.Series:
    return pl.Series(values, nan_to_null=True)


def face_reasons(frames: pl.DataFrame, params: FaceParams) -> list[Reason]:
    """What a recording's frames give cause to flag or quarantine.

    Args:
        frames: its rows of `au_frames`.
        params: the thresholds.

    Returns:
        NO_FACE or LOW_FACE_COVERAGE (flags) and MULTI_PERSON (quarantine), as they apply; nothing without frames.
    """
    if frames.is_empty():
        return []
    reasons: list[Reason] = []
    with_face = int(frames["face_found"].sum())
    coverage = with_face / frames.height
    if with_face == 0:
        reasons.append(Reason("NO_FACE", f"no face in {frames.height} frames"))
    elif coverage < params.min_coverage:
        reasons.append(
            Reason(
                "LOW_FACE_COVERAGE",
                f"a face in {with_face} of {frames.height} frames ({coverage:.1%}, least {params.min_coverage:.1%})",
            )
        )
    counted = frames["face_count"].drop_nulls()
    shared = int((counted >= 2).sum())
    # One count alone may be a poster or a mistake, unless there is only one.
    if counted.len() and shared >= max(min(2, counted.len()), params.second_face_min_share * counted.len()):
        reasons.append(Reason("MULTI_PERSON", f"a second face in {shared} of {counted.len()} counts"))
    return reasons
