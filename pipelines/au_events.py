"""Events of action units: where an intensity rises above one threshold and until it falls below another."""

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipelines.params_publish import EventParams

Values = NDArray[np.float64]
Mask = NDArray[np.bool_]
Indices = NDArray[np.intp]

EYES = ("AU43", "AU45")
"""Closed eyes: one movement, told apart by how long it lasts."""


class Track(NamedTuple):
    """Frames of one recording after the other, in time.

    `times_s`: n times; `durations_s`: n times for which each frame stands; `starts`: n, whether a frame does not
    follow on the one before (another recording, or a gap).
    """

    times_s: Values
    durations_s: Values
    starts: Mask


class Events(NamedTuple):
    """k events: indices of their first, greatest and last frames, their durations, and whether they may be longer."""

    first: Indices
    apex: Indices
    last: Indices
    durations_s: Values
    censored: Mask


def track(recordings: NDArray[np.int64], times_s: Values, max_gap_s: float) -> Track:
    """Frames with what each stands for: until the next frame, and at most `max_gap_s`.

    Args:
        recordings: n numbers, equal for the frames of one recording, which stand together in time.
        times_s: n times.
        max_gap_s: frames further apart do not follow on each other. The last frame of each recording stands as long
            as the one before it.
    """
    n = len(times_s)
    starts, durations_s = np.ones(n, dtype=bool), np.zeros(n)
    if n:
        same = recordings[1:] == recordings[:-1]
        steps = np.diff(times_s)
        # To the microsecond: finer differences are those of the arithmetic.
        starts[1:] = ~same | (np.round(steps, 6) > max_gap_s)
        durations_s[:-1] = np.where(same, np.minimum(steps, max_gap_s), 0)
        ends = np.flatnonzero(np.append(~same, True))
        durations_s[ends] = np.where(starts[ends], 0, durations_s[np.maximum(ends - 1, 0)])
    return Track(times_s, durations_s, starts)


def telling(values: Values, usable: Mask) -> Indices:
    """The frames that tell of a measure: those in which it was measured, and those that are not usable.

    An engine may measure a unit in each n-th frame alone. A usable frame between two that were measured is neither a
    hole nor a measurement: it is passed over, and what was measured stands until the next that was.

    Args:
        values: n values; NaN where not measured or not usable.
        usable: n, whether the frame is.

    >>> telling(np.array([2.0, np.nan, 3.0, np.nan]), np.array([True, True, True, False])).tolist()
    [0, 2, 3]
    """
    return np.flatnonzero(~usable | ~np.isnan(values))


def events(unit: str, values: Values, frames: Track, params: EventParams) -> Events:
    """The events of one action unit.

    Args:
        unit: which; closed eyes have thresholds of their own, and are AU45 up to `blink_max_s` and AU43 beyond.
        values: n intensities of 0-5; NaN where not known, which ends an event.
        frames: the n frames.
        params: thresholds.

    Returns:
        The events in the order of their frames.
    """
    eyes = unit in EYES
    onset, offset = (params.blink_onset_r, params.blink_offset_r) if eyes else (params.onset_r, params.offset_r)
    active = _hysteresis(values, frames.starts, onset, offset)
    last_of_stretch = np.append(frames.starts[1:], True)
    first = np.flatnonzero(active & (frames.starts | ~_before(active)))
    last = np.flatnonzero(active & (last_of_stretch | ~_after(active)))
    durations_s = frames.times_s[last] + frames.durations_s[last] - frames.times_s[first]
    # Times are sums of floating-point steps: without rounding, three frames of 20 ms are a little less than 60 ms.
    lasting = np.round(durations_s, 6) >= params.min_duration_s
    if eyes:
        lasting &= (np.round(durations_s, 6) <= params.blink_max_s) == (unit == "AU45")
    first, last, durations_s = first[lasting], last[lasting], durations_s[lasting]
    unknown = np.isnan(values)
    censored = frames.starts[first] | last_of_stretch[last]
    censored |= unknown[np.maximum(first - 1, 0)] | unknown[np.minimum(last + 1, len(values) - 1)]
    return Events(first, _apex(values, first, last), last, durations_s, censored)


def _hysteresis(values: Values, starts: Mask, onset: float, offset: float) -> Mask:
    """Whether each frame is part of an event: between the two thresholds it goes on as it was."""
    on = values >= onset
    decided = on | ~(values >= offset) | starts
    deciding = np.maximum.accumulate(np.where(decided, np.arange(len(values)), 0))
    return np.asarray(on[deciding], dtype=bool)


def _before(active: Mask) -> Mask:
    return np.concatenate([[False], active[:-1]])


def _after(active: Mask) -> Mask:
    return np.concatenate([active[1:], [False]])


def _apex(values: Values, first: Indices, last: Indices) -> Indices:
    """The first of the greatest values between each pair of indices, both included."""
    if not len(first):
        return first
    lengths = last - first + 1
    begins = np.cumsum(lengths) - lengths
    within = np.arange(lengths.sum()) - np.repeat(begins - first, lengths)
    peaks = np.maximum.reduceat(values[within], begins)
    at_peak = values[within] == np.repeat(peaks, lengths)
    return np.minimum.reduceat(np.where(at_peak, within, len(values)), begins)
