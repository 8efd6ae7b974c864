"""The same short film in every container and way of writing that a recorder might choose."""

import io
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

_STEP_S = 0.2
FPS = 25


@dataclass(frozen=True)
class Film:
    """How to write one; a codec that is None leaves its track out."""

    container: str
    video: str | None = "libx264"
    audio: str | None = "aac"
    seconds: float = 5.0
    video_s: float | None = None
    audio_s: float | None = None
    sample_rate_hz: int = 16_000
    pixels: str = "yuv420p"
    size: tuple[int, int] = (128, 96)
    seed: int = 1
    options: Mapping[str, str] = field(default_factory=dict)
    video_options: Mapping[str, str] = field(
        default_factory=lambda: {"preset": "ultrafast", "crf": "16", "bf": "0", "threads": "1"}
    )


def pictures(count: int, seed: int = 1, size: tuple[int, int] = (128, 96)) -> list[NDArray[np.uint8]]:
    """Coarse noise that moves, so that every second takes about as many bytes."""
    width, height = size
    noise = np.random.default_rng(seed).integers(0, 255, (height // 4, width // 4, 3), dtype=np.uint8)
    block = np.ones((4, 4, 1), dtype=np.uint8)
    return [np.ascontiguousarray(np.kron(np.roll(noise, at, axis=1), block)) for at in range(count)]


def noise(seconds: float, seed: int = 1) -> NDArray[np.float32]:
    """Quiet noise at 16 kHz."""
    return (0.1 * np.random.default_rng(seed).standard_normal(round(seconds * 16_000))).astype(np.float32)


def write(film: Film) -> bytes:
    """Its bytes; picture and sound side by side, as a recorder writes them."""
    with tempfile.NamedTemporaryFile(suffix=f".{film.container}") as out:
        with av.open(out.name, "w", format=film.container, options=dict(film.options)) as sink:
            _write(film, sink)
        return Path(out.name).read_bytes()


def _write(film: Film, sink: av.container.OutputContainer) -> None:
    video_s, audio_s = film.video_s or film.seconds, film.audio_s or film.seconds
    video: av.VideoStream | None = None
    audio: av.AudioStream | None = None
    if film.video:
        added = sink.add_stream(film.video, rate=FPS, options=dict(film.video_options))
        assert isinstance(added, av.VideoStream)
        video = added
        (video.width, video.height), video.pix_fmt = film.size, film.pixels
    if film.audio:
        heard_in = sink.add_stream(film.audio, rate=film.sample_rate_hz, layout="mono")
        assert isinstance(heard_in, av.AudioStream)
        audio = heard_in
        resampler = av.AudioResampler(audio.codec_context.format.name, "mono", film.sample_rate_hz)
    images = pictures(round(FPS * video_s), film.seed, film.size) if video else []
    sound = noise(audio_s, film.seed)
    frames, samples = round(_STEP_S * FPS), round(_STEP_S * 16_000)
    for step in range(round(film.seconds / _STEP_S)):
        for at, image in list(enumerate(images))[step * frames : (step + 1) * frames]:
            picture = av.VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts, picture.time_base = at, Fraction(1, FPS)
            assert video is not None
            sink.mux(video.encode(picture))
        heard = sound[step * samples : (step + 1) * samples]
        if audio and len(heard):
            part = av.AudioFrame.from_ndarray(heard[np.newaxis], format="flt", layout="mono")
            part.sample_rate, part.pts, part.time_base = 16_000, step * samples, Fraction(1, 16_000)
            for each in resampler.resample(part):
                sink.mux(audio.encode(each))
    if audio:
        for each in resampler.resample(None):
            sink.mux(audio.encode(each))
        sink.mux(audio.encode(None))
    if video:
        sink.mux(video.encode(None))


class _Pipe(io.RawIOBase):
    """Where nothing can be written twice: a header never learns how long the file became."""

    def __init__(self) -> None:
        self.written = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, part: object) -> int:
        assert isinstance(part, (bytes, bytearray, memoryview))
        content = bytes(part)
        self.written += content
        return len(content)


def piped(media: bytes, container: str, **options: str) -> bytes:
    """The same packets as a live recording."""
    pipe = _Pipe()
    with av.open(io.BytesIO(media), "r") as source, av.open(pipe, "w", format=container, options=options) as sink:
        copies = {stream.index: sink.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                sink.mux(packet)
    return bytes(pipe.written)


def unclosed_wave(media: bytes, size: bytes) -> bytes:
    """A wave file whose recorder left this in both size fields."""
    at = media.index(b"data") + 4
    return media[:4] + size + media[8:at] + size + media[at + 4 :]
