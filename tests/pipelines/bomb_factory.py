"""Small files that ask for more than a decoder should be given."""

import io
from collections.abc import Iterable
from fractions import Fraction
from typing import Any

import av
import numpy as np

from tests.pipelines.video_factory import Image, plain


def giant_mp4(side_px: int = 4096 + 64) -> bytes:
    """A few kilobytes that ask for pictures of 17 megapixels."""
    return _encoded("mp4", "libx264", [plain(90, side_px, side_px)])


def growing_avi(side_px: int = 4096 + 64) -> bytes:
    """Small pictures, as the header declares, and then one of 17 megapixels."""
    small, large = (_pictures(plain(90, side, side)) for side in (64, side_px))
    out = io.BytesIO()
    with (
        av.open(io.BytesIO(_encoded("avi", "mjpeg", [plain(90)] * 8)), "r") as source,
        av.open(out, "w", "avi") as sink,
    ):
        stream = sink.add_stream_from_template(source.streams.video[0])
        for at, content in enumerate([small] * 20 + [large]):
            packet = av.Packet(content)
            packet.pts = packet.dts = at
            packet.time_base, packet.stream, packet.is_keyframe = Fraction(1, 25), stream, True
            sink.mux_one(packet)
    return out.getvalue()


def sound_with_a_pause(pause_s: float) -> bytes:
    """A second of sound, a pause that only the timestamps tell of, and some more: a few kilobytes in all."""
    return _sound([*range(40), *(round(pause_s * 48_000 / 1024) + at for at in range(40))])


def endless_sound(packets: int) -> bytes:
    """Silence in packets of a few bytes, each of them a fiftieth of a second to decode."""
    return _sound(range(packets))


def _sound(places: Iterable[int]) -> bytes:
    encoder: Any = av.CodecContext.create("aac", "w")
    encoder.sample_rate, encoder.layout, encoder.format = 48_000, "mono", "fltp"
    silence = av.AudioFrame.from_ndarray(np.zeros((1, 1024), dtype=np.float32), format="fltp", layout="mono")
    silence.sample_rate = 48_000
    content = [bytes(packet) for _ in range(4) for packet in encoder.encode(silence)][-1]
    out = io.BytesIO()
    with av.open(out, "w", "matroska") as sink:
        stream = sink.add_stream("aac", rate=48_000, layout="mono")
        stream.codec_context.extradata = encoder.extradata
        for place in places:
            packet = av.Packet(content)
            packet.pts = packet.dts = place * 1024
            packet.duration, packet.time_base, packet.stream = 1024, Fraction(1, 48_000), stream
            packet.is_keyframe = True
            sink.mux_one(packet)
    return out.getvalue()


def _encoded(container: str, codec: str, images: list[Image]) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", container) as sink:
        options = {"preset": "ultrafast"} if codec == "libx264" else {}
        stream: Any = sink.add_stream(codec, rate=25, options=options)
        stream.height, stream.width = images[0].shape[:2]
        stream.pix_fmt = "yuv420p" if codec == "libx264" else "yuvj420p"
        for image in images:
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
        sink.mux(stream.encode(None))
    return out.getvalue()


def _pictures(image: Image) -> bytes:
    with av.open(io.BytesIO(_encoded("avi", "mjpeg", [image])), "r") as source:
        return next(bytes(packet) for packet in source.demux(video=0))
