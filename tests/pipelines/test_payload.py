"""Of each codec's packets and configuration stays what is picture or sound."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines import payload_audio, payload_video
from pipelines.errors import Rejection
from pipelines.payload import payload

ASC = bytes.fromhex("1210")
VORBIS = b"\x01vorbis".ljust(30, b"\x01")


def xiph(*headers: bytes) -> bytes:
    return bytes((2, len(headers[0]), len(headers[1]))) + b"".join(headers)


def test_a_codec_that_nobody_listed_is_refused() -> None:
    with pytest.raises(Rejection, match="prores is not known to be safe") as refused:
        payload("prores", b"")
    assert refused.value.code == "CODEC_NOT_ALLOWED"


@pytest.mark.parametrize("codec", ["vp8", "vp9", "mjpeg", "pcm_s16le", "mp3"])
def test_codecs_that_need_no_configuration_keep_none(codec: str) -> None:
    assert payload(codec, b"Grootenboer").extradata == b""


class TestAac:
    def test_elements_before_the_sound_are_blank_and_nothing_moves(self) -> None:
        data = bytes((0b10000001, 0b00000011)) + b"ABC"
        sound = b"\x21\x1b\x80\x00"
        assert payload_audio.clean_aac(data + sound) == data[:2] + bytes(3) + sound

    def test_sound_is_as_it_was(self) -> None:
        packet = b"\x21Grootenboer"
        assert payload_audio.clean_aac(packet) is packet

    def test_dynamic_range_stays(self) -> None:
        packet = bytes((0b11000101, 0b01100000)) + b"\x00\x21\x1b"
        assert payload_audio.clean_aac(packet) == packet

    def test_a_comment_in_the_channels_configuration_is_blank(self) -> None:
        # LC, 44.1 kHz, channels 0; one front element; a comment of three bytes.
        bits = "0001001000000000" + "000001010000010000000000000000000010000"
        head = int(bits.ljust((len(bits) + 7) // 8 * 8, "0"), 2).to_bytes((len(bits) + 7) // 8, "big")
        assert payload_audio.check_aac_configuration(head + b"\x03Jan") == head + b"\x03\x00\x00\x00"

    def test_other_object_types_are_refused(self) -> None:
        with pytest.raises(Rejection, match="object type 23"):
            payload("aac", bytes((23 << 3, 0)))
        assert payload("aac", ASC).extradata == ASC


class TestOtherSound:
    def test_an_mp3s_information_frame_is_blank(self) -> None:
        header = b"\xff\xfb\x90\x64"
        assert payload_audio.clean_mp3(header + bytes(32) + b"Xing" + b"LAME3.100").strip(b"\x00") == header
        sound = header + b"\x01" * 60
        assert payload_audio.clean_mp3(sound) == sound

    def test_an_opus_packet_without_padding_is_as_it_was(self) -> None:
        assert payload_audio.clean_opus(b"\x78Grootenboer") == b"\x78Grootenboer"

    def test_vorbis_comments_are_empty(self) -> None:
        comments = b"\x03vorbis\x04\x00\x00\x00Lavf\x00\x00\x00\x00\x01"
        cleaned = payload("vorbis", xiph(VORBIS, comments, b"\x05vorbis-books")).extradata
        assert cleaned == xiph(VORBIS, b"\x03vorbis" + bytes(8) + b"\x01", b"\x05vorbis-books")

    def test_flac_keeps_its_stream_information_alone(self) -> None:
        info = bytes(range(34))
        assert payload("flac", b"fLaC\x00\x00\x00\x22" + info + b"\x84\x00\x00\x03Jan").extradata == info

    @pytest.mark.parametrize("codec", ["vorbis", "flac", "opus"])
    def test_a_configuration_that_cannot_be_read_is_refused(self, codec: str) -> None:
        with pytest.raises(Rejection) as refused:
            payload(codec, b"Grootenboer")
        assert refused.value.code == "SCRUB_FAILED"
        assert "Groot" not in refused.value.detail


class TestVideo:
    def test_av1_keeps_its_frames_and_sequence_header(self) -> None:
        frame, metadata, padding = b"\x32\x02ab", b"\x2a\x03\x04ID", b"\x7a\x02ID"
        assert payload_video.clean_av1(b"\x12\x00" + metadata + frame + padding) == frame
        assert payload("av1", b"\x81\x00\x0c\x00" + b"\x0a\x01s" + metadata).extradata == b"\x81\x00\x0c\x00\x0a\x01s"

    def test_mpeg4_keeps_encoders_names_since_decoders_go_by_them(self) -> None:
        named = b"\x00\x00\x01\xb2XviD0050\x00\x00\x01\xb6frame"
        assert payload_video.clean_mpeg4(named) == named

    def test_an_interlaced_jpeg_keeps_both_fields(self) -> None:
        field = b"\xff\xd8\xff\xe0\x00\x10AVI1\x01" + bytes(9) + b"\xff\xda\x00\x03\x00scan\xff\x00\xff\xd9"
        assert payload_video.clean_mjpeg(field + field + b"more") == field + field
        single = field.replace(b"AVI1\x01", b"AVI1\x00")
        assert payload_video.clean_mjpeg(single + single) == single

    def test_jfif_keeps_no_thumbnail(self) -> None:
        head = b"JFIF\x00\x01\x01\x00\x00\x01\x00\x01"
        picture = b"\xff\xd8\xff\xe0\x00\x13" + head + b"\x01\x01rgb" + b"\xff\xd9"
        assert payload_video.clean_mjpeg(picture) == b"\xff\xd8\xff\xe0\x00\x10" + head + b"\x00\x00\xff\xd9"


CLEANERS = [
    payload_audio.clean_aac,
    payload_audio.clean_mp3,
    payload_audio.clean_opus,
    payload_video.clean_av1,
    payload_video.clean_av1_configuration,
    payload_video.clean_mjpeg,
    payload_video.clean_mpeg4,
]


@pytest.mark.parametrize("clean", CLEANERS)
@given(
    st.binary(max_size=100),
    st.sampled_from([b"", b"\xff\xfb\x90\x64", b"\xff\xd8\xff\xe1", b"\xc0", b"\x80", b"\xa0", b"\x03\x7f"]),
)
def test_whatever_comes_is_cleaned_once_and_for_all(
    clean: Callable[[bytes], bytes], packet: bytes, head: bytes
) -> None:
    once = clean(head + packet)
    assert clean(once) == once


@pytest.mark.parametrize("codec", ["aac", "opus", "vorbis", "flac", "alac", "av1", "mpeg4"])
@given(st.binary(max_size=100))
def test_whatever_the_configuration_is_it_is_cleaned_or_refused(codec: str, extradata: bytes) -> None:
    try:
        payload(codec, extradata)
    except Rejection as error:
        assert error.code in {"SCRUB_FAILED", "CODEC_NOT_ALLOWED"}  # noqa: PT017 - either outcome is right
