"""A walk over a stripped Matroska file accepts what stripping writes and nothing more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.elements import check_elements, void_tags
from pipelines.errors import Rejection
from pipelines.strip import strip
from tests.pipelines.canary_factory import element, film, into_segment, mkv, remux, webm

CLEAN = strip(remux(film(), "matroska"), ".mkv").media
NAME = b"Grootenboer"


def refusal(media: bytes) -> str:
    with pytest.raises(Rejection) as refused:
        check_elements(media)
    assert refused.value.code == "SCRUB_FAILED"
    assert "Groot" not in refused.value.detail
    return refused.value.detail


def changed(before: bytes, after: bytes) -> bytes:
    at = CLEAN.index(before)
    return CLEAN[:at] + after + CLEAN[at + len(after) :]


def test_what_stripping_writes_is_accepted() -> None:
    check_elements(CLEAN)
    check_elements(strip(webm().media, ".webm").media)


def test_a_delivered_recording_is_not() -> None:
    refusal(mkv().media)


@pytest.mark.parametrize(
    ("addition", "where"),
    [
        (element("1254C367", NAME), "file/Segment: Tags"),
        (element("1941A469", NAME), "file/Segment: Attachments"),
        (element("1043A770", NAME), "file/Segment: Chapters"),
        (element("4DFF", NAME), "file/Segment: an unknown element"),
        (element("EC", NAME), "file/Segment/Void: free space that is not empty"),
        (element("1549A966", element("7BA9", NAME)), "file/Segment/Info: Title"),
        (element("1549A966", element("4461", NAME)), "file/Segment/Info: DateUTC"),
        (element("1549A966", element("5741", NAME)), "file/Segment/Info/WritingApp: an unknown value"),
        (element("1549A966", element("2AD7B1", NAME)), "file/Segment/Info/TimestampScale: no number of a plausible size"),
        (element("1549A966", element("4489", NAME)), "file/Segment/Info/Duration: no number"),
        (element("1654AE6B", element("AE", element("536E", NAME))), "file/Segment/Tracks/TrackEntry: the Name of a track"),
        (element("1654AE6B", element("AE", element("22B59C", b"nl"))), "file/Segment/Tracks/TrackEntry/Language: an unknown value"),
        (element("1F43B675", element("A0", element("75A1", NAME))), "file/Segment/Cluster/BlockGroup: BlockAdditions"),
        (element("1F43B675", element("A3", b"\x81\x00\x00\x06" + NAME)), "file/Segment/Cluster/SimpleBlock: a block of an unknown form"),
        (element("1F43B675", element("A3", b"\x85\x00\x00\x80" + NAME)), "file/Segment/Cluster/SimpleBlock: a block of an unknown form"),
        (b"\xec\xff" + NAME, "file/Segment: the size of an element does not fit"),
        (b"\x00" + NAME, "file/Segment: an element that cannot be read"),
    ],
)  # fmt: skip
def test_an_addition_is_refused_by_its_path(addition: bytes, where: str) -> None:
    assert refusal(into_segment(CLEAN, addition)) == where


def test_nothing_stands_behind_the_segment() -> None:
    assert refusal(CLEAN + NAME).startswith("file: ")
    assert refusal(CLEAN + element("EC", bytes(5))).startswith("file: ")


def test_the_tags_that_the_muxer_always_writes_are_zeros_now() -> None:
    written = remux(film(), "matroska", options={"fflags": "+bitexact", "write_crc32": "0"})
    assert b"DURATION" in written
    voided = void_tags(written)
    assert len(voided) == len(written)
    assert b"DURATION" not in voided
    assert bytes.fromhex("1254C367") not in voided


def test_a_writer_of_another_name_is_refused() -> None:
    assert refusal(changed(b"WA\x84Lavf", b"WA\x84Jan!")) == "file/Segment/Info/WritingApp: an unknown value"


@given(st.binary(max_size=300))
def test_whatever_comes_is_refused(media: bytes) -> None:
    refusal(media)
    try:
        void_tags(media)
    except Rejection as error:
        assert error.code == "SCRUB_FAILED"  # noqa: PT017 - either outcome is right


@given(st.data())
def test_whatever_is_changed_the_walk_ends(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(CLEAN) - 8))
    other = data.draw(st.binary(min_size=1, max_size=8))
    try:
        check_elements(CLEAN[:at] + other + CLEAN[at + len(other) :])
    except Rejection as error:
        assert error.code == "SCRUB_FAILED"  # noqa: PT017 - either outcome is right
