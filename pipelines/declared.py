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
    claim = _wav_claim(media)
    return None if claim is None else claim[0] / claim[2]


def wav_missing_s(media: bytes) -> float:
    """How much sound a wave file's data chunk claims beyond the bytes that are there, in seconds.

    By bytes, since the demuxer takes what it finds of compressed sound for the whole.
    """
    claim = _wav_claim(media)
    return 0.0 if claim is None else max(0, claim[0] - (len(media) - claim[1])) / claim[2]


def _wav_claim(media: bytes) -> tuple[int, int, float] | None:
    """Bytes that the data chunk claims, where they begin, and bytes a second."""
    at, rate, sample_rate_hz, samples, long_size = _HEADER_BYTES, 0, 0, 0, None
    while at + 8 <= len(media):
        name, size = media[at : at + 4], struct.unpack_from("<I", media, at + 4)[0]
        body = at + 8
        if name == b"ds64" and body + 16 <= len(media):
            long_size = struct.unpack_from("<Q", media, body + 8)[0]
        elif name == b"fmt " and body + 12 <= len(media):
            sample_rate_hz, rate = struct.unpack_from("<II", media, body + 4)
        elif name == b"fact" and body + 4 <= len(media):
            samples = struct.unpack_from("<I", media, body)[0]
        elif name == b"data":
            claim = long_size if long_size is not None and size == 0xFFFFFFFF else size
            if claim in _UNKNOWN_SIZES:
                return None
            if rate == 0 and samples and sample_rate_hz:
                # Of a variable rate the number of samples tells.
                return claim, body, claim * sample_rate_hz / samples
            return None if rate == 0 else (claim, body, rate)
        at = body + size + size % 2
    return None
