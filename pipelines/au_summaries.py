"""Neutral faces, and what is summed up of a task's frames: means, quantiles and shares, as DuckDB takes them."""

from collections.abc import Mapping, Sequence

import numpy as np
import polars as pl

from pipelines.au_batch import COLUMNS, INTENSITIES, PRESENT, Batch, Span
from pipelines.au_events import Values
from pipelines.params_publish import NeutralParams
from schemas.expressions import GRADED
from schemas.features import AU_SUMMARIES, au_summary_columns, calibrated_columns

_SCORED = (*INTENSITIES, "pspi")
"""The first of `COLUMNS`: what has a mean, a 95th percentile and a maximum."""

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
    """The mean of each row, added up one value after the other: as DuckDB does, whatever the processor.

    Args:
        values: k x n; NaN is left out.

    Returns:
        k means; NaN where there is no value.

    >>> means(np.array([[3.0, np.nan, 2.0], [np.nan] * 3])).tolist()
    [2.5, nan]
    """
    known = ~np.isnan(values)
    counts = np.count_nonzero(known, axis=1)
    # Rows of an array are added up in their order; along a row numpy adds in pairs.
    sums = np.ascontiguousarray(np.where(known, values, 0.0).T).sum(axis=0)
    return np.divide(sums, counts, out=np.full(len(values), np.nan), where=counts > 0)


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
            values = _usable(batch, span)[: len(GRADED)]
            enough = np.count_nonzero(~np.isnan(values), axis=1) >= params.min_frames
            found[span.recording] = np.where(enough, quantiles(values, params.quantile)[0], np.nan)
    return found


def summaries(batch: Batch, neutral: Mapping[str, Values]) -> pl.DataFrame:
    """The rows of `au_summaries` without what weighs time, of each span that has frames.

    Args:
        batch: the frames.
        neutral: by recording, the face that calibrated values are taken above: a value for each of `GRADED`, or NaN.
    """
    spans = [span for span in batch.spans if span.end > span.first]
    nobody = np.full(len(GRADED), np.nan)
    rows = np.array([_summed(_usable(batch, span), neutral.get(span.recording, nobody)) for span in spans])
    frames = np.array([span.end - span.first for span in spans], dtype=np.int64)
    usable = np.array([np.count_nonzero(batch.usable[span.first : span.end]) for span in spans], dtype=np.int64)
    faces = [means(batch.face_found[np.newaxis, span.first : span.end])[0] for span in spans]
    columns: dict[str, Sequence[object] | Values] = {
        "recording": [span.recording for span in spans],
        "task": [span.task for span in spans],
        "frames": frames,
        "face_share": np.array(faces, dtype=np.float64),
        "usable_share": usable / frames,
        **dict(zip(_SUMMARIES, rows.T if spans else np.empty((len(_SUMMARIES), 0)), strict=True)),
    }
    types = AU_SUMMARIES.polars_schema()
    return pl.DataFrame([pl.Series(name, values, types[name], nan_to_null=True) for name, values in columns.items()])


def _usable(batch: Batch, span: Span) -> Values:
    """`COLUMNS` x usable frames of a span."""
    part = slice(span.first, span.end)
    return np.asarray(batch.matrix[: len(COLUMNS), part][:, batch.usable[part]])


def _summed(values: Values, neutral: Values) -> Values:
    """`_SUMMARIES` of a span's usable frames."""
    scores, graded = values[: len(_SCORED)], values[: len(GRADED)]
    present = values[len(_SCORED) : len(_SCORED) + len(PRESENT)]
    above = graded - neutral[:, np.newaxis]
    np.maximum(above, 0.0, out=above)
    of_scores, of_above = np.split(means(np.concatenate((scores, above))), [len(_SCORED)])
    p95, greatest = quantiles(scores, _P95)
    # What keeps the order of values keeps quantiles too: no second look at the frames.
    calibrated = [np.maximum(each[: len(GRADED)] - neutral, 0.0) for each in (p95, greatest)]
    return np.concatenate((of_scores, p95, greatest, means(present), of_above, *calibrated))
