"""What the walks over stripped files share, and how a refusal names a place without its content."""

from typing import NoReturn

from pipelines.errors import Rejection


def refuse(where: str, what: str) -> NoReturn:
    """Refuse a stripped file.

    Args:
        where: the path of boxes, elements or chunks.
        what: what is wrong there, never its content.

    Raises:
        Rejection: always, `SCRUB_FAILED`.
    """
    raise Rejection("SCRUB_FAILED", f"{where}: {what}")


def is_zero(content: bytes) -> bool:
    """Whether there is nothing but zero bytes."""
    return not content.strip(b"\x00")


_KNOWN = frozenset({
    "ftyp", "free", "skip", "wide", "mdat", "moov", "mvhd", "trak", "tkhd", "edts", "elst", "mdia", "mdhd", "hdlr",
    "minf", "vmhd", "smhd", "nmhd", "gmhd", "dinf", "dref", "stbl", "stsd", "stts", "ctts", "stss", "sdtp", "stsc",
    "stsz", "stco", "co64", "sgpd", "sbgp", "avc1", "avc3", "hvc1", "hev1", "av01", "vp09", "mp4v", "mp4a", "Opus",
    "fLaC", "alac", "avcC", "hvcC", "av1C", "vpcC", "esds", "dOps", "dfLa", "pasp", "btrt", "fiel", "clli", "mdcv",
    "colr", "chnl", "udta", "meta", "uuid", "ilst", "keys", "emsg", "sidx", "moof", "mvex", "tref", "cslg", "tapt",
    "dvcC", "dvvC", "st3d", "sv3d", "fmt", "fact", "data", "LIST", "JUNK", "bext", "iXML", "axml", "PEAK", "id3",
    "cue",
})  # fmt: skip


def shown(name: bytes) -> str:
    """A box's or chunk's name if it is one that is known, for any four letters could also be out of a text.

    >>> shown(b"udta"), shown(b"tenb")
    ('udta', '????')
    """
    text = name.decode("latin-1").strip()
    return text if text in _KNOWN else "????"
