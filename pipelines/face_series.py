"""Over a stretch of time: pain score, blinks, head movement, open mouth, and which action units come together."""

from collections.abc import Sequence
from typing import NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from pipelines.au_events import Track, Values

Mask = NDArray[np.bool_]

_AT_ONCE = 512
"""Frames: of larger matrices OpenBLAS makes a product in several threads, which spin for one another."""


def share_and_area(values: Values, durations_s: Values, threshold: float) -> dict[str, float | None]:
    """How long a score stays at or above a threshold, and the area under it, over the time in which it was measured.

    Args:
        values: n scores, NaN where not measured.
        durations_s: n times for which each stands.
        threshold: the least that counts.

    Returns:
        `valid_s`, `above_share` (None without valid time) and `area` (score times seconds; None likewise).

    >>> share_and_area(np.array([4.0, 0.0, np.nan]), np.array([0.5, 0.5, 0.5]), 2.0)
    {'valid_s': 1.0, 'above_share': 0.5, 'area': 2.0}
    """
    measured = ~np.isnan(values)
    scores, weights = values[measured], durations_s[measured]
    valid_s = float(weights.sum())
    if valid_s <= 0:
        return {"valid_s": 0.0, "above_share": None, "area": None}
    share = float(weights[scores >= threshold].sum()) / valid_s
    return {"valid_s": valid_s, "above_share": min(share, 1.0), "area": float(scores @ weights)}


def head_speed(angles: Values, frames: Track) -> Values:
    """How fast the head turns between each frame and the one before.

    Args:
        angles: n x 3 of head pose (Rx, Ry, Rz; R = Rx Ry Rz as OpenFace has it), rad, NaN where not measured.
        frames: the n frames.

    Returns:
        n angular speeds in rad/s: the angle of the one rotation that leads from pose to pose, over the time between
        them; NaN at the start of a stretch and where either pose is missing.
    """
    half = angles / 2
    (cx, cy, cz), (sx, sy, sz) = np.cos(half).T, np.sin(half).T
    quaternions = np.stack(
        (
            cx * cy * cz - sx * sy * sz,
            sx * cy * cz + cx * sy * sz,
            cx * sy * cz - sx * cy * sz,
            cx * cy * sz + sx * sy * cz,
        ),
        axis=1,
    )
    speeds = np.full(len(angles), np.nan)
    # Half the chord between unit quaternions keeps its digits for small angles, where the arc cosine loses them.
    same_side = np.sign(np.sum(quaternions[1:] * quaternions[:-1], axis=1))[:, np.newaxis]
    chord = np.linalg.norm(quaternions[1:] * same_side - quaternions[:-1], axis=1) / 2
    turned = 4 * np.arcsin(np.clip(chord, 0, 1))
    steps = np.diff(frames.times_s)
    follows = ~frames.starts[1:] & (steps > 0)
    speeds[1:] = np.divide(turned, steps, out=np.full(len(turned), np.nan), where=follows)
    return speeds


def spread(values: Values) -> dict[str, float | None]:
    """Mean, standard deviation (n - 1) and range of what was measured; None where it needs more values.

    >>> spread(np.array([1.0, np.nan, 3.0]))
    {'mean': 2.0, 'sd': 1.4142135623730951, 'range': 2.0}
    """
    known = values[~np.isnan(values)]
    return {
        "mean": float(known.mean()) if len(known) else None,
        "sd": float(known.std(ddof=1)) if len(known) > 1 else None,
        "range": float(np.ptp(known)) if len(known) else None,
    }


def extent(values: Values) -> float | None:
    """Greatest less least of what was measured; None where nothing was.

    >>> extent(np.array([1.0, np.nan, 3.0]))
    2.0
    """
    if not len(values):
        return None
    found = float(np.fmax.reduce(values) - np.fmin.reduce(values))
    return None if np.isnan(found) else found


class Presence(NamedTuple):
    """Action units in n frames, with what `together` needs of each.

    `seen`: k units' presence and then whether each was measured, 2 k x n of 0 and 1; `weighted`: the same, times how
    long each frame stands.
    """

    seen: Values
    weighted: Values

    @classmethod
    def of(cls, present: Values, durations_s: Values) -> Self:
        """From k x n of 0 and 1, NaN where not measured, and n times for which each frame stands."""
        missing = np.isnan(present)
        seen = np.concatenate((np.where(missing, 0.0, present), ~missing))
        return cls(seen, seen * durations_s)


def together(presence: Presence, first: int, end: int) -> tuple[Values, Values]:
    """How much of the time each two action units are present together.

    Args:
        presence: of n frames.
        first: the first frame that counts.
        end: the one after the last that counts.

    Returns:
        Two k x k: share of the time in which both were measured, and time with both over time with at least one
        (Jaccard); NaN where there is no such time.

    >>> share, jaccard = together(Presence.of(np.array([[1.0, 1.0], [0.0, 1.0]]), np.array([0.25, 0.25])), 0, 2)
    >>> float(share[0, 1]), float(jaccard[0, 1])
    (0.5, 0.5)
    """
    k = len(presence.seen) // 2
    both, one, time_s = np.zeros((3, k, k))
    for begin in range(first, end, _AT_ONCE):
        part = slice(begin, min(begin + _AT_ONCE, end))
        there, measured = presence.seen[:k, part], presence.seen[k:, part]
        there_s, measured_s = presence.weighted[:k, part], presence.weighted[k:, part]
        both += there_s @ there.T
        one += there_s @ measured.T
        time_s += measured_s @ measured.T
    return _over(both, time_s), _over(both, one + one.T - both)


def _over(part: Values, whole: Values) -> Values:
    # Sums of one time taken in two orders may differ in their last digit.
    tiny = 1e-9
    shares = np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > tiny)
    return np.asarray(np.minimum(shares, 1), dtype=np.float64)


def pairs(units: Sequence[str]) -> tuple[list[tuple[str, str]], tuple[NDArray[np.intp], NDArray[np.intp]]]:
    """Every two of some action units once, and where they stand in the matrices of `together`."""
    rows, columns = np.triu_indices(len(units), 1)
    return [(units[i], units[j]) for i, j in zip(rows.tolist(), columns.tolist(), strict=True)], (rows, columns)
