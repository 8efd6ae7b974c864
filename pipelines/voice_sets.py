"""openSMILE's further feature sets, long: one row a feature, and one list a low-level descriptor.

Sources: Schuller et al. 2016, Interspeech, doi:10.21437/Interspeech.2016-129 (ComParE_2016); Eyben et al. 2010,
doi:10.1145/1873951.1874246 (emobase); Eyben et al. 2016, doi:10.1109/TAFFC.2015.2457417 (GeMAPSv01b).
"""

import re
from collections.abc import Sequence

import numpy as np
import polars as pl

from pipelines.mono import Sound
from pipelines.params import VoiceParams
from pipelines.smile import Features, run_smile
from pipelines.spans import Piece
from schemas.voice import FEATURE_SET, FRAME_STEP_S, OF_VOICED, PITCH_WINDOW_S
from schemas.voice_sets import VOICE_FEATURES_LONG, VOICE_SERIES

_SHORTEST_S = PITCH_WINDOW_S + FRAME_STEP_S
"""Less sound fills no frame."""
_OF_VOICED = re.compile(r"F0|jitter|shimmer|logHNR")
"""How ComParE_2016 and emobase name what has a value in voiced frames alone."""


def of_voiced(feature: str) -> bool:
    """Whether a functional means nothing where no frame is voiced; openSMILE then gives 0 or a floor.

    >>> of_voiced("F0final_sma_quartile1"), of_voiced("mfcc_sma[1]_max")
    (True, False)
    """
    return feature in OF_VOICED or _OF_VOICED.match(feature) is not None


def features_long(pieces: Sequence[tuple[Piece, bool]], recording: str, params: VoiceParams) -> pl.DataFrame:
    """Functionals of the further sets.

    Args:
        pieces: of sound, each with whether no frame of it is voiced; those with a cause get no rows.
        recording: its name.
        params: which sets and levels.

    Returns:
        `schemas.voice_sets.VOICE_FEATURES_LONG`, by piece and set, features in openSMILE's order.
    """
    if "functionals" not in params.levels:
        return VOICE_FEATURES_LONG.frame()
    parts = [
        _rows(run_smile(piece.samples, params.sample_rate_hz, name, "Functionals"), unvoiced=unvoiced).with_columns(
            recording=pl.lit(recording),
            task=pl.lit(piece.span.task),
            segment=pl.lit(piece.segment),
            feature_set=pl.lit(name),
        )
        for piece, unvoiced in pieces
        if piece.span.cause is None
        for name in _further(params)
    ]
    return VOICE_FEATURES_LONG.conform(pl.concat(parts)) if parts else VOICE_FEATURES_LONG.frame()


def _rows(features: Features, *, unvoiced: bool) -> pl.DataFrame:
    values = features.values[0].copy()
    if unvoiced:
        values[[of_voiced(name) for name in features.names]] = np.nan
    values[~np.isfinite(values)] = np.nan
    return pl.DataFrame({"feature": list(features.names), "value": values}).with_columns(pl.col("value").fill_nan(None))


def series(sound: Sound | None, recording: str, params: VoiceParams) -> pl.DataFrame:
    """Low-level descriptors of the further sets.

    Args:
        sound: of the recording; None or less than a window gives no rows.
        recording: its name.
        params: which sets and levels.

    Returns:
        `schemas.voice_sets.VOICE_SERIES`, by set, descriptors in openSMILE's order.
    """
    if "lld" not in params.levels or sound is None or len(sound.samples) < _SHORTEST_S * sound.sample_rate_hz:
        return VOICE_SERIES.frame()
    rows: list[dict[str, object]] = []
    for name in _further(params):
        found = run_smile(sound.samples, sound.sample_rate_hz, name, "LowLevelDescriptors")
        finite = np.where(np.isfinite(found.values), found.values, np.nan)
        rows += [
            {
                "recording": recording,
                "feature_set": name,
                "feature": feature,
                "start_s": sound.start_s,
                "step_s": FRAME_STEP_S,
                "values": pl.Series(finite[:, at], dtype=pl.Float32).fill_nan(None),
            }
            for at, feature in enumerate(found.names)
        ]
    return VOICE_SERIES.frame(rows)


def _further(params: VoiceParams) -> list[str]:
    return [name for name in params.feature_sets if name != FEATURE_SET]
