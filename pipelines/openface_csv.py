"""Reading the CSV of OpenFace 2.x: `FeatureExtraction`, which follows one face, and `FaceLandmarkVidMulti`.

Source:
    https://github.com/TadasBaltrusaitis/OpenFace/wiki/Output-Format; Baltrusaitis et al., OpenFace 2.0, FG 2018, 59-66,
    doi:10.1109/FG.2018.00019.
"""

import io
from dataclasses import dataclass
from typing import Final

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.errors import Rejection
from schemas.face import AU_NAMES, PRESENCE_ONLY

UNMEASURED: Final = frozenset({"AU43"})
"""Of our action units, those that OpenFace has not."""

PRESENT: Final = tuple(unit for unit in AU_NAMES if unit not in UNMEASURED)
GRADED: Final = tuple(unit for unit in PRESENT if unit not in PRESENCE_ONLY)
POSE: Final = ("pose_Rx", "pose_Ry", "pose_Rz")
GAZE: Final = tuple(f"gaze_{eye}_{axis}" for eye in (0, 1) for axis in "xyz")
LANDMARKS: Final = 68

_POINTS = tuple(f"{axis}_{point}" for axis in "xy" for point in range(LANDMARKS))
_UNITS = (*(f"{unit}_r" for unit in GRADED), *(f"{unit}_c" for unit in PRESENT))
_NEEDED = ("frame", "success", *POSE, *_POINTS, *_UNITS)
_DEFAULTS = {"face_id": 0.0, "confidence": 1.0, **dict.fromkeys(GAZE, float("nan"))}
"""Columns that older versions, or runs without `-gaze`, do not write."""

_BOUNDS = {
    "success": (0, 1),
    "confidence": (0, 1),
    **{name: (0, 5) for name in _UNITS if name.endswith("_r")},
    **{name: (0, 1) for name in _UNITS if name.endswith("_c")},
}
_NOT_A_NUMBER = r"(?i)^[-+]?(nan|inf|1\.#).*$"
"""As C++ libraries write what is no number."""
_HOW = "run FeatureExtraction with -2Dfp -pose -gaze -aus"


@dataclass(frozen=True, slots=True)
class Faces:
    """What a CSV says of a recording's frames, one row for each in which the main face was found.

    Args:
        frames: how many frames the CSV goes through.
        several: whether it follows several faces at once, so that they can be counted.
        index: n frames, from 0.
        points: n x 68 x 2, in pixels.
        pose: n x 3 (pitch, yaw, roll), rad.
        gaze: n x 2 x 3, each eye's direction in the camera's axes; NaN where not measured.
        units: `AUnn_r` and `AUnn_c`, n each.
        heights_px: by frame, the heights of all faces found in it.
    """

    frames: int
    several: bool
    index: NDArray[np.int64]
    points: NDArray[np.float64]
    pose: NDArray[np.float64]
    gaze: NDArray[np.float64]
    units: dict[str, NDArray[np.float64]]
    heights_px: dict[int, list[float]]


def read_faces(content: bytes, min_confidence: float = 0.0) -> Faces:
    """Read a CSV.

    The main face is the one found in most frames; of several found equally often the largest.

    Args:
        content: its bytes.
        min_confidence: a face is found where `success` is 1 and `confidence` at least this.

    Raises:
        Rejection: `ENGINE_INPUT_UNFIT`: it is no such CSV, lacks columns or frames, or has values out of their range.
    """
    table = _read(content)
    numbers = table["frame"].to_numpy().astype(np.int64)
    # OpenFace counts from 1; what was renumbered from 0 shows it.
    index = numbers - min(1, int(numbers.min()))
    faces = table["face_id"].to_numpy().astype(np.int64)
    several = len(set(faces.tolist())) > 1
    frames = int(index.max()) + 1
    _check_frames(index, faces, frames, several=several)
    found = (table["success"].to_numpy() == 1) & (table["confidence"].to_numpy() >= min_confidence)
    points = table.select(_POINTS).to_numpy().reshape(-1, 2, LANDMARKS).transpose(0, 2, 1)
    found &= np.isfinite(points).all(axis=(1, 2))
    heights = np.ptp(points[:, :, 1], axis=1)
    of_main = found & (faces == _main(faces[found], heights[found]))
    at = np.flatnonzero(of_main)[np.argsort(index[of_main], kind="stable")]
    by_frame: dict[int, list[float]] = {}
    for frame, height in zip(index[found].tolist(), heights[found].tolist(), strict=True):
        by_frame.setdefault(frame, []).append(height)
    gaze = table.select(GAZE).to_numpy()[at].reshape(-1, 2, 3)
    return Faces(
        frames,
        several,
        index[at],
        points[at],
        table.select(POSE).to_numpy()[at],
        # An eye that was not found has a direction of no length.
        np.where(np.linalg.norm(gaze, axis=2, keepdims=True) > 0, gaze, np.nan),
        {name: table[name].to_numpy()[at] for name in _UNITS},
        by_frame,
    )


def _main(faces: NDArray[np.int64], heights: NDArray[np.float64]) -> int:
    if not len(faces):
        return 0
    names: list[int] = sorted(set(faces.tolist()))
    return max(names, key=lambda face: (int(np.sum(faces == face)), float(heights[faces == face].mean()), -face))


def _check_frames(index: NDArray[np.int64], faces: NDArray[np.int64], frames: int, *, several: bool) -> None:
    if len(set(zip(index.tolist(), faces.tolist(), strict=True))) < len(index):
        raise _unfit("a frame stands in it twice for one face")
    # FaceLandmarkVidMulti leaves out frames without any face; FeatureExtraction has a row for each.
    missing = np.setdiff1d(np.arange(frames), index)
    if len(missing) and not several:
        raise _unfit(f"{len(missing)} of its {frames} frames are missing, the first after frame {missing[0]}")


def _read(content: bytes) -> pl.DataFrame:
    """The columns in use, all as numbers; one that need not be there has its default."""
    try:
        texts = pl.read_csv(io.BytesIO(content), infer_schema=False, raise_if_empty=True)
    except (pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise _unfit(f"it is no CSV ({type(error).__name__})") from error
    names = [name.strip() for name in texts.columns]
    missing = [name for name in _NEEDED if name not in names]
    if missing:
        raise _unfit(f"it lacks {len(missing)} columns, such as {missing[0]}: {_HOW}")
    twice = [name for name in names if name.endswith("_duplicated_0")]
    if twice:
        raise _unfit(f"it has the column {twice[0].removesuffix('_duplicated_0')} twice")
    if texts.is_empty():
        raise _unfit("it has no rows")
    wanted = [*_NEEDED, *(name for name in _DEFAULTS if name in names)]
    at = {name: texts.columns[names.index(name)] for name in wanted}
    stripped = texts.select(pl.col(raw).str.strip_chars().alias(name) for name, raw in at.items())
    numbers = stripped.select(
        pl.when(pl.col(name).str.contains(_NOT_A_NUMBER))
        .then(pl.lit(float("nan")))
        .otherwise(pl.col(name).cast(pl.Float64, strict=False))
        .alias(name)
        for name in wanted
    )
    numbers = numbers.with_columns(pl.lit(value).alias(name) for name, value in _DEFAULTS.items() if name not in names)
    _check_values(numbers)
    return numbers


def _check_values(numbers: pl.DataFrame) -> None:
    for name in numbers.columns:
        column = numbers[name]
        # The header is line 1.
        if column.null_count():
            raise _unfit(f"{name} in line {int(column.is_null().arg_max() or 0) + 2} is no number")
        low, high = _BOUNDS.get(name, (None, None))
        wrong = (
            column.filter(column.is_not_nan() & ~column.is_between(low, high)) if low is not None else column.head(0)
        )
        if len(wrong):
            raise _unfit(f"{name} is {wrong[0]:g}, should be {low} to {high}")
    for name in ("frame", "face_id", "success"):
        if not (numbers[name].is_finite() & (numbers[name] >= 0)).all():
            raise _unfit(f"{name} is not a number from 0 on in every line")
    for name in ("frame", "face_id", "success", *(f"{unit}_c" for unit in PRESENT)):
        broken = numbers[name].filter(numbers[name] != numbers[name].floor())
        if len(broken):
            raise _unfit(f"{name} is {broken[0]:g}, should be a whole number")


def _unfit(what: str) -> Rejection:
    return Rejection("ENGINE_INPUT_UNFIT", f"OpenFace's CSV: {what}")
