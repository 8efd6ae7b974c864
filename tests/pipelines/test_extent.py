"""What the outermost structure of a file says about its end."""

import struct

import pytest

from pipelines.errors import Rejection
from pipelines.extent import Extent, extent

HEAD = bytes.fromhex("1a45dfa3 80")
UNKNOWN = b"\x01" + b"\xff" * 7


def box(name: bytes, content: bytes = b"", size: int | None = None) -> bytes:
    return struct.pack(">I4s", 8 + len(content) if size is None else size, name) + content


def element(number: str, content: bytes = b"", size: bytes | None = None) -> bytes:
    return bytes.fromhex(number) + (bytes((0x80 | len(content),)) if size is None else size) + content


FTYP, MOOV = box(b"ftyp", b"isom"), box(b"moov", b"index")
FRAGMENTED = FTYP + box(b"moov", box(b"mvex"))
FRAGMENT = box(b"moof", b"table") + box(b"mdat", b"samples")


def test_a_film_that_fills_its_file_is_closed() -> None:
    media = FTYP + MOOV + box(b"mdat", b"samples")
    assert extent(media) == Extent(len(media), closed=True)


def test_a_cut_film_claims_more_than_there_is() -> None:
    media = FTYP + MOOV + box(b"mdat", b"samples")
    assert extent(media[:-3]) == Extent(len(media), closed=True)


def test_a_box_of_more_than_4_gb_has_its_size_behind_its_name() -> None:
    media = FTYP + MOOV + box(b"mdat", (1 << 33).to_bytes(8, "big"), size=1)
    assert extent(media).claimed_bytes == len(FTYP + MOOV) + (1 << 33)


def test_a_box_without_a_size_goes_to_the_end() -> None:
    media = FTYP + MOOV + box(b"mdat", b"samples", size=0)
    assert extent(media) == Extent(len(media), closed=True)


def test_what_stands_behind_the_last_known_box_is_not_looked_at() -> None:
    media = FTYP + MOOV + box(b"mdat", b"samples")
    assert extent(media + b"\xff" * 20) == Extent(len(media), closed=True)


def test_a_cut_index_is_told_before_a_demuxer_calls_it_another_type() -> None:
    with pytest.raises(Rejection, match="the index claims 13 bytes, 11 are there") as refused:
        extent((FTYP + MOOV)[:-2])
    assert refused.value.code == "TRUNCATED"


def test_fragments_alone_say_nothing_about_their_number() -> None:
    media = FRAGMENTED + FRAGMENT
    assert extent(media) == Extent(len(media), closed=False)
    assert extent(FRAGMENTED + box(b"mdat", b"samples")).closed is False


@pytest.mark.parametrize("cut", range(1, len(FRAGMENT)))
def test_a_cut_in_a_fragment_shows(cut: int) -> None:
    media = FRAGMENTED + FRAGMENT + FRAGMENT
    claim = extent(media[:-cut])
    at_a_boundary = cut == len(box(b"mdat", b"samples"))
    assert not claim.closed
    assert (claim.claimed_bytes > len(media) - cut) is not at_a_boundary


def test_an_index_at_the_end_closes_fragments() -> None:
    assert extent(FRAGMENTED + FRAGMENT + box(b"mfra")).closed


def test_an_index_in_front_tells_which_fragments_are_missing() -> None:
    entries = b"".join(struct.pack(">III", len(FRAGMENT), 0, 0) for _ in range(2))
    sidx = box(b"sidx", bytes(4) + struct.pack(">IIIIHH", 1, 1000, 0, 0, 0, 2) + entries)
    media = FRAGMENTED + sidx + FRAGMENT + FRAGMENT
    assert extent(media) == Extent(len(media), closed=True)
    assert extent(media[: -len(FRAGMENT)]) == Extent(len(media), closed=False)


def test_a_matroska_of_known_size_is_closed() -> None:
    media = HEAD + element("18538067", b"clusters")
    assert extent(media) == Extent(len(media), closed=True)
    assert extent(media[:-3]) == Extent(len(media), closed=True)


LIVE = HEAD + element("18538067", size=UNKNOWN) + element("1549A966", element("4D80", b"Lavf"))
CLUSTERS = 2 * (element("1F43B675", size=UNKNOWN) + element("E7", b"\x01") + element("A3", b"block"))


def test_a_live_matroska_says_nothing_about_its_end() -> None:
    assert extent(LIVE + CLUSTERS) == Extent(len(LIVE + CLUSTERS), closed=False)


def test_a_cut_in_a_block_of_a_live_matroska_shows() -> None:
    media = LIVE + CLUSTERS
    assert extent(media[:-2]) == Extent(len(media), closed=False)
    assert extent(media[:-6]).claimed_bytes > len(media) - 6


def test_a_live_matroska_that_states_its_duration_is_closed() -> None:
    head = HEAD + element("18538067", size=UNKNOWN) + element("1549A966", element("4489", bytes(8)))
    assert extent(head + CLUSTERS).closed


def test_an_avi_may_have_several_riff_chunks() -> None:
    media = b"RIFF" + struct.pack("<I", 8) + b"AVI LIST" + b"RIFF" + struct.pack("<I", 8) + b"AVIXmovi"
    assert extent(media) == Extent(32, closed=True)
    assert extent(media[:-2]) == Extent(32, closed=True)


@pytest.mark.parametrize("media", [b"", b"RIFF", HEAD, b"\x1a\x45\xdf\xa3", b"no media", b"RIFF\0\0\0\0WAVE"])
def test_of_other_files_nothing_is_said(media: bytes) -> None:
    assert extent(media) == Extent()
