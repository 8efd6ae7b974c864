"""How much later the sound comes than the picture: found where people speak, and not made up where they do not."""

from dataclasses import dataclass, replace
from functools import cache

import numpy as np
import polars as pl
import pytest

from pipelines.align import align_recording
from pipelines.av_offset import measure_av_offset
from pipelines.face import measure_face
from pipelines.params import AlignParams, VoiceParams
from pipelines.params_face import FaceParams
from pipelines.synthetic.recording import Take, film
from pipelines.synthetic.speech import Voice
from pipelines.voice import measure_voice
from schemas.av_offset import AV_OFFSETS
from schemas.face import AU_FRAMES
from schemas.voice import DESCRIPTORS, F0, VOICE_FRAMES
from tests.pipelines.video_factory import RECORDING

PARAMS = AlignParams()
TOLERANCE_S = 0.025
"""Half of what viewers notice (ITU-R BT.1359: 45 ms early, 125 ms late), and less than a frame."""
SHIFTS_S = (-0.2, 0.0, 0.12, 0.33)


@dataclass(frozen=True)
class Spoken:
    """Both tables of one recording."""

    face: pl.DataFrame
    voice: pl.DataFrame

    def with_sound_later(self, by_s: float) -> "Spoken":
        return replace(self, voice=self.voice.with_columns(pl.col("timestamp_s") + by_s))


def syllables(seconds: float, rate_hz: float, seed: int) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """An envelope as of speech: noise of 2 to 6 Hz, at a rate."""
    fine = np.random.default_rng(seed).standard_normal(round(seconds * 100))
    spectrum = np.fft.rfft(fine)
    frequency_hz = np.fft.rfftfreq(len(fine), 0.01)
    spectrum[(frequency_hz < 2) | (frequency_hz > 6)] = 0
    envelope = np.fft.irfft(spectrum, len(fine))
    times_s = np.arange(round(seconds * rate_hz)) / rate_hz
    opened = 1.0 + 0.5 * np.interp(times_s, np.arange(len(fine)) / 100, envelope / envelope.std())
    return np.asarray(np.clip(opened, 0, None), dtype=np.float64)


def spoken(seconds: float = 12.0, mouth_seed: int = 1, sound_seed: int = 1, fps: float = 25.0) -> Spoken:
    """Tables of a mouth and a sound that follow envelopes: the same one, unless the seeds differ."""
    opening = syllables(seconds, fps, mouth_seed)
    frames = len(opening)
    face = AU_FRAMES.frame(
        [
            {"recording": RECORDING.recording, "frame": n, "timestamp_s": n / fps, "face_found": True}
            | {"AU25_r": float(opening[n]), "AU26_r": 0.5 * float(opening[n])}
            for n in range(frames)
        ]
    )
    loud = syllables(seconds, 100, sound_seed)
    voice = VOICE_FRAMES.frame(
        [
            {"recording": RECORDING.recording, "frame": n, "timestamp_s": n / 100 - 0.01}
            | {d.name: float(loud[n]) for d in DESCRIPTORS}
            for n in range(len(loud))
        ]
    )
    return Spoken(face, voice)


@cache
def synthetic_patient(person: int, language: str, pain: float) -> Spoken:
    filmed = film(Take(person, person, Voice("female"), language, 5.0, pain))
    recording = replace(RECORDING, tasks=filmed.tasks)
    face = measure_face(filmed.media, recording, FaceParams())
    return Spoken(face, measure_voice(filmed.media, recording, VoiceParams()).frames)


def offset_of(one: Spoken, params: AlignParams = PARAMS) -> dict[str, object]:
    table = measure_av_offset(one.face, one.voice, RECORDING, params)
    assert table.schema == pl.Schema(AV_OFFSETS.polars_schema())
    return table.row(0, named=True)


@pytest.mark.parametrize("shift_s", SHIFTS_S)
@pytest.mark.parametrize("person", [(5, "en", 0.8), (6, "nl", 0.0)])
def test_a_shift_of_a_speaking_patients_sound_is_recovered(person: tuple[int, str, float], shift_s: float) -> None:
    found = offset_of(synthetic_patient(*person).with_sound_later(shift_s))
    assert found["av_offset_s"] == pytest.approx(shift_s, abs=TOLERANCE_S)
    assert found["av_offset_confidence"] == 1.0
    assert found["cause"] is None


@pytest.mark.parametrize("shift_s", SHIFTS_S)
@pytest.mark.parametrize("fps", [15.0, 25.0, 60.0])
def test_a_shift_is_recovered_at_any_frame_rate(fps: float, shift_s: float) -> None:
    found = offset_of(spoken(fps=fps).with_sound_later(shift_s))
    assert found["av_offset_s"] == pytest.approx(shift_s, abs=TOLERANCE_S)
    assert found["av_offset_confidence"] == 1.0


def test_missing_faces_do_not_move_it() -> None:
    one = spoken()
    gappy = replace(one, face=one.face.filter(~pl.col("frame").is_between(50, 120)).with_columns(
        AU26_r=pl.when(pl.col("frame") > 200).then("AU26_r")
    ))  # fmt: skip
    assert offset_of(gappy.with_sound_later(0.1))["av_offset_s"] == pytest.approx(0.1, abs=TOLERANCE_S)


def test_slow_changes_of_the_face_do_not_move_it() -> None:
    one = spoken()
    in_pain = 2 * pl.col("timestamp_s").sub(6).pow(2).neg().truediv(8).exp()
    face = one.face.with_columns((pl.col("AU25_r") + in_pain).cast(pl.Float32))
    assert offset_of(replace(one, face=face))["av_offset_s"] == pytest.approx(0.0, abs=TOLERANCE_S)


def test_a_mouth_that_has_nothing_to_do_with_the_sound_is_not_trusted() -> None:
    found = [offset_of(spoken(mouth_seed=seed, sound_seed=100 + seed)) for seed in range(20)]
    confidences = [f["av_offset_confidence"] for f in found if f["cause"] is None]
    assert confidences
    assert np.mean(np.array(confidences, dtype=float)) < 0.8
    assert np.mean(np.array(confidences, dtype=float) >= 0.99) <= 0.25


@pytest.mark.parametrize(
    ("cause", "one"),
    [
        ("no_audio", Spoken(spoken().face, VOICE_FRAMES.frame())),
        ("no_video", Spoken(AU_FRAMES.frame(), spoken().voice)),
        ("no_face", replace(spoken(), face=spoken().face.with_columns(AU25_r=pl.lit(None, pl.Float32)))),
        ("no_speech", replace(spoken(), voice=spoken().voice.with_columns(pl.lit(None, pl.Float32).alias(F0)))),
        ("no_mouth_movement", replace(spoken(), face=spoken().face.with_columns(AU25_r=pl.lit(0.3, pl.Float32), AU26_r=pl.lit(0.0, pl.Float32)))),
        ("too_short", spoken(seconds=3.0)),
    ],
)  # fmt: skip
def test_where_it_cannot_be_measured_it_is_null_with_its_cause(cause: str, one: Spoken) -> None:
    found = offset_of(one)
    assert found["cause"] == cause
    assert [found[name] for name in ("av_offset_s", "av_offset_confidence", "correlation")] == [None] * 3
    assert found["max_av_offset_s"] == PARAMS.max_av_offset_s


def test_what_is_best_at_the_edge_of_the_searched_lags_is_no_peak() -> None:
    found = offset_of(spoken().with_sound_later(0.1), AlignParams(max_av_offset_s=0.06))
    assert (found["cause"], found["av_offset_s"]) == ("no_peak", None)


def test_it_is_looked_for_as_far_as_the_study_says() -> None:
    late = spoken(seconds=20.0).with_sound_later(0.8)
    assert offset_of(late, AlignParams(max_av_offset_s=1.0))["av_offset_s"] == pytest.approx(0.8, abs=TOLERANCE_S)


def test_it_shifts_nothing() -> None:
    late = spoken().with_sound_later(0.2)
    aligned = align_recording(late.face, late.voice, RECORDING, PARAMS)
    assert aligned.av_offset["av_offset_s"].item() == pytest.approx(0.2, abs=TOLERANCE_S)
    loud = aligned.frames.select("t_s", "Loudness_sma3").drop_nulls()
    heard = late.voice.with_columns(middle_s=pl.col("timestamp_s") + 0.01)
    assert loud["t_s"][0] == pytest.approx(heard["middle_s"][0], abs=0.02)
    wide = align_recording(late.face, late.voice, RECORDING, AlignParams(max_av_offset_s=0.25))
    assert wide.frames.equals(aligned.frames)


def test_the_order_of_the_rows_does_not_matter() -> None:
    one = spoken()
    assert offset_of(Spoken(one.face.reverse(), one.voice.reverse())) == offset_of(one)
