"""Small videos in memory, for tests of what reads them."""

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import Literal

import av
import numpy as np
from numpy.typing import NDArray

from pipelines.media import first_streams, open_media
from pipelines.recording import Recording

Image = NDArray[np.uint8]

RECORDING = Recording(
    recording="P000000000-00000000",
    participant="P000000000",
    visit="day0",
    study_day=0,
    time_of_day_min=600,
    study_minute=600,
    device=None,
    language=None,
    tasks=(),
    media_sha256="0" * 64,
)


def plain(level: int, width: int = 64, height: int = 48) -> Image:
    """An evenly grey picture."""
    return np.full((height, width, 3), level, dtype=np.uint8)


def video(
    images: Sequence[Image],
    times_s: Sequence[float] | None = None,
    *,
    rotation_deg: int = 0,
    sound: NDArray[np.float32] | None = None,
    sound_start_s: float = 0.0,
) -> bytes:
    """An MP4 of images shown at the given times (by default 25 a second), with mono sound at 16 kHz if given."""
    times = [index / 25 for index in range(len(images))] if times_s is None else times_s
    buffer = io.BytesIO()
    with av.open(buffer, mode="w", format="mp4") as container:
        height, width = images[0].shape[:2]
        stream = container.add_stream("libx264", rate=25, options={"crf": "16", "preset": "ultrafast", "bf": "0"})
        stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, 12800)
        stream.codec_context.gop_size = 5
        if rotation_deg:
            stream.set_display_rotation(rotation_deg)
        voice = None if sound is None else container.add_stream("aac", rate=16_000, layout="mono")
        for image, time_s in zip(images, times, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = round(time_s * 12800), Fraction(1, 12800)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
        if voice is not None and sound is not None:
            heard = av.AudioFrame.from_ndarray(sound[np.newaxis], format="flt", layout="mono")
            heard.sample_rate, heard.pts = 16_000, round(sound_start_s * 16_000)
            heard.time_base = Fraction(1, 16_000)
            container.mux(voice.encode(heard))
            container.mux(voice.encode(None))
    return buffer.getvalue()


def with_packets_overwritten(media: bytes, numbers: set[int], track: Literal["video", "audio"] = "video") -> bytes:
    """Media in which some packets of its first track of a kind are no more than noise to a decoder."""
    spoilt = bytearray(media)
    with open_media(media) as container:
        stream = next(each for each in first_streams(container) if each.type == track)
        for number, packet in enumerate(container.demux(stream)):
            if number in numbers and packet.pos is not None:
                spoilt[packet.pos : packet.pos + packet.size] = b"\xff" * packet.size
    return bytes(spoilt)
