"""Stripping a recording of everything that is not picture or sound, without touching either.

By allow-list, three times over. Of the container nothing is kept: a new one is written, with the packets of the first
video and the first audio track. Of each packet and each decoder configuration that stays which is picture or sound
(`pipelines.payload`). And the result is walked through: a byte that is not known to be structure, a number, or picture
or sound refuses it (`pipelines.boxes`, `pipelines.elements`, `pipelines.chunks`).

The turn by which the picture is to be shown, wherever the delivered file has it, is written into the new container as
a plain quarter turn, so that readers apply it once.
"""

import io
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import islice
from typing import Literal, NamedTuple

import av
from av.container import InputContainer, OutputContainer
from av.stream import Stream

from pipelines.bounds import check_room
from pipelines.boxes import check_boxes
from pipelines.chunks import check_chunks
from pipelines.elements import check_elements, void_tags
from pipelines.errors import Rejection
from pipelines.media import decode_packet, first_streams, open_media, read_packets
from pipelines.payload import Payload, payload

_SUFFIXES: Mapping[str, frozenset[str]] = {
    ".mp4": frozenset({"mov,mp4,m4a,3gp,3g2,mj2"}),
    ".mov": frozenset({"mov,mp4,m4a,3gp,3g2,mj2"}),
    ".mkv": frozenset({"matroska,webm"}),
    ".webm": frozenset({"matroska,webm"}),
    ".avi": frozenset({"avi"}),
    ".wav": frozenset({"wav"}),
}

_IN_MP4 = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4", "mjpeg", "aac", "mp3", "opus", "flac", "alac"})
"""Codecs that MP4 readers know; others (a MOV's PCM) go into Matroska, as all that an AVI holds: it has no presentation times."""

_OPTIONS: Mapping[str, Mapping[str, str]] = {
    "mp4": {"fflags": "+bitexact", "strict": "experimental"},
    # Checksums would have to be made again for the elements that are blanked afterwards.
    "matroska": {"fflags": "+bitexact", "write_crc32": "0"},
    "wav": {"fflags": "+bitexact"},
}

_HARMLESS_TAGS = frozenset(
    {
        "major_brand",
        "minor_version",
        "compatible_brands",
        "language",
        "handler_name",
        "vendor_id",
        "encoder",
        "DURATION",
    }
)
_TELLING_BYTES = 8
"""A shorter value of a tag (a year, a language) can stand in compressed pictures by chance."""


class Stripped(NamedTuple):
    """A stripped recording and what its container is."""

    media: bytes
    container: str


def strip(media: bytes, suffix: str) -> Stripped:
    """Copy picture and sound, and nothing else, into a fresh container.

    Args:
        media: a delivered file.
        suffix: its name's ending, such as `.mp4`.

    Returns:
        The same pictures and sound; the same input gives the same bytes.

    Raises:
        Rejection: `EMPTY_FILE`, `TYPE_MISMATCH`, `NO_INDEX`, `TRUNCATED`, or `SCRUB_FAILED` where something is not
            known to be safe.
    """
    if not media:
        raise Rejection("EMPTY_FILE")
    with open_media(media) as source:
        if source.format.name not in _SUFFIXES[suffix]:
            raise Rejection("TYPE_MISMATCH", f"named {suffix}, but it is {source.format.name.split(',')[0]}")
        streams = first_streams(source)
        container = _container(suffix, {stream.codec.canonical_name for stream in streams})
        rotation_deg = _rotation_deg(media) if streams[0].type == "video" else 0
        out = io.BytesIO()
        try:
            with av.open(out, "w", format=container, options=dict(_OPTIONS[container])) as sink:
                _copy(source, streams, sink, rotation_deg)
        except av.error.FFmpegError as error:
            check_room(error)
            raise Rejection("TRUNCATED", f"its packets cannot be copied: {type(error).__name__}") from error
        planted = set(_planted(source))
    stripped = _FINISH[container](out.getvalue())
    for value in planted:
        if value.encode() in stripped:
            raise Rejection("SCRUB_FAILED", "a tag's value survived in the bytes")
    _CHECKS[container](stripped)
    return Stripped(stripped, container)


def _container(suffix: str, codecs: set[str]) -> Literal["mp4", "matroska", "wav"]:
    if suffix in {".mp4", ".mov"} and codecs <= _IN_MP4:
        return "mp4"
    if suffix == ".wav" and all(codec.startswith("pcm_") for codec in codecs):
        return "wav"
    return "matroska"


_ROTATION_PACKETS = 50
"""A picture that shows up in none of the first packets does not tell how it is turned either."""


def _rotation_deg(media: bytes) -> int:
    """By how much readers turn the picture, counter-clockwise: from the container, an SEI message or EXIF."""
    with open_media(media) as source, suppress(av.error.FFmpegError):
        stream = next(stream for stream in first_streams(source) if isinstance(stream, av.VideoStream))
        stream.thread_type = "NONE"
        for packet in islice(read_packets(source, stream), _ROTATION_PACKETS):
            with suppress(av.error.FFmpegError):
                for frame in decode_packet(packet):
                    return int(round(frame.rotation / 90) % 4 * 90)
    return 0


def _copy(
    source: InputContainer,
    streams: list[av.VideoStream | av.AudioStream],
    sink: OutputContainer,
    rotation_deg: int,
) -> None:
    copies = {}
    payloads: dict[int, Payload] = {}
    for stream in streams:
        kept = payload(stream.codec.canonical_name, stream.codec_context.extradata or b"")
        # With the decoder's codec: not every codec that can be read here can also be written, and nothing is encoded.
        copy = sink.add_stream_from_template(stream, opaque=True)
        copy.metadata.clear()
        copy.codec_context.extradata = kept.extradata
        if isinstance(copy, av.VideoStream):
            copy.set_display_rotation(rotation_deg)
        copies[stream.index], payloads[stream.index] = copy, kept
    sink.metadata.clear()
    copied = 0
    for packet in read_packets(source, *streams):
        if packet.dts is None and packet.size == 0:
            continue
        index = packet.stream.index
        cleaned = _cleaned(packet, payloads[index])
        if cleaned is not None:
            cleaned.stream = copies[index]
            sink.mux_one(cleaned)
            copied += 1
    if not copied:
        raise Rejection("TRUNCATED", "no packet of picture or sound is there")


def _cleaned(packet: "av.Packet[Stream]", kept: Payload) -> "av.Packet[Stream] | None":
    """A packet with its picture or sound, times, and of its side data how much sound to skip; None if nothing is left."""
    content = kept.clean(bytes(packet))
    if not content:
        return None
    fresh: av.Packet[Stream] = av.Packet(content)
    fresh.pts = packet.dts if packet.pts is None else packet.pts
    fresh.dts, fresh.duration, fresh.time_base = packet.dts, packet.duration, packet.time_base
    fresh.is_keyframe = packet.is_keyframe
    if packet.has_sidedata("skip_samples"):
        fresh.set_sidedata(packet.get_sidedata("skip_samples"))
    return fresh


def _planted(source: InputContainer) -> Iterator[str]:
    """Every tag value of the source that could be about a person or a place."""
    for tags in (source.metadata, *(stream.metadata for stream in source.streams)):
        for name, value in tags.items():
            if name not in _HARMLESS_TAGS and len(value) >= _TELLING_BYTES:
                yield value


def _without_user_data(media: bytes) -> bytes:
    """A freshly written MP4 without the empty `udta` that the muxer ends its `moov`, and so the file, with."""
    at = media.rfind(b"udta") - 4
    moov = media.rfind(b"moov", 0, max(at, 0)) - 4
    if moov < 0 or at + int.from_bytes(media[at : at + 4], "big") != len(media):
        return media
    size = int.from_bytes(media[moov : moov + 4], "big") - (len(media) - at)
    return media[:moov] + size.to_bytes(4, "big") + media[moov + 4 : at]


def _as_written(media: bytes) -> bytes:
    return media


_FINISH: Mapping[str, Callable[[bytes], bytes]] = {
    "mp4": _without_user_data,
    "matroska": void_tags,
    "wav": _as_written,
}
_CHECKS: Mapping[str, Callable[[bytes], None]] = {"mp4": check_boxes, "matroska": check_elements, "wav": check_chunks}
