"""A track's sound, taken while the whole is decoded, is the sound that is read by itself."""

import av
import numpy as np
import pytest

from pipelines.media import open_media, read_sound
from pipelines.mono import Mono
from pipelines.params import QualityParams
from pipelines.quality_decode import decode
from pipelines.speech import SPEECH_RATE_HZ
from tests.pipelines.video_factory import plain, video, with_packets_overwritten

RATE_HZ = 16_000
TONE = (0.5 * np.sin(2 * np.pi * 440 * np.arange(2 * RATE_HZ) / RATE_HZ)).astype(np.float32)


@pytest.fixture(scope="module")
def whole() -> bytes:
    return video([plain(90)] * 50, sound=TONE, sound_start_s=0.2)


@pytest.mark.parametrize("lost", [set(), {0}, {5, 6, 7, 8}, {28, 29, 30}])
def test_it_is_what_is_read_of_the_track_alone_whatever_was_lost(whole: bytes, lost: set[int]) -> None:
    media = with_packets_overwritten(whole, lost, "audio")
    alone = read_sound(media, SPEECH_RATE_HZ)
    together = decode(media, QualityParams()).sound
    assert alone is not None
    assert together is not None
    assert (together.start_s, together.sample_rate_hz) == (alone.start_s, alone.sample_rate_hz)
    assert together.samples.tobytes() == alone.samples.tobytes()


def test_sound_for_which_room_is_made_again_and_again_is_whole() -> None:
    seconds = np.random.default_rng(0).normal(0, 0.1, (95, 1, RATE_HZ)).astype(np.float32)
    mono = Mono(RATE_HZ)
    for second in seconds:
        frame = av.AudioFrame.from_ndarray(second, format="flt", layout="mono")
        frame.sample_rate = RATE_HZ
        mono.take(frame, None)
    sound = mono.sound()
    assert sound is not None
    np.testing.assert_array_equal(sound.samples, seconds.ravel())
    assert mono.sound() is None, "it is handed over, not kept"


def test_without_a_track_there_is_none() -> None:
    assert decode(video([plain(90)] * 3), QualityParams()).sound is None


def test_levels_are_those_of_the_whole_track_frame_by_frame(whole: bytes) -> None:
    audio = decode(whole, QualityParams()).audio
    assert audio is not None
    square_sum, peak, values = 0.0, 0.0, 0
    with open_media(whole) as container:
        for frame in container.decode(audio=0):
            samples = np.abs(frame.to_ndarray().astype(np.float64))
            square_sum += float(np.sum(np.square(samples)))
            peak, values = max(peak, float(samples.max())), values + samples.size
    assert (audio.square_sum, audio.peak, audio.values) == (square_sum, peak, values)
