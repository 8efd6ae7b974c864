"""How far two voice engines agree on the same stretches of sound: openSMILE against what `voice.cross_check` names.

Sources: Bland and Altman 1986, Lancet 327(8476), doi:10.1016/S0140-6736(86)90837-8 (bias and limits of agreement);
Shrout and Fleiss 1979, Psychological Bulletin 86(2), doi:10.1037/0033-2909.86.2.420 (ICC(3,1)).
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import UserError
from pipelines.views import quoted
from pipelines.warehouse import open_warehouse
from schemas.people import WHOLE
from schemas.voice import FEATURE_SET
from schemas.voice_sets import CROSS_CHECKED

MIN_PAIRS = 3
"""Fewer pairs have no correlation to speak of."""

_LIMITS_SD = 1.96
"""95 % of differences lie within so many standard deviations, if they are normal."""

Values = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Agreement:
    """How far openSMILE and another engine agree on one feature.

    Args:
        feature, unit, engine: what was measured, and by whom besides openSMILE.
        n: stretches that both measured.
        pearson, spearman: correlations; None with too few pairs, or where one engine gives a constant.
        bias: mean of openSMILE's minus the other's, in the unit.
        lower, upper: limits of agreement, bias -/+ 1.96 standard deviations of the differences.
        icc: ICC(3,1), consistency of single measurements; None as the correlations.
    """

    feature: str
    unit: str
    engine: str
    n: int
    pearson: float | None = None
    spearman: float | None = None
    bias: float | None = None
    lower: float | None = None
    upper: float | None = None
    icc: float | None = None


def agreements(file: Path) -> list[Agreement]:
    """Compare the engines over all current recordings of a published version.

    Tasks are compared; a whole recording only where it has no task, since it holds them. A person's recordings are
    treated as if independent: with several each, limits are somewhat too narrow.

    Args:
        file: the DuckDB file, or the link to it.

    Returns:
        One entry a feature, in the order of `schemas.voice_sets.CROSS_CHECKED`.

    Raises:
        UserError: the version has no measurements of another engine.
    """
    found = []
    with open_warehouse(file) as warehouse:
        engines = warehouse.execute("SELECT DISTINCT engine FROM voice_cross_check ORDER BY engine").fetchall()
        if not engines:
            raise UserError(
                "this version has no second engine's measurements: set voice.cross_check to praat in params.yaml and run `painlake ingest`"
            )
        for (engine,) in engines:
            for feature, about in CROSS_CHECKED.items():
                converted = about.convert.format(f"v.{quoted(about.opensmile)}::DOUBLE")
                pairs = warehouse.execute(
                    f"""
                    SELECT {converted}, c.value
                    FROM voice_cross_check AS c
                    JOIN voice_functionals AS v USING (recording, task)
                    JOIN recordings AS r USING (recording)
                    WHERE c.engine = ? AND c.feature = ? AND v.feature_set = '{FEATURE_SET}' AND r.status = 'current'
                      AND c.value IS NOT NULL AND v.{quoted(about.opensmile)} IS NOT NULL
                      AND (c.task <> '{WHOLE}' OR c.recording NOT IN (SELECT recording FROM tasks))
                    ORDER BY recording, task
                    """,  # noqa: S608 - names from schemas/ alone
                    [engine, feature],
                ).fetchnumpy()
                ours, theirs = (np.asarray(values, dtype=np.float64) for values in pairs.values())
                found.append(agreement(feature, about.unit, engine, ours, theirs))
    return found


def agreement(feature: str, unit: str, engine: str, ours: Values, theirs: Values) -> Agreement:
    """Compare two engines' values of the same stretches.

    Args:
        feature: what was measured.
        unit: of both.
        engine: the other one's name.
        ours: openSMILE's values, shape (n,).
        theirs: the other's, of the same stretches in the same order.

    >>> agreement("hnr_db", "dB", "praat", np.array([1.0, 2, 3]), np.array([0.0, 1, 2])).bias
    1.0
    """
    n = len(ours)
    if n < MIN_PAIRS:
        return Agreement(feature, unit, engine, n)
    difference = ours - theirs
    bias, spread = float(difference.mean()), _LIMITS_SD * float(difference.std(ddof=1))
    return Agreement(
        feature, unit, engine, n, pearson(ours, theirs), pearson(ranks(ours), ranks(theirs)), bias, bias - spread,
        bias + spread, icc_3_1(ours, theirs),
    )  # fmt: skip


def pearson(one: Values, other: Values) -> float | None:
    """Pearson's correlation; None where either is constant."""
    if not np.ptp(one) or not np.ptp(other):
        return None
    return float(np.corrcoef(one, other)[0, 1])


def ranks(values: Values) -> Values:
    """Ranks from 1, equal values sharing the mean of theirs.

    >>> ranks(np.array([10.0, 30, 10])).tolist()
    [1.5, 3.0, 1.5]
    """
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    means: Values = (last - counts + 1 + last) / 2
    return means[place]


def icc_3_1(one: Values, other: Values) -> float | None:
    """ICC(3,1) of two raters: two-way mixed effects, single rating, consistency.

    (MS_stretches - MS_error) / (MS_stretches + MS_error). Source: Shrout and Fleiss 1979.

    Returns:
        From -1 to 1, or None where nothing varies.
    """
    table = np.column_stack([one, other])
    n, raters = table.shape
    residual = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    between = raters * float(np.sum(np.square(table.mean(axis=1) - table.mean()))) / (n - 1)
    error = float(np.sum(np.square(residual))) / ((n - 1) * (raters - 1))
    total = between + (raters - 1) * error
    return (between - error) / total if total else None
