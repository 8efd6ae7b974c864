"""Packets and decoder configurations of audio without what is not sound: AAC, MP3, Opus, Vorbis, FLAC.

Packets are changed in place, bit for bit of the same length, so that nothing else in them moves. All functions are
total.
"""

from dataclasses import dataclass

from pipelines.errors import Rejection

_RAW_BLOCKS = frozenset({1, 2, 3, 4, 5, 29})
"""AAC object types whose packets are raw data blocks: Main, LC, SSR, LTP, SBR, PS (ISO/IEC 14496-3, table 1.17)."""
_SOUNDING_FILLS = frozenset({11, 13, 14})
"""Fill elements that decoding needs: dynamic range and spectral band replication (table 4.121)."""
_END, _DATA, _PROGRAM, _FILL = 7, 4, 5, 6


@dataclass(slots=True)
class _Bits:
    """Reads numbers from bytes and blanks what was passed over; beyond the end are zeros."""

    value: int
    length: int
    at: int = 0

    @classmethod
    def of(cls, content: bytes) -> "_Bits":
        return cls(int.from_bytes(content, "big"), 8 * len(content))

    def take(self, count: int) -> int:
        self.at += count
        shift = self.length - self.at
        return (self.value >> shift if shift >= 0 else self.value << -shift) & ((1 << count) - 1)

    def align(self) -> None:
        self.at = (self.at + 7) // 8 * 8

    def blank(self, count: int) -> None:
        end = min(self.at + count, self.length)
        if end > self.at:
            self.value &= ~(((1 << (end - self.at)) - 1) << (self.length - end))
        self.at += count

    def to_bytes(self) -> bytes:
        return self.value.to_bytes(self.length // 8, "big")


def check_aac_configuration(extradata: bytes) -> bytes:
    """An AudioSpecificConfig whose program configuration has no comment.

    Raises:
        Rejection: `CODEC_NOT_ALLOWED` for object types whose packets cannot be read here.
    """
    if not extradata:
        return extradata
    bits = _Bits.of(extradata)
    kind = bits.take(5)
    if kind not in _RAW_BLOCKS:
        raise Rejection("CODEC_NOT_ALLOWED", f"AAC of object type {kind} is not known to be safe")
    if bits.take(4) == 15:
        bits.take(24)
    if bits.take(4) == 0:
        if kind not in {1, 2, 3, 4}:
            raise Rejection("CODEC_NOT_ALLOWED", "AAC with its channels in an extension is not known to be safe")
        bits.take(1)
        if bits.take(1):
            bits.take(14)
        bits.take(1)
        _blank_comment(bits)
    return bits.to_bytes()[:64]


def clean_aac(packet: bytes) -> bytes:
    """An AAC packet whose leading data and fill elements and comments are blank.

    Elements behind the sound's cannot be found without decoding it and stay.

    Source: ISO/IEC 14496-3, 4.4.2.1 (raw_data_block), 4.4.2.7 (fill_element), 4.5.1.2 (program_config_element).

    >>> clean_aac(bytes.fromhex("c8 80 4a 61 6e 73 20".replace(" ", "")))[:1].hex()
    'c8'
    """
    start = 0
    if packet[:1] == b"\xff" and len(packet) > 1 and packet[1] >> 4 == 15:
        start = 7 if packet[1] & 1 else 9
    if len(packet) <= start or packet[start] >> 5 not in {_DATA, _PROGRAM, _FILL}:
        return packet
    bits = _Bits.of(packet[start:])
    while bits.at < bits.length:
        kind = bits.take(3)
        if kind == _FILL:
            count = bits.take(4)
            count += bits.take(8) - 1 if count == 15 else 0
            if bits.take(4) in _SOUNDING_FILLS or count == 0:
                bits.at += 8 * count - 4
            else:
                bits.at -= 4
                bits.blank(8 * count)
        elif kind == _DATA:
            bits.take(4)
            aligned = bits.take(1)
            count = bits.take(8)
            count += bits.take(8) if count == 255 else 0
            if aligned:
                bits.align()
            bits.blank(8 * count)
        elif kind == _PROGRAM:
            _blank_comment(bits)
        else:
            break
    return packet[:start] + bits.to_bytes()


def _blank_comment(bits: _Bits) -> None:
    """Pass a program_config_element and blank the comment at its end."""
    bits.take(10)
    front, side, back = bits.take(4), bits.take(4), bits.take(4)
    low, data, coupled = bits.take(2), bits.take(3), bits.take(4)
    for width in (4, 4, 3):
        if bits.take(1):
            bits.take(width)
    bits.at += 5 * (front + side + back + coupled) + 4 * (low + data)
    bits.align()
    bits.blank(8 * bits.take(8))


def clean_mp3(packet: bytes) -> bytes:
    """An MP3 frame; where it is an encoder's information frame (Xing, Info, VBRI) and holds no sound, it is blank.

    Source: ISO/IEC 11172-3, 2.4.1; the information frame's place is that of LAME's "Mp3 Info Tag" description.
    """
    if len(packet) < 6 or packet[0] != 0xFF:
        return packet
    is_first_version, is_mono = packet[1] & 8, packet[3] >> 6 == 3
    side = (17 if is_mono else 32) if is_first_version else (9 if is_mono else 17)
    start = 4 + (0 if packet[1] & 1 else 2)
    is_information = packet[start + side : start + side + 4] in {b"Xing", b"Info"} or packet[36:40] == b"VBRI"
    return packet[:start] + bytes(len(packet) - start) if is_information else packet


def clean_opus(packet: bytes) -> bytes:
    r"""An Opus packet whose padding is zeros.

    Source: RFC 6716, 3.2.5 (code 3 packets).

    >>> clean_opus(bytes((3, 0x41, 2)) + b"sound" + b"hi")
    b'\x03A\x02sound\x00\x00'
    """
    if len(packet) < 3 or packet[0] & 3 != 3 or not packet[1] & 0x40:
        return packet
    padding, at = 0, 2
    while at < len(packet) and packet[at] == 255:
        padding, at = padding + 254, at + 1
    padding += packet[at] if at < len(packet) else 0
    padding = max(0, min(padding, len(packet) - at - 1))
    return packet[: len(packet) - padding] + bytes(padding)


def clean_opus_head(extradata: bytes) -> bytes:
    """An OpusHead of its own length (RFC 7845, 5.1)."""
    if extradata[:8] != b"OpusHead" or len(extradata) < 19:
        raise Rejection("SCRUB_FAILED", "the decoder configuration of opus cannot be read")
    return extradata[: 19 if extradata[18] == 0 else 21 + extradata[9]]


def clean_vorbis_headers(extradata: bytes) -> bytes:
    """Vorbis' three headers in Xiph lacing, the comments among them empty (Vorbis I, 4.2 and 5.2).

    Raises:
        Rejection: `SCRUB_FAILED` where they are not there.
    """
    headers = _laced(extradata)
    if [header[:7] for header in headers] != [b"\x01vorbis", b"\x03vorbis", b"\x05vorbis"]:
        raise Rejection("SCRUB_FAILED", "the decoder configuration of vorbis cannot be read")
    first, comments, last = headers[0][:30], b"\x03vorbis" + bytes(8) + b"\x01", headers[2]
    return bytes((2, len(first), len(comments))) + first + comments + last


def _laced(extradata: bytes) -> list[bytes]:
    sizes: list[int] = []
    at = 1
    while len(sizes) < 2 and at < len(extradata):
        size = 0
        while at < len(extradata) and extradata[at] == 255:
            size, at = size + 255, at + 1
        sizes.append(size + (extradata[at] if at < len(extradata) else 0))
        at += 1
    if len(sizes) < 2:
        return []
    middle, end = at + sizes[0], at + sum(sizes)
    return [extradata[at:middle], extradata[middle:end], extradata[end:]]


def clean_flac_header(extradata: bytes) -> bytes:
    """FLAC's STREAMINFO alone, 34 bytes (RFC 9639, 8.2).

    Raises:
        Rejection: `SCRUB_FAILED` where it is not there.
    """
    info = extradata[8:42] if extradata[:4] == b"fLaC" else extradata[:34]
    if len(info) != 34:
        raise Rejection("SCRUB_FAILED", "the decoder configuration of flac cannot be read")
    return info
