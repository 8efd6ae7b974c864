"""Reading media from memory: true times, as shown, and what broken bytes become."""

import io

import av
import numpy as np
import pytest

from pipelines.errors import Rejection
from pipelines.media import open_media, read_sound, tracks, video_frames
from tests.pipelines.video_factory import plain, video, with_packets_overwritten

RATE_HZ = 16_000


def a_second_of_tone() -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(RATE_HZ) / RATE_HZ)).astype(np.float32)


def test_frames_keep_their_true_times_at_a_variable_rate() -> None:
    times_s = [0.0, 0.04, 0.05, 0.2, 0.21, 0.5]
    frames = list(video_frames(video([plain(40 * i + 10) for i in range(6)], times_s), pixels="luma"))
    assert [frame.timestamp_s for frame in frames] == pytest.approx(times_s, abs=1e-4)
    assert [frame.index for frame in frames] == list(range(6))
    assert [frame.image.mean() for frame in frames] == pytest.approx([40 * i + 10 for i in range(6)], abs=2)


def test_every_nth_frame_keeps_its_number_among_all() -> None:
    frames = video_frames(video([plain(90)] * 7), pixels="luma", every=3)
    assert [frame.index for frame in frames] == [0, 3, 6]


def test_packets_that_cannot_be_decoded_are_skipped_and_the_rest_is_given() -> None:
    images = [plain(8 * i + 10) for i in range(20)]
    whole = video(images)
    frames = list(video_frames(with_packets_overwritten(whole, {7, 8}), pixels="luma"))
    assert len(frames) == 18
    assert [frame.index for frame in frames] == list(range(18))
    times_s = [frame.timestamp_s for frame in frames]
    assert times_s == pytest.approx([i / 25 for i in range(20) if i not in {7, 8}], abs=1e-4)


def test_sound_tells_when_it_is_first_heard() -> None:
    sound = read_sound(video([plain(90)] * 50, sound=a_second_of_tone(), sound_start_s=0.5), RATE_HZ)
    assert sound is not None
    first = int(np.flatnonzero(np.abs(sound.samples) > 0.1)[0])
    assert sound.start_s + first / RATE_HZ == pytest.approx(0.5, abs=0.02)
    assert sound.samples.dtype == np.float32


def test_sound_comes_at_the_rate_that_is_asked_for() -> None:
    sound = read_sound(video([plain(90)] * 25, sound=a_second_of_tone()), 8_000)
    assert sound is not None
    assert len(sound.samples) / 8_000 == pytest.approx(1.0, abs=0.15)
    assert sound.sample_rate_hz == 8_000


def test_no_audio_track_is_no_sound() -> None:
    assert read_sound(video([plain(90)] * 3), RATE_HZ) is None


def test_tracks_are_known_from_their_packets_alone() -> None:
    picture, sound = tracks(video([plain(90)] * 50, sound=a_second_of_tone()))
    assert (picture.kind, picture.codec, picture.packets, picture.declared_packets) == ("video", "h264", 50, 50)
    assert (picture.width, picture.height) == (64, 48)
    assert picture.end_s == pytest.approx(2.0, abs=0.01)
    assert (sound.kind, sound.codec, sound.sample_rate_hz) == ("audio", "aac", RATE_HZ)


def test_a_file_cut_before_its_index_is_rejected_as_such() -> None:
    media = video([plain(90)] * 5)
    with pytest.raises(Rejection) as caught:
        open_media(media[: media.index(b"moov") - 4])
    assert caught.value.code == "NO_INDEX"


@pytest.mark.parametrize("media", [b"", b"%PDF-1.7 no film at all " * 50, bytes(2000)])
def test_what_no_demuxer_can_read_is_of_another_type(media: bytes) -> None:
    with pytest.raises(Rejection) as caught:
        open_media(media)
    assert caught.value.code == "TYPE_MISMATCH"


def test_subtitles_alone_are_no_recording() -> None:
    buffer = io.BytesIO(b"1\n00:00:00,000 --> 00:00:01,000\nhello\n")
    with av.open(buffer) as container:
        assert container.streams.subtitles
    with pytest.raises(Rejection) as caught:
        tracks(buffer.getvalue())
    assert caught.value.code == "TYPE_MISMATCH"
