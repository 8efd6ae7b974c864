"""A walk over a stripped Matroska file that accepts known elements with known content and nothing else.

Sources: RFC 8794 (EBML), RFC 9559 (Matroska).
"""

from collections.abc import Mapping
from typing import Literal, NamedTuple

from pipelines.walk import is_zero, refuse

Kind = Literal["master", "number", "float", "zero", "private", "block"]

_LARGEST_NUMBER = 1 << 48
"""Larger numbers are no count, size or time of a recording, but could be six letters or more."""
_LARGEST_PRIVATE = 1 << 16
"""Bytes of a decoder configuration; Vorbis' code books are the largest."""


class _Element(NamedTuple):
    name: str
    kind: Kind = "number"
    values: frozenset[bytes] | None = None
    """The closed set of its contents, if there is one."""


def _texts(*values: str) -> frozenset[bytes]:
    return frozenset(value.encode() for value in values)


_CODECS = _texts(
    "V_MPEG4/ISO/AVC", "V_MPEGH/ISO/HEVC", "V_AV1", "V_VP8", "V_VP9", "V_MPEG4/ISO/ASP", "V_MJPEG",
    "A_AAC", "A_MPEG/L3", "A_OPUS", "A_VORBIS", "A_FLAC", "A_ALAC", "A_PCM/INT/LIT", "A_PCM/INT/BIG", "A_PCM/FLOAT/IEEE",
    "V_MS/VFW/FOURCC", "A_MS/ACM",
)  # fmt: skip

_VOID = {0xEC: _Element("Void", "zero")}
_MASTERS: Mapping[str, Mapping[int, _Element]] = {
    "": {0x1A45DFA3: _Element("EBML", "master"), 0x18538067: _Element("Segment", "master")},
    "EBML": {
        **{0x4286 + at: _Element(name) for at, name in ((0, "EBMLVersion"), (1, "DocTypeVersion"), (-1, "DocTypeReadVersion"))},
        0x42F2: _Element("EBMLMaxIDLength"),
        0x42F3: _Element("EBMLMaxSizeLength"),
        0x42F7: _Element("EBMLReadVersion"),
        0x4282: _Element("DocType", values=_texts("matroska", "webm")),
    },
    "Segment": {
        0x114D9B74: _Element("SeekHead", "master"),
        0x1549A966: _Element("Info", "master"),
        0x1654AE6B: _Element("Tracks", "master"),
        0x1F43B675: _Element("Cluster", "master"),
        0x1C53BB6B: _Element("Cues", "master"),
    },
    "SeekHead": {0x4DBB: _Element("Seek", "master")},
    "Seek": {
        0x53AB: _Element("SeekID", values=frozenset(bytes.fromhex(name) for name in ("1549A966", "1654AE6B", "1C53BB6B"))),
        0x53AC: _Element("SeekPosition"),
    },
    "Info": {
        0x2AD7B1: _Element("TimestampScale"),
        0x4489: _Element("Duration", "float"),
        0x4D80: _Element("MuxingApp", values=_texts("Lavf")),
        0x5741: _Element("WritingApp", values=_texts("Lavf")),
    },
    "Tracks": {0xAE: _Element("TrackEntry", "master")},
    "TrackEntry": {
        0xD7: _Element("TrackNumber"),
        0x73C5: _Element("TrackUID", values=frozenset(number.to_bytes(8, "big") for number in (1, 2))),
        0x83: _Element("TrackType", values=frozenset({b"\x01", b"\x02"})),
        0xB9: _Element("FlagEnabled"),
        0x88: _Element("FlagDefault"),
        0x55AA: _Element("FlagForced"),
        0x9C: _Element("FlagLacing"),
        0x22B59C: _Element("Language", values=_texts("und")),
        0x86: _Element("CodecID", values=_CODECS),
        0x63A2: _Element("CodecPrivate", "private"),
        0x23E383: _Element("DefaultDuration"),
        0x56AA: _Element("CodecDelay"),
        0x56BB: _Element("SeekPreRoll"),
        0x55EE: _Element("MaxBlockAdditionID", values=frozenset({b"", b"\x00"})),
        0xE0: _Element("Video", "master"),
        0xE1: _Element("Audio", "master"),
    },
    "Video": {
        **{number: _Element("Video's numbers") for number in (0xB0, 0xBA, 0x9A, 0x9D, 0x53B8, 0x53C0, 0x54AA, 0x54BB, 0x54CC, 0x54DD, 0x54B0, 0x54BA, 0x54B2)},
        0x55B0: _Element("Colour", "master"),
        0x7670: _Element("Projection", "master"),
    },
    "Colour": {
        **{number: _Element("Colour's numbers") for number in range(0x55B1, 0x55BE)},
        0x55D0: _Element("MasteringMetadata", "master"),
    },
    "MasteringMetadata": {number: _Element("Mastering's numbers", "float") for number in range(0x55D1, 0x55DB)},
    "Projection": {
        0x7671: _Element("ProjectionType"),
        **{number: _Element("Projection's turn", "float") for number in (0x7673, 0x7674, 0x7675)},
    },
    "Audio": {
        0xB5: _Element("SamplingFrequency", "float"),
        0x78B5: _Element("OutputSamplingFrequency", "float"),
        0x9F: _Element("Channels"),
        0x6264: _Element("BitDepth"),
    },
    "Cluster": {
        0xE7: _Element("Timestamp"),
        0xA7: _Element("Position"),
        0xAB: _Element("PrevSize"),
        0xA3: _Element("SimpleBlock", "block"),
        0xA0: _Element("BlockGroup", "master"),
    },
    "BlockGroup": {
        0xA1: _Element("Block", "block"),
        0x9B: _Element("BlockDuration"),
        # Signed: the earlier frame that it builds on, and the sound to leave out at the end.
        0xFB: _Element("ReferenceBlock", "float"),
        0x75A2: _Element("DiscardPadding", "float"),
    },
    "Cues": {0xBB: _Element("CuePoint", "master")},
    "CuePoint": {0xB3: _Element("CueTime"), 0xB7: _Element("CueTrackPositions", "master")},
    "CueTrackPositions": {number: _Element("Cue's numbers") for number in (0xF7, 0xF1, 0xF0, 0xB2, 0x5378)},
}  # fmt: skip
"""Element -> what may stand in it."""


_REFUSED = {
    0x1254C367: "Tags",
    0x1941A469: "Attachments",
    0x1043A770: "Chapters",
    0x4461: "DateUTC",
    0x7BA9: "Title",
    0x7384: "SegmentFilename",
    0x73A4: "SegmentUUID",
    0x536E: "the Name of a track",
    0x75A1: "BlockAdditions",
    0xBF: "CRC-32",
}
"""What a refusal calls by name; any other ID could be out of a text."""


class Place(NamedTuple):
    """An element: its ID, and where it and its content stand in the file."""

    number: int
    at: int
    start: int
    end: int


def check_elements(media: bytes) -> None:
    """Accept a Matroska file whose every byte is known to be structure, a number, or picture or sound.

    Args:
        media: a stripped file.

    Raises:
        Rejection: `SCRUB_FAILED` with the path of the first element that is not, never its content.
    """
    names = _check_master(media, "", "file", (0, len(media)))
    if names != ["EBML", "Segment"]:
        refuse("file", "elements are missing, too many, or in another order")


def _check_master(media: bytes, master: str, path: str, span: tuple[int, int]) -> list[str]:
    """Check what stands in a master element; its depth is bounded by the table, in which none holds itself."""
    known = _MASTERS[master]
    names = []
    at, end = span
    while at < end:
        place = read_element(media, at, end, path)
        element = known.get(place.number) or _VOID.get(place.number)
        if element is None:
            refuse(path, _REFUSED.get(place.number, "an unknown element"))
        where = f"{path}/{element.name}"
        if element.kind == "master":
            _check_master(media, element.name, where, (place.start, place.end))
        else:
            _check_content(media, place, element, where)
        names.append(element.name)
        at = place.end
    return names


def read_element(media: bytes, at: int, end: int, path: str) -> Place:
    """The element at a place.

    Args:
        media: the file.
        at: where it begins.
        end: where what it stands in ends.
        path: of what it stands in, for the refusal.

    Raises:
        Rejection: `SCRUB_FAILED` where its ID or size is none, or does not fit.
    """
    id_bytes = _length(media[at : at + 1])
    size_bytes = _length(media[at + id_bytes : at + id_bytes + 1])
    start = at + id_bytes + size_bytes
    if not 1 <= id_bytes <= 4 or size_bytes > 8 or start > end:
        refuse(path, "an element that cannot be read")
    size = int.from_bytes(media[at + id_bytes : start], "big") & ((1 << (7 * size_bytes)) - 1)
    # All ones mean an unknown size, which a finished file does not have; as a number they do not fit either.
    if start + size > end:
        refuse(path, "the size of an element does not fit")
    return Place(int.from_bytes(media[at : at + id_bytes], "big"), at, start, start + size)


def _length(first: bytes) -> int:
    """Bytes of a variable-length number, by its first one; 9 where it is none."""
    return 9 - first[0].bit_length() if first else 9


def _check_content(media: bytes, place: Place, element: _Element, where: str) -> None:
    size = place.end - place.start
    if element.kind == "block":
        # One track number of one byte, two of time, and flags without lacing, which nothing writes here.
        if size < 4 or media[place.start] not in {0x81, 0x82} or media[place.start + 3] & 0x76:
            refuse(where, "a block of an unknown form")
        return
    content = media[place.start : place.end]
    if element.values is not None:
        if content not in element.values:
            refuse(where, "an unknown value")
    elif element.kind == "number" and (size > 8 or int.from_bytes(content, "big") >= _LARGEST_NUMBER):
        refuse(where, "no number of a plausible size")
    elif element.kind == "float" and size > 8:
        refuse(where, "no number")
    elif element.kind == "zero" and not is_zero(content):
        refuse(where, "free space that is not empty")
    elif element.kind == "private" and size > _LARGEST_PRIVATE:
        refuse(where, "larger than a decoder configuration is")


def void_tags(media: bytes) -> bytes:
    """A freshly written file with its Tags (the tracks' lengths, which the muxer always writes) overwritten by zeros.

    The pointer to them goes too; nothing moves, so all other positions stay right.

    Raises:
        Rejection: `SCRUB_FAILED` where the file cannot be read.
    """
    out = bytearray(media)
    at = read_element(media, 0, len(media), "file").end
    segment = read_element(media, at, len(media), "file")
    at = segment.start
    while at < segment.end:
        place = read_element(media, at, segment.end, "Segment")
        if place.number == 0x1254C367:
            _void(out, place)
        elif place.number == 0x114D9B74:
            _void_pointers(media, out, place)
        at = place.end
    return bytes(out)


def _void_pointers(media: bytes, out: bytearray, head: Place) -> None:
    at = head.start
    while at < head.end:
        seek = read_element(media, at, head.end, "SeekHead")
        if bytes.fromhex("53AB841254C367") in media[seek.start : seek.end]:
            _void(out, seek)
        at = seek.end


def _void(out: bytearray, place: Place) -> None:
    """Make an element Void, whose size then takes one or eight bytes."""
    space = place.end - place.at
    size = bytes((0x80 | (space - 2),)) if space < 128 else b"\x01" + (space - 9).to_bytes(7, "big")
    out[place.at : place.end] = (b"\xec" + size).ljust(space, b"\x00")
