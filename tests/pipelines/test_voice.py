"""openSMILE's features: official values, true times, and NULL where there was nothing to measure."""

import io
import struct
import wave
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import opensmile
import polars as pl
import pytest
from numpy.typing import NDArray

from pipelines.params import VoiceParams
from pipelines.recording import Recording, Task
from pipelines.synthetic.speech import ABOUT_PAIN, SAMPLE_RATE_HZ, Voice, speak
from pipelines.voice import engine, measure_voice
from schemas.speech import SPEECH_TIMING
from schemas.voice import DESCRIPTORS, F0, FUNCTIONALS, OF_UNVOICED, OF_VOICED, VOICE_FRAMES, VOICE_FUNCTIONALS
from schemas.voice_sets import CROSS_CHECKED, VOICE_CROSS_CHECK, VOICE_FUNCTIONALS_SPEECH

RATE = 16_000
PARAMS = VoiceParams()
WOMAN = Path(__file__).parents[2] / "../shared/recordings/woman_distress.mp4"


def recording(*tasks: Task) -> Recording:
    return Recording("P000000000-00000000", "P000000000", "v1", 0, 0, 0, None, "en", tasks, "0" * 64)


def buzz(length_s: float, f0_hz: float = 150.0, level: float = 0.1) -> NDArray[np.float64]:
    """Something like a voice: the first harmonics of a tone."""
    t = np.arange(int(length_s * RATE)) / RATE
    return np.asarray(sum(level * np.sin(2 * np.pi * f0_hz * k * t) / k for k in range(1, 15)), dtype=np.float64)


def silence(length_s: float) -> NDArray[np.float64]:
    return np.zeros(int(length_s * RATE))


def wav(*parts: NDArray[np.float64]) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(np.concatenate(parts), -1, 1) * 32767).astype("<i2").tobytes())
    return out.getvalue()


def wav_of_floats(samples: NDArray[np.float64]) -> bytes:
    data = samples.astype("<f4").tobytes()
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 3, 1, RATE, RATE * 4, 4, 32)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body


HALF_VOICED = wav(silence(1.0), buzz(1.0))


def test_frames_come_each_10_ms_and_conform() -> None:
    frames = measure_voice(HALF_VOICED, recording(), PARAMS).frames
    assert frames.schema == pl.Schema(VOICE_FRAMES.polars_schema())
    assert frames["timestamp_s"].to_list() == pytest.approx(np.arange(len(frames)) * 0.01)
    assert frames["timestamp_s"][-1] == pytest.approx(2.0 - 0.06, abs=0.021)


def test_pitch_is_found_where_it_sounds_and_null_where_it_does_not() -> None:
    frames = measure_voice(HALF_VOICED, recording(), PARAMS).frames
    # A window counts from its begin: those centred in the sound begin up to 30 ms before it.
    before, within = frames.filter(pl.col("timestamp_s") < 0.95), frames.filter(pl.col("timestamp_s") > 1.0)
    assert before[F0].null_count() == len(before)
    assert within[F0].median() == pytest.approx(12 * np.log2(150 / 27.5), abs=0.1)
    assert not (frames[F0] == 0).any()


def test_values_are_opensmiles_own() -> None:
    samples = np.frombuffer(HALF_VOICED[44:], dtype="<i2").astype(np.float32) / 32768
    tables = measure_voice(HALF_VOICED, recording(), PARAMS)
    levels = opensmile.FeatureLevel
    theirs = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, levels.Functionals).process_signal(samples, RATE)
    assert tables.functionals["loudness_sma3_amean"][0] == theirs["loudness_sma3_amean"].iloc[0]
    assert tables.functionals["F1frequency_sma3nz_amean"][0] == theirs["F1frequency_sma3nz_amean"].iloc[0]
    theirs = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, levels.LowLevelDescriptors).process_signal(samples, RATE)
    for descriptor in DESCRIPTORS:
        ours = tables.frames[descriptor.name]
        there = ours.is_not_null().to_numpy()
        assert (ours.to_numpy()[there] == theirs[descriptor.name].to_numpy()[there]).all()


def test_the_same_bytes_give_the_same_bytes() -> None:
    first, second = (measure_voice(HALF_VOICED, recording(), PARAMS) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        assert one.equals(other)
        numbers = [pl.selectors.float().fill_null(float("nan"))]
        assert one.select(numbers).to_numpy().tobytes() == other.select(numbers).to_numpy().tobytes()


def test_what_exceeds_full_scale_does_not_wrap_round() -> None:
    # Decoded AAC overshoots like this; a 16-bit sample just above 1.0 would turn into -1.0.
    loud = buzz(1.0, level=1.0)
    assert loud.max() > 1.1
    clipped, over = (
        measure_voice(wav_of_floats(signal), recording(), PARAMS) for signal in (np.clip(loud, -0.99, 0.99), loud)
    )
    levels = [tables.functionals["HNRdBACF_sma3nz_amean"][0] for tables in (clipped, over)]
    assert levels[0] == pytest.approx(levels[1], abs=0.5)


def test_each_task_is_measured_on_its_own_stretch() -> None:
    tables = measure_voice(wav(buzz(1.0, 120.0), buzz(1.0, 220.0)), recording(
        Task("reading", 0.0, 1.0), Task("free_speech", 1.0, 2.0)), PARAMS)  # fmt: skip
    rows = tables.functionals
    assert rows["task"].to_list() == ["whole", "reading", "free_speech"]
    pitch_hz = 27.5 * 2 ** (rows["F0semitoneFrom27.5Hz_sma3nz_percentile50.0"].to_numpy() / 12)
    assert pitch_hz[1:] == pytest.approx([120.0, 220.0], rel=0.02)
    assert rows["start_s"].to_list() == [0.0, 0.0, 1.0]
    assert set(rows["sample_rate_hz"]) == {RATE}


@pytest.mark.parametrize(
    ("task", "cause"),
    [
        (Task("reading", 0.5, 0.8), "too_short"),
        (Task("reading", 5.0, 9.0), "outside_recording"),
        (Task("reading", 1.9, 9.0), "too_short"),
        (Task("reading", 0.0, 0.9), "unvoiced"),
        (Task("reading", 0.5, 9.0), None),
    ],
)
def test_what_cannot_be_measured_says_why(task: Task, cause: str | None) -> None:
    row = measure_voice(HALF_VOICED, recording(task), PARAMS).functionals.row(1, named=True)
    assert row["cause"] == cause
    voiced, unvoiced = ([row[n] is None for n in names] for names in (OF_VOICED, OF_UNVOICED))
    assert all(voiced) == (cause is not None)
    assert all(unvoiced) == (cause in {"too_short", "outside_recording"})
    assert (row["loudness_sma3_amean"] is None) == (cause in {"too_short", "outside_recording"})


def test_a_task_that_outlasts_the_sound_is_measured_as_far_as_there_is_sound() -> None:
    row = measure_voice(HALF_VOICED, recording(Task("reading", 0.5, 9.0)), PARAMS).functionals.row(1, named=True)
    assert (row["start_s"], row["end_s"]) == (0.5, 2.0)


def test_a_rate_is_brought_to_the_parameters() -> None:
    rows = measure_voice(HALF_VOICED, recording(), VoiceParams(sample_rate_hz=8_000)).functionals
    assert rows["sample_rate_hz"].to_list() == [8_000]
    pitch_hz = 27.5 * 2 ** (rows["F0semitoneFrom27.5Hz_sma3nz_amean"][0] / 12)
    assert pitch_hz == pytest.approx(150.0, rel=0.02)


def test_less_sound_than_a_window_gives_no_frames() -> None:
    tables = measure_voice(wav(buzz(0.04)), recording(), PARAMS)
    assert tables.frames.is_empty()
    assert tables.functionals["cause"].to_list() == ["too_short"]


def test_without_sound_there_is_a_row_with_its_cause(silent_film: bytes) -> None:
    tables = measure_voice(silent_film, recording(Task("reading", 0.0, 1.0)), PARAMS)
    assert tables.frames.is_empty()
    assert tables.functionals["cause"].to_list() == ["no_audio", "no_audio"]
    assert tables.functionals.schema == pl.Schema(VOICE_FUNCTIONALS.polars_schema())


def test_the_alpha_ratio_has_the_sign_that_its_meaning_says() -> None:
    low = measure_voice(wav(buzz(1.0, 150.0)), recording(), PARAMS).frames["alphaRatio_sma3"].median()
    hiss = np.random.default_rng(1).normal(0, 0.05, RATE)
    high = measure_voice(wav(hiss), recording(), PARAMS).frames["alphaRatio_sma3"].median()
    assert isinstance(low, float)
    assert isinstance(high, float)
    assert low < 0 < high


def test_the_engine_is_the_installed_library() -> None:
    assert engine(PARAMS).name == "opensmile"
    assert engine(PARAMS).version.startswith("2.6")


def _trimmed(samples: NDArray[np.float32]) -> NDArray[np.float32]:
    """Without the synthesiser's own silence at both ends."""
    heard = np.flatnonzero(np.abs(samples) > 0.02 * np.abs(samples).max())
    return samples[heard[0] : heard[-1] + 1]


@pytest.fixture(scope="module")
def spoken() -> NDArray[np.float64]:
    """Two synthetic sentences with a second of a quiet room before, between and after."""
    sentences = [_trimmed(each) for each in speak(ABOUT_PAIN["en"][:2], "en", Voice("female"))]
    hush = np.zeros(SAMPLE_RATE_HZ)
    whole = np.concatenate([hush, sentences[0], hush, sentences[1], hush])
    # As in a quiet room; without it, a soft sound would end in digital silence, which no microphone gives.
    whole += np.random.default_rng(0).normal(0, np.abs(whole).max() / 1000, len(whole))
    at = np.arange(int(len(whole) / SAMPLE_RATE_HZ * RATE)) / RATE * SAMPLE_RATE_HZ
    # Above 8 kHz there is next to nothing in it, so that a plain interpolation will do.
    samples = np.interp(at, np.arange(len(whole)), whole)
    return np.asarray(samples / np.abs(samples).max() * 0.5, dtype=np.float64)


def test_pauses_and_latency_of_speech_are_found(spoken: NDArray[np.float64]) -> None:
    tables = measure_voice(wav(spoken), recording(Task("reading", 0.5, 9.0)), PARAMS)
    row = tables.speech_timing.row(1, named=True)
    assert tables.speech_timing.schema == pl.Schema(SPEECH_TIMING.polars_schema())
    # The model is made for people: a synthetic voice convinces it late.
    assert row["response_latency_s"] == pytest.approx(0.5, abs=0.35)
    assert row["response_latency_s"] == pytest.approx(tables.speech_segments["start_s"][0] - 0.5)
    assert row["pauses"] == 1
    assert row["pause_mean_s"] == pytest.approx(1.0, abs=0.35)
    assert row["runs"] == len(tables.speech_segments) == 2
    assert row["loudness_peaks_per_speech_s"] == tables.functionals_speech["loudnessPeaksPerSec"].cast(pl.Float64)[1]
    assert 2 < row["loudness_peaks_per_speech_s"] < 10


def test_silence_weighs_in_whole_tasks_and_not_in_their_speech(spoken: NDArray[np.float64]) -> None:
    tables = measure_voice(wav(spoken), recording(), PARAMS)
    over_all, over_speech = tables.functionals.row(0, named=True), tables.functionals_speech.row(0, named=True)
    assert tables.functionals_speech.schema == pl.Schema(VOICE_FUNCTIONALS_SPEECH.polars_schema())
    assert over_speech["cause"] is None
    assert over_speech["stretches"] == 2
    assert over_speech["speech_s"] == pytest.approx(tables.speech_timing["speech_s"][0])
    assert over_speech["loudness_sma3_amean"] > 1.3 * over_all["loudness_sma3_amean"]
    # Means over voiced frames hardly move: silence has none.
    for name in ("F0semitoneFrom27.5Hz_sma3nz_amean", "F1frequency_sma3nz_amean", "HNRdBACF_sma3nz_amean"):
        assert over_speech[name] == pytest.approx(over_all[name], rel=0.05), name


def test_without_speech_there_is_a_cause(silent_film: bytes) -> None:
    tables = measure_voice(wav(silence(2.0)), recording(Task("reading", 0.0, 0.2)), PARAMS)
    assert tables.functionals_speech["cause"].to_list() == ["no_speech", "too_short"]
    assert tables.speech_timing["cause"].to_list() == ["no_speech", "too_short"]
    assert tables.speech_segments.is_empty()
    without = measure_voice(silent_film, recording(), PARAMS)
    assert without.functionals_speech["cause"].to_list() == without.speech_timing["cause"].to_list() == ["no_audio"]
    assert without.speech_timing["speech_s"].to_list() == [None]


MARKED = [column.name for column in FUNCTIONALS if column.gain_sensitive]


def test_at_minus_12_db_what_is_marked_changes_and_what_is_not_stays(spoken: NDArray[np.float64]) -> None:
    loud, soft = (
        measure_voice(wav(spoken * gain), recording(), PARAMS).functionals.row(0, named=True)
        for gain in (1.0, 10 ** (-12 / 20))
    )
    for column in FUNCTIONALS:
        before, after = loud[column.name], soft[column.name]
        mean = column.name.replace("stddevNorm", "amean")
        if mean != column.name and not VOICE_FUNCTIONALS[mean].gain_sensitive:
            # A coefficient of variation means nothing where the mean is near 0: the standard deviation is compared.
            before, after = before * loud[mean], after * soft[mean]
        relative = abs(after - before) / max(abs(before), 1e-9)
        if column.gain_sensitive:
            assert relative > 0.05, column.name
        else:
            # What is left: openSMILE calls no frame voiced whose energy is below 0.001, so a soft frame or two drops out.
            assert relative < 0.1 or abs(after - before) < 0.5, (column.name, before, after)


def test_what_follows_the_level_is_marked_by_its_descriptor() -> None:
    assert {name.partition("_")[0] for name in MARKED} == {
        "loudness", "spectralFlux", "spectralFluxV", "spectralFluxUV", "slopeV0-500", "slopeV500-1500", "slopeUV0-500",
        "slopeUV500-1500", "equivalentSoundLevel",
    }  # fmt: skip
    # A mere factor cancels in the coefficient of variation.
    assert not {"loudness_sma3_stddevNorm", "spectralFlux_sma3_stddevNorm", "loudnessPeaksPerSec"} & set(MARKED)
    assert [c.name for c in VOICE_FRAMES if c.gain_sensitive] == [
        "Loudness_sma3", "slope0-500_sma3", "slope500-1500_sma3", "spectralFlux_sma3",
    ]  # fmt: skip


@pytest.mark.skipif(find_spec("parselmouth") is None, reason="the extra praat is not installed")
def test_praat_measures_the_same_stretches_where_it_is_asked_for(spoken: NDArray[np.float64]) -> None:
    asked = VoiceParams(cross_check="praat")
    tables = measure_voice(wav(spoken), recording(Task("reading", 0.0, 0.2)), asked)
    rows = tables.cross_check
    assert rows.schema == pl.Schema(VOICE_CROSS_CHECK.polars_schema())
    assert rows["feature"].to_list() == [*CROSS_CHECKED] * 2
    whole = dict(rows.filter(task="whole").select("feature", "value").iter_rows())
    semitones = tables.functionals["F0semitoneFrom27.5Hz_sma3nz_amean"][0]
    assert whole["f0_geometric_mean_hz"] == pytest.approx(27.5 * 2 ** (semitones / 12), rel=0.05)
    assert set(rows.filter(task="reading").select("value", "cause").iter_rows()) == {(None, "too_short")}
    assert engine(asked).name == "opensmile+praat"
    assert measure_voice(wav(spoken), recording(), PARAMS).cross_check.is_empty()


def test_further_sets_stand_beside_the_wide_one(spoken: NDArray[np.float64]) -> None:
    asked = VoiceParams(feature_sets=("eGeMAPSv02", "GeMAPSv01b"), levels=("functionals", "lld"))
    tables = measure_voice(wav(spoken), recording(), asked)
    assert tables.functionals.equals(measure_voice(wav(spoken), recording(), PARAMS).functionals)
    pitch = tables.features_long.filter(feature="F0semitoneFrom27.5Hz_sma3nz_amean")
    assert pitch["segment"].to_list() == ["task", "speech"]
    assert pitch["value"][0] == pytest.approx(tables.functionals["F0semitoneFrom27.5Hz_sma3nz_amean"][0], rel=0.02)
    assert len(tables.series["values"][0]) == len(tables.frames)


@pytest.mark.skipif(not WOMAN.exists(), reason="the optional recordings are not here")
def test_a_real_recording_has_all_its_features() -> None:
    tasks = (Task("reading", 0.0, 8.0), Task("free_speech", 8.2, 19.6))
    tables = measure_voice(WOMAN.read_bytes(), recording(*tasks), PARAMS)
    assert len(tables.frames) == pytest.approx(1956, abs=2)
    assert tables.functionals["cause"].null_count() == 3
    assert tables.functionals.select(c.name for c in FUNCTIONALS).null_count().sum_horizontal()[0] == 0


@pytest.fixture
def silent_film() -> bytes:
    """A second of film without a sound track."""
    import av  # noqa: PLC0415 - for this fixture alone

    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=25)
        stream.width, stream.height = 64, 48
        for _ in range(25):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.full((48, 64, 3), 90, np.uint8), format="rgb24")))
        container.mux(stream.encode(None))
    return out.getvalue()
