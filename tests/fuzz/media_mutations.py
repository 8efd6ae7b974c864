"""Damage that knows MP4, Matroska and wave files; the good ones are parsed with the project's own walks over them."""

from collections.abc import Mapping, Sequence

from pipelines import boxes, elements
from tests.fuzz.mutations import BLIND, Mutator, Part, Random, absurd, overwritten, structural

# MP4


def _parse_boxes(media: bytes) -> list[Part]:
    found: list[Part] = []
    _descend(media, (0, len(media)), -1, found)
    return found


def _descend(media: bytes, span: tuple[int, int], parent: int, found: list[Part]) -> None:
    for box in boxes._boxes(media, "", *span):
        found.append(Part(box.name, box.start - 8, box.start, box.end, parent))
        if box.name in boxes._CHILDREN:
            _descend(media, (box.start, box.end), len(found) - 1, found)


def _box_length_lie(media: bytes, part: Part, rng: Random) -> bytes:
    size = part.end - part.at
    lies = (0, 1, 7, 8, size - 1, size + 1, 2 * size, 1 << 31, (1 << 32) - 1, len(media), rng.randrange(1 << 32))
    return overwritten(media, part.at, rng.choice(lies).to_bytes(4, "big"))


def _in_box(media: bytes, rng: Random, places: Sequence[tuple[str, int, int]]) -> bytes:
    """One of (box, offset in its content from its start or its end, bytes) becomes absurd; a sample entry counts too."""
    name, offset, size = rng.choice(places)
    spots = [(part.start, part.end) for part in _parse_boxes(media) if part.name == name]
    if name in {"avc1", "mp4a"}:
        # The brand of that name stands in front of the sample entry.
        spots = [(at + 4, at + 90) for at in [media.find(name.encode(), media.find(b"stsd"))] if at >= 0]
    if not spots:
        return media
    start, end = rng.choice(spots)
    return overwritten(media, (start if offset >= 0 else end) + offset, absurd(rng, size))


_BOX_SIZES = (("tkhd", -8, 4), ("tkhd", -4, 4), ("avc1", 24, 2), ("avc1", 26, 2), ("avc1", 24, 4), ("avc1", 82, 2))
_BOX_RATES = (
    ("mdhd", 12, 4), ("mdhd", 16, 4), ("mvhd", 12, 4), ("mvhd", 16, 4), ("stts", 8, 4), ("stts", 12, 4),
    ("elst", 8, 4), ("elst", 12, 4), ("elst", 16, 4), ("mp4a", 24, 4), ("mp4a", 16, 2), ("ctts", 12, 4),
)  # fmt: skip
_BOX_COUNTS = (
    ("stts", 4, 4), ("stsz", 4, 4), ("stsz", 8, 4), ("stsc", 4, 4), ("stsc", 8, 4), ("stsc", 12, 4), ("stco", 4, 4),
    ("stco", 8, 4), ("stsd", 4, 4), ("stss", 4, 4), ("dref", 4, 4), ("stsz", 12, 4), ("stsz", 40, 4), ("elst", 4, 4),
)  # fmt: skip


def _renamed_box(media: bytes, rng: Random) -> bytes:
    parts = _parse_boxes(media)
    other = rng.choice((b"free", b"uuid", b"moof", b"trak", b"meta", b"stsd", b"avcC", rng.randbytes(4)))
    return overwritten(media, rng.choice(parts).at + 4, other)


MP4: Mapping[str, Mutator] = {
    **BLIND,
    **structural(_parse_boxes, _box_length_lie, frozenset({"mdat"})),
    "huge dimensions": lambda media, rng: _in_box(media, rng, _BOX_SIZES),
    "absurd rates": lambda media, rng: _in_box(media, rng, _BOX_RATES),
    "count lie": lambda media, rng: _in_box(media, rng, _BOX_COUNTS),
    "renamed part": _renamed_box,
}


# Matroska


def _parse_elements(media: bytes) -> list[Part]:
    found: list[Part] = []
    _into(media, "", (0, len(media)), -1, found)
    return found


def _into(media: bytes, master: str, span: tuple[int, int], parent: int, found: list[Part]) -> None:
    at, end = span
    while at < end:
        place = elements.read_element(media, at, end, "file")
        known = elements._MASTERS[master].get(place.number)
        found.append(Part(f"{place.number:X}", place.at, place.start, place.end, parent))
        if known is not None and known.kind == "master":
            _into(media, known.name, (place.start, place.end), len(found) - 1, found)
        at = place.end


def _element_length_lie(media: bytes, part: Part, rng: Random) -> bytes:
    at = part.at + len(part.name) // 2
    width = part.start - at
    top = (1 << (7 * width)) - 1
    size = part.end - part.start
    lies = (0, 1, max(size - 1, 0), size + 1, 2 * size, top, top - 1, rng.randrange(top + 1))
    marked = min(rng.choice(lies), top) | 1 << (7 * width)
    return overwritten(media, at, marked.to_bytes(width, "big"))


_FLOATS = ("7ff8000000000000", "7ff0000000000000", "fff0000000000000", "bff0000000000000", "7fefffffffffffff",
           "0000000000000001", "0000000000000000")  # fmt: skip


def _in_element(media: bytes, rng: Random, numbers: Sequence[str]) -> bytes:
    """The content of an element of one of these IDs becomes absurd."""
    parts = [part for part in _parse_elements(media) if part.name in numbers]
    if not parts:
        return media
    part = rng.choice(parts)
    size = min(part.end - part.start, 8)
    is_float = part.name in {"B5", "4489"} and rng.random() < 0.8
    content = bytes.fromhex(rng.choice(_FLOATS))[:size] if is_float else absurd(rng, size)
    return overwritten(media, part.start, content)


def _block_header(media: bytes, rng: Random) -> bytes:
    """Track number, time or flags of a block: times run backward, lacing is claimed."""
    blocks = [part for part in _parse_elements(media) if part.name == "A3"]
    part = rng.choice(blocks)
    offset, size = rng.choice(((0, 1), (1, 2), (3, 1), (1, 2)))
    return overwritten(media, part.start + offset, absurd(rng, size))


def _renamed_element(media: bytes, rng: Random) -> bytes:
    part = rng.choice(_parse_elements(media))
    same = [each.name for each in _parse_elements(media) if len(each.name) == len(part.name) and each.name != part.name]
    other = bytes.fromhex(rng.choice(same)) if same else b"\xec".ljust(len(part.name) // 2, b"\x80")
    return overwritten(media, part.at, other)


MKV: Mapping[str, Mutator] = {
    **BLIND,
    **structural(_parse_elements, _element_length_lie, frozenset({"A3", "1F43B675", "18538067"})),
    "huge dimensions": lambda media, rng: _in_element(media, rng, ("B0", "BA")),
    "absurd rates": lambda media, rng: _in_element(
        media, rng, ("B5", "2AD7B1", "4489", "23E383", "9F", "E7", "6264", "56AA")
    ),
    "block header": _block_header,
    "renamed part": _renamed_element,
}


# Wave


def _parse_chunks(media: bytes) -> list[Part]:
    found = [Part("RIFF", 0, 8, len(media), -1)]
    at = 12
    while at + 8 <= len(media):
        end = at + 8 + int.from_bytes(media[at + 4 : at + 8], "little")
        found.append(Part(media[at : at + 4].decode("latin-1"), at, at + 8, min(end, len(media)), 0))
        at = end + end % 2
    return found


def _chunk_length_lie(media: bytes, part: Part, rng: Random) -> bytes:
    size = part.end - part.start
    lies = (0, 1, size - 1, size + 1, 2 * size, 1 << 31, (1 << 32) - 1, (1 << 32) - 2, rng.randrange(1 << 32))
    return overwritten(media, part.at + 4, rng.choice(lies).to_bytes(4, "little"))


def _in_format(media: bytes, rng: Random, places: Sequence[tuple[int, int]]) -> bytes:
    start = media.index(b"fmt ") + 8
    for _ in range(rng.choice((1, 1, 2))):
        offset, size = rng.choice(places)
        media = overwritten(media, start + offset, absurd(rng, size))
    return media


WAV: Mapping[str, Mutator] = {
    **BLIND,
    **structural(_parse_chunks, _chunk_length_lie, frozenset({"data", "RIFF"})),
    "absurd rates": lambda media, rng: _in_format(media, rng, ((4, 4), (8, 4))),
    "absurd format": lambda media, rng: _in_format(media, rng, ((0, 2), (2, 2), (12, 2), (14, 2))),
}
