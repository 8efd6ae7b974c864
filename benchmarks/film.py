"""Pictures and sound as media files, in the codecs that hospitals deliver."""

import io
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

_TICKS = 90_000


@dataclass(frozen=True, slots=True)
class Codec:
    """How a track is encoded: FFmpeg's encoder, its options and bit rate, and the container it goes into."""

    name: str
    encoder: str
    container: str
    options: tuple[tuple[str, str], ...] = ()
    bit_rate: int | None = None


def h264(crf: int = 23) -> Codec:
    """H.264 of a constant quality: 23 is x264's own default, below about 10 hardly anything is lost."""
    return Codec("h264", "libx264", "mp4", (("preset", "veryfast"), ("crf", str(crf)), ("threads", "1")))


def h265(crf: int = 28) -> Codec:
    """H.265 (HEVC), as newer phones film; 28 is x265's own default."""
    return Codec("h265", "libx265", "mp4", (("preset", "veryfast"), ("crf", str(crf)), ("x265-params", "pools=none:frame-threads=1:log-level=none")))  # fmt: skip


def vp9(crf: int = 33) -> Codec:
    """VP9, as browsers record."""
    return Codec("vp9", "libvpx-vp9", "webm", (("crf", str(crf)), ("b:v", "0"), ("deadline", "realtime"), ("cpu-used", "7")))  # fmt: skip


def encode(images: Iterable[NDArray[np.uint8]], codec: Codec, fps: float) -> bytes:
    """A video of pictures, one every 1/fps s; the same pictures give the same bytes.

    Args:
        images: each height x width x 3, RGB, all of one even size.
        codec: how to encode them.
        fps: frames a second.
    """
    buffer = io.BytesIO()
    stream: Any = None
    with av.open(buffer, mode="w", format=codec.container, options={"fflags": "+bitexact"}) as container:
        for number, image in enumerate(images):
            if stream is None:
                stream = container.add_stream(
                    codec.encoder, rate=Fraction(fps).limit_denominator(1001), options=_options(codec)
                )
                stream.height, stream.width, stream.pix_fmt = *image.shape[:2], "yuv420p"
                # More threads would split the pictures differently from machine to machine.
                stream.codec_context.thread_count = 1
                stream.codec_context.time_base = Fraction(1, _TICKS)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = round(number * _TICKS / fps), Fraction(1, _TICKS)
            container.mux(stream.encode(frame))
        if stream is not None:
            container.mux(stream.encode(None))
    return buffer.getvalue()


def encode_sound(samples: NDArray[np.float32], sample_rate_hz: int, codec: Codec) -> bytes:
    """A file of mono sound.

    Args:
        samples: full scale at 1.
        sample_rate_hz: of the samples.
        codec: how to encode them; Opus resamples to its own 48 kHz.
    """
    buffer = io.BytesIO()
    with av.open(buffer, mode="w", format=codec.container, options={"fflags": "+bitexact"}) as container:
        rate = 48_000 if codec.encoder == "libopus" else sample_rate_hz
        stream: Any = container.add_stream(codec.encoder, rate=rate, options=_options(codec))
        stream.layout = "mono"
        if codec.bit_rate is not None:
            stream.bit_rate = codec.bit_rate
        frame = av.AudioFrame.from_ndarray(np.ascontiguousarray(samples[np.newaxis]), format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = sample_rate_hz, 0, Fraction(1, sample_rate_hz)
        context = stream.codec_context
        context.open(strict=False)
        resampler = av.AudioResampler(
            format=context.format, layout="mono", rate=rate, frame_size=context.frame_size or 4096
        )
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            container.mux(stream.encode(part))
        container.mux(stream.encode(None))
    return buffer.getvalue()


def _options(codec: Codec) -> dict[str, str]:
    return dict(codec.options)
