"""Packets of video without what is not picture: AV1, MPEG-4 part 2 and Motion JPEG.

All functions are total: what cannot be read is left out.
"""

import re
from collections.abc import Iterator

_AV1_KEPT = frozenset({1, 3, 4, 6, 7, 8})
"""OBU types (AV1 6.2.2): sequence header, frame header, tile group, frame, redundant frame header, tile list."""


def clean_av1(packet: bytes) -> bytes:
    """An AV1 temporal unit without metadata, padding and reserved OBUs.

    Source: AV1 Bitstream and Decoding Process Specification, 5.3. (Temporal delimiters stay out of containers.)

    >>> clean_av1(bytes.fromhex("2a0504414243440a0100")).hex()
    '0a0100'
    """
    return b"".join(unit for kind, unit in _obus(packet) if kind in _AV1_KEPT)


def _obus(packet: bytes) -> Iterator[tuple[int, bytes]]:
    at = 0
    while at < len(packet):
        header = packet[at]
        start = at + 1 + bool(header & 4)
        if header & 2:
            size, start = _leb128(packet, start)
        else:
            size = len(packet) - start
        end = start + size
        if size < 0 or end > len(packet):
            return
        yield (header >> 3) & 15, packet[at:end]
        at = end


def _leb128(packet: bytes, at: int) -> tuple[int, int]:
    value = 0
    for place in range(8):
        byte = packet[at + place] if at + place < len(packet) else 0x80
        value |= (byte & 127) << (7 * place)
        if not byte & 128:
            return value, at + place + 1
    return -1, at


def clean_av1_configuration(extradata: bytes) -> bytes:
    """The decoder configuration (av1C) with its sequence header alone."""
    if extradata[:1] == b"\x81":
        return extradata[:4] + b"".join(unit for kind, unit in _obus(extradata[4:]) if kind == 1)
    return b"".join(unit for kind, unit in _obus(extradata) if kind == 1)


_USER_DATA = re.compile(rb"\x00\x00\x01\xb2(.*?)(?=\x00\x00\x01|\Z)", re.DOTALL)
_ENCODERS = re.compile(rb"(Lavc\d+\.\d+\.\d+|XviD\d{4}|DivX\d{3,4}(b|Build)\d{3,4}p?)\x00*")


def clean_mpeg4(packet: bytes) -> bytes:
    r"""MPEG-4 part 2 without user data, but for the encoders' names from which decoders tell their inverse transforms.

    Source: ISO/IEC 14496-2, 6.2.2.1; start code B2.

    >>> clean_mpeg4(b"\x00\x00\x01\xb2Jansen\x00\x00\x01\xb6pixels")
    b'\x00\x00\x01\xb6pixels'
    """
    return _USER_DATA.sub(lambda found: found[0] if _ENCODERS.fullmatch(found[1]) else b"", packet)


_JPEG_KEPT = frozenset({*range(0xC0, 0xD0), 0xDA, 0xDB, 0xDD}) - {0xC8}
"""Markers (ITU-T T.81, table B.1): frame headers, Huffman and arithmetic tables, scan, quantisation, restart interval."""
_SCAN_END = re.compile(rb"\xff+[\x01-\xcf\xd8-\xfe]")


def clean_mjpeg(packet: bytes) -> bytes:
    """A Motion JPEG picture without comments, EXIF, thumbnails, profiles and what follows its end.

    Of the application segments, JFIF's version and densities, AVI1's field order and Adobe's colour transform stay.
    An interlaced picture is two images in one packet.

    >>> clean_mjpeg(bytes.fromhex("ffd8 fffe0006 4a616e73 ffdb0003 00 ffd9 5a5a")).hex()
    'ffd8ffdb000300ffd9'
    """
    first, rest = _clean_image(packet)
    if b"AVI1\x01" in first[:20] or b"AVI1\x02" in first[:20]:
        return first + _clean_image(rest)[0]
    return first


def _clean_image(packet: bytes) -> tuple[bytes, bytes]:
    """The first image of a packet, cleaned, and what follows it."""
    start = packet.find(b"\xff\xd8")
    if start < 0:
        return b"", b""
    kept = [b"\xff\xd8"]
    at = start + 2
    while at + 4 <= len(packet) and packet[at] == 0xFF:
        marker = packet[at + 1]
        if marker == 0xFF:
            at += 1
            continue
        if marker == 0xD9:
            break
        end = at + 2 + int.from_bytes(packet[at + 2 : at + 4], "big")
        segment = packet[at + 4 : end]
        if marker == 0xDA:
            found = _SCAN_END.search(packet, end)
            end = found.start() if found else len(packet)
            kept.append(packet[at:end])
        elif marker in _JPEG_KEPT:
            kept.append(packet[at:end])
        elif (short := _application(marker, segment)) is not None:
            kept.append(bytes((0xFF, marker)) + (len(short) + 2).to_bytes(2, "big") + short)
        at = end
    return b"".join([*kept, b"\xff\xd9"]), packet[at + 2 :]


def _application(marker: int, segment: bytes) -> bytes | None:
    if marker == 0xE0 and segment[:5] == b"JFIF\x00" and len(segment) >= 14:
        return segment[:12] + b"\x00\x00"
    if marker == 0xE0 and segment[:4] == b"AVI1":
        return segment[:5] + b"\x00" * 9
    if marker == 0xEE and segment[:5] == b"Adobe" and len(segment) >= 12:
        return segment[:12]
    return None
