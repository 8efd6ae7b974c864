"""Of H.264 and H.265 packets stays what is picture, in whichever way their units are delimited."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import Rejection
from pipelines.sei import clean_configuration, packet_cleaner

AVCC = bytes.fromhex("0142c00affe10004674 2c00a01000468ce02bc".replace(" ", ""))
SLICE = bytes.fromhex("65888401ff")
RECOVERY = b"\x06\x06\x01\x84\x80"
NOTE = b"\x06\x05\x12" + b"0123456789abcdef" + b"ID" + b"\x80"


Form = tuple[bytes, Callable[..., bytes]]
"""A decoder configuration, and what joins units as it says."""


def prefixed(*units: bytes) -> bytes:
    return b"".join(len(unit).to_bytes(4, "big") + unit for unit in units)


def started(*units: bytes) -> bytes:
    return b"".join(b"\x00\x00\x00\x01" + unit for unit in units)


@pytest.fixture(params=[(AVCC, prefixed), (b"", started)], ids=["avcC", "Annex B"])
def form(request: pytest.FixtureRequest) -> Form:
    value: Form = request.param
    return value


class TestH264:
    def test_a_packet_with_nothing_to_drop_comes_back_as_it_is(self) -> None:
        packet = prefixed(b"\x09\x10", SLICE)
        assert packet_cleaner("h264", AVCC)(packet) is packet

    @pytest.mark.parametrize(
        "dropped",
        [NOTE, b"\x06\x04\x02GA\x80", b"\x06\xc8\x02ID\x80", b"\x06\x01\x02ID\x80", b"\x0cID", b"\x18ID", b"\x06"],
    )
    def test_notes_and_units_of_unknown_kinds_go(self, form: Form, dropped: bytes) -> None:
        extradata, join = form
        clean = packet_cleaner("h264", extradata)
        assert clean(join(dropped, SLICE)) == join(SLICE)

    def test_a_recovery_point_stays_and_what_shares_its_unit_goes(self, form: Form) -> None:
        extradata, join = form
        shared = RECOVERY[:-1] + NOTE[1:]
        clean = packet_cleaner("h264", extradata)
        assert clean(join(shared, SLICE)) == join(RECOVERY, SLICE)

    def test_a_message_of_another_size_than_its_kind_has_goes(self) -> None:
        long = b"\x06\x06\x20" + b"x" * 32 + b"\x80"
        assert packet_cleaner("h264", AVCC)(prefixed(long, SLICE)) == prefixed(SLICE)

    def test_kept_messages_are_escaped_again(self) -> None:
        unit = b"\x06\x90\x04\x00\x00\x03\x01\x00\x80"
        assert packet_cleaner("h264", AVCC)(prefixed(NOTE, unit)) == prefixed(unit)

    def test_a_lying_length_leaves_nothing_behind_it_but_the_lie(self) -> None:
        cleaned = packet_cleaner("h264", AVCC)(prefixed(SLICE) + b"\x00\x00\xff\xff" + SLICE)
        assert cleaned == prefixed(SLICE) + b"\x7f\xff\xff\xff"

    def test_the_configuration_keeps_its_parameter_sets_alone(self) -> None:
        assert clean_configuration("h264", AVCC + b"Grootenboer") == AVCC
        noted = AVCC[:5] + b"\xe2" + AVCC[6:12] + len(NOTE).to_bytes(2, "big") + NOTE + AVCC[12:]
        assert clean_configuration("h264", noted) == AVCC
        assert clean_configuration("h264", started(AVCC[8:12], NOTE)) == started(AVCC[8:12])

    def test_a_configuration_that_cannot_be_read_is_refused(self) -> None:
        with pytest.raises(Rejection) as refused:
            clean_configuration("h264", AVCC[:-3])
        assert refused.value.code == "SCRUB_FAILED"


class TestH265:
    HVCC = b"\x01" + bytes(20) + b"\xff" + b"\x01" + b"\xa1\x00\x01\x00\x04\x42\x01\x01\x60"
    SLICE = b"\x26\x01\xaf\x08"

    @pytest.mark.parametrize(
        "dropped",
        [
            b"\x4e\x01\x05\x12" + b"0123456789abcdefID\x80",
            b"\x50\x01\x05\x02ID\x80",
            b"\x4e\x01\x88\x02ID\x80",
            b"\x7c\x01ID",
            b"\x4c\x01ID",
        ],
    )
    def test_notes_and_units_of_unknown_kinds_go(self, dropped: bytes) -> None:
        clean = packet_cleaner("hevc", self.HVCC)
        assert clean(prefixed(dropped, self.SLICE, dropped)) == prefixed(self.SLICE)

    def test_the_configuration_keeps_its_parameter_sets_alone(self) -> None:
        note = b"\x27\x00\x01\x00\x05\x4e\x01\x05ID"
        noted = self.HVCC[:22] + b"\x02" + self.HVCC[23:] + note
        assert clean_configuration("hevc", noted) == self.HVCC


@given(st.sampled_from(["h264", "hevc"]), st.sampled_from([b"", AVCC, TestH265.HVCC]), st.binary(max_size=200))
def test_whatever_comes_is_cleaned_once_and_for_all(codec: str, extradata: bytes, packet: bytes) -> None:
    clean = packet_cleaner(codec, extradata)
    assert clean(clean(packet)) == clean(packet)


@given(st.sampled_from(["h264", "hevc"]), st.binary(max_size=100))
def test_whatever_the_configuration_is_it_is_cleaned_or_refused(codec: str, extradata: bytes) -> None:
    for head in (b"", b"\x01"):
        try:
            clean_configuration(codec, head + extradata)
        except Rejection as error:
            assert error.code == "SCRUB_FAILED"  # noqa: PT017 - either outcome is right
