"""A walk over a stripped MP4 accepts what stripping writes and nothing more."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.boxes import check_boxes
from pipelines.errors import Rejection
from pipelines.strip import strip
from tests.pipelines.canary_factory import XMP, box, film, into, mp4

CLEAN = strip(film(), ".mp4").media
NAME = b"Grootenboer"


def refusal(media: bytes) -> str:
    with pytest.raises(Rejection) as refused:
        check_boxes(media)
    assert refused.value.code == "SCRUB_FAILED"
    assert "Groot" not in refused.value.detail
    return refused.value.detail


def changed(before: bytes, after: bytes, *, last: bool = False) -> bytes:
    at = CLEAN.rindex(before) if last else CLEAN.index(before)
    return CLEAN[:at] + after + CLEAN[at + len(after) :]


def test_what_stripping_writes_is_accepted() -> None:
    check_boxes(CLEAN)


def test_a_delivered_recording_is_not() -> None:
    refusal(film())
    refusal(mp4().media)


@pytest.mark.parametrize(
    ("path", "addition"),
    [
        (b"moov", box(b"udta", NAME)),
        (b"moov", box(b"meta", NAME)),
        (b"moov/trak", box(b"udta", NAME)),
        (b"moov/trak/mdia", box(b"uuid", XMP, NAME)),
        (b"moov/trak/mdia/minf/stbl", box(b"free", NAME)),
        (b"moov/trak/mdia/minf/stbl/stts", NAME),
        (b"moov/trak/mdia/minf/stbl/stsz", NAME),
        (b"moov/trak/mdia/minf/dinf/dref", NAME),
        (b"moov/trak/mdia/hdlr", NAME),
        (b"moov/mvhd", NAME),
        (b"ftyp", NAME + b"!"),
        (b"free", NAME),
        (b"mdat", NAME),
        (b"", box(b"uuid", XMP, NAME)),
        (b"", box(b"mdat", NAME)),
        (b"", NAME),
    ],
)
def test_an_addition_is_refused_by_its_place(path: bytes, addition: bytes) -> None:
    assert re.split("[/:]", refusal(into(CLEAN, path, addition)))[0] in {"moov", "ftyp", "free", "mdat", "file", "????"}


@pytest.mark.parametrize(
    ("before", "after", "where"),
    [
        (b"mvhd", b"mvhd\x00\x00\x00\x00\x00\x00\x00\x01", "moov/mvhd"),
        (b"tkhd", b"tkhd\x00\x00\x00\x03\x00\x00\x00\x01", "moov/trak/tkhd"),
        (b"mdhd", b"mdhd\x00\x00\x00\x00Jan!", "moov/trak/mdia/mdhd"),
        (b"VideoHandler", b"Grootenboer!", "moov/trak/mdia/hdlr"),
        (b"isom", b"Jan!", "ftyp"),
        (b"stco", b"Jan!", "moov/trak/mdia/minf/stbl/"),
        (b"avc1\x00\x00\x00\x00\x00\x00\x00\x01", b"avc1\x00\x00\x00\x00\x00\x00\x00\x01" + NAME, "moov/trak/mdia/minf/stbl/stsd/avc1"),
        (b"btrt", b"Jan!", "moov/trak/mdia/minf/stbl/stsd/avc1/"),
    ],
)  # fmt: skip
def test_a_changed_value_is_refused_by_its_path(before: bytes, after: bytes, where: str) -> None:
    assert refusal(changed(before, after)).startswith(where)


def test_a_display_matrix_that_is_no_plain_turn_is_refused() -> None:
    matrix = bytes.fromhex("00010000000000000000000000000000000100000000000000000000000000004000 0000".replace(" ", ""))
    at = CLEAN.index(matrix, CLEAN.index(b"tkhd"))
    assert refusal(CLEAN[:at] + b"\x00\x01\x00\x01" + CLEAN[at + 4 :]).startswith("moov/trak/tkhd")


def test_samples_that_overlap_or_leave_gaps_are_refused() -> None:
    at = CLEAN.index(b"stsz") + 16
    size = int.from_bytes(CLEAN[at : at + 4], "big")
    for other in (size - 1, size + 1):
        assert (
            refusal(CLEAN[:at] + other.to_bytes(4, "big") + CLEAN[at + 4 :]) == "mdat: bytes that belong to no sample"
        )


def test_a_count_alone_does_not_fill_the_memory() -> None:
    at = CLEAN.index(b"stsz") + 8
    refusal(CLEAN[:at] + b"\x00\x00\x00\x01\xff\xff\xff\xff" + CLEAN[at + 8 :])


@given(st.binary(max_size=300))
def test_whatever_comes_is_refused(media: bytes) -> None:
    refusal(media)


@given(st.data())
def test_whatever_is_changed_the_walk_ends(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(CLEAN) - 8))
    other = data.draw(st.binary(min_size=1, max_size=8))
    try:
        check_boxes(CLEAN[:at] + other + CLEAN[at + len(other) :])
    except Rejection as error:
        assert error.code == "SCRUB_FAILED"  # noqa: PT017 - either outcome is right
