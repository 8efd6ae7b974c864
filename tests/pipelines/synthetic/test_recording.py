"""A filmed recording: the same bytes for the same take, neutral while reading, pain and speech in the face after it."""

from dataclasses import replace

import numpy as np
import pytest

from pipelines.media import read_sound, tracks, video_frames
from pipelines.synthetic.expression import course
from pipelines.synthetic.recording import Container, Take, film
from pipelines.synthetic.speech import Voice

TAKE = Take(seed=3, person=1, voice=Voice("female"), language="en", seconds=2.0, pain=0.8, width=160, height=90)
TIMES_S = np.arange(200) / 25


def played(pain: float, loudness: float = 0.0) -> "tuple[np.ndarray, ...]":
    one = course(
        np.random.default_rng(1), times_s=TIMES_S, pain=pain, from_s=3.2, loudness=np.full(len(TIMES_S), loudness)
    )
    expressions = [one.at(frame)[0] for frame in range(len(TIMES_S))]
    return tuple(np.array([expression[unit] for expression in expressions]) for unit in ("AU04", "AU43", "AU26"))


def test_the_same_take_gives_the_same_bytes_and_another_seed_others() -> None:
    first = film(TAKE)
    assert film(TAKE) == first
    assert film(replace(TAKE, seed=4)).media != first.media


@pytest.mark.parametrize("container", ["mp4", "mov", "matroska"])
def test_every_container_has_25_frames_a_second_and_sound_to_the_end(container: Container) -> None:
    media = film(replace(TAKE, container=container, tags=(("title", "Jan Jansen"),))).media
    frames = list(video_frames(media, pixels="luma"))
    assert [frame.timestamp_s for frame in frames] == pytest.approx(np.arange(50) / 25, abs=0.03)
    sound = read_sound(media, 16_000)
    assert sound is not None
    assert len(sound.samples) / 16_000 == pytest.approx(2.0, abs=0.1)


def test_tasks_share_the_recording_between_them() -> None:
    reading, free = film(TAKE).tasks
    assert (reading.name, reading.start_s) == ("reading", 0.0)
    assert (free.name, free.end_s) == ("free_speech", 2.0)
    assert reading.end_s == free.start_s


def test_an_index_may_stand_first() -> None:
    media = film(replace(TAKE, index_first=True)).media
    assert media.index(b"moov") < media.index(b"mdat")
    assert len(tracks(media)) == 2


def test_the_face_is_neutral_while_reading_and_shows_pain_as_strong_as_told_after_it() -> None:
    reading = TIMES_S < 3.1
    mild, strong = played(0.3)[0], played(0.9)[0]
    assert max(mild[reading].max(), strong[reading].max()) < 0.05
    assert strong[~reading].max() == pytest.approx(3 * mild[~reading].max())
    assert strong[~reading].max() > 0.7
    assert played(0.0)[0].max() == 0


def test_eyes_blink_now_and_then() -> None:
    closed = played(0.0)[1] > 0.9
    begins = np.flatnonzero(np.diff(closed.astype(int)) == 1)
    assert 2 <= len(begins) <= 6
    assert closed.mean() < 0.2


def test_the_jaw_follows_the_speech() -> None:
    assert played(0.0, loudness=1.0)[2].min() > 0.2
    assert played(0.0, loudness=0.0)[2].max() == 0
