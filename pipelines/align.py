"""The align stage: face and voice of one recording on one grid of time."""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.params import AlignParams
from pipelines.recording import Recording
from schemas.aligned import ALIGNED_FRAMES, DESCRIBED, INTERPOLATED, NEAREST
from schemas.voice import DESCRIPTORS, F0

_DECIMALS = 6
"""Times are compared to the microsecond: finer differences are those of the arithmetic."""

Values = NDArray[np.float64]
Times = NDArray[np.float64]


def align(face: pl.DataFrame, voice: pl.DataFrame, recording: Recording, params: AlignParams) -> pl.DataFrame:
    """Bring the frames of face and voice onto one grid.

    Face columns are interpolated between neighbouring frames with a face (their presence columns: taken from the
    nearer one, the earlier of two equally near) where these are at most `max_gap_s` apart, and never beyond the first
    or last. Voice columns are means over the analysis windows centred within a step: the windows for pitch are longer
    than those for the spectrum and so begin earlier for the same centre. What is missing stays NULL.

    Args:
        face: `schemas.face.AU_FRAMES`, in any order.
        voice: `schemas.voice.VOICE_FRAMES`, in any order.
        recording: its name and tasks; where tasks overlap, a step belongs to the first.
        params: the grid, and the longest gap to bridge.

    Returns:
        `schemas.aligned.ALIGNED_FRAMES` from 0 to the last frame of the longer one; no rows where both are empty.
    """
    face = face.sort("timestamp_s", "frame")
    voice = voice.sort("timestamp_s", "frame")
    grid = np.arange(_steps(face, voice, params)) / params.grid_hz
    face_valid, face_columns = _face_on(grid, face, params.max_gap_s)
    voice_valid, voice_columns = _voice_on(grid, voice, params.grid_hz)
    voiced = pl.Series(np.isfinite(voice_columns[F0]))
    table = pl.DataFrame(
        {"t_s": grid, "face_valid": face_valid, "voice_valid": voice_valid, **face_columns, **voice_columns}
    )
    table = table.with_columns(
        pl.lit(recording.recording).alias("recording"),
        _task_at(recording),
        pl.when(pl.col("voice_valid")).then(voiced).alias("voiced"),
        pl.selectors.float().fill_nan(None),
    )
    return ALIGNED_FRAMES.conform(table)


def _steps(face: pl.DataFrame, voice: pl.DataFrame, params: AlignParams) -> int:
    """How many grid steps reach from 0 to the last frame of either."""
    last_s = [float(times[-1]) for times in (face["timestamp_s"], voice["timestamp_s"]) if len(times)]
    return max(0, int(np.floor(round(max(last_s) * params.grid_hz, _DECIMALS))) + 1) if last_s else 0


def _task_at(recording: Recording) -> pl.Expr:
    """The task at each step, from its start up to, and without, its end."""
    spans = [
        pl.when((pl.col("t_s") >= task.start_s) & (pl.col("t_s") < task.end_s)).then(pl.lit(task.name))
        for task in recording.tasks
    ]
    return pl.coalesce(*spans, pl.lit(None, dtype=pl.String)).alias("task")


def _face_on(grid: Times, face: pl.DataFrame, max_gap_s: float) -> tuple[NDArray[np.bool_], dict[str, Values]]:
    """Where a face is around each step, and the face columns at each step.

    Each column looks at the frames in which it was measured: one that the engine could not measure in a turned face
    takes no other with it.
    """
    found = face.filter("face_found").unique("timestamp_s", keep="first", maintain_order=True)
    times = np.round(found["timestamp_s"].to_numpy(), _DECIMALS)
    at = np.round(grid, _DECIMALS)
    columns: dict[str, Values] = {}
    for name in (*INTERPOLATED, *NEAREST):
        numbers = found[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        measured = np.isfinite(numbers)
        columns[name] = _sampled(at, times[measured], numbers[measured], max_gap_s, nearest=name in NEAREST)
    return _around(at, times, max_gap_s)[2], columns


def _sampled(at: Times, times: Times, numbers: Values, max_gap_s: float, *, nearest: bool) -> Values:
    """Values at some times from those of the frames before and after: linear, or that of the nearer; else NaN."""
    before, after, valid = _around(at, times, max_gap_s)
    span_s = times[after] - times[before]
    weight = np.divide(at[valid] - times[before], span_s, out=np.zeros(len(span_s)), where=span_s > 0)
    low, high = numbers[before], numbers[after]
    # Rounding must not carry a value past those it lies between.
    linear = np.clip(low + (high - low) * weight, np.minimum(low, high), np.maximum(low, high))
    values = np.full(len(at), np.nan)
    values[valid] = np.where(weight <= 0.5, low, high) if nearest else linear
    return values


def _around(
    grid: Times, times: Times, max_gap_s: float
) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.bool_]]:
    """Frames before and after the valid steps, and which steps are valid.

    Args:
        grid: times of the steps, sorted.
        times: times of the frames, sorted and distinct.
        max_gap_s: neighbouring frames further apart leave what is between them invalid.

    Returns:
        Two rows of indices into `times`, one for each valid step (equal where a frame stands at the step), and a mask
        over the grid.
    """
    if not len(times):
        nothing = np.zeros(0, dtype=np.intp)
        return nothing, nothing, np.zeros(len(grid), dtype=bool)
    last = len(times) - 1
    after = np.searchsorted(times, grid, side="left")
    at_frame = times[np.minimum(after, last)] == grid
    before = np.where(at_frame, after, after - 1)
    inside = (before >= 0) & (after <= last)
    before, after = np.clip(before, 0, last), np.clip(after, 0, last)
    valid = inside & (np.round(times[after] - times[before], _DECIMALS) <= max_gap_s)
    return before[valid], after[valid], valid


def _voice_on(grid: Times, voice: pl.DataFrame, grid_hz: float) -> tuple[NDArray[np.bool_], dict[str, Values]]:
    """Validity and voice columns at each step; descriptors of pitch and voice stay NaN in unvoiced steps."""
    columns: dict[str, Values] = {}
    for descriptor in DESCRIPTORS:
        centre_s = voice["timestamp_s"].to_numpy() + descriptor.window_s / 2
        step = np.floor(np.round(centre_s * grid_hz + 0.5, _DECIMALS)).astype(np.intp)
        values = voice[descriptor.name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        kept = np.isfinite(values) & (step >= 0) & (step < len(grid))
        count = np.bincount(step[kept], minlength=len(grid))
        total = np.bincount(step[kept], weights=values[kept], minlength=len(grid))
        columns[descriptor.name] = np.divide(total, count, out=np.full(len(grid), np.nan), where=count > 0)
    always = [columns[name] for name in DESCRIBED if not name.endswith("nz")]
    valid: NDArray[np.bool_] = np.all(np.isfinite(always), axis=0)
    for values in columns.values():
        values[~valid] = np.nan
    return valid, columns
