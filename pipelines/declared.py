"""The length that a container's headers claim, to hold against what is really there."""

import struct

import av
from av.container import InputContainer

_HEADER_BYTES = 12
_UNKNOWN_SIZES = (0, 0xFFFFFFFF)
"""What recorders leave in a size field until they close the file."""


def declared_lengths(media: bytes, container: InputContainer) -> dict[str, float]:
    """What each track's headers claim, by 'video', 'audio' or 'container', in seconds.

    A WAV's claim is the length of its data chunk. Matroska claims one length for the whole ('container'). A file
    that claims nothing, as one never closed by its recorder, gives no entry.

    Args:
        media: the whole file.
        container: the same, open.
    """
    if media[8:_HEADER_BYTES] == b"WAVE":
        claim = wav_declared_s(media)
        return {} if claim is None else {"audio": claim}
    claims: dict[str, float] = {
        stream.type: float(stream.duration * stream.time_base)
        for streams in (container.streams.video, container.streams.audio)
        for stream in streams[:1]
        if stream.duration is not None and stream.time_base is not None
    }
    if not claims and container.duration is not None:
        claims["container"] = container.duration / av.time_base
    return claims


def wav_declared_s(media: bytes) -> float | None:
    """Length that the data chunk of a RIFF, RF64 or BW64 wave file claims, in seconds.

    None where it claims nothing (an unclosed recording) or has no data chunk.
    Source: EBU Tech 3306 (RF64), Microsoft and IBM 1991 (RIFF): chunks start at even offsets.
    """
    at, rate, long_size = _HEADER_BYTES, 0, None
    while at + 8 <= len(media):
        name, size = media[at : at + 4], struct.unpack_from("<I", media, at + 4)[0]
        body = at + 8
        if name == b"ds64" and body + 16 <= len(media):
            long_size = struct.unpack_from("<Q", media, body + 8)[0]
        elif name == b"fmt " and body + 12 <= len(media):
            rate = struct.unpack_from("<I", media, body + 8)[0]
        elif name == b"data":
            claim = long_size if long_size is not None and size == 0xFFFFFFFF else size
            return None if claim in _UNKNOWN_SIZES or rate == 0 else claim / rate
        at = body + size + size % 2
    return None
