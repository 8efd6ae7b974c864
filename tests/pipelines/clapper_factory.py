"""A film with a clapper: one white frame among black ones, and a click at the same moment."""

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction

import av
import numpy as np

_TICK = Fraction(1, 90_000)
_CLICK_S = 0.005
_FORMATS = {"pcm_s16le": "s16", "flac": "s16", "libopus": "flt"}
WHITE, BLACK = 235, 16


def uneven_times_s(count: int = 41, seed: int = 0) -> tuple[float, ...]:
    """Frames as a phone takes them in changing light: 10 to 90 ms apart."""
    gaps_s = np.random.default_rng(seed).uniform(0.01, 0.09, count - 1)
    return tuple(float(time_s) for time_s in np.concatenate([[0.0], np.cumsum(gaps_s)]))


@dataclass(frozen=True)
class Clapper:
    """How to film it.

    Args:
        container: ffmpeg's name of it.
        video, audio: the encoders.
        times_s: of the frames; the `clap`-th one is white.
        picture_from_s, sound_from_s: how much later than 0 each track begins; the click still falls on the white frame.
        b_frames: how many the video encoder may put in a row: with them the first packets have negative decoding times.
        rotation_deg: by which players turn the picture.
        options: of the container.
    """

    container: str = "mp4"
    video: str = "libx264"
    audio: str = "aac"
    times_s: tuple[float, ...] = field(default_factory=uneven_times_s)
    clap: int = 20
    picture_from_s: float = 0.0
    sound_from_s: float = 0.0
    b_frames: int = 0
    rotation_deg: int = 0
    options: Mapping[str, str] = field(default_factory=dict)

    @property
    def clap_s(self) -> float:
        """When the frame is shown and the click heard."""
        return self.picture_from_s + self.times_s[self.clap]


def write_clapper(clapper: Clapper) -> bytes:
    """Its bytes."""
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=clapper.container, options=dict(clapper.options)) as sink:
        coding = {"preset": "ultrafast", "bf": str(clapper.b_frames)} if clapper.video == "libx264" else {}
        picture = sink.add_stream(clapper.video, rate=30, options=coding)
        assert isinstance(picture, av.VideoStream)
        picture.width, picture.height, picture.pix_fmt = 64, 48, "yuv420p"
        picture.codec_context.time_base = _TICK
        if clapper.rotation_deg:
            picture.set_display_rotation(clapper.rotation_deg)
        rate_hz = 48_000 if clapper.audio == "libopus" else 44_100
        sound = sink.add_stream(clapper.audio, rate=rate_hz, layout="mono")
        assert isinstance(sound, av.AudioStream)
        for index, time_s in enumerate(clapper.times_s):
            level = WHITE if index == clapper.clap else BLACK
            frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), level, np.uint8), format="rgb24")
            frame.pts, frame.time_base = round((clapper.picture_from_s + time_s) / _TICK), _TICK
            sink.mux(picture.encode(frame))
        sink.mux(picture.encode(None))
        sink.mux(sound.encode(_heard(clapper, rate_hz)))
        sink.mux(sound.encode(None))
    return buffer.getvalue()


def _heard(clapper: Clapper, rate_hz: int) -> av.AudioFrame:
    samples = np.zeros(round(2.0 * rate_hz), dtype=np.float32)
    begin, length = round((clapper.clap_s - clapper.sound_from_s) * rate_hz), round(_CLICK_S * rate_hz)
    samples[begin : begin + length] = 0.8 * np.sin(2 * np.pi * 2000 * np.arange(length) / rate_hz)
    form = _FORMATS.get(clapper.audio, "fltp")
    values = (samples * 32767).astype(np.int16) if form == "s16" else samples
    frame = av.AudioFrame.from_ndarray(values[np.newaxis], format=form, layout="mono")
    frame.sample_rate, frame.time_base = rate_hz, Fraction(1, rate_hz)
    frame.pts = round(clapper.sound_from_s * rate_hz)
    return frame
