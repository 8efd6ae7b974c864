"""What a file may declare before it is refused unread: a few bytes can ask a decoder for gigabytes.

Like the limits on memory and time, the bounds are of the process that decodes: a worker is given them when it starts.
They decide whether a recording is measured, never what is measured.
"""

import mmap
from contextvars import ContextVar
from dataclasses import dataclass
from typing import cast

import av
from av.container import InputContainer

from pipelines.errors import Rejection


@dataclass(frozen=True, slots=True)
class Bounds:
    """The largest picture, sound and container that are decoded.

    Args:
        max_picture_mpx: megapixels of a picture; 4K has 8.9.
        max_sample_rate_hz: the fastest recorders have 384,000; a resampler's memory grows with the rate.
        max_channels: 22.2 surround sound has 24.
        max_tracks: of all kinds; a demuxer keeps queues for each.
    """

    max_picture_mpx: float = 16.0
    max_sample_rate_hz: int = 768_000
    max_channels: int = 64
    max_tracks: int = 64


BOUNDS: ContextVar[Bounds] = ContextVar("BOUNDS", default=Bounds())  # noqa: B039 - it is frozen
"""Those of this process."""


def check_declared(container: InputContainer) -> None:
    """Refuse a container by what its headers and decoder contexts declare.

    Raises:
        Rejection: `RESOURCE_LIMIT`.
    """
    bounds = BOUNDS.get()
    _check("tracks", len(container.streams), bounds.max_tracks)
    for stream in (*container.streams.video, *container.streams.audio):
        # PyAV's stub says that there always is one, yet a track of an unknown codec has none.
        if cast("object", stream.codec_context) is None:
            continue
        if isinstance(stream, av.VideoStream):
            check_picture(stream.codec_context.width, stream.codec_context.height)
        elif isinstance(stream, av.AudioStream):
            _check("Hz", stream.codec_context.sample_rate, bounds.max_sample_rate_hz)
            _check("channels", stream.codec_context.channels, bounds.max_channels)


def check_picture(width_px: int, height_px: int) -> None:
    """Refuse a picture by its size; one can grow from one frame to the next.

    Raises:
        Rejection: `RESOURCE_LIMIT`.
    """
    bounds = BOUNDS.get()
    if width_px * height_px > bounds.max_picture_mpx * 1e6:
        raise Rejection(
            "RESOURCE_LIMIT",
            f"pictures of {width_px} x {height_px}, at most {bounds.max_picture_mpx:g} Mpx are decoded",
        )


_ROOM_BYTES = 256_000_000
"""A few of the largest pictures."""


def check_room(error: BaseException | None = None) -> None:
    """See whether decoding can have failed, or left out a picture, for want of memory rather than by the file's fault.

    FFmpeg's decoders call both invalid data. What is measured must not hang on how much memory there was.

    Args:
        error: what FFmpeg said, if it said something.

    Raises:
        MemoryError: it was refused memory, or there is not room for a few pictures.
    """
    if isinstance(error, MemoryError):
        # A plain one: who catches FFmpeg's errors takes its own for damage.
        raise MemoryError("FFmpeg was refused memory") from error  # noqa: TRY004 - it is no wrong type
    try:
        # Asking is all: memory that nobody writes to is not taken.
        mmap.mmap(-1, _ROOM_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS).close()
    except OSError as full:
        raise MemoryError("no room for a few pictures") from full


def _check(what: str, found: int, largest: int) -> None:
    if found > largest:
        raise Rejection("RESOURCE_LIMIT", f"{found} {what}, at most {largest} are decoded")
