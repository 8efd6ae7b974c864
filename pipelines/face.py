"""The face stage: a video becomes one row a frame, with action units, head pose, frame quality and pain score."""

import polars as pl

from pipelines.errors import Reason
from pipelines.face_engine import face_engine
from pipelines.media import open_media
from pipelines.params_face import FaceParams
from pipelines.recording import Recording
from schemas.face import AU_FRAMES


def measure_face(media: bytes, recording: Recording, params: FaceParams) -> pl.DataFrame:
    """Measure the main face in every frame of a recording, with the engine that the parameters name.

    Args:
        media: the whole file.
        recording: whose it is.
        params: how faces are found and measured.

    Returns:
        `au_frames`: a row for each decoded frame, in presentation order; no row where there is no video track. Same
        bytes in, same frame out.

    Raises:
        Rejection: the container cannot be opened.
        UserError: the engine or its model is missing, or another one than stated.

    Example:
        frames = measure_face(path.read_bytes(), recording, FaceParams())
        frames.filter(pl.col("face_found"))["AU12_r"].mean()
    """
    if not _has_video(media):
        return AU_FRAMES.frame()
    frames = face_engine(params.engine).measure(media, recording.recording, params)
    return frames_of(recording, frames)


def frames_of(recording: Recording, rows: pl.DataFrame) -> pl.DataFrame:
    """What an engine gave for a recording, as rows of `au_frames`."""
    return AU_FRAMES.conform(rows.with_columns(pl.lit(recording.recording).alias("recording")))


def _has_video(media: bytes) -> bool:
    with open_media(media) as container:
        return bool(container.streams.video)


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
