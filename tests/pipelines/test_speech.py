"""Where somebody speaks, and where nobody does."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.confine import Limits
from pipelines.mono import Sound
from pipelines.pool import Workers
from pipelines.speech import CHUNK_S, Hysteresis, chunked, engine, speech_probability, speech_segments
from tests.pipelines.fault_factory import voice_activity_of_noise


def probability(*values: float) -> NDArray[np.float32]:
    return np.array(values, dtype=np.float32)


@pytest.fixture(scope="module")
def spoken() -> Sound:
    """A sentence of Praat's synthesiser between half seconds of silence."""
    call = pytest.importorskip("parselmouth").praat.call
    synthesiser = call("Create SpeechSynthesizer", "English (Great Britain)", "Male1")
    said = call(synthesiser, "To Sound", "The north wind and the sun were disputing.", "no")
    said = said[0] if isinstance(said, list) else said
    quiet = np.zeros(8000)
    samples = np.concatenate([quiet, said.resample(16_000).values[0], quiet])
    return Sound(samples.astype(np.float32), 16_000, 0.0)


def test_speech_is_found_and_silence_is_not(spoken: Sound) -> None:
    p = speech_probability(spoken)
    assert p[:10].max() < 0.5
    assert p[20:-20].mean() > 0.7


def test_the_same_sound_gives_the_same_bytes(spoken: Sound) -> None:
    assert speech_probability(spoken).tobytes() == speech_probability(spoken).tobytes()


def test_a_worker_computes_it_in_one_thread_to_the_same_bytes() -> None:
    with Workers(1, Limits(60.0)) as pool:
        found, threads = pool.run(voice_activity_of_noise)
    assert threads == 0
    assert found == voice_activity_of_noise()[0]


def test_noise_is_no_speech() -> None:
    noise = np.random.default_rng(1).normal(0, 0.05, 16_000).astype(np.float32)
    assert speech_probability(Sound(noise, 16_000, 0.0)).mean() < 0.3


@pytest.mark.parametrize(("samples", "chunks"), [(0, 0), (1, 1), (512, 1), (513, 2), (1024, 2), (512 * 300 + 1, 301)])
def test_no_chunk_is_left_out(samples: int, chunks: int) -> None:
    sound = Sound(np.full(samples, 0.1, dtype=np.float32), 16_000, 0.0)
    p = speech_probability(sound)
    assert p.shape == (chunks,)
    assert p.dtype == np.float32
    assert sum(float(chunks.sum()) for chunks in chunked(sound.samples)) == pytest.approx(0.1 * samples, rel=1e-5)


def test_another_sample_rate_is_an_error() -> None:
    with pytest.raises(ValueError, match="16000 Hz, not 8000"):
        speech_probability(Sound(np.zeros(800, dtype=np.float32), 8_000, 0.0))


AT_ONCE = Hysteresis(on=0.5, off=0.3, min_speech_s=0.0, min_silence_s=0.0)


def test_speech_goes_on_between_the_thresholds_but_does_not_begin_there() -> None:
    found = speech_segments(probability(0.4, 0.9, 0.4, 0.4, 0.1, 0.4), AT_ONCE)
    assert found == [(round(CHUNK_S, 6), round(4 * CHUNK_S, 6))]


def test_a_short_gap_does_not_end_it_and_a_short_burst_is_none() -> None:
    p = probability(0.9, 0.9, 0.1, 0.9, 0.9, 0.1, 0.1, 0.1, 0.1, 0.9)
    found = speech_segments(p, Hysteresis(min_speech_s=0.1, min_silence_s=0.05))
    assert found == [(0.0, round(5 * CHUNK_S, 6))]


def test_times_start_with_the_sound_and_end_with_it() -> None:
    assert speech_segments(probability(0.9, 0.9), AT_ONCE, start_s=1.0, duration_s=0.04) == [(1.0, 1.04)]


def test_no_chunks_no_speech() -> None:
    assert speech_segments(probability(), AT_ONCE) == []
    assert speech_segments(probability(0.1, 0.2), AT_ONCE) == []


def test_the_engine_names_its_model() -> None:
    sha256 = engine().model_sha256
    assert sha256 is not None
    assert len(sha256) == 64
