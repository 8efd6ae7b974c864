"""Where a delivered container says that it ends, told by its outermost structure alone, without a demuxer.

A demuxer stops quietly at the end of a cut fragmented MP4, a live Matroska file or an AVI, and takes what it found
for the whole. The structure still tells: a box, an element or a chunk that reaches beyond the file's end.

Sources: ISO/IEC 14496-12 (boxes, fragments, segment index), RFC 8794 and RFC 9559 (EBML, Matroska), Microsoft's AVI
RIFF File Reference.
"""

from collections.abc import Iterator
from typing import NamedTuple

from pipelines.errors import Rejection


class Extent(NamedTuple):
    """What a container's structure says about its end.

    Args:
        claimed_bytes: how long the file must at least be, or 0 where this container is not looked at.
        closed: whether anything says that nothing more is to come; a live recording may end between any two packets.
    """

    claimed_bytes: int = 0
    closed: bool = True


_FIRST_BOXES = frozenset({b"ftyp", b"styp", b"moov", b"mdat", b"wide", b"free", b"skip"})
_BOXES = _FIRST_BOXES | {b"moof", b"mfra", b"sidx", b"uuid", b"meta", b"pdin", b"prft", b"emsg", b"ssix"}
_SEGMENT, _CLUSTER, _DURATION, _INFO = 0x18538067, 0x1F43B675, 0x4489, 0x1549A966


def extent(media: bytes) -> Extent:
    """What the structure of a file says about its end.

    Args:
        media: a delivered file of any type.

    Raises:
        Rejection: `TRUNCATED` where it breaks off in the headers, without which no demuxer could open it.

    >>> extent((12).to_bytes(4, "big") + b"ftypisom" + (99).to_bytes(4, "big") + b"mdat")
    Extent(claimed_bytes=111, closed=True)
    """
    if media[4:8] in _FIRST_BOXES:
        return _of_boxes(media)
    if media.startswith(b"\x1a\x45\xdf\xa3"):
        return _of_elements(media)
    if media.startswith(b"RIFF") and media[8:12] == b"AVI ":
        return _of_riff(media)
    return Extent()


def _of_boxes(media: bytes) -> Extent:
    claimed = at = indexed_end = 0
    names = set()
    in_fragments = False
    for name, start, at in _boxes(media):
        names.add(name)
        if at > len(media) and name == b"moov":
            raise Rejection("TRUNCATED", f"the index claims {at - start} bytes, {len(media) - start} are there")
        if name == b"sidx" and b"moof" not in names:
            indexed_end = max(indexed_end, at + _indexed_bytes(media[start:at]))
        claimed = max(claimed, at)
        in_fragments |= name == b"moof" or (name == b"moov" and b"mvex" in media[start:at])
    if not in_fragments:
        return Extent(claimed)
    # An index at the end, or one in front that reaches to the end, closes a file of fragments.
    claimed = max(claimed, indexed_end)
    # Of a cut fragment nothing may be left to decode, so that few bytes say little about the time lost.
    return Extent(claimed, claimed <= len(media) and (b"mfra" in names or indexed_end == claimed))


def _boxes(media: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Name, start and claimed end of each outermost box; what follows the last known one is not looked at.

    A header that is cut itself has no name, and its own length is claimed.
    """
    at = 0
    while at + 8 <= len(media):
        size, name = int.from_bytes(media[at : at + 4], "big"), media[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(media[at + 8 : at + 16], "big")
        elif size == 0:
            size = len(media) - at
        if name not in _BOXES or size < 8:
            return
        yield name, at, at + size
        at += size
    if at < len(media):
        yield b"", at, at + 8


def _indexed_bytes(box: bytes) -> int:
    """How many bytes after a segment index it speaks of."""
    wide = box[8:9] == b"\x01"
    entries = 40 if wide else 32
    first = int.from_bytes(box[28:36], "big") if wide else int.from_bytes(box[24:28], "big")
    sizes = [int.from_bytes(box[at : at + 4], "big") & 0x7FFFFFFF for at in range(entries, len(box) - 11, 12)]
    return first + sum(sizes)


def _of_elements(media: bytes) -> Extent:
    head = _element(media, 0)
    segment = None if head is None or head[2] is None else _element(media, head[2])
    if segment is None or segment[0] != _SEGMENT:
        return Extent()
    _, at, end = segment
    if end is not None:
        return Extent(end)
    # A live recording: of its segment and clusters nobody knew the size, of everything in them one does.
    closed = False
    while at < len(media):
        found = _element(media, at)
        if found is None:
            return Extent(len(media) + 1, closed=False)
        number, start, end = found
        if number == _CLUSTER and end is None:
            at = start
            continue
        if end is None:
            return Extent(closed=closed)
        closed = closed or (number == _INFO and _has_duration(media, start, min(end, len(media))))
        at = end
    return Extent(at, closed)


def _has_duration(media: bytes, at: int, end: int) -> bool:
    while at < end:
        found = _element(media, at)
        if found is None or found[2] is None:
            return False
        if found[0] == _DURATION:
            return True
        at = found[2]
    return False


def _element(media: bytes, at: int) -> tuple[int, int, int | None] | None:
    """ID, start of the content and end (None: unknown) of an element; None where none can be read."""
    id_bytes = _vint_bytes(media[at : at + 1])
    size_bytes = _vint_bytes(media[at + id_bytes : at + id_bytes + 1])
    start = at + id_bytes + size_bytes
    if id_bytes > 4 or size_bytes > 8 or start > len(media):
        return None
    mask = (1 << (7 * size_bytes)) - 1
    size = int.from_bytes(media[at + id_bytes : start], "big") & mask
    return int.from_bytes(media[at : at + id_bytes], "big"), start, None if size == mask else start + size


def _vint_bytes(first: bytes) -> int:
    """Bytes of a variable-length number, by its first one; 9 where it is none."""
    return 9 - first[0].bit_length() if first else 9


def _of_riff(media: bytes) -> Extent:
    """An AVI's RIFF chunks; one above 1 GB has several (OpenDML)."""
    at = 0
    while media[at : at + 4] == b"RIFF" and at + 8 <= len(media):
        at += 8 + int.from_bytes(media[at + 4 : at + 8], "little")
    return Extent(at)
