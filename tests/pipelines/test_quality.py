"""What quality sees in sound and broken media, and what follows from it."""

import io
import math
import struct
import wave
from collections.abc import Callable
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from pipelines import quality
from pipelines.params import ProtocolParams, QualityParams
from pipelines.quality import length_reasons, measure_quality, quality_reasons
from pipelines.quality_decode import VideoTrace
from pipelines.recording import Recording
from schemas.quality import MEASURES, QUALITY_MEASURES

RATE = 16_000
PARAMS = QualityParams()
PROTOCOL = ProtocolParams()
RECORDINGS = Path(__file__).parents[2] / "../shared/recordings"
Picture = NDArray[np.uint8]


def recording(declared_s: float | None = None) -> Recording:
    return Recording("P000000000-00000000", "P000000000", "v1", 0, 0, 0, None, "en", (), "0" * 64, declared_s)


@cache
def table_of(media: bytes, declared_s: float | None = None) -> pl.DataFrame:
    return measure_quality(media, recording(declared_s), PARAMS)


def measured(media: bytes, declared_s: float | None = None) -> dict[str, float | None]:
    return dict(table_of(media, declared_s).select("measure", "value").iter_rows())


def codes(media: bytes, protocol: ProtocolParams = PROTOCOL) -> set[str]:
    return {r.code for r in quality_reasons(table_of(media), PARAMS, protocol)}


def texture(index: int = 0, size: tuple[int, int] = (240, 320), level: float = 120.0) -> Picture:
    """Squares with sharp edges that move."""
    rows, columns = np.indices(size)
    board = ((rows // 16 + (columns + index) // 16) % 2) * 2.0 - 1
    return np.repeat((level + 0.5 * level * board)[..., None], 3, axis=2).clip(0, 255).astype(np.uint8)


def tone(length_s: float, level: float = 0.1, rate: int = RATE) -> NDArray[np.float64]:
    return level * np.sin(2 * np.pi * 200 * np.arange(int(length_s * rate)) / rate)


def film(
    path: Path,
    *,
    length_s: float = 4.0,
    fps: int = 25,
    paint: Callable[[int], Picture] = texture,
    times: Callable[[int], float] | None = None,
    sound: NDArray[np.float64] | None = None,
    options: dict[str, str] | None = None,
    codec: str = "libx264",
) -> bytes:
    """A small film with a tone; `times` gives each frame's presentation time."""
    sound = tone(length_s) if sound is None else sound
    with av.open(str(path), "w", options=options or {}) as container:
        video = container.add_stream(codec, rate=fps, options={"preset": "ultrafast"} if codec == "libx264" else {})
        assert isinstance(video, av.VideoStream)
        video.height, video.width = paint(0).shape[:2]
        video.gop_size = fps
        video.codec_context.time_base = Fraction(1, 1000)
        audio = container.add_stream("aac", rate=RATE, layout="mono") if len(sound) else None
        for i in range(int(length_s * fps)):
            frame = av.VideoFrame.from_ndarray(paint(i), format="rgb24")
            frame.pts, frame.time_base = round((times(i) if times else i / fps) * 1000), Fraction(1, 1000)
            container.mux(video.encode(frame))
            if audio is not None:
                part = sound[i * RATE // fps : (i + 1) * RATE // fps]
                if not len(part):
                    continue
                chunk = av.AudioFrame.from_ndarray(part.astype(np.float32)[None], format="fltp", layout="mono")
                chunk.sample_rate, chunk.pts = RATE, i * RATE // fps
                container.mux(audio.encode(chunk))
        container.mux(video.encode(None))
        if audio is not None:
            container.mux(audio.encode(None))
    return path.read_bytes()


def wav(samples: NDArray[np.float64]) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes((np.clip(samples, -1, 1) * 32767).astype("<i2").tobytes())
    return out.getvalue()


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """Four seconds with the index in front, as cameras for streaming write them."""
    return film(tmp_path_factory.mktemp("whole") / "whole.mp4", options={"movflags": "faststart"})


@pytest.fixture(scope="module")
def matroska(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return film(tmp_path_factory.mktemp("matroska") / "whole.mkv")


class TestTable:
    def test_one_row_a_measure_in_the_order_of_the_registry(self, whole: bytes) -> None:
        table = measure_quality(whole, recording(), PARAMS)
        assert table["measure"].to_list() == list(MEASURES)
        assert table.schema == pl.Schema(QUALITY_MEASURES.polars_schema())
        assert not table.drop("value", "threshold").null_count().sum_horizontal()[0]

    def test_the_same_bytes_give_the_same_table(self, whole: bytes) -> None:
        assert measure_quality(whole, recording(), PARAMS).equals(measure_quality(whole, recording(), PARAMS))

    def test_a_row_shows_its_threshold_and_how_it_stands_to_it(self, whole: bytes) -> None:
        rows = {r["measure"]: r for r in measure_quality(whole, recording(), PARAMS).iter_rows(named=True)}
        assert (rows["fps"]["threshold"], rows["fps"]["status"]) == (">= 15", "pass")
        assert (rows["contrast"]["threshold"], rows["contrast"]["status"]) == (None, "info")
        assert rows["speech_share"]["status"] == "warn"
        assert (rows["snr_db"]["value"], rows["snr_db"]["status"]) == (None, "missing")

    def test_a_parameter_moves_the_verdict(self, whole: bytes) -> None:
        strict = QualityParams(min_fps=50)
        table = measure_quality(whole, recording(), strict)
        assert table.filter(measure="fps")["threshold"].item() == ">= 50"
        assert "LOW_FRAME_RATE" in {r.code for r in quality_reasons(table, strict, PROTOCOL)}

    def test_a_reason_names_the_measure_and_its_threshold(self, whole: bytes) -> None:
        reasons = quality_reasons(measure_quality(whole, recording(), PARAMS), PARAMS, PROTOCOL)
        assert [r.code for r in reasons] == ["NO_SPEECH"]
        assert reasons[0].detail == "speech_share is 0, should be >= 0.1"


class TestLength:
    def test_a_whole_file_misses_nothing(self, whole: bytes, matroska: bytes) -> None:
        for media in (whole, matroska):
            values = measured(media)
            assert values["duration_s"] == pytest.approx(4.0, abs=0.1)
            assert values["declared_duration_s"] == pytest.approx(4.0, abs=0.1)
            assert values["missing_s"] == pytest.approx(0.0, abs=0.1)
            assert values["frames"] == 100

    @pytest.mark.parametrize("share", [0.5, 0.87])
    def test_a_cut_tail_is_caught_though_the_header_says_full(
        self, whole: bytes, matroska: bytes, share: float
    ) -> None:
        for media in (whole, matroska):
            cut = media[: int(len(media) * share)]
            assert "TRUNCATED" in codes(cut)
            values = measured(cut)
            assert values["declared_duration_s"] == pytest.approx(4.0, abs=0.1)
            assert values["decoded_share"] is not None
            assert values["decoded_share"] < 1 - 0.25 / 4

    @pytest.mark.parametrize(("lost_s", "caught"), [(0.0, False), (0.1, False), (0.5, True), (3.0, True)])
    def test_a_wav_is_held_against_its_data_chunk(self, lost_s: float, caught: bool) -> None:  # noqa: FBT001 - a case
        media = wav(tone(4.0))
        cut = media[: len(media) - int(lost_s * RATE) * 2]
        assert measured(cut)["missing_s"] == pytest.approx(lost_s, abs=0.001)
        assert ("TRUNCATED" in codes(cut)) == caught

    def test_a_wav_never_closed_claims_nothing(self) -> None:
        media = bytearray(wav(tone(4.0)))
        struct.pack_into("<I", media, 40, 0xFFFFFFFF)
        values = measured(bytes(media))
        assert values["declared_duration_s"] is None
        assert values["missing_s"] is None
        assert values["duration_s"] == pytest.approx(4.0)

    def test_what_was_delivered_counts_though_stripping_rewrote_the_header(self, whole: bytes) -> None:
        values = measured(whole, declared_s=5.0)
        assert values["missing_s"] == pytest.approx(1.0, abs=0.1)
        assert values["decoded_share"] == pytest.approx(0.8, abs=0.02)

    def test_too_long_or_short_for_the_protocol(self, whole: bytes) -> None:
        assert "PROTOCOL_DURATION" in codes(whole, ProtocolParams(max_duration_s=2.0, duration_tolerance_s=1.0))
        assert "PROTOCOL_DURATION" not in codes(whole, ProtocolParams(max_duration_s=3.5, duration_tolerance_s=1.0))
        assert "SHORT" in codes(wav(tone(1.0)))


class TestTracks:
    def test_sound_alone_is_measured_and_lacks_its_video(self) -> None:
        media = wav(tone(4.0))
        values = measured(media)
        assert (values["frames"], values["audio_samples"]) == (0, 4 * RATE)
        assert (values["brightness"], values["fps"]) == (None, None)
        assert "NO_VIDEO" in codes(media)
        assert "NO_VIDEO" not in codes(media, ProtocolParams(require_video=False))

    def test_video_alone_is_measured_and_lacks_its_sound(self, tmp_path: Path) -> None:
        media = film(tmp_path / "mute.mp4", sound=np.zeros(0))
        values = measured(media)
        assert (values["frames"], values["audio_samples"]) == (100, 0)
        assert values["speech_share"] is None
        assert "NO_AUDIO" in codes(media)
        assert codes(media, ProtocolParams(require_audio=False)) == set()

    def test_tracks_of_different_length_are_told(self, tmp_path: Path) -> None:
        media = film(tmp_path / "drift.mp4", sound=tone(2.0))
        assert measured(media)["av_length_difference_s"] == pytest.approx(2.0, abs=0.15)
        assert "AV_DESYNC" in codes(media)


class TestIntegrity:
    @staticmethod
    def damaged(media: bytes, length: int) -> bytes:
        at = media.find(b"mdat") + (len(media) - media.find(b"mdat")) // 2
        return media[:at] + np.random.default_rng(0).bytes(length) + media[at + length :]

    def test_a_damaged_middle_is_a_flag(self, whole: bytes) -> None:
        found = codes(self.damaged(whole, 400))
        assert "DECODE_ERRORS" in found
        assert not {"TRUNCATED", "BAD_TIMESTAMPS", "TOO_MANY_DECODE_ERRORS"} & found

    def test_much_damage_is_too_much(self, whole: bytes) -> None:
        assert {"DECODE_ERRORS", "TOO_MANY_DECODE_ERRORS"} <= codes(self.damaged(whole, len(whole) // 3))

    def test_quarantine_comes_first(self, whole: bytes) -> None:
        table = measure_quality(whole[: len(whole) // 2], recording(), PARAMS)
        assert quality_reasons(table, PARAMS, PROTOCOL)[0].code == "TRUNCATED"


class TestTime:
    def test_a_constant_rate_is_regular(self, whole: bytes) -> None:
        values = measured(whole)
        assert values["fps"] == pytest.approx(25.0)
        assert values["frame_interval_cv"] == pytest.approx(0.0, abs=1e-6)

    def test_true_times_tell_a_variable_rate(self, tmp_path: Path) -> None:
        media = film(tmp_path / "vfr.mkv", times=lambda i: i / 25 + (0.02 if i % 2 else 0.0))
        values = measured(media)
        assert values["fps"] == pytest.approx(25.0, rel=0.01)
        assert values["frame_interval_cv"] == pytest.approx(0.5, abs=0.01)
        assert "VARIABLE_FRAME_RATE" in codes(media)

    def test_an_absurd_gap_is_no_frame_rate(self, tmp_path: Path) -> None:
        media = film(tmp_path / "gap.mkv", times=lambda i: i / 25 + (1000.0 if i > 50 else 0.0))
        assert "BAD_TIMESTAMPS" in codes(media)

    def test_a_low_rate_is_told(self, tmp_path: Path) -> None:
        assert "LOW_FRAME_RATE" in codes(film(tmp_path / "slow.mp4", fps=8))

    def test_times_that_run_backward_are_counted(self) -> None:
        trace = VideoTrace(timestamps_s=[0.0, 0.04, 0.02, 0.06, 0.06], packet_times_s=[0.0, 0.04])
        assert quality._timing(trace)["timestamp_reversals"] == 2


class TestPicture:
    def test_brightness_is_in_full_range(self, tmp_path: Path) -> None:
        def plain(level: int) -> Callable[[int], Picture]:
            return lambda _: np.full((240, 320, 3), level, np.uint8)

        for level in (0, 128, 255):
            media = film(tmp_path / f"{level}.mp4", length_s=0.4, paint=plain(level))
            assert measured(media)["brightness"] == pytest.approx(level, abs=2)

    def test_a_dark_picture_is_told(self, tmp_path: Path) -> None:
        assert "DARK" in codes(film(tmp_path / "dark.mp4", length_s=0.4, paint=lambda i: texture(i, level=20)))

    def test_a_blurred_picture_is_told(self, tmp_path: Path) -> None:
        def blurred(index: int) -> Picture:
            picture = texture(index).astype(float)
            for axis in (0, 1):
                picture = np.mean([np.roll(picture, n, axis=axis) for n in range(-20, 21, 2)], axis=0)
            return picture.astype(np.uint8)

        assert "BLURRED" in codes(film(tmp_path / "blurred.mp4", length_s=0.4, paint=blurred))

    def test_sharpness_compares_between_resolutions(self, tmp_path: Path) -> None:
        def doubled(index: int) -> Picture:
            return np.kron(texture(index), np.ones((2, 2, 1), dtype=np.uint8))

        small, large = (measured(film(tmp_path / f"{n}.mp4", length_s=0.4, paint=p))["sharpness"]
                        for n, p in (("small", texture), ("large", doubled)))  # fmt: skip
        assert small is not None
        assert small == pytest.approx(large, rel=0.3)

    def test_a_small_picture_is_told(self, tmp_path: Path) -> None:
        media = film(tmp_path / "small.mp4", length_s=0.4, paint=lambda i: texture(i, size=(120, 160)))
        assert (measured(media)["width_px"], measured(media)["height_px"]) == (160, 120)
        assert "LOW_RESOLUTION" in codes(media)


class TestSound:
    def test_levels_are_against_full_scale(self) -> None:
        values = measured(wav(tone(4.0, level=0.5)))
        assert values["audio_peak_dbfs"] == pytest.approx(20 * math.log10(0.5), abs=0.01)
        assert values["audio_level_dbfs"] == pytest.approx(20 * math.log10(0.5 / math.sqrt(2)), abs=0.01)
        assert values["sample_rate_hz"] == RATE

    def test_silence_is_told_and_has_a_finite_level(self) -> None:
        assert "SILENT" in codes(wav(np.zeros(4 * RATE)))
        assert measured(wav(np.zeros(4 * RATE)))["audio_level_dbfs"] == pytest.approx(-144.5, abs=0.1)

    def test_clipping_is_told(self) -> None:
        media = wav(tone(4.0, level=1.5))
        assert measured(media)["clipping_share"] == pytest.approx(1 - 2 / math.pi * math.asin(1 / 1.5), abs=0.02)
        assert "CLIPPED" in codes(media)
        assert "CLIPPED" not in codes(wav(tone(4.0, level=0.9)))

    @pytest.mark.parametrize("samples", [1, 100, 600, 3000])
    def test_the_shortest_sound_is_measured(self, samples: int) -> None:
        values = measured(wav(tone(1.0)[:samples]))
        assert values["audio_samples"] == samples
        assert values["speech_share"] == 0

    def test_without_speech_there_is_no_ratio_to_noise(self) -> None:
        values = measured(wav(tone(4.0)))
        assert values["speech_share"] == 0
        assert values["longest_silence_s"] == pytest.approx(4.0)
        assert values["snr_db"] is None

    @pytest.mark.parametrize(("noise", "expected_db"), [(0.003, 26.5), (0.03, 6.5)])
    def test_noise_between_speech_sets_the_ratio(self, noise: float, expected_db: float) -> None:
        call = pytest.importorskip("parselmouth").praat.call
        synthesiser = call("Create SpeechSynthesizer", "English (Great Britain)", "Male1")
        said = call(synthesiser, "To Sound", "The north wind and the sun were disputing which was the stronger.", "no")
        speech = (said[0] if isinstance(said, list) else said).resample(RATE).values[0]
        speech *= 0.0635 / np.sqrt(np.mean(speech**2))
        clean = np.concatenate([np.zeros(RATE), speech, np.zeros(RATE)])
        media = wav(clean + np.random.default_rng(0).normal(0, noise, len(clean)))
        values = measured(media)
        assert values["snr_db"] == pytest.approx(expected_db, abs=2.5)
        assert values["speech_share"] == pytest.approx(len(speech) / len(clean), abs=0.15)
        assert ("NOISY" in codes(media)) == (expected_db < PARAMS.min_snr_db)


@pytest.mark.skipif(not RECORDINGS.exists(), reason="the optional recordings are not here")
class TestRealRecordings:
    def test_a_woman_in_distress_is_accepted_without_reservation(self) -> None:
        media = (RECORDINGS / "woman_distress.mp4").read_bytes()
        values = measured(media)
        assert values["frames"] == 472
        assert values["fps"] == pytest.approx(23.976, abs=0.001)
        assert (values["width_px"], values["height_px"]) == (640, 360)
        assert values["speech_share"] is not None
        assert values["speech_share"] > 0.3
        assert codes(media) == set()

    def test_a_smiling_man_is_accepted_and_short(self) -> None:
        assert codes((RECORDINGS / "man_smiling_2s.mp4").read_bytes()) == {"SHORT"}


def test_a_recording_that_was_delivered_without_a_length_says_so() -> None:
    assert [reason.code for reason in length_reasons(recording())] == ["LENGTH_UNKNOWN"]
    assert length_reasons(recording(2.0)) == []
