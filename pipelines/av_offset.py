"""How much later the sound comes than the picture, as the person's own mouth and voice tell.

A container's times can be right and the recording still be out of step: a camera that buffers its picture, a wireless
microphone. When people speak their mouth opens and closes with the sound's envelope, both at 2 to 7 Hz, so that the
lag at which the two go together best shows it. Source: Chandrasekaran et al. 2009, PLoS Computational Biology 5(7):
e1000436, doi:10.1371/journal.pcbi.1000436; the lag by normalised cross-correlation of masked signals, Padfield 2012,
IEEE Transactions on Image Processing 21(5), doi:10.1109/TIP.2011.2181402.
"""

from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.params import AlignParams
from pipelines.recording import Recording
from schemas.av_offset import AV_OFFSETS, Cause
from schemas.voice import F0, FRAME_STEP_S, LOUDNESS, SPECTRAL_WINDOW_S

Values = NDArray[np.float64]

RATE_HZ = 100.0
"""Of the signals that are compared: the rate of the voice's own frames."""
_SMOOTH_S, _TREND_S = 0.04, 0.5
"""Standard deviations of the Gaussians between which speech's syllables lie: the difference passes some 1 to 6 Hz."""
_MIN_VOICED_S = 0.5
_MIN_MOVEMENT_R = 0.05
"""A mouth whose opening varies less than this (standard deviation, of 0-5) within syllables does not move visibly."""
_MIN_LENGTH = 7
"""So many times the longest offset must both be measured: besides the searched lags others must tell what chance does."""
_MIN_OVERLAP = 0.5
"""At lags where less than this share of the signals meets, their correlation is left out."""


class _Lags(NamedTuple):
    """The correlation at each lag of sound after picture."""

    lag_s: Values
    correlation: Values


def measure_av_offset(
    face: pl.DataFrame, voice: pl.DataFrame, recording: Recording, params: AlignParams
) -> pl.DataFrame:
    """Measure the offset between picture and sound; nothing is shifted by it.

    The mouth's opening (intensities of AU25 and AU26, summed) and the loudness are brought to 100 Hz and to the rate
    of syllables, and correlated at every lag within `max_av_offset_s` where they overlap.

    Args:
        face: `schemas.face.AU_FRAMES`, in any order.
        voice: `schemas.voice.VOICE_FRAMES`, in any order.
        recording: its name.
        params: how far is searched, and the longest gap between faces to bridge.

    Returns:
        `schemas.av_offset.AV_OFFSETS`, one row: the offset with its confidence, or the cause why there is none.

    Example:
        measure_av_offset(face, voice, recording, AlignParams())["av_offset_s"].item()
    """
    row: dict[str, object] = {"recording": recording.recording, "max_av_offset_s": params.max_av_offset_s}
    cause = _cause(face, voice)
    if cause is None:
        mouth, loudness = _mouth(face, params.max_gap_s), _loudness(voice)
        length = max(len(mouth), len(loudness))
        cause, found = _offset(_padded(mouth, length), _padded(loudness, length), params.max_av_offset_s)
        row |= found
    return AV_OFFSETS.frame([row | {"cause": cause}])


def _cause(face: pl.DataFrame, voice: pl.DataFrame) -> Cause | None:
    """Why nothing can be measured, as far as the tables tell at once."""
    if voice.is_empty():
        return "no_audio"
    if voice[F0].count() * FRAME_STEP_S < _MIN_VOICED_S:
        return "no_speech"
    if face.is_empty():
        return "no_video"
    return None if _opening(face).height > 1 else "no_face"


def _opening(face: pl.DataFrame) -> pl.DataFrame:
    """The mouth's opening where it was measured: times and values, in order of time."""
    return (
        face.select("timestamp_s", opening=(pl.col("AU25_r") + pl.col("AU26_r")).cast(pl.Float64))
        .drop_nulls()
        .filter(pl.col("opening").is_finite())
        .unique("timestamp_s", keep="first")
        .sort("timestamp_s")
    )


def _mouth(face: pl.DataFrame, max_gap_s: float) -> Values:
    """The mouth's opening from time 0 on, NaN where no two neighbouring faces are near enough."""
    opening = _opening(face)
    return _resampled(opening["timestamp_s"].to_numpy(), opening["opening"].to_numpy(), max_gap_s)


def _loudness(voice: pl.DataFrame) -> Values:
    """The sound's envelope from time 0 on, each value at its window's middle."""
    frames = voice.select("timestamp_s", pl.col(LOUDNESS).cast(pl.Float64)).drop_nulls().sort("timestamp_s")
    middle_s = frames["timestamp_s"].to_numpy() + SPECTRAL_WINDOW_S / 2
    return _resampled(middle_s, frames[LOUDNESS].to_numpy(), 2 * FRAME_STEP_S)


def _resampled(times_s: Values, values: Values, max_gap_s: float) -> Values:
    """Values at multiples of the period, linear between neighbours at most `max_gap_s` apart, else NaN."""
    grid_s = np.arange(int(times_s[-1] * RATE_HZ) + 1) / RATE_HZ
    result: Values = np.interp(grid_s, times_s, values, left=np.nan)
    after = np.clip(np.searchsorted(times_s, grid_s), 1, len(times_s) - 1)
    result[times_s[after] - times_s[after - 1] > max_gap_s + 1e-6] = np.nan
    return result


def _padded(values: Values, length: int) -> Values:
    return np.concatenate([values, np.full(length - len(values), np.nan)])


def _offset(mouth: Values, loudness: Values, max_offset_s: float) -> tuple[Cause | None, dict[str, float]]:
    """The offset of two signals at 100 Hz that are NaN where nothing was measured, or why there is none."""
    moving, sounding = _syllables(mouth), _syllables(loudness)
    overlap = np.isfinite(moving) & np.isfinite(sounding)
    if overlap.sum() < _MIN_LENGTH * max_offset_s * RATE_HZ:
        return "too_short", {}
    if float(np.nanstd(moving)) < _MIN_MOVEMENT_R:
        return "no_mouth_movement", {}
    lags = _correlated(moving, sounding)
    searched = np.abs(lags.lag_s) <= max_offset_s + 1e-9
    near = _Lags(lags.lag_s[searched], lags.correlation[searched])
    best = int(np.argmax(near.correlation))
    peak = float(near.correlation[best])
    if best in {0, len(near.lag_s) - 1}:
        return "no_peak", {}
    before, after = float(near.correlation[best - 1]), float(near.correlation[best + 1])
    bend = before - 2 * peak + after
    between = 0.5 * (before - after) / bend if bend < 0 else 0.0
    return None, {
        "av_offset_s": round(float(near.lag_s[best]) + between / RATE_HZ, 4),
        "av_offset_confidence": round(_confidence(lags, peak, max_offset_s), 4),
        "correlation": round(peak, 4),
    }


def _confidence(lags: _Lags, peak: float, max_offset_s: float) -> float:
    """The share of windows as wide as the searched one, and apart from it, whose highest correlation is lower."""
    width = 2 * round(max_offset_s * RATE_HZ) + 1
    highest = np.lib.stride_tricks.sliding_window_view(lags.correlation, width).max(axis=1)
    middle_s = lags.lag_s[width // 2 : width // 2 + len(highest)]
    apart = highest[np.abs(middle_s) > 2 * max_offset_s]
    return float(np.mean(apart < peak)) if len(apart) else 0.0


def _syllables(values: Values) -> Values:
    """What changes at the rate of syllables; NaN stays NaN and takes nothing with it."""
    return _smoothed(values, _SMOOTH_S) - _smoothed(values, _TREND_S)


def _smoothed(values: Values, sd_s: float) -> Values:
    """A Gaussian mean over what was measured."""
    reach = int(np.ceil(3 * sd_s * RATE_HZ))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) / (sd_s * RATE_HZ)) ** 2)
    known = np.isfinite(values)
    total = np.convolve(np.where(known, values, 0.0), kernel)[reach : reach + len(values)]
    weight = np.convolve(known.astype(np.float64), kernel)[reach : reach + len(values)]
    return np.where(known, total / np.where(known, weight, 1.0), np.nan)


def _correlated(moving: Values, sounding: Values) -> _Lags:
    """Pearson's correlation of the two at every lag at which enough of them meets, shifted in a circle.

    In a circle, so that each lag has about as much of both and chance can reach equally high everywhere.
    """
    size = len(moving)
    known_m, known_s = np.isfinite(moving).astype(np.float64), np.isfinite(sounding).astype(np.float64)
    m, s = np.where(known_m > 0, moving, 0.0), np.where(known_s > 0, sounding, 0.0)

    def together(first: Values, second: Values) -> Values:
        """The sum of first(t) * second(t + lag) over t, for every lag."""
        product = np.conj(np.fft.rfft(first)) * np.fft.rfft(second)
        return np.asarray(np.fft.irfft(product, size), dtype=np.float64)

    count = np.rint(together(known_m, known_s))
    enough = count >= max(2.0, _MIN_OVERLAP * min(known_m.sum(), known_s.sum()))
    n = np.where(enough, count, 1.0)
    sum_m, sum_s = together(m, known_s), together(known_m, s)
    spread_m = together(m**2, known_s) - sum_m**2 / n
    spread_s = together(known_m, s**2) - sum_s**2 / n
    scale = np.sqrt(np.clip(spread_m * spread_s, 1e-12, None))
    correlation = np.where(enough, (together(m, s) - sum_m * sum_s / n) / scale, -1.0)
    lag = np.arange(size)
    lag = np.where(lag > size // 2, lag - size, lag)
    order = np.argsort(lag)
    return _Lags(lag[order] / RATE_HZ, correlation[order])
