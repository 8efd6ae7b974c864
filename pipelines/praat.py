"""Praat's measures of a voice, to hold openSMILE's against: pitch, jitter, shimmer, harmonics-to-noise ratio, formants.

Sources: Boersma and Weenink, Praat: doing phonetics by computer, www.praat.org, with the manual's standard settings;
Boersma 1993, IFA Proceedings 17 (pitch and harmonicity); Burg's method for formants, Childers 1978.
"""

import math
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pipelines.errors import UserError
from pipelines.params import VoiceParams

_STEP_S = 0.01
_SHORTEST_PERIOD_S, _LONGEST_PERIOD_S = 0.0001, 0.02
_MAX_PERIOD_FACTOR, _MAX_AMPLITUDE_FACTOR = 1.3, 1.6
_FORMANTS = (1, 2, 3)
_NO_HARMONICITY_DB = -200.0
"""What Praat writes for frames without periods."""


def praat_version() -> str:
    """Of the installed praat-parselmouth.

    Raises:
        UserError: it is not installed.
    """
    if find_spec("parselmouth") is None:
        raise UserError(
            "voice.cross_check is praat, which is not installed: install PainLake's extra `praat` (praat-parselmouth, GPL-3) or set it to none"
        )
    return version("praat-parselmouth")


def measure_praat(samples: NDArray[np.float32], sample_rate_hz: int, params: VoiceParams) -> dict[str, float | None]:
    """The features of `schemas.voice_sets.CROSS_CHECKED`, by Praat.

    Args:
        samples: mono, shape (n,), of at least `voice.min_segment_s`.
        sample_rate_hz: of the samples.
        params: the range of pitch, and where formants are looked for.

    Returns:
        A value for each feature, in its unit; None where too few periods were found.
    """
    import parselmouth  # noqa: PLC0415 - an optional extra, and GPL: only who asks for it loads it
    from parselmouth.praat import call  # noqa: PLC0415 - the same

    sound = parselmouth.Sound(samples.astype(np.float64), sampling_frequency=sample_rate_hz)
    pitch_range = (params.pitch_floor_hz, params.pitch_ceiling_hz)
    pitch = sound.to_pitch(_STEP_S, *pitch_range)
    f0_hz = pitch.selected_array["frequency"]
    voiced_s = pitch.xs()[f0_hz > 0]
    periods = call([sound, pitch], "To PointProcess (cc)")
    harmonicity = sound.to_harmonicity_cc(_STEP_S, params.pitch_floor_hz).values
    of_periods = (0.0, 0.0, _SHORTEST_PERIOD_S, _LONGEST_PERIOD_S, _MAX_PERIOD_FACTOR)
    values = {
        "f0_geometric_mean_hz": math.exp(_mean(np.log(f0_hz[f0_hz > 0]))),
        "jitter_local": call(periods, "Get jitter (local)", *of_periods),
        "shimmer_local_db": call([sound, periods], "Get shimmer (local_dB)", *of_periods, _MAX_AMPLITUDE_FACTOR),
        "hnr_db": _mean(harmonicity[harmonicity != _NO_HARMONICITY_DB]),
        **_formants(sound, voiced_s, params.formant_ceiling_hz),
    }
    return {name: float(value) if math.isfinite(value) else None for name, value in values.items()}


def _formants(sound: Any, voiced_s: NDArray[np.float64], ceiling_hz: float) -> dict[str, float]:
    """Means of frequency and bandwidth over the voiced frames; NaN where there is none."""
    formants = sound.to_formant_burg(_STEP_S, 5, ceiling_hz)
    means = {}
    for n in _FORMANTS:
        frequency = np.array([formants.get_value_at_time(n, at) for at in voiced_s])
        bandwidth = np.array([formants.get_bandwidth_at_time(n, at) for at in voiced_s])
        means[f"f{n}_mean_hz"] = _mean(frequency[np.isfinite(frequency)])
        means[f"f{n}_bandwidth_mean_hz"] = _mean(bandwidth[np.isfinite(bandwidth)])
    return means


def _mean(values: NDArray[np.float64]) -> float:
    return float(values.mean()) if len(values) else math.nan
