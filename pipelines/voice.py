"""The voice stage: openSMILE's eGeMAPSv02 every 10 ms, and summed up over each task and over its speech.

With it when somebody speaks, openSMILE's further sets where `params.yaml` names them, and Praat as a cross-check.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines import speech
from pipelines.engine import Engine
from pipelines.media import read_sound
from pipelines.mono import Sound
from pipelines.params import VoiceParams
from pipelines.praat import measure_praat, praat_version
from pipelines.recording import Recording
from pipelines.smile import run_both_levels, run_functionals, run_smile, smile_version
from pipelines.spans import Piece, Stretch, end_s, spans, speech_piece, whole_piece
from pipelines.speech import SPEECH_RATE_HZ, Hysteresis, speech_probability, speech_segments
from pipelines.speech_timing import timing
from pipelines.voice_sets import features_long, series
from schemas.core import Table
from schemas.speech import SPEECH_SEGMENTS, SPEECH_TIMING
from schemas.voice import (
    DESCRIPTORS,
    F0,
    FEATURE_SET,
    FRAME_STEP_S,
    FUNCTIONALS,
    OF_UNVOICED,
    OF_VOICED,
    PITCH_WINDOW_S,
    VOICE_FRAMES,
    VOICE_FUNCTIONALS,
)
from schemas.voice_sets import CROSS_CHECKED, VOICE_CROSS_CHECK, VOICE_FUNCTIONALS_SPEECH

_SHORTEST_S = PITCH_WINDOW_S + FRAME_STEP_S
"""Less sound fills no frame."""

Row = dict[str, object]


class VoiceTables(NamedTuple):
    """The tables of one recording, as `schemas.tables.VOICE_TABLES` declares them."""

    frames: pl.DataFrame
    functionals: pl.DataFrame
    functionals_speech: pl.DataFrame
    speech_segments: pl.DataFrame
    speech_timing: pl.DataFrame
    features_long: pl.DataFrame
    series: pl.DataFrame
    cross_check: pl.DataFrame


def engine(params: VoiceParams) -> Engine:
    """What computes these features: openSMILE, whose models are rules inside it, and the model of voice activity.

    Raises:
        UserError: `voice.cross_check` asks for Praat, and it is not installed.
    """
    model = speech.engine().model_sha256
    if params.cross_check == "praat":
        return Engine("opensmile+praat", f"{smile_version()}+{praat_version()}", model)
    return Engine("opensmile", smile_version(), model)


def measure_voice(media: bytes, recording: Recording, params: VoiceParams) -> VoiceTables:
    """Low-level descriptors, functionals and timing of a recording's sound.

    The sound is mixed down to mono and brought to one rate first. openSMILE writes 0 where there is nothing to
    measure (and leaves those zeros out of its own means): here that is NULL.
    Source: Eyben et al. 2016, doi:10.1109/TAFFC.2015.2457417; Eyben et al. 2010, doi:10.1145/1873951.1874246.

    Args:
        media: the whole file; without sound, the frames are empty and the functionals NULL with their cause.
        recording: its name and tasks.
        params: the rate, the shortest stretch to sum up, feature sets, voice activity, cross-check.

    Returns:
        Frames in order of time; rows of the whole recording first, then of its tasks in the sidecar's order.

    Raises:
        Rejection: no demuxer can open it.
    """
    sound = read_sound(media, params.sample_rate_hz)
    spoken = _speech(media, sound, params)
    # From here on the sound is enough: a film of 20 minutes is as large as its sound.
    del media
    all_spans = spans(sound, recording, params.min_segment_s)
    whole = [whole_piece(sound, span) for span in all_spans]
    speech_alone = [speech_piece(sound, span, spoken, params.min_segment_s) for span in all_spans]
    descriptors, of_everything = _of_all(sound, whole[0])
    of_whole = [_functionals(piece, params, of_everything if piece is whole[0] else None) for piece in whole]
    of_speech = [_functionals(piece, params) for piece in speech_alone]
    segments: list[Row] = [{"stretch": n, "start_s": start, "end_s": end} for n, (start, end) in enumerate(spoken)]
    timed = [
        {**timing(spoken, span, params.min_pause_s), **{name: row.get(source) for name, source in _RATES.items()}}
        for span, row in zip(all_spans, of_speech, strict=True)
    ]
    pieces = [
        (piece, row["cause"] == "unvoiced")
        for piece, row in zip([*whole, *speech_alone], [*of_whole, *of_speech], strict=True)
    ]
    name = recording.recording
    return VoiceTables(
        _frames(sound, descriptors, name),
        _table(VOICE_FUNCTIONALS, of_whole, name),
        _table(
            VOICE_FUNCTIONALS_SPEECH, [_with_amount(*both) for both in zip(of_speech, speech_alone, strict=True)], name
        ),
        _table(SPEECH_SEGMENTS, segments, name),
        _table(SPEECH_TIMING, timed, name),
        features_long(pieces, name, params),
        series(sound, name, params),
        _table(VOICE_CROSS_CHECK, [row for piece in whole for row in _cross_check(piece, params)], name),
    )


_RATES = {
    "loudness_peaks_per_speech_s": "loudnessPeaksPerSec",
    "voiced_segments_per_speech_s": "VoicedSegmentsPerSec",
}
"""Columns of `speech_timing` and the functionals over speech that they are."""


def _table(table: Table, rows: Sequence[Row], recording: str) -> pl.DataFrame:
    return table.frame([{"recording": recording, **row} for row in rows])


def _speech(media: bytes, sound: Sound | None, params: VoiceParams) -> list[Stretch]:
    """Where somebody speaks, on the recording's clock."""
    heard = sound if params.sample_rate_hz == SPEECH_RATE_HZ else read_sound(media, SPEECH_RATE_HZ)
    if heard is None:
        return []
    hysteresis = Hysteresis(params.speech_on, params.speech_off, params.min_speech_s, params.min_silence_s)
    length_s = end_s(heard) - heard.start_s
    return speech_segments(speech_probability(heard), hysteresis, start_s=heard.start_s, duration_s=length_s)


def _with_amount(row: Row, piece: Piece) -> Row:
    """How much speech a row rests on; nothing where there was none to look for."""
    if piece.span.start_s is None:
        return row
    speech_s = sum(end - start for start, end in piece.stretches)
    return {**row, "speech_s": round(speech_s, 6), "stretches": len(piece.stretches)}


def _cross_check(piece: Piece, params: VoiceParams) -> list[Row]:
    """Praat's measures of a span, if they are asked for."""
    if params.cross_check == "none":
        return []
    cause = piece.span.cause
    values = {} if cause is not None else measure_praat(piece.samples, params.sample_rate_hz, params)
    unmeasured = cause or "unvoiced"
    return [
        {
            "task": piece.span.task,
            "engine": params.cross_check,
            "feature": feature,
            "unit": about.unit,
            "value": values.get(feature),
            "cause": unmeasured if values.get(feature) is None else None,
        }
        for feature, about in CROSS_CHECKED.items()
    ]


def _of_all(sound: Sound | None, piece: Piece) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]:
    """Descriptors of all the sound, and functionals of the piece that is all of it; None where there are none.

    Args:
        sound: of the recording.
        piece: the whole of it, where it is long enough to be summed up.
    """
    if sound is None or len(sound.samples) < _SHORTEST_S * sound.sample_rate_hz:
        return None, None
    if piece.span.cause is None and len(piece.samples) == len(sound.samples):
        return run_both_levels(sound.samples, sound.sample_rate_hz, FEATURE_SET)
    return run_smile(sound.samples, sound.sample_rate_hz, FEATURE_SET, "LowLevelDescriptors").values, None


def _frames(sound: Sound | None, values: NDArray[np.float32] | None, recording: str) -> pl.DataFrame:
    """Low-level descriptors at each 10 ms of the sound."""
    if sound is None or values is None:
        return VOICE_FRAMES.frame()
    frame = np.arange(len(values), dtype=np.int32)
    columns = {d.name: values[:, at].copy() for at, d in enumerate(DESCRIPTORS)}
    unvoiced = columns[F0] == 0
    for name, column in columns.items():
        if name.endswith("amplitudeLogRelF0_sma3nz"):
            # The level of a formant has a floor (-201 dB) instead of a zero, and 0 dB is a level like others.
            column[unvoiced] = np.nan
        elif name.endswith("nz"):
            column[column == 0] = np.nan
    table = pl.DataFrame(
        {"frame": frame, "timestamp_s": np.round(sound.start_s + frame * FRAME_STEP_S, 6), **columns}
    ).with_columns(pl.lit(recording).alias("recording"), pl.selectors.float().fill_nan(None))
    return VOICE_FRAMES.conform(table)


def _functionals(piece: Piece, params: VoiceParams, found: NDArray[np.float32] | None = None) -> Row:
    """One row's span, cause and values; without values where they cannot be measured.

    Args:
        piece: what is summed up.
        params: the rate.
        found: its functionals, where they are known already.
    """
    row = {**piece.span.where(), "feature_set": FEATURE_SET, "sample_rate_hz": params.sample_rate_hz}
    if piece.span.cause is not None:
        return row
    if found is None:
        found = run_functionals(piece.samples, params.sample_rate_hz, FEATURE_SET)
    (values,) = found
    named: dict[str, float | None] = {
        column.name: float(value) if np.isfinite(value) else None
        for column, value in zip(FUNCTIONALS, values, strict=True)
    }
    cause = None
    if not named["VoicedSegmentsPerSec"]:
        cause, meaningless = "unvoiced", OF_VOICED
    elif not named["MeanUnvoicedSegmentLength"]:
        cause, meaningless = "all_voiced", OF_UNVOICED
    else:
        meaningless = ()
    return {**row, "cause": cause, **named, **dict.fromkeys(meaningless)}
