"""How far an engine's action units agree with a human coder's: F1, ICC(3,1), AUC, with intervals over persons.

Frames of one person are alike, so intervals come from drawing persons (or recordings, where persons are unknown) with
replacement. All statistics are sums over such groups, so that a draw costs a weighted sum and no pass over frames.

Sources: Shrout and Fleiss 1979, Psychological Bulletin 86(2), doi:10.1037/0033-2909.86.2.420 (ICC(3,1): two-way mixed,
consistency, single rater); Mann and Whitney 1947, Annals of Mathematical Statistics 18(1),
doi:10.1214/aoms/1177730491 (the area under the curve as a rank statistic, ties counted half); Efron and Tibshirani
1993, An Introduction to the Bootstrap (percentile intervals); Field and Welsh 2007, JRSS B 69(3),
doi:10.1111/j.1467-9868.2007.00593.x (drawing clusters).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

_TAILS = (2.5, 97.5)
"""Percentiles of a 95 % interval."""
_LEAST_DRAWS = 0.5
"""Where a statistic is undefined in more of the draws than this share leaves, it has no interval."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A statistic with its 95 % interval; None where it is undefined, or too few groups were there to draw from."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Accuracy:
    """How far an engine agrees with a coder on one action unit.

    Args:
        action_unit: which.
        labels: frames that the coder judged, matched to a frame or not.
        matched: of these, with a frame of a recording.
        n: of these, measured by the engine: what the statistics rest on.
        groups: persons, or recordings, they come from.
        prevalence: share of the n frames in which the coder saw it.
        predicted: share in which the engine did.
        f1: of presence, 2 TP / (2 TP + FP + FN).
        icc: ICC(3,1) of intensities.
        auc: area under the curve of the engine's intensity against the coder's presence.
    """

    action_unit: str
    labels: int
    matched: int
    n: int
    groups: int
    prevalence: float | None
    predicted: float | None
    f1: Estimate
    icc: Estimate
    auc: Estimate


@dataclass(frozen=True, slots=True)
class Draws:
    """How often each of k groups is drawn in each of some draws; the same for every action unit and statistic."""

    resamples: int = 1000
    seed: int = 1

    def weights(self, groups: int) -> Values:
        """Draws x groups; none where a single group leaves nothing to draw."""
        if groups < 2:
            return np.empty((0, groups))
        drawn = np.random.default_rng(self.seed).multinomial(groups, np.full(groups, 1 / groups), self.resamples)
        return drawn.astype(np.float64)


def f1(present: NDArray[np.bool_], predicted: NDArray[np.bool_], groups: NDArray[np.int64], draws: Draws) -> Estimate:
    """F1 of presence.

    Args:
        present: n frames, whether the coder saw it.
        predicted: whether the engine did.
        groups: n numbers from 0 of the persons.
        draws: for the interval.

    Returns:
        Undefined where neither ever saw it.

    >>> f1(np.array([True, True, False]), np.array([True, False, False]), np.zeros(3, int), Draws()).value
    0.6666666666666666
    """
    hits = _sums(present & predicted, groups)
    misses = _sums(present != predicted, groups)

    def of(weights: Values) -> Values:
        return _over(2 * (weights @ hits), 2 * (weights @ hits) + weights @ misses)

    return _estimate(of, len(hits), draws)


def icc_3_1(coder: Values, engine: Values, groups: NDArray[np.int64], draws: Draws) -> Estimate:
    """ICC(3,1) of two raters, which for two is 2 cov / (var + var): an offset does not count, a scale does.

    Args:
        coder: n intensities.
        engine: n of the engine.
        groups: n numbers from 0 of the persons.
        draws: for the interval.

    Returns:
        Undefined where nothing varies.

    >>> icc_3_1(np.array([0.0, 1, 2]), np.array([1.0, 2, 3]), np.zeros(3, int), Draws()).value
    1.0
    """
    if not len(coder):
        return Estimate()
    # Centred first: sums of squares of far values lose their digits.
    x, y = coder - coder.mean(), engine - engine.mean()
    parts = np.stack([_sums(part, groups) for part in (np.ones(len(x)), x, y, x * x + y * y, x * y)], axis=1)

    def of(weights: Values) -> Values:
        n, x_sum, y_sum, squares, products = (weights @ parts).T
        covariance = products - _over(x_sum * y_sum, n)
        variances = squares - _over(x_sum * x_sum + y_sum * y_sum, n)
        # What rounding leaves of constants is no variance.
        return _over(2 * covariance, np.where(variances > 1e-12 * np.maximum(n, 1), variances, 0.0))

    return _estimate(of, len(parts), draws)


def auc(present: NDArray[np.bool_], scores: Values, groups: NDArray[np.int64], draws: Draws) -> Estimate:
    """How often a frame with it scores higher than one without, ties counted half.

    Args:
        present: n frames, whether the coder saw it.
        scores: n of the engine.
        groups: n numbers from 0 of the persons.
        draws: for the interval.

    Returns:
        Undefined where the coder saw it always or never.

    >>> auc(np.array([True, False, False]), np.array([2.0, 1, 2]), np.zeros(3, int), Draws()).value
    0.75
    """
    count = int(groups.max(initial=-1)) + 1
    positives, of_positive = scores[present], groups[present]
    wins = np.zeros((count, count))
    for group in range(count):
        negatives = np.sort(scores[~present & (groups == group)])
        below = np.searchsorted(negatives, positives, "left") + np.searchsorted(negatives, positives, "right")
        wins[:, group] = np.bincount(of_positive, below / 2, minlength=count)
    with_it, without = _sums(present, groups), _sums(~present, groups)

    def of(weights: Values) -> Values:
        return _over(
            np.einsum("dp,pn,dn->d", weights, wins, weights, optimize=True), (weights @ with_it) * (weights @ without)
        )

    return _estimate(of, count, draws)


def _sums(values: NDArray[np.bool_] | Values, groups: NDArray[np.int64]) -> Values:
    sums = np.bincount(groups, values.astype(np.float64), minlength=int(groups.max(initial=-1)) + 1)
    return np.asarray(sums, dtype=np.float64)


def _over(part: Values, whole: Values) -> Values:
    return np.asarray(np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=whole > 0), dtype=np.float64)


def _estimate(of: Callable[[Values], Values], groups: int, draws: Draws) -> Estimate:
    """A statistic of all groups, and its interval over draws of them."""
    value = float(of(np.ones((1, groups)))[0]) if groups else float("nan")
    if np.isnan(value):
        return Estimate()
    drawn = of(draws.weights(groups))
    defined = drawn[~np.isnan(drawn)]
    if not len(drawn) or len(defined) < _LEAST_DRAWS * len(drawn):
        return Estimate(value)
    low, high = np.percentile(defined, _TAILS)
    return Estimate(value, float(low), float(high))
