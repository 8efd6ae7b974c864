"""Praat's measures, of sounds whose pitch, jitter, shimmer and formants are known."""

from importlib.util import find_spec

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines import praat
from pipelines.errors import UserError
from pipelines.params import VoiceParams
from pipelines.praat import measure_praat, praat_version
from schemas.voice_sets import CROSS_CHECKED

RATE = 16_000
PARAMS = VoiceParams(cross_check="praat")

needs_praat = pytest.mark.skipif(find_spec("parselmouth") is None, reason="the extra praat is not installed")


def pulses(periods_s: NDArray[np.float64], levels: NDArray[np.float64]) -> NDArray[np.float32]:
    """A train of smooth pulses, one a period, so that period and level of each are what is asked for."""
    at = np.cumsum(periods_s)
    t = np.arange(int((at[-1] + 0.01) * RATE)) / RATE
    samples = np.zeros(len(t))
    for when, level in zip(at, levels, strict=True):
        near = slice(max(int((when - 0.005) * RATE), 0), int((when + 0.005) * RATE))
        samples[near] += level * np.exp(-(((t[near] - when) / 0.0004) ** 2))
    return samples.astype(np.float32)


def voice(jitter: float = 0.0, shimmer_db: float = 0.0, f0_hz: float = 125.0, n: int = 150) -> NDArray[np.float32]:
    """Periods that are longer and shorter in turn, and levels likewise."""
    turns = np.where(np.arange(n) % 2, 0.5, -0.5)
    return pulses((1 + jitter * turns) / f0_hz, 0.5 * 10 ** (shimmer_db * turns / 20))


@needs_praat
def test_every_feature_of_the_table_is_measured() -> None:
    assert set(measure_praat(voice(), RATE, PARAMS)) == set(CROSS_CHECKED)


@needs_praat
@pytest.mark.parametrize("f0_hz", [110.0, 220.0])
def test_pitch_is_that_of_the_pulses(f0_hz: float) -> None:
    assert measure_praat(voice(f0_hz=f0_hz), RATE, PARAMS)["f0_geometric_mean_hz"] == pytest.approx(f0_hz, rel=0.005)


@needs_praat
def test_jitter_is_the_mean_change_of_the_period() -> None:
    steady = measure_praat(voice(), RATE, PARAMS)["jitter_local"]
    rough = measure_praat(voice(jitter=0.02), RATE, PARAMS)["jitter_local"]
    assert steady == pytest.approx(0.0, abs=0.002)
    assert rough == pytest.approx(0.02, rel=0.15)


@needs_praat
def test_shimmer_is_the_mean_change_of_the_level() -> None:
    steady = measure_praat(voice(), RATE, PARAMS)["shimmer_local_db"]
    rough = measure_praat(voice(shimmer_db=1.0), RATE, PARAMS)["shimmer_local_db"]
    assert steady == pytest.approx(0.0, abs=0.15)
    assert rough == pytest.approx(1.0, rel=0.2)


@needs_praat
def test_harmonicity_falls_as_noise_comes_in() -> None:
    clean = voice()
    noisy = clean + np.random.default_rng(1).normal(0, clean.std(), len(clean)).astype(np.float32)
    before, after = (measure_praat(samples, RATE, PARAMS)["hnr_db"] for samples in (clean, noisy))
    assert before is not None
    assert after is not None
    # As much noise as voice is 0 dB.
    assert after == pytest.approx(0.0, abs=2.5)
    assert before > after + 10


@needs_praat
def test_a_formant_is_found_where_a_resonance_is() -> None:
    samples = np.zeros(RATE)
    samples[:: RATE // 100] = 1.0
    for centre_hz, width_hz in ((500.0, 60.0), (1500.0, 90.0), (2500.0, 120.0), (3500.0, 150.0), (4500.0, 200.0)):
        radius = np.exp(-np.pi * width_hz / RATE)
        a, b = 2 * radius * np.cos(2 * np.pi * centre_hz / RATE), -(radius**2)
        for n in range(2, len(samples)):
            samples[n] += a * samples[n - 1] + b * samples[n - 2]
    samples *= 0.5 / np.abs(samples).max()
    found = measure_praat(samples.astype(np.float32), RATE, PARAMS)
    # Burg's method is drawn to the harmonics near a resonance.
    assert [found[f"f{n}_mean_hz"] for n in (1, 2, 3)] == pytest.approx([500, 1500, 2500], rel=0.1)


@needs_praat
def test_where_nothing_is_voiced_there_is_no_value() -> None:
    found = measure_praat(np.zeros(RATE, np.float32), RATE, PARAMS)
    assert set(found.values()) == {None}


@needs_praat
def test_the_same_samples_give_the_same_values() -> None:
    samples = voice(jitter=0.01, shimmer_db=0.5)
    assert measure_praat(samples, RATE, PARAMS) == measure_praat(samples, RATE, PARAMS)


def test_what_is_not_installed_is_named_with_its_licence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(praat, "find_spec", lambda _: None)
    with pytest.raises(UserError, match=r"extra `praat` \(praat-parselmouth, GPL-3\)"):
        praat_version()
