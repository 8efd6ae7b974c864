"""Sound that is handed over bit by bit gives what one run over the whole gives, in memory that hardly grows."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines import smile
from pipelines.smile import run_both_levels, run_functionals, run_smile
from pipelines.smile_long import Settings, hear_long

RATE = 16_000
ROOT = Path(__file__).parents[2]


def sound(length_s: float, seed: int, rate_hz: int = RATE) -> NDArray[np.float32]:
    """Hiss, with buzzes of half a second at many pitches: what is voiced changes, also where the sound ends."""
    random = np.random.default_rng(seed)
    samples = random.normal(0, 0.03, round(length_s * rate_hz)).astype(np.float32)
    for part in np.array_split(samples, max(round(2 * length_s), 1)):
        if random.random() < 0.6:
            at = np.arange(len(part)) / rate_hz * random.uniform(90, 300)
            part[:] += 0.15 * np.sum([np.sin(2 * np.pi * n * at) / n for n in range(1, 8)], axis=0)
    return samples


def both_ways(
    samples: NDArray[np.float32], rate_hz: int, feature_set: str, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[NDArray[np.float32], NDArray[np.float32]]]:
    found = []
    for long_s in (1e9, 0.0):
        monkeypatch.setattr(smile, "LONG_S", long_s)
        found.append(run_both_levels(samples, rate_hz, feature_set))
    return found


@pytest.mark.parametrize("feature_set", ["eGeMAPSv02", "GeMAPSv01b", "ComParE_2016"])
@pytest.mark.parametrize(("length_s", "rate_hz"), [(1.0, RATE), (11.017, RATE), (2.5, 22_050)])
def test_every_value_is_that_of_one_run(
    feature_set: str, length_s: float, rate_hz: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, by_bits = both_ways(sound(length_s, 1, rate_hz), rate_hz, feature_set, monkeypatch)
    assert whole[0].dtype == by_bits[0].dtype
    assert whole[0].tobytes() == by_bits[0].tobytes()
    assert whole[1].tobytes() == by_bits[1].tobytes()


@pytest.mark.parametrize("seed", range(8))
def test_however_the_sound_ends(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # How far pitch has come when functionals are taken hangs on what is voiced last.
    samples = sound(1.5 + 0.137 * seed, seed)
    samples[len(samples) - 600 * seed :] = 0
    whole, by_bits = both_ways(samples, RATE, "eGeMAPSv02", monkeypatch)
    assert whole[0].tobytes() == by_bits[0].tobytes()
    assert whole[1].tobytes() == by_bits[1].tobytes()


def test_silence_is_summed_up_too(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, by_bits = both_ways(np.zeros(2 * RATE, np.float32), RATE, "eGeMAPSv02", monkeypatch)
    assert whole[1].tobytes() == by_bits[1].tobytes()


def test_whoever_asks_for_one_level_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    samples = sound(2.0, 3)
    monkeypatch.setattr(smile, "LONG_S", 0.0)
    descriptors, functionals = run_both_levels(samples, RATE, "GeMAPSv01b")
    named = run_smile(samples, RATE, "GeMAPSv01b", "LowLevelDescriptors")
    assert named.names[0] == "Loudness_sma3"
    np.testing.assert_array_equal(named.values, descriptors)
    np.testing.assert_array_equal(run_smile(samples, RATE, "GeMAPSv01b", "Functionals").values, functionals)
    np.testing.assert_array_equal(run_functionals(samples, RATE, "GeMAPSv01b"), functionals)


def test_a_set_that_is_not_taken_apart_is_run_as_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = run_smile(sound(1.0, 4), RATE, "emobase", "Functionals").values
    monkeypatch.setattr(smile, "LONG_S", 0.0)
    np.testing.assert_array_equal(run_smile(sound(1.0, 4), RATE, "emobase", "Functionals").values, expected)


@pytest.mark.parametrize("first_s", [0, 15])
def test_sound_that_cannot_be_had_ends_the_run_with_its_cause(first_s: int) -> None:
    samples = sound(20.0, 5)

    def torn(begin: int, end: int) -> bytes:
        if begin >= first_s * RATE:
            raise MemoryError("no room")
        return (samples[begin:end] * 32767).astype(np.int16).tobytes()

    with pytest.raises(MemoryError, match="no room"):
        hear_long(torn, len(samples), RATE, settings())


def settings() -> Settings:
    return smile.settings_of("eGeMAPSv02")


_PEAK = """
import numpy as np
from pathlib import Path
from pipelines.smile import run_both_levels
second = np.random.default_rng(0).normal(0, 0.1, 16_000).astype(np.float32)
run_both_levels(np.tile(second, {minutes} * 60), 16_000, "eGeMAPSv02")
status = Path("/proc/self/status").read_text()
print(next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")))
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the kernel does not say what was the most")
def test_no_level_but_the_results_grows_with_the_sound() -> None:
    peaks_kb = [
        int(
            subprocess.run(
                [sys.executable, "-c", _PEAK.format(minutes=minutes)],
                capture_output=True,
                text=True,
                check=True,
                cwd=ROOT,
                env={"PYTHONPATH": str(ROOT), "PATH": ""},
            ).stdout
        )
        for minutes in (2, 8)
    ]
    # The sound itself is 23 MB more, what is found 9; one level that keeps the times of its frames would be 5 to 10 MB,
    # the ten that do in one run, with the sound three times, 155.
    assert (peaks_kb[1] - peaks_kb[0]) / 1000 < 95
