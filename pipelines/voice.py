"""The voice stage: openSMILE's eGeMAPSv02 every 10 ms, and summed up over each task and the whole recording.

openSMILE races in threads: run it in processes alone. Its licence allows research, whatever its classifier says.
"""

from importlib.metadata import version
from typing import Literal, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.engine import Engine
from pipelines.media import Sound, read_sound
from pipelines.params import VoiceParams
from pipelines.recording import Recording, Task
from schemas.people import WHOLE
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

_LOUDEST = 32767 / 32768
"""openSMILE's wrapper turns samples into 16-bit ones without a check: 1.0 would wrap round to -1.0."""
_SHORTEST_S = PITCH_WINDOW_S + FRAME_STEP_S
"""Less sound fills no frame."""


class VoiceTables(NamedTuple):
    """`schemas.voice.VOICE_FRAMES` and `VOICE_FUNCTIONALS` of one recording."""

    frames: pl.DataFrame
    functionals: pl.DataFrame


def engine(params: VoiceParams) -> Engine:  # noqa: ARG001 - every stage's engine is asked in the same way
    """What computes these features; its models are rules inside the library, not a file."""
    return Engine("opensmile", version("opensmile"), None)


def measure_voice(media: bytes, recording: Recording, params: VoiceParams) -> VoiceTables:
    """Low-level descriptors and functionals of a recording's sound.

    The sound is mixed down to mono and brought to one rate first. openSMILE writes 0 where there is nothing to
    measure (and leaves those zeros out of its own means): here that is NULL.
    Source: Eyben et al. 2016, doi:10.1109/TAFFC.2015.2457417; Eyben et al. 2010, doi:10.1145/1873951.1874246.

    Args:
        media: the whole file; without sound, the frames are empty and the functionals NULL with their cause.
        recording: its name and tasks.
        params: the rate, and the shortest stretch to sum up.

    Returns:
        Frames in order of time; functionals of the whole recording first, then of its tasks in the sidecar's order.

    Raises:
        Rejection: no demuxer can open it.
    """
    sound = read_sound(media, params.sample_rate_hz)
    spans = [Task(WHOLE, sound.start_s, _end_s(sound)) if sound else Task(WHOLE, 0.0, 0.0), *recording.tasks]
    rows: list[dict[str, object]] = [
        {
            "recording": recording.recording,
            "task": span.name,
            "feature_set": FEATURE_SET,
            "sample_rate_hz": params.sample_rate_hz,
            **_functionals(sound, span, params),
        }
        for span in spans
    ]
    return VoiceTables(_frames(sound, recording.recording), VOICE_FUNCTIONALS.frame(rows))


def _frames(sound: Sound | None, recording: str) -> pl.DataFrame:
    """Low-level descriptors at each 10 ms of the sound."""
    if sound is None or len(sound.samples) < _SHORTEST_S * sound.sample_rate_hz:
        return VOICE_FRAMES.frame()
    values = _smile(sound.samples, sound.sample_rate_hz, "LowLevelDescriptors")
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


def _functionals(sound: Sound | None, span: Task, params: VoiceParams) -> dict[str, object]:
    """One row's span, cause and values; without values where they cannot be measured."""
    if sound is None:
        return {"cause": "no_audio"}
    start_s, end_s = max(span.start_s, sound.start_s), min(span.end_s, _end_s(sound))
    if end_s <= start_s:
        return {"cause": "outside_recording"}
    where: dict[str, object] = {"start_s": start_s, "end_s": end_s}
    if end_s - start_s < params.min_segment_s:
        return {**where, "cause": "too_short"}
    first, last = (round((at - sound.start_s) * sound.sample_rate_hz) for at in (start_s, end_s))
    values = _smile(sound.samples[first:last], sound.sample_rate_hz, "Functionals")[0]
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
    return {**where, "cause": cause, **named, **dict.fromkeys(meaningless)}


def _smile(
    samples: NDArray[np.float32], sample_rate_hz: int, level: Literal["LowLevelDescriptors", "Functionals"]
) -> NDArray[np.float32]:
    """Run openSMILE over samples: float32, frames x descriptors, or 1 x functionals."""
    import opensmile  # noqa: PLC0415 - heavy, and who only asks for the engine's version need not pay for it

    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel[level])
    values: NDArray[np.float32] = smile.process_signal(np.clip(samples, -1.0, _LOUDEST), sample_rate_hz).to_numpy()
    return values


def _end_s(sound: Sound) -> float:
    return sound.start_s + len(sound.samples) / sound.sample_rate_hz


def try_engine() -> None:
    """Run openSMILE on a second of noise: it raises what keeps it from working."""
    noise = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
    _smile(noise, 16_000, "Functionals")
