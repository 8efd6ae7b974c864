"""Reading media from memory: true times, as shown, and what broken bytes become."""

import io

import av
import numpy as np
import pytest

from pipelines.errors import Rejection
from pipelines.media import open_media, read_sound, tracks, upright, video_frames
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


def test_pixels_are_given_as_asked_for() -> None:
    media = video([plain(90)] * 2)
    assert next(video_frames(media, pixels="rgb")).image.shape == (48, 64, 3)
    assert next(video_frames(media, pixels="luma")).image.shape == (48, 64)


@pytest.mark.parametrize("rotation_deg", [0, 90, 180, 270])
@pytest.mark.parametrize("max_width", [None, 40])
def test_a_fourth_channel_is_all_that_rgba_has_more(rotation_deg: int, max_width: int | None) -> None:
    picture = plain(20, width=66, height=50)
    picture[:25, :40, 0] = 220
    media = video([picture], rotation_deg=rotation_deg)
    plainly = next(video_frames(media, pixels="rgb", max_width=max_width)).image
    found = next(video_frames(media, pixels="rgba", max_width=max_width)).image
    assert np.abs(found[..., :3].astype(int) - plainly).max() <= 2
    assert (found[..., 3] == 255).all()


def test_every_column_is_painted_whatever_the_width() -> None:
    for width in range(34, 84, 2):
        image = next(video_frames(video([plain(90, width=width)]), pixels="rgba")).image
        assert np.abs(image[..., :3].astype(int) - 90).max() <= 3


def test_scaling_down_keeps_the_proportions_and_the_size_as_shown() -> None:
    frame = next(video_frames(video([plain(90, width=320, height=240)]), pixels="rgb", max_width=160))
    assert frame.image.shape == (120, 160, 3)
    assert (frame.shown_width_px, frame.shown_height_px) == (320, 240)


def test_narrow_frames_are_not_scaled_up() -> None:
    assert next(video_frames(video([plain(90)]), pixels="luma", max_width=640)).image.shape == (48, 64)


def test_every_nth_frame_keeps_its_number_among_all() -> None:
    frames = video_frames(video([plain(90)] * 7), pixels="luma", every=3)
    assert [frame.index for frame in frames] == [0, 3, 6]


def test_a_rotated_recording_is_given_as_it_is_shown() -> None:
    picture = plain(20)
    picture[:24] = 220
    frame = next(video_frames(video([picture], rotation_deg=90), pixels="luma"))
    assert frame.image.shape == (64, 48)
    assert (frame.shown_width_px, frame.shown_height_px) == (48, 64)
    assert frame.image[:, :20].mean() == pytest.approx(220, abs=3)
    assert frame.image[:, -20:].mean() == pytest.approx(20, abs=3)


def test_four_quarter_turns_change_nothing() -> None:
    picture = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert np.array_equal(upright(picture, 360), picture)
    assert np.array_equal(upright(upright(picture, 90), -90), picture)


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
