"""Films of the benchmark: every codec can be read, nothing depends on chance, and every camera sees the same performance."""

from importlib.util import find_spec

import numpy as np
import pytest

from benchmarks.film import Codec, encode, encode_sound, h264, h265, vp9
from pipelines.media import read_sound, video_frames

RATE_HZ = 44_100
GREY = [np.full((48, 64, 3), level, dtype=np.uint8) for level in (40, 80, 120, 160, 200)]


@pytest.mark.parametrize("codec", [h264(), h265(), vp9()], ids=lambda codec: codec.name)
@pytest.mark.parametrize("fps", [24.0, 60.0])
def test_a_film_has_its_pictures_at_their_times_and_the_same_bytes_again(codec: Codec, fps: float) -> None:
    media = encode(GREY, codec, fps)
    frames = list(video_frames(media, pixels="luma"))
    assert [frame.timestamp_s for frame in frames] == pytest.approx([n / fps for n in range(5)], abs=1e-3)
    levels = [float(frame.image.mean()) for frame in frames]
    assert levels == sorted(levels)
    assert encode(GREY, codec, fps) == media


@pytest.mark.parametrize(
    "codec",
    [
        Codec("flac", "flac", "matroska"),
        Codec("aac", "aac", "mp4", bit_rate=64_000),
        Codec("opus", "libopus", "webm", bit_rate=64_000),
    ],
    ids=lambda codec: codec.name,
)
def test_a_tone_comes_back_from_every_sound_codec(codec: Codec) -> None:
    tone = (0.3 * np.sin(2 * np.pi * 440 * np.arange(RATE_HZ) / RATE_HZ)).astype(np.float32)
    sound = read_sound(encode_sound(tone, RATE_HZ, codec), 16_000)
    assert sound is not None
    assert len(sound.samples) == pytest.approx(16_000, abs=1200)
    middle = sound.samples[4000:12_000]
    peak_hz = np.argmax(np.abs(np.fft.rfft(middle))) * 16_000 / len(middle)
    assert peak_hz == pytest.approx(440, abs=3)
    assert float(np.sqrt(np.mean(middle.astype(np.float64) ** 2))) == pytest.approx(0.3 / np.sqrt(2), rel=0.1)


needs_demo = pytest.mark.skipif(
    find_spec("skimage") is None or find_spec("parselmouth") is None, reason="the extra `demo` is not installed"
)


@needs_demo
def test_every_camera_sees_the_same_performance_at_the_same_time() -> None:
    from benchmarks.performance import Performance  # noqa: PLC0415 - of the extra `demo`

    played = Performance(1, 1.0)
    slow, fast = list(played.images(90, 10.0)), list(played.images(90, 20.0))
    assert (len(slow), len(fast)) == (10, 20)
    assert slow[0].shape == (90, 160, 3)
    for number, image in enumerate(slow):
        assert np.abs(image.astype(int) - fast[2 * number]).max() <= 1
    assert np.abs(fast[0].astype(int) - fast[-1]).mean() > 0.1
