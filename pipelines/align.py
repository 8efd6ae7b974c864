"""The align stage: face and voice of one recording on one grid of time, and how far they are apart."""

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.av_offset import measure_av_offset
from pipelines.params import AlignParams
from pipelines.recording import Recording
from schemas.aligned import (
    ALIGNED_FRAMES,
    DESCRIBED,
    INTERPOLATED,
    MASK_INTERPOLATED,
    MASK_MEASURED,
    MASK_MISSING,
    NEAREST,
)
from schemas.voice import DESCRIPTORS, F0, LOUDNESS

_DECIMALS = 6
"""Times are compared to the microsecond: finer differences are those of the arithmetic."""

Values = NDArray[np.float64]
Times = NDArray[np.float64]
Numbers = NDArray[np.intp]


class AlignedTables(NamedTuple):
    """`schemas.aligned.ALIGNED_FRAMES` and `schemas.av_offset.AV_OFFSETS` of one recording."""

    frames: pl.DataFrame
    av_offset: pl.DataFrame


def align_recording(
    face: pl.DataFrame, voice: pl.DataFrame, recording: Recording, params: AlignParams
) -> AlignedTables:
    """What the stage makes of the frames of face and voice: `align` and `measure_av_offset`, apart from each other.

    The measured offset shifts nothing: both tables are on the container's clock.
    """
    return AlignedTables(align(face, voice, recording, params), measure_av_offset(face, voice, recording, params))


def align(face: pl.DataFrame, voice: pl.DataFrame, recording: Recording, params: AlignParams) -> pl.DataFrame:
    """Bring the frames of face and voice onto one grid.

    Face columns are interpolated between neighbouring frames with a face (their presence columns: taken from the
    nearer one, the earlier of two equally near) where these are at most `max_gap_s` apart, and never beyond the first
    or last. Voice columns are means over the analysis windows centred within a step: the windows for pitch are longer
    than those for the spectrum and so begin earlier for the same centre. Where a task begins or ends nothing is
    carried across: a step takes frames and windows of its own side alone. What is missing stays NULL.

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
    edges_s = np.unique([edge_s for task in recording.tasks for edge_s in (task.start_s, task.end_s)])
    face_columns = _face_on(grid, face, params.max_gap_s, edges_s)
    voice_valid, voice_columns = _voice_on(grid, voice, params.grid_hz, edges_s)
    voiced = pl.Series(np.isfinite(voice_columns[F0]))
    table = pl.DataFrame({"t_s": grid, "voice_valid": voice_valid, **face_columns, **voice_columns})
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


def _face_on(
    grid: Times, face: pl.DataFrame, max_gap_s: float, edges_s: Times
) -> dict[str, Values | NDArray[np.bool_] | NDArray[np.int16]]:
    """The masks of the face, and its columns, at each step.

    Each column looks at the frames in which it was measured: one that the engine could not measure in a turned face,
    or measures in each n-th frame alone, takes no other with it.
    """
    found = face.filter("face_found").unique("timestamp_s", keep="first", maintain_order=True)
    times = np.round(found["timestamp_s"].to_numpy(), _DECIMALS)
    at = np.round(grid, _DECIMALS)
    columns: dict[str, Values | NDArray[np.bool_] | NDArray[np.int16]] = {}
    au_gap_s = np.full(len(at), np.nan)
    for name in (*INTERPOLATED, *NEAREST):
        numbers = found[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        measured = np.isfinite(numbers)
        around = _around(at, times[measured], max_gap_s, edges_s)
        columns[name] = _sampled(at, times[measured], numbers[measured], around, nearest=name in NEAREST)
        if name.startswith("AU"):
            au_gap_s = np.fmax(au_gap_s, _gap_s(times[measured], around))
    around = _around(at, times, max_gap_s, edges_s)
    gap_s = _gap_s(times, around)
    mask = np.select([gap_s == 0, gap_s > 0], [MASK_MEASURED, MASK_INTERPOLATED], MASK_MISSING).astype(np.int16)
    return {"face_valid": around.valid, "face_mask": mask, "face_gap_s": gap_s, "au_gap_s": au_gap_s, **columns}


def _gap_s(times: Times, around: "_Around") -> Values:
    """How far apart the frames around each step are; NaN where there are none."""
    gap_s = np.full(len(around.valid), np.nan)
    gap_s[around.valid] = np.round(times[around.after] - times[around.before], _DECIMALS)
    return gap_s


class _Around(NamedTuple):
    """Which frames stand around which steps.

    Args:
        before, after: indices of the frames, one of each for every valid step; equal where a frame stands at the step.
        valid: over the whole grid, whether a step has such frames.
    """

    before: Numbers
    after: Numbers
    valid: NDArray[np.bool_]


def _sampled(at: Times, times: Times, numbers: Values, around: _Around, *, nearest: bool) -> Values:
    """Values at some times from those of the frames before and after: linear, or that of the nearer; else NaN."""
    before, after, valid = around
    span_s = times[after] - times[before]
    weight = np.divide(at[valid] - times[before], span_s, out=np.zeros(len(span_s)), where=span_s > 0)
    low, high = numbers[before], numbers[after]
    # Rounding must not carry a value past those it lies between.
    linear = np.clip(low + (high - low) * weight, np.minimum(low, high), np.maximum(low, high))
    values = np.full(len(at), np.nan)
    values[valid] = np.where(weight <= 0.5, low, high) if nearest else linear
    return values


def _around(grid: Times, times: Times, max_gap_s: float, edges_s: Times) -> _Around:
    """Find the frames around each step.

    Args:
        grid: times of the steps, sorted.
        times: times of the frames, sorted and distinct.
        max_gap_s: neighbouring frames further apart leave what is between them invalid.
        edges_s: where tasks begin or end, sorted; frames on two sides of one leave what is between them invalid.
    """
    if not len(times):
        nothing = np.zeros(0, dtype=np.intp)
        return _Around(nothing, nothing, np.zeros(len(grid), dtype=bool))
    last = len(times) - 1
    after = np.searchsorted(times, grid, side="left")
    at_frame = times[np.minimum(after, last)] == grid
    before = np.where(at_frame, after, after - 1)
    inside = (before >= 0) & (after <= last)
    before, after = np.clip(before, 0, last), np.clip(after, 0, last)
    side = _side(times, edges_s)
    near = np.round(times[after] - times[before], _DECIMALS) <= max_gap_s
    valid = inside & near & (side[before] == side[after])
    return _Around(before[valid], after[valid], valid)


def _side(times: Times, edges_s: Times) -> Numbers:
    """How many edges of tasks lie at or before each time: what has the same number lies between the same edges."""
    return np.searchsorted(np.round(edges_s, _DECIMALS), np.round(times, _DECIMALS), side="right")


def _voice_on(
    grid: Times, voice: pl.DataFrame, grid_hz: float, edges_s: Times
) -> tuple[NDArray[np.bool_], dict[str, Values | NDArray[np.int16]]]:
    """Validity and voice columns at each step; descriptors of pitch and voice stay NaN in unvoiced steps."""
    columns: dict[str, Values | NDArray[np.int16]] = {}
    step_side = _side(grid, edges_s)
    windows = np.zeros(len(grid), dtype=np.intp)
    for descriptor in DESCRIPTORS:
        centre_s = voice["timestamp_s"].to_numpy() + descriptor.window_s / 2
        step = np.floor(np.round(centre_s * grid_hz + 0.5, _DECIMALS)).astype(np.intp)
        values = voice[descriptor.name].cast(pl.Float64).fill_null(float("nan")).to_numpy()
        kept = np.isfinite(values) & (step >= 0) & (step < len(grid))
        kept[kept] = _side(centre_s[kept], edges_s) == step_side[step[kept]]
        count = np.bincount(step[kept], minlength=len(grid))
        total = np.bincount(step[kept], weights=values[kept], minlength=len(grid))
        columns[descriptor.name] = np.divide(total, count, out=np.full(len(grid), np.nan), where=count > 0)
        windows = count if descriptor.name == LOUDNESS else windows
    always = [columns[name] for name in DESCRIBED if not name.endswith("nz")]
    valid: NDArray[np.bool_] = np.all(np.isfinite(always), axis=0)
    for values in columns.values():
        values[~valid] = np.nan
    columns["voice_windows"] = np.where(valid, windows, 0).astype(np.int16)
    return valid, columns
