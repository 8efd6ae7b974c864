"""Stripping a recording of everything that is not picture or sound, without touching either.

The packets of the first video and the first audio track are copied into a fresh container (same bytes, so the same
pixels and samples); container tags, stream tags, chapters, attachments, subtitles, data tracks and SEI messages stay
behind. The rotation in the display matrix is kept, since it is how the picture is to be shown.
"""

import io
from collections.abc import Iterator
from typing import NamedTuple

import av
from av.bitstream import BitStreamFilterContext
from av.container import InputContainer, OutputContainer

from pipelines.errors import Rejection
from pipelines.media import open_media

_CONTAINERS = {
    "mov,mp4,m4a,3gp,3g2,mj2": "mp4",
    "matroska,webm": "matroska",
    "avi": "matroska",
    "wav": "wav",
    "w64": "wav",
}
"""Demuxer -> muxer. AVI's packets go into Matroska: AVI holds no presentation times."""

_SUFFIXES = {
    ".mp4": "mov,mp4,m4a,3gp,3g2,mj2",
    ".mov": "mov,mp4,m4a,3gp,3g2,mj2",
    ".mkv": "matroska,webm",
    ".webm": "matroska,webm",
    ".avi": "avi",
    ".wav": "wav",
}

_SEI_FILTERS = {"h264": "filter_units=remove_types=6", "hevc": "filter_units=remove_types=39|40"}
"""SEI: where cameras and encoders write user data (H.264 7.3.2.3, H.265 7.3.2.4)."""

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
_HARMLESS_VALUES = frozenset({"VideoHandler", "SoundHandler", "und", "[0][0][0][0]", "Lavf"})


class Stripped(NamedTuple):
    """A stripped recording and what its container is."""

    media: bytes
    container: str


def strip(media: bytes, suffix: str) -> Stripped:
    """Copy picture and sound into a fresh container.

    Args:
        media: a delivered file.
        suffix: its name's ending, such as `.mp4`.

    Returns:
        The same packets without any tag; the same input gives the same bytes.

    Raises:
        Rejection: `EMPTY_FILE`, `TYPE_MISMATCH`, `NO_INDEX`, `TRUNCATED`, or `SCRUB_FAILED` where a tag survived.
    """
    if not media:
        raise Rejection("EMPTY_FILE")
    with open_media(media) as source:
        if source.format.name != _SUFFIXES[suffix]:
            raise Rejection("TYPE_MISMATCH", f"named {suffix}, but it is {source.format.name.split(',')[0]}")
        container = _CONTAINERS[source.format.name]
        out = io.BytesIO()
        try:
            with av.open(out, "w", format=container, options={"fflags": "+bitexact", "strict": "experimental"}) as sink:
                _copy(source, sink)
        except av.error.FFmpegError as error:
            raise Rejection("TRUNCATED", f"its packets cannot be copied: {type(error).__name__}") from error
        planted = set(_planted(source))
    stripped = out.getvalue()
    _assert_clean(stripped, planted)
    return Stripped(stripped, container)


def _copy(source: InputContainer, sink: OutputContainer) -> None:
    chosen = [streams[0] for streams in (source.streams.video, source.streams.audio) if streams]
    if not chosen:
        raise Rejection("TYPE_MISMATCH", "neither video nor audio in it")
    copies = {}
    filters = {}
    for stream in chosen:
        copy = sink.add_stream_from_template(stream)
        copy.metadata.clear()
        copies[stream.index] = copy
        spec = _SEI_FILTERS.get(stream.codec_context.name)
        if spec is not None:
            filters[stream.index] = BitStreamFilterContext(spec, stream, copy)
    sink.metadata.clear()
    for packet in source.demux(chosen):
        if packet.dts is None and packet.size == 0:
            continue
        index = packet.stream.index
        if packet.pts is None:
            packet.pts = packet.dts
        for cleaned in filters[index].filter(packet) if index in filters else (packet,):
            cleaned.stream = copies[index]
            sink.mux_one(cleaned)
    for index, sei_filter in filters.items():
        for cleaned in sei_filter.filter(None):
            cleaned.stream = copies[index]
            sink.mux_one(cleaned)


def _planted(source: InputContainer) -> Iterator[str]:
    """Every tag value of the source that could be about a person or a place."""
    for tags in (source.metadata, *(stream.metadata for stream in source.streams)):
        for name, value in tags.items():
            if name not in _HARMLESS_TAGS and len(value) >= 4:
                yield value


def _assert_clean(stripped: bytes, planted: set[str]) -> None:
    """Read the result back and look for what must not be there."""
    with open_media(stripped) as container:
        for tags in (container.metadata, *(stream.metadata for stream in container.streams)):
            for name, value in tags.items():
                if name not in _HARMLESS_TAGS:
                    raise Rejection("SCRUB_FAILED", f"the tag {name} survived")
                if name in {"handler_name", "encoder"} and value not in _HARMLESS_VALUES:
                    raise Rejection("SCRUB_FAILED", f"the tag {name} kept its own value")
    for value in planted:
        if value.encode() in stripped:
            raise Rejection("SCRUB_FAILED", "a tag's value survived in the bytes")
