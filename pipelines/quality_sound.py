"""Level, clipping, speech and noise of a recording's sound."""

import math

import numpy as np
from numpy.typing import NDArray

from pipelines.mono import Sound
from pipelines.params import QualityParams
from pipelines.quality_decode import AudioTrace
from pipelines.speech import CHUNK_S, CHUNK_SAMPLES, Hysteresis, chunked, speech_probability, speech_segments

_FLOOR = 2.0**-24
"""Digital silence has no level in decibels; it is given that of the last bit of 24."""
_GUARD_CHUNKS = 2
_MIN_SNR_S = 0.2
"""Less speech, or less of what is no speech, gives no steady level."""


def sound_measures(trace: AudioTrace, sound: Sound, params: QualityParams) -> dict[str, float]:
    """Measures of `schemas.quality` that the sound alone gives; what could not be measured is left out.

    Args:
        trace: the decoded track, with at least one sample.
        sound: the same, mono at the rate of the voice-activity model.
        params: thresholds of voice activity.
    """
    probability = speech_probability(sound)
    length_s = len(sound.samples) / sound.sample_rate_hz
    hysteresis = Hysteresis(params.speech_on, params.speech_off, params.min_speech_s, params.min_silence_s)
    segments = speech_segments(probability, hysteresis, duration_s=length_s)
    values = {
        "audio_level_dbfs": decibels(math.sqrt(trace.square_sum / trace.values)),
        "audio_peak_dbfs": decibels(trace.peak),
        "clipping_share": trace.clipped / trace.values,
        "speech_share": sum(end - start for start, end in segments) / length_s,
        "longest_silence_s": longest_silence_s(segments, length_s),
    }
    snr_db = speech_to_noise_db(sound, probability, segments, hysteresis)
    return values if snr_db is None else {**values, "snr_db": snr_db}


def decibels(amplitude: float) -> float:
    """Amplitude against full scale in decibels, at least -144.5 dB.

    >>> round(decibels(0.5), 2)
    -6.02
    """
    return 20 * math.log10(max(amplitude, _FLOOR))


def longest_silence_s(segments: list[tuple[float, float]], length_s: float) -> float:
    """The longest stretch outside the segments, before the first and after the last included.

    >>> longest_silence_s([(1.0, 2.0), (2.5, 3.0)], 6.0)
    3.0
    """
    edges = [0.0, *(edge for segment in segments for edge in segment), length_s]
    return max(0.0, *(after - before for before, after in zip(edges[0::2], edges[1::2], strict=True)))


def speech_to_noise_db(
    sound: Sound, probability: NDArray[np.float32], segments: list[tuple[float, float]], hysteresis: Hysteresis
) -> float | None:
    """Signal-to-noise ratio from the energy of speech and of what sounds between it.

    10 log10((E_speech - E_noise) / E_noise) over mean energies of 32 ms chunks: speech are those within a segment
    from `on`, noise those below `off` that are at least 64 ms from any segment. What lies between counts for neither.
    Source: Vondrasek and Pollak 2005, Radioengineering 14(1).

    Returns:
        Decibels, or None with less than 0.2 s of either; speech not above the noise gives 0 dB at most.
    """
    middle_s = (np.arange(len(probability)) + 0.5) * CHUNK_S
    inside = np.zeros(len(probability), dtype=bool)
    for start_s, end_s in segments:
        inside |= (middle_s >= start_s) & (middle_s < end_s)
    # Speech fades over more than its segment's edge: what is near one is not taken for noise.
    near = np.convolve(inside, np.ones(2 * _GUARD_CHUNKS + 1))[_GUARD_CHUNKS : len(inside) + _GUARD_CHUNKS] > 0
    filled = np.minimum(CHUNK_SAMPLES, len(sound.samples) - np.arange(len(probability)) * CHUNK_SAMPLES)
    sums = [np.sum(np.square(chunks.astype(np.float64)), axis=1) for chunks in chunked(sound.samples)]
    energy = np.concatenate([np.empty(0), *sums]) / filled
    speech = energy[inside & (probability >= hysteresis.on)]
    noise = energy[~near & (probability < hysteresis.off)]
    if min(len(speech), len(noise)) * CHUNK_S < _MIN_SNR_S:
        return None
    noise_energy = max(float(noise.mean()), _FLOOR**2)
    excess = max(float(speech.mean()) - noise_energy, noise_energy * 1e-3)
    return 10 * math.log10(excess / noise_energy)
