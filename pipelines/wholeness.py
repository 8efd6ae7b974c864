"""Is a delivered file whole? What its header declares against what is there, before stripping rewrites the header.

Half an MP4 with its index in front decodes half its frames, raises nothing and still declares its full length; so the
packets present are counted and timed. Containers that were written while they were recorded declare no length, or one
that the demuxer makes up from what it finds: there, the structure tells whether the file breaks off.
"""

import struct
from dataclasses import replace

from pipelines.declared import wav_declared_s, wav_missing_s
from pipelines.errors import Rejection
from pipelines.extent import Extent, extent
from pipelines.media import Track, tracks

_TOLERANCE_S = 0.4
"""Less than this may be missing at the end: containers round lengths, and the tracks' own lengths differ a little."""


def declared_duration_s(media: bytes) -> float | None:
    """Check that a file holds what its header declares.

    Returns:
        The length that the header declares, in seconds, or None where it declares none.

    Raises:
        Rejection: `TRUNCATED` with the lengths found, `BAD_RIFF`, or what opening it gives.
    """
    is_wave = media[8:12] == b"WAVE"
    if is_wave:
        # Before the demuxer, which only says that it cannot open such a file.
        _check_chunks(media)
    shape = extent(media)
    found = tracks(media)
    if is_wave:
        # The demuxer believes the bytes that are there; the claim stands in the data chunk.
        found = [replace(track, declared_s=wav_declared_s(media)) for track in found]
    # Matroska has one length for all tracks, which is that of the longest.
    shared = media.startswith(_EBML) and shape.claimed_bytes <= len(media)
    longest = max(found, key=lambda track: track.end_s)
    for track in found:
        if track.packets == 0:
            raise Rejection("TRUNCATED", f"no {track.kind} packet is there")
    for track in [longest] if shared else found:
        _check_track(track, always=shared)
    _check_extent(shape, media, found)
    if is_wave:
        _check_missing(found, wav_missing_s(media))
    if not shape.closed:
        return None
    return max((track.declared_s for track in found if track.declared_s is not None), default=None)


_EBML = b"\x1a\x45\xdf\xa3"


def _check_extent(shape: Extent, media: bytes, found: list[Track]) -> None:
    missing_bytes = shape.claimed_bytes - len(media)
    if missing_bytes <= 0:
        return
    if not shape.closed:
        raise Rejection("TRUNCATED", f"it breaks off: at least {missing_bytes} bytes are missing")
    _check_missing(found, max(track.end_s for track in found) * missing_bytes / len(media))


def _check_missing(found: list[Track], missing_s: float) -> None:
    if missing_s > _TOLERANCE_S:
        present_s = max(track.end_s for track in found)
        raise Rejection("TRUNCATED", f"{found[0].kind}: about {missing_s:.2f} s are missing after {present_s:.2f} s")


def _check_track(track: Track, *, always: bool) -> None:
    counted = bool(track.declared_packets)
    missing_s = 0.0 if track.declared_s is None else track.declared_s - (track.end_s - min(track.start_s, 0.0))
    if counted and track.packets < track.declared_packets:
        share = 1 - track.packets / track.declared_packets
        missing_s = max(missing_s, share * (track.declared_s or 0.0))
    # A container's one declared length is that of its longest track; the others may rightly be shorter.
    if missing_s > _TOLERANCE_S and (always or counted or track.kind == "video" or track.codec.startswith("pcm")):
        raise Rejection(
            "TRUNCATED", f"{track.kind}: {track.end_s:.2f} s of {track.declared_s or 0:.2f} s declared are there"
        )


def _check_chunks(media: bytes) -> None:
    """Walk the chunks of a wave file up to its samples (RIFF, Microsoft and IBM 1991; RF64, EBU Tech 3306)."""
    at = 12
    while at + 8 <= len(media):
        name, size = struct.unpack_from("<4sI", media, at)
        if name == b"data":
            return
        if at + 8 + size > len(media):
            raise Rejection("BAD_RIFF", f"the chunk at byte {at} claims {size} bytes, more than the file has")
        at += 8 + size + (size & 1)
    raise Rejection("BAD_RIFF", "no data chunk")
