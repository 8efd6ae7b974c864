"""Decoded frames become pictures: as shown, in the pixels and at the size that are asked for."""

import numpy as np
import pytest

from pipelines.frames import upright
from pipelines.media import video_frames
from tests.pipelines.video_factory import plain, video


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
