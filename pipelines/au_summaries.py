"""Neutral faces, and what is summed up of a task's frames: means, quantiles and shares, as DuckDB takes them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Self

import numpy as np
import polars as pl

from pipelines.au_batch import COLUMNS, INTENSITIES, PRESENT, Batch
from pipelines.au_events import Values
from pipelines.params_publish import NeutralParams
from schemas.expressions import GRADED
from schemas.features import AU_SUMMARIES, au_summary_columns, calibrated_columns

_SCORED = (*INTENSITIES, "pspi")
"""The first of `COLUMNS`: what has a mean, a 95th percentile and a maximum."""
_AVERAGED = (*_SCORED, *PRESENT)
"""And those that have a mean alone, which is a share."""

if COLUMNS[: len(_AVERAGED)] != _AVERAGED or _SCORED[: len(GRADED)] != INTENSITIES:
    raise AssertionError("columns stand in another order than they are summed up in")

_P95 = 0.95
_OF_SCORES = tuple(f"{name}_{how}" for how in ("mean", "p95", "max") for name in _SCORED)
_OF_PRESENCE = tuple(f"{name}_share" for name in PRESENT)
_CALIBRATED = tuple(f"{unit}_cal_{how}" for how in ("mean", "p95", "max") for unit in GRADED)
_SUMMARIES = (*_OF_SCORES, *_OF_PRESENCE, *_CALIBRATED)

if {*_SUMMARIES} != {column.name for column, *_ in (*au_summary_columns(), *calibrated_columns())}:
    raise AssertionError("what is summed up is not what schemas.features declares")


def quantiles(values: Values, share: float) -> tuple[Values, Values]:
    """A quantile of each row, between two values as DuckDB's `quantile_cont` puts it, and the greatest of it.

    Args:
        values: k x n; NaN is left out.
        share: 0 to 1.

    Returns:
        k quantiles and k greatest values; NaN where there is no value.

    >>> found, greatest = quantiles(np.array([[3.0, 1.0, np.nan, 2.0], [np.nan] * 4]), 0.25)
    >>> found.tolist(), greatest.tolist()
    ([1.5, nan], [3.0, nan])
    """
    counts = np.count_nonzero(~np.isnan(values), axis=1)
    found, greatest = np.full((2, len(values)), np.nan)
    for count in set(counts.tolist()) - {0}:
        rows = np.flatnonzero(counts == count)
        place = (count - 1) * share
        low = int(np.floor(place))
        # NaN comes last in this order. Two places asked for take six times as long as one.
        ordered = np.partition(values if len(rows) == len(values) else values[rows], low, axis=1)
        lower, above = ordered[:, low], ordered[:, low + 1 : count]
        between = place - low
        found[rows] = lower * (1 - between) + above.min(axis=1) * between if between else lower
        greatest[rows] = above.max(axis=1, initial=-np.inf).clip(lower)
    return found, greatest


def means(values: Values) -> Values:
    """The mean of each column, added up one value after the other: as DuckDB does, whatever the processor.

    Args:
        values: n x k, k at least 2; NaN is left out.

    Returns:
        k means; NaN where there is no value.

    >>> means(np.array([[3.0, np.nan], [np.nan, np.nan], [2.0, np.nan]])).tolist()
    [2.5, nan]
    """
    # Rows are added up in their order; along a row, or in a single column, numpy would add in pairs.
    sums = values.sum(axis=0)
    counts = np.full(len(sums), len(values))
    lacking = np.flatnonzero(np.isnan(sums))
    if len(lacking):
        # At least two, as above.
        some = values[:, np.resize(lacking, max(len(lacking), 2))]
        known = ~np.isnan(some)
        counts[lacking] = np.count_nonzero(known, axis=0)[: len(lacking)]
        sums[lacking] = np.where(known, some, 0.0).sum(axis=0)[: len(lacking)]
    return np.asarray(np.divide(sums, counts, out=np.full(len(sums), np.nan), where=counts > 0))


def neutral_faces(batch: Batch, params: NeutralParams) -> dict[str, Values]:
    """Each recording's neutral face: a quantile of each graded unit over the usable frames of its reading task.

    Args:
        batch: the frames.
        params: thresholds.

    Returns:
        By recording, for those that have a reading task with frames: a value for each of `GRADED`, NaN where there is
        none.

    Source:
        Baltrusaitis, Mahmoud and Robinson, Cross-dataset learning and person-specific normalisation for automatic
        Action Unit detection, FG 2015, doi:10.1109/FG.2015.7284869.
    """
    found = {}
    for span in batch.spans:
        if span.task == "reading":
            part = slice(span.first, span.end)
            values = batch.matrix[: len(GRADED), part][:, batch.usable[part]]
            enough = np.count_nonzero(~np.isnan(values), axis=1) >= params.min_frames
            found[span.recording] = np.where(enough, quantiles(values, params.quantile)[0], np.nan)
    return found


def summaries(batch: Batch, neutral: Mapping[str, Values]) -> pl.DataFrame:
    """The rows of `au_summaries` without what weighs time, of each span that has frames.

    Args:
        batch: the frames.
        neutral: by recording, the face that calibrated values are taken above: a value for each of `GRADED`, or NaN.
    """
    nobody = np.full(len(GRADED), np.nan)
    spans = [span for span in batch.spans if span.end > span.first]
    # How many usable frames come before each.
    usable_before = np.concatenate(([0], np.cumsum(batch.usable)))
    rows, counted = [], []
    for recording, of_recording in groupby(spans, key=lambda span: span.recording):
        whole, *tasks = of_recording
        face = neutral.get(recording, nobody)
        part = slice(whole.first, whole.end)
        used = _Usable.of(batch.matrix[:, part][:, batch.usable[part]], face)
        for span in (whole, *tasks):
            first, end = (int(usable_before[place] - usable_before[whole.first]) for place in (span.first, span.end))
            rows.append(used.summed(first, end))
            found = batch.face_found[span.first : span.end]
            known = np.count_nonzero(~np.isnan(found))
            counted.append((span.end - span.first, np.nansum(found) / known if known else np.nan, end - first))
    frames, faces, usable = np.array(counted, dtype=np.float64).reshape(-1, 3).T
    columns: dict[str, Sequence[object] | Values] = {
        "recording": [span.recording for span in spans],
        "task": [span.task for span in spans],
        "frames": frames,
        "face_share": faces,
        "usable_share": usable / frames,
        **dict(zip(_SUMMARIES, np.array(rows).reshape(-1, len(_SUMMARIES)).T, strict=True)),
    }
    types = AU_SUMMARIES.polars_schema()
    return pl.DataFrame(
        [pl.Series(name, values, nan_to_null=True).cast(types[name]) for name, values in columns.items()]
    )


@dataclass(frozen=True, slots=True)
class _Usable:
    """The m usable frames of a recording.

    Args:
        scores: `_SCORED` x m.
        in_turn: m x what means are taken of: scores, presence, and intensities above the neutral face.
        neutral: of each of `GRADED`.
    """

    scores: Values
    in_turn: Values
    neutral: Values

    @classmethod
    def of(cls, values: Values, neutral: Values) -> Self:
        """From `COLUMNS` x m."""
        frames = values[: len(_AVERAGED)].T
        above = np.maximum(frames[:, : len(GRADED)] - neutral, 0.0)
        return cls(values[: len(_SCORED)], np.concatenate((frames, above), axis=1), neutral)

    def summed(self, first: int, end: int) -> Values:
        """`_SUMMARIES` of the frames from `first` up to, and without, `end`."""
        of_scores, of_presence, of_above = np.split(means(self.in_turn[first:end]), [len(_SCORED), len(_AVERAGED)])
        p95, greatest = quantiles(self.scores[:, first:end], _P95)
        # What keeps the order of values keeps quantiles too: no second look at the frames.
        calibrated = [np.maximum(each[: len(GRADED)] - self.neutral, 0.0) for each in (p95, greatest)]
        return np.concatenate((of_scores, p95, greatest, of_presence, of_above, *calibrated))
