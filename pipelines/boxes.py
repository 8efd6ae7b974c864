"""A walk over a stripped MP4 that accepts known boxes with known content and nothing else.

Sources: ISO/IEC 14496-12 (the file format), 14496-14 and -15 (its use for MPEG-4, H.264 and H.265), Opus, FLAC and
AV1 in ISOBMFF.
"""

import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from pipelines.walk import is_zero, refuse, shown

_BRANDS = frozenset({b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"avc1", b"mp41", b"mp42", b"av01", b"hvc1"})
_HANDLERS = {b"vide": b"VideoHandler\x00", b"soun": b"SoundHandler\x00"}
_LANGUAGE_UND = 0x55C4
_ONE = 1 << 16
_TURNS = frozenset({(_ONE, 0, 0, _ONE), (0, _ONE, -_ONE, 0), (-_ONE, 0, 0, -_ONE), (0, -_ONE, _ONE, 0)})
"""a, b, c, d of the display matrices that turn by 0, 90, 180 and 270 degrees."""
_IDENTITY = struct.pack(">9i", _ONE, 0, 0, 0, _ONE, 0, 0, 0, 1 << 30)

_CHILDREN: Mapping[str, frozenset[str]] = {
    "moov": frozenset({"mvhd", "trak"}),
    "trak": frozenset({"tkhd", "edts", "mdia"}),
    "edts": frozenset({"elst"}),
    "mdia": frozenset({"mdhd", "hdlr", "minf"}),
    "minf": frozenset({"vmhd", "smhd", "dinf", "stbl"}),
    "dinf": frozenset({"dref"}),
    "stbl": frozenset({"stsd", "stts", "ctts", "stss", "sdtp", "stsc", "stsz", "stco", "co64", "sgpd", "sbgp"}),
}
"""The boxes that hold boxes, and which: the tree is no deeper than this table."""

_SAMPLE_ENTRIES = dict.fromkeys(("avc1", "avc3", "hvc1", "hev1", "av01", "vp09", "mp4v"), 78) | dict.fromkeys(
    ("mp4a", "Opus", "fLaC", "alac"), 28
)
"""Kind of sample -> bytes before its configuration boxes (video 78, audio 28)."""

_CONFIGURATIONS: Mapping[str, range] = {
    "avcC": range(7, 4096),
    "hvcC": range(23, 8192),
    "av1C": range(4, 1024),
    "vpcC": range(8, 13),
    "esds": range(20, 512),
    "dOps": range(11, 300),
    "dfLa": range(42, 43),
    "alac": range(28, 53),
    "pasp": range(8, 9),
    "btrt": range(12, 13),
    "fiel": range(2, 3),
    "clli": range(4, 5),
    "mdcv": range(24, 25),
    "colr": range(10, 12),
    "chnl": range(6, 80),
}
"""Configuration box -> its possible sizes; the decoder configurations in them were cleaned before they were written."""

_TABLES: Mapping[str, int] = {"stts": 8, "ctts": 8, "stss": 4, "stsc": 12, "stco": 4, "co64": 8, "sbgp": 8, "elst": 12}
"""Box -> bytes of an entry, behind version, flags and a count; sbgp has its grouping type before the count."""


@dataclass(frozen=True, slots=True)
class _Box:
    name: str
    path: str
    start: int
    end: int
    """Where its content stands in the file."""


@dataclass(slots=True)
class _Track:
    """What says where a track's samples lie."""

    chunks: list[int] = field(default_factory=list)
    runs: list[tuple[int, int]] = field(default_factory=list)
    """(first chunk, samples a chunk)"""
    sizes: list[int] = field(default_factory=list)


def check_boxes(media: bytes) -> None:
    """Accept an MP4 whose every byte is known to be structure, a number, or picture or sound.

    Args:
        media: a stripped file.

    Raises:
        Rejection: `SCRUB_FAILED` with the path of the first box that is not, never its content.
    """
    top = list(_boxes(media, "", 0, len(media)))
    names = [box.name for box in top if box.name != "free"]
    if names != ["ftyp", "mdat", "moov"]:
        refuse("file", "boxes other than ftyp, mdat and moov, or in another order")
    tracks: list[_Track] = []
    for box in top:
        content = media[box.start : box.end] if box.name != "mdat" else b""
        if box.name == "ftyp" and not {content[at : at + 4] for at in (0, *range(8, len(content), 4))} <= _BRANDS:
            refuse(box.path, "an unknown brand")
        elif box.name == "ftyp" and int.from_bytes(content[4:8], "big") > 0x200:
            refuse(box.path, "an unknown version")
        elif box.name == "free" and content:
            refuse(box.path, "free space that is not empty")
        elif box.name == "moov":
            _check_tree(media, box, tracks)
    _check_samples(next(box for box in top if box.name == "mdat"), tracks)


def _boxes(media: bytes, path: str, at: int, end: int) -> Iterator[_Box]:
    while at < end:
        size = int.from_bytes(media[at : at + 4], "big")
        name = shown(media[at + 4 : at + 8])
        where = f"{path}/{name}".lstrip("/")
        start = at + 8
        if size == 1:
            size, start = int.from_bytes(media[at + 8 : at + 16], "big"), at + 16
        if size < start - at or at + size > end:
            refuse(where, "its size does not fit")
        yield _Box(name, where, start, at + size)
        at += size


def _check_tree(media: bytes, parent: _Box, tracks: list[_Track]) -> None:
    allowed = _CHILDREN[parent.name]
    for box in _boxes(media, parent.path, parent.start, parent.end):
        if box.name not in allowed:
            refuse(box.path, "an unknown box")
        if box.name == "trak":
            tracks.append(_Track())
        if box.name in _CHILDREN:
            _check_tree(media, box, tracks)
        else:
            _check_leaf(box, media[box.start : box.end], tracks)


def _check_leaf(box: _Box, content: bytes, tracks: list[_Track]) -> None:
    if box.name in _CHECKS:
        what = _CHECKS[box.name](content)
        if what:
            refuse(box.path, what)
    elif box.name == "stsd":
        _check_descriptions(box, content)
    elif box.name == "stsz":
        _read_sizes(box, content, tracks[-1])
    else:
        _read_table(box, content, tracks[-1])


def _movie_header(content: bytes) -> str:
    if len(content) not in {100, 112}:
        return "another size"
    if not is_zero(content[1 : 20 if len(content) == 112 else 12]):
        return "a time of creation or change"
    # Behind the times: normal rate and volume, no turn of the whole, no preview; then the next track's number.
    plain = struct.pack(">ih", _ONE, 1 << 8) + bytes(10) + _IDENTITY + bytes(24)
    return "" if content[-80:-4] == plain else "other values than a plain one has"


def _track_header(content: bytes) -> str:
    if len(content) not in {84, 96}:
        return "another size"
    long = len(content) == 96
    if not is_zero(content[4 : 20 if long else 12]):
        return "a time of creation or change"
    rest = content[-60:]
    matrix = struct.unpack(">9i", rest[16:52])
    reserved = rest[:8] + rest[14:16] + (content[24:28] if long else content[16:20])
    if not is_zero(reserved):
        return "a reserved field is not empty"
    a, b, u, c, d, v, x, y, w = matrix
    if (a, b, c, d) not in _TURNS or (u, v, x, y, w) != (0, 0, 0, 0, 1 << 30):
        return "a display matrix that is no plain turn"
    return ""


def _media_header(content: bytes) -> str:
    if len(content) not in {24, 36}:
        return "another size"
    if not is_zero(content[4 : 20 if len(content) == 36 else 12]):
        return "a time of creation or change"
    return "" if content[-4:] == _LANGUAGE_UND.to_bytes(2, "big") + b"\x00\x00" else "a language"


def _handler(content: bytes) -> str:
    kind = content[8:12]
    known = kind in _HANDLERS and content[24:] == _HANDLERS[kind]
    return "" if known and is_zero(content[:8] + content[12:24]) else "an unknown handler or a name"


def _exactly(*contents: bytes) -> Callable[[bytes], str]:
    return lambda content: "" if content in contents else "other values than a plain one has"


def _group_description(content: bytes) -> str:
    known = content[4:8] in {b"roll", b"prol", b"sync", b"rap ", b"tele"}
    return "" if known and len(content) <= 64 else "an unknown sample group"


_CHECKS: Mapping[str, Callable[[bytes], str]] = {
    "mvhd": _movie_header,
    "tkhd": _track_header,
    "mdhd": _media_header,
    "hdlr": _handler,
    "vmhd": _exactly(b"\x00\x00\x00\x01" + bytes(8)),
    "smhd": _exactly(bytes(8)),
    "dref": _exactly(bytes(4) + b"\x00\x00\x00\x01" + b"\x00\x00\x00\x0curl \x00\x00\x00\x01"),
    "sgpd": _group_description,
}
"""Box -> what is wrong with its content, in words, or an empty text."""


def _check_descriptions(box: _Box, content: bytes) -> None:
    count = int.from_bytes(content[4:8], "big")
    entries = list(_boxes(content, box.path, 8, len(content)))
    if content[:4] != bytes(4) or count != len(entries):
        refuse(box.path, "its count does not fit")
    for entry in entries:
        if entry.name not in _SAMPLE_ENTRIES:
            refuse(entry.path, "an unknown kind of sample")
        head = content[entry.start : entry.start + _SAMPLE_ENTRIES[entry.name]]
        fixed = len(head) == _SAMPLE_ENTRIES[entry.name]
        # Video: version to quality, data size, compressor's name. Audio: version, revision, vendor, packing.
        texts = head[8:24] + head[36:40] + head[42:74] if len(head) == 78 else head[8:16] + head[20:24]
        if not fixed or not is_zero(head[:6] + texts):
            refuse(entry.path, "a vendor, a compressor's name or another text")
        for inner in _boxes(content, entry.path, entry.start + len(head), entry.end):
            size = inner.end - inner.start
            if size not in _CONFIGURATIONS.get(inner.name, ()):
                refuse(inner.path, "an unknown configuration, or of another size")
            if inner.name == "colr" and content[inner.start : inner.start + 4] not in {b"nclx", b"nclc"}:
                refuse(inner.path, "a colour profile")


def _read_sizes(box: _Box, content: bytes, track: _Track) -> None:
    constant, count = struct.unpack(">II", content[4:12]) if len(content) >= 12 else (0, 1)
    if len(content) != (12 if constant else 12 + 4 * count):
        refuse(box.path, "its count does not fit")
    if constant:
        # Spelt out only so far as the file could hold them: a count alone must not fill the memory.
        track.sizes = [constant] * min(count, 1 << 24)
    else:
        track.sizes = list(struct.unpack(f">{count}I", content[12:]))


def _read_table(box: _Box, content: bytes, track: _Track) -> None:
    if box.name == "sdtp":
        if len(content) > 4 + max(len(track.sizes), 1 << 16):
            refuse(box.path, "another size")
        return
    head = 8 if box.name == "sbgp" else 4
    width = _TABLES[box.name] + (8 if box.name == "elst" and content[:1] == b"\x01" else 0)
    count = int.from_bytes(content[head : head + 4], "big")
    if len(content) != head + 4 + width * count:
        refuse(box.path, "its count does not fit")
    body = content[head + 4 :]
    if box.name in {"stco", "co64"}:
        track.chunks = list(struct.unpack(f">{count}{'I' if width == 4 else 'Q'}", body))
    elif box.name == "stsc":
        track.runs = [(first, samples) for first, samples, _ in struct.iter_unpack(">III", body)]


def _check_samples(box: _Box, tracks: list[_Track]) -> None:
    """Every byte of the media data belongs to a sample, and to one alone."""
    at = box.start
    for start, end in sorted(span for track in tracks for span in _chunks(track)):
        if start != at:
            refuse(box.path, "bytes that belong to no sample")
        at = end
    if at != box.end:
        refuse(box.path, "bytes that belong to no sample")


def _chunks(track: _Track) -> Iterator[tuple[int, int]]:
    """Where each chunk of a track begins and ends."""
    starts = dict(track.runs)
    samples = at = 0
    for number, start in enumerate(track.chunks, 1):
        samples = starts.get(number, samples)
        size = sum(track.sizes[at : at + samples])
        at += samples
        yield start, start + size
