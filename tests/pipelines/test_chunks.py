"""A walk over a stripped wave file accepts its format and its samples and nothing more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.chunks import check_chunks
from pipelines.errors import Rejection
from pipelines.strip import strip
from tests.pipelines.canary_factory import chunk, riff
from tests.pipelines.landing_factory import wav

CLEAN = strip(wav(0.1), ".wav").media
NAME = b"Grootenboer"


def refusal(media: bytes) -> str:
    with pytest.raises(Rejection) as refused:
        check_chunks(media)
    assert refused.value.code == "SCRUB_FAILED"
    assert "Groot" not in refused.value.detail
    return refused.value.detail


def test_what_stripping_writes_is_accepted() -> None:
    check_chunks(CLEAN)


def test_an_extensible_header_is_accepted_if_it_is_a_known_one() -> None:
    form = bytes.fromhex("feff0200401f0000007d000004002000 1600 1800 03000000 0100".replace(" ", ""))
    known = bytes.fromhex("000000001000800000aa00389b71")
    body = b"WAVE" + chunk(b"fmt ", form + known) + chunk(b"data", bytes(8))
    check_chunks(b"RIFF" + len(body).to_bytes(4, "little") + body)
    body = body.replace(known, b"GrootenboerJan")
    assert refusal(b"RIFF" + len(body).to_bytes(4, "little") + body) == "fmt: another size"


@pytest.mark.parametrize("name", [b"LIST", b"bext", b"iXML", b"id3 ", b"JUNK", b"fact", b"data", b"PEAK"])
def test_a_further_chunk_is_refused(name: bytes) -> None:
    assert refusal(riff(CLEAN, chunk(name, NAME))).split(":")[0] in {name.decode().strip(), "RIFF"}


def test_what_stands_behind_the_file_is_refused() -> None:
    assert refusal(CLEAN + NAME) == "RIFF: its size does not fit"
    assert refusal(riff(CLEAN, NAME)).endswith("its size does not fit")


def test_a_pad_byte_is_zero() -> None:
    odd = CLEAN[:4] + b"%c\x00\x00\x00" % 40 + CLEAN[8:40] + b"\x03\x00\x00\x00abc"
    check_chunks(odd + b"\x00")
    assert refusal(odd + b"J") == "data: padding that is not empty"


@given(st.binary(max_size=200))
def test_whatever_comes_is_refused(media: bytes) -> None:
    refusal(media)


@given(st.data())
def test_whatever_is_changed_the_walk_ends(data: st.DataObject) -> None:
    at = data.draw(st.integers(0, 44))
    other = data.draw(st.binary(min_size=1, max_size=8))
    try:
        check_chunks(CLEAN[:at] + other + CLEAN[at + len(other) :])
    except Rejection as error:
        assert error.code == "SCRUB_FAILED"  # noqa: PT017 - either outcome is right
