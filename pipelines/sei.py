"""H.264 and H.265 without what is not picture: which NAL units and SEI messages stay.

SEI messages are where cameras and encoders write serial numbers, times of day, captions and settings. By allow-list,
only those stay that change how the picture is decoded or shown. Picture timing goes too: it can hold the time of day
(H.264 D.2.3), while order and times come from the slices and the container.

Sources: ITU-T H.264 (7.3.1, 7.4.1, annexes B and D), ITU-T H.265 (the same), ISO/IEC 14496-15 (avcC, hvcC).
"""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise

from pipelines.errors import Rejection

_KEPT_MESSAGES: Mapping[int, range] = {
    6: range(1, 9),  # recovery point: from where an open group of pictures can be shown
    45: range(1, 25),  # frame packing: two views in one picture
    137: range(24, 25),  # mastering display
    144: range(4, 5),  # content light level
    147: range(1, 2),  # alternative transfer characteristics
}
"""SEI payload type -> its possible sizes in bytes; the same numbers in both standards."""

_DAMAGED = b"\x7f\xff\xff\xff"
"""A length that no packet has: what stands in place of a unit whose length was a lie, so that the decoder still sees
that the packet is damaged."""


@dataclass(frozen=True, slots=True)
class _Syntax:
    """What differs between the two: the header's bytes, where the type stands in it, which types are what."""

    header_bytes: int
    shift: int
    mask: int
    kept: frozenset[int]
    sei: frozenset[int]
    parameter_sets: frozenset[int]

    def type_of(self, unit: bytes) -> int:
        return (unit[0] >> self.shift) & self.mask if unit else -1


_SYNTAXES = {
    # Slices, parameter sets, delimiters, ends of sequence; not filler (12), reserved and unspecified types.
    "h264": _Syntax(1, 0, 31, frozenset({1, 2, 3, 4, 5, 7, 8, 9, 10, 11, 13, 14, 15, 19, 20}), frozenset({6}), frozenset({7, 8})),
    # Not filler (38), reserved and unspecified types (Dolby Vision's 62 and 63 among them).
    "hevc": _Syntax(2, 1, 63, frozenset({*range(10), *range(16, 22), *range(32, 38)}), frozenset({39, 40}), frozenset({32, 33, 34})),
}  # fmt: skip


def packet_cleaner(codec: str, extradata: bytes) -> Callable[[bytes], bytes]:
    """A function that drops from a packet every NAL unit and SEI message that is not on the list.

    Args:
        codec: `h264` or `hevc`.
        extradata: the decoder configuration, which says how the units are delimited.

    Returns:
        A total function: what cannot be read is left out. A packet with nothing to drop comes back as it is.

    >>> clean = packet_cleaner("h264", b"")
    >>> clean(bytes.fromhex("00000001 0605026869 80  00000001 658884")).hex()
    '00000001658884'
    """
    syntax = _SYNTAXES[codec]
    length_bytes = _length_bytes(codec, extradata)
    if length_bytes:
        return lambda packet: _clean_prefixed(packet, syntax, length_bytes)
    return lambda packet: _clean_annex_b(packet, syntax)


def clean_configuration(codec: str, extradata: bytes) -> bytes:
    """The decoder configuration (avcC, hvcC or Annex B) with its parameter sets alone.

    Args:
        codec: `h264` or `hevc`.
        extradata: as the container has it; may be empty.

    Raises:
        Rejection: `SCRUB_FAILED` where it is none.
    """
    syntax = _SYNTAXES[codec]
    if not _length_bytes(codec, extradata):
        sets = [unit for unit in _annex_b_units(extradata) if syntax.type_of(unit) in syntax.parameter_sets]
        return b"".join(b"\x00\x00\x00\x01" + unit for unit in sets)
    try:
        return (_clean_avcc if codec == "h264" else _clean_hvcc)(extradata, syntax)
    except IndexError as error:
        raise Rejection("SCRUB_FAILED", f"the decoder configuration of {codec} cannot be read") from error


def _length_bytes(codec: str, extradata: bytes) -> int:
    """Bytes of the length before each unit; 0 where units are delimited by start codes (Annex B)."""
    at = {"h264": 4, "hevc": 21}[codec]
    return (extradata[at] & 3) + 1 if len(extradata) > at and extradata[0] == 1 else 0


def _clean_prefixed(packet: bytes, syntax: _Syntax, length_bytes: int) -> bytes:
    kept: list[bytes] = []
    at, changed = 0, False
    while at < len(packet):
        start = at + length_bytes
        end = start + int.from_bytes(packet[at:start], "big")
        if start > len(packet) or end > len(packet):
            kept.append(_DAMAGED[-length_bytes:])
            changed = True
            break
        kind = (packet[start] >> syntax.shift) & syntax.mask if end > start else -1
        if kind in syntax.kept:
            kept.append(packet[at:end])
        else:
            unit = _clean_sei(packet[start:end], syntax) if kind in syntax.sei else b""
            if unit:
                kept.append(len(unit).to_bytes(length_bytes, "big") + unit)
            changed = True
        at = end
    return b"".join(kept) if changed else packet


_START = re.compile(rb"\x00\x00\x01")


def _annex_b_units(packet: bytes) -> Iterator[bytes]:
    starts = [match.end() for match in _START.finditer(packet)]
    for start, following in pairwise([*starts, len(packet) + 3]):
        # A zero before the next start code is that code's own, or padding.
        yield packet[start : following - 3].rstrip(b"\x00")


def _clean_annex_b(packet: bytes, syntax: _Syntax) -> bytes:
    kept = []
    for unit in _annex_b_units(packet):
        kind = syntax.type_of(unit)
        if kind in syntax.kept:
            kept.append(unit)
        elif kind in syntax.sei and (cleaned := _clean_sei(unit, syntax)):
            kept.append(cleaned)
    return b"".join(b"\x00\x00\x00\x01" + unit for unit in kept)


def _clean_sei(unit: bytes, syntax: _Syntax) -> bytes:
    """An SEI unit with its allowed messages, or nothing where none is left."""
    body = unit[syntax.header_bytes :].replace(b"\x00\x00\x03", b"\x00\x00")
    kept = b"".join(
        bytes((kind, len(payload))) + payload
        for kind, payload in _messages(body)
        if len(payload) in _KEPT_MESSAGES.get(kind, ())
    )
    if not kept:
        return b""
    escaped = re.sub(rb"\x00\x00(?=[\x00-\x03])", b"\x00\x00\x03", kept + b"\x80")
    return unit[: syntax.header_bytes] + escaped


def _messages(body: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(body) and body[at:].rstrip(b"\x00") != b"\x80":
        kind, at = _ff_coded(body, at)
        size, at = _ff_coded(body, at)
        if at + size > len(body):
            return
        yield kind, body[at : at + size]
        at += size


def _ff_coded(body: bytes, at: int) -> tuple[int, int]:
    """A number written as a run of 255s and a rest; and where it ends."""
    value = 0
    while at < len(body) and body[at] == 255:
        value, at = value + 255, at + 1
    return value + (body[at] if at < len(body) else 0), at + 1


def _clean_avcc(extradata: bytes, syntax: _Syntax) -> bytes:
    sets, at = _counted(extradata, 6, extradata[5] & 31)
    more, at = _counted(extradata, at + 1, extradata[at])
    sps = [unit for unit in sets if syntax.type_of(unit) == 7]
    pps = [unit for unit in more if syntax.type_of(unit) == 8]
    # The high profiles repeat chroma format and bit depths; extensions of parameter sets are for alpha planes alone.
    depths = extradata[at : at + 3]
    tail = depths + b"\x00" if extradata[1] in {100, 110, 122, 144} and len(depths) == 3 else b""
    head = extradata[:5] + bytes((0xE0 | len(sps),))
    return head + _with_lengths(sps) + bytes((len(pps),)) + _with_lengths(pps) + tail


def _clean_hvcc(extradata: bytes, syntax: _Syntax) -> bytes:
    arrays = []
    at = 23
    for _ in range(extradata[22]):
        kind = extradata[at]
        units, at = _counted(extradata, at + 3, int.from_bytes(extradata[at + 1 : at + 3], "big"))
        if kind & 63 in syntax.parameter_sets:
            kept = [unit for unit in units if syntax.type_of(unit) == kind & 63]
            arrays.append(bytes((kind & 0xBF,)) + len(kept).to_bytes(2, "big") + _with_lengths(kept))
    return extradata[:22] + bytes((len(arrays),)) + b"".join(arrays)


def _counted(extradata: bytes, at: int, count: int) -> tuple[list[bytes], int]:
    """That many units, each behind a length of two bytes; and where they end."""
    units = []
    for _ in range(count):
        size = int.from_bytes(extradata[at : at + 2], "big")
        at += 2 + size
        if at > len(extradata):
            raise IndexError(at)
        units.append(extradata[at - size : at])
    return units, at


def _with_lengths(units: list[bytes]) -> bytes:
    return b"".join(len(unit).to_bytes(2, "big") + unit for unit in units)
