"""Picture and sound on one clock, whatever the container does: a white frame and a click at one moment come out as such."""

import numpy as np
import pytest

from pipelines.media import read_sound, video_frames
from pipelines.params import QualityParams, VoiceParams
from pipelines.quality import measure_quality
from pipelines.strip import strip
from pipelines.voice import measure_voice
from schemas.voice import SPECTRAL_WINDOW_S
from tests.pipelines.clapper_factory import BLACK, WHITE, Clapper, uneven_times_s, write_clapper
from tests.pipelines.video_factory import RECORDING

RATE_HZ = 16_000
TOGETHER_S = 0.010
"""What the study's clock must keep to."""
TICK_S = {"mp4": 1e-4, "mov": 1e-4, "matroska": 1e-3, "webm": 1e-3}
"""What the container's time base rounds to: Matroska and WebM have milliseconds."""
ENDINGS = {"mp4": ".mp4", "mov": ".mov", "matroska": ".mkv", "webm": ".webm"}

FILMS = {
    "MP4": Clapper(),
    "MP4 with B-frames: negative decoding times and an edit list": Clapper(b_frames=3),
    "MP4 with B-frames and no edit list": Clapper(b_frames=3, options={"use_editlist": "0"}),
    "MP4 with negative composition offsets": Clapper(b_frames=3, options={"movflags": "negative_cts_offsets"}),
    "MP4 in fragments": Clapper(b_frames=2, options={"movflags": "frag_keyframe+empty_moov"}),
    "MP4 whose sound begins late": Clapper(b_frames=2, sound_from_s=0.3),
    "MP4 whose picture begins late, as a phone's": Clapper(picture_from_s=0.2),
    "MP4 where both begin late": Clapper(picture_from_s=0.5, sound_from_s=0.7),
    "MP4 with Opus and its pre-skip": Clapper(audio="libopus"),
    "MP4, turned": Clapper(rotation_deg=90),
    "MOV with PCM": Clapper(container="mov", audio="pcm_s16le", b_frames=2),
    "Matroska with AAC": Clapper(container="matroska", b_frames=3),
    "Matroska whose sound begins late": Clapper(container="matroska", sound_from_s=0.25),
    "Matroska with Opus": Clapper(container="matroska", audio="libopus"),
    "WebM with VP8 and Opus": Clapper(container="webm", video="libvpx", audio="libopus"),
}


@pytest.mark.parametrize("film", FILMS.values(), ids=FILMS.keys())
def test_flash_and_click_fall_together_as_delivered_and_as_stripped(film: Clapper) -> None:
    delivered = write_clapper(film)
    for media in (delivered, strip(delivered, ENDINGS[film.container]).media):
        assert heard_s(media) == pytest.approx(shown_s(media), abs=TOGETHER_S / 2)


@pytest.mark.parametrize("film", FILMS.values(), ids=FILMS.keys())
def test_frames_are_as_far_apart_as_they_were_taken(film: Clapper) -> None:
    times_s = [frame.timestamp_s for frame in video_frames(write_clapper(film), pixels="luma")]
    assert len(times_s) == len(film.times_s)
    taken_s = np.array(film.times_s) - film.times_s[0]
    assert np.array(times_s) - times_s[0] == pytest.approx(taken_s, abs=1.5 * TICK_S[film.container])


@pytest.mark.parametrize(
    ("film", "picture_s", "sound_s"),
    [
        (Clapper(), 0.0, 0.0),
        (Clapper(picture_from_s=0.2), 0.2, 0.0),
        # ffmpeg's muxer leaves the encoder's priming in where the sound begins late: it is heard as 24 ms of silence.
        (Clapper(sound_from_s=0.3), 0.0, 0.3),
        # The recording's clock begins with its first track.
        (Clapper(picture_from_s=0.5, sound_from_s=0.7), 0.0, 0.2),
        (Clapper(container="matroska", sound_from_s=0.25), 0.0, 0.25),
    ],
)
def test_where_each_track_begins_is_a_measure(film: Clapper, picture_s: float, sound_s: float) -> None:
    measures = measure_quality(write_clapper(film), RECORDING, QualityParams())
    values = dict(measures.select("measure", "value").iter_rows())
    assert values["video_start_s"] == pytest.approx(picture_s, abs=0.002)
    assert values["audio_start_s"] == pytest.approx(sound_s, abs=0.026)
    assert values["audio_start_offset_s"] == pytest.approx(values["audio_start_s"] - values["video_start_s"])


@pytest.mark.parametrize(
    "film", [Clapper(b_frames=3), Clapper(sound_from_s=0.3), Clapper(container="matroska", audio="libopus")]
)
def test_the_click_stands_in_the_voice_table_where_the_flash_was(film: Clapper) -> None:
    media = write_clapper(film)
    frames = measure_voice(media, RECORDING, VoiceParams()).frames
    loudness = frames["Loudness_sma3"].to_numpy()
    middle_s = frames["timestamp_s"].to_numpy() + SPECTRAL_WINDOW_S / 2
    weight = np.clip(loudness - 0.05 * loudness.max(), 0, None)
    click_middle_s = float(np.sum(middle_s * weight) / np.sum(weight))
    assert click_middle_s == pytest.approx(shown_s(media), abs=TOGETHER_S)


def test_the_same_film_without_its_uneven_times_would_be_wrong() -> None:
    film = Clapper()
    by_frame_rate = film.clap * (film.times_s[-1] - film.times_s[0]) / (len(film.times_s) - 1)
    assert abs(by_frame_rate - film.clap_s) > TOGETHER_S
    assert uneven_times_s() == film.times_s


def shown_s(media: bytes) -> float:
    """When the white frame is shown."""
    white = [
        frame.timestamp_s for frame in video_frames(media, pixels="luma") if frame.image.mean() > (WHITE + BLACK) / 2
    ]
    assert len(white) == 1
    return white[0]


def heard_s(media: bytes) -> float:
    """When the click begins."""
    sound = read_sound(media, RATE_HZ)
    assert sound is not None
    return sound.start_s + int(np.flatnonzero(np.abs(sound.samples) > 0.2)[0]) / RATE_HZ
