"""A walk over a stripped wave file that accepts its format, its length and its samples, and nothing behind them.

Source: Microsoft and IBM, Multimedia Programming Interface and Data Specifications 1.0 (1991); WAVEFORMATEXTENSIBLE.
"""

from pipelines.walk import is_zero, refuse, shown

_SUBFORMAT = bytes.fromhex("000000001000800000aa00389b71")
"""What follows the two bytes of the format in the sub-format of an extensible header."""
_FORMATS = frozenset({1, 3, 6, 7})
"""PCM, floating point, A-law, mu-law."""


def check_chunks(media: bytes) -> None:
    """Accept a wave file of known chunks with numbers and samples alone.

    Raises:
        Rejection: `SCRUB_FAILED` with the first chunk that is not, never its content.
    """
    if media[:4] != b"RIFF" or media[8:12] != b"WAVE" or int.from_bytes(media[4:8], "little") != len(media) - 8:
        refuse("RIFF", "its size does not fit")
    at = 12
    found = []
    while at < len(media):
        name, size = media[at : at + 4], int.from_bytes(media[at + 4 : at + 8], "little")
        start, end = at + 8, at + 8 + size
        if end > len(media):
            refuse(shown(name), "its size does not fit")
        if name == b"fmt ":
            _check_format(media[start:end])
        elif name not in {b"fact", b"data"} or (name == b"fact" and size != 4):
            refuse(shown(name), "an unknown chunk")
        if not is_zero(media[end : end + size % 2]):
            refuse(shown(name), "padding that is not empty")
        found.append(name)
        at = end + size % 2
    if found not in ([b"fmt ", b"data"], [b"fmt ", b"fact", b"data"]):
        refuse("RIFF", "chunks are missing, or in another order")


def _check_format(content: bytes) -> None:
    code = int.from_bytes(content[:2], "little")
    if code == 0xFFFE and len(content) == 40 and content[26:40] == _SUBFORMAT:
        code = int.from_bytes(content[24:26], "little")
    elif len(content) not in {16, 18} or content[16:] not in {b"", b"\x00\x00"}:
        refuse("fmt", "another size")
    if code not in _FORMATS:
        refuse("fmt", "an unknown format")
