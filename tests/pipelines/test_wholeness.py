"""Half a file must not pass as a whole one, and a whole one never as half."""

import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.declared import wav_declared_s
from pipelines.errors import Rejection
from pipelines.extent import extent
from pipelines.wholeness import declared_duration_s
from tests.pipelines.container_factory import Film, unclosed_wave, write
from tests.pipelines.landing_factory import remuxed, wav
from tests.pipelines.video_factory import plain, video

NOISE = np.random.default_rng(1)
SOUND = (0.1 * NOISE.standard_normal(48_000)).astype(np.float32)
FILM = video([plain(level % 200) for level in range(75)], sound=SOUND)
MEDIA = {
    "mp4": remuxed(FILM, "mp4"),
    "faststart": remuxed(FILM, "mp4", movflags="faststart"),
    "mov": remuxed(FILM, "mov"),
    "mkv": remuxed(FILM, "matroska"),
    "wav": wav(3.0),
    "video alone": video([plain(80)] * 75),
}


def code_of(media: bytes) -> str:
    with pytest.raises(Rejection) as refused:
        declared_duration_s(media)
    return refused.value.code


@pytest.mark.parametrize("media", MEDIA.values(), ids=MEDIA.keys())
def test_a_whole_file_has_the_length_that_it_declares(media: bytes) -> None:
    assert declared_duration_s(media) == pytest.approx(3.0, abs=0.1)


def test_a_mov_whose_pcm_is_counted_in_samples_is_whole() -> None:
    media = remuxed(wav(2.0), "mov", movflags="faststart")
    assert declared_duration_s(media) == pytest.approx(2.0)
    assert code_of(media[: round(0.6 * len(media))]) == "TRUNCATED"


@pytest.mark.parametrize("kind", ["faststart", "mkv", "wav"])
@pytest.mark.parametrize("share", [0.3, 0.5, 0.8])
def test_a_cut_file_is_truncated_though_it_opens(kind: str, share: float) -> None:
    media = MEDIA[kind]
    assert code_of(media[: round(share * len(media))]) == "TRUNCATED"


def test_a_cut_file_without_its_index_has_none() -> None:
    media = MEDIA["mp4"]
    assert code_of(media[: round(0.5 * len(media))]) == "NO_INDEX"


def test_the_lengths_found_are_told() -> None:
    with pytest.raises(Rejection, match=r"audio: 1\.50 s of 3\.00 s declared are there"):
        declared_duration_s(MEDIA["wav"][: 44 + 24_000])


@given(st.integers(0, 400))
def test_a_missing_tail_within_the_tolerance_is_nobodys_fault(missing_ms: int) -> None:
    media = MEDIA["wav"]
    assert declared_duration_s(media[: len(media) - 16 * (missing_ms - missing_ms % 2)]) == 3.0


def chunk(name: bytes, size: int, body: bytes) -> bytes:
    return name + struct.pack("<I", size) + body


WHOLE = wav(1.0)
FORM, DATA = WHOLE[12:36], WHOLE[36:]


@pytest.mark.parametrize(
    "media",
    [
        WHOLE[:12],
        WHOLE[:36],
        WHOLE[:12] + chunk(b"LIST", 0x7FFFFFFF, b"") + FORM + DATA,
        WHOLE[:12] + FORM + chunk(b"LIST", 9, b"nine byte") + DATA,
    ],
    ids=["no chunk", "no data", "a lying size", "an odd chunk without its padding"],
)
def test_a_wave_that_contradicts_itself_is_a_bad_riff(media: bytes) -> None:
    assert code_of(media) == "BAD_RIFF"


@pytest.mark.parametrize(
    "media",
    [
        WHOLE[:4] + struct.pack("<I", 0x10000000) + WHOLE[8:],
        WHOLE[:4] + struct.pack("<I", 0) + WHOLE[8:],
        WHOLE[:12] + FORM + chunk(b"LIST", 9, b"nine byte\0") + DATA,
        b"RF64\xff\xff\xff\xffWAVE" + chunk(b"ds64", 28, struct.pack("<QQQI", 16_036 + 36, 16_000, 8_000, 0)) + FORM
        + b"data\xff\xff\xff\xff" + DATA[8:],
    ],
    ids=["a lying RIFF size", "an unclosed RIFF", "an odd chunk with its padding", "RF64"],
)  # fmt: skip
def test_a_wave_that_can_be_read_in_spite_of_its_header_is_read(media: bytes) -> None:
    assert declared_duration_s(media) == pytest.approx(1.0)


@pytest.mark.parametrize("media", [b"", b"RIFF", b"no media at all" * 100], ids=["empty", "four bytes", "text"])
def test_what_is_no_media_is_refused(media: bytes) -> None:
    assert code_of(media) == "TYPE_MISMATCH"


def test_a_matroska_has_one_length_for_all_so_a_shorter_picture_is_nobodys_fault() -> None:
    media = write(Film("matroska", seconds=3.0, video_s=1.0))
    assert declared_duration_s(media) == pytest.approx(3.0, abs=0.1)
    assert code_of(media[: round(0.8 * len(media))]) == "TRUNCATED"


COMPRESSED = write(Film("wav", None, "libmp3lame", seconds=3.0))


def test_compressed_sound_of_a_variable_rate_is_measured_by_its_number_of_samples() -> None:
    assert declared_duration_s(COMPRESSED) == pytest.approx(3.1, abs=0.05)
    assert code_of(COMPRESSED[: round(0.8 * len(COMPRESSED))]) == "TRUNCATED"


@pytest.mark.parametrize("size", [bytes(4), b"\xff" * 4], ids=["zero", "unknown"])
def test_a_wave_that_was_never_closed_declares_no_length(size: bytes) -> None:
    assert declared_duration_s(unclosed_wave(WHOLE, size)) is None


def test_a_wave_of_no_rate_at_all_declares_no_length() -> None:
    at = COMPRESSED.index(b"fmt ") + 12
    with pytest.raises(Rejection):
        declared_duration_s(COMPRESSED[:at] + bytes(4) + COMPRESSED[at + 4 :])
    assert wav_declared_s(COMPRESSED[:at] + bytes(4) + COMPRESSED[at + 4 :]) is None


def test_a_live_matroska_that_declares_its_length_is_held_against_it_even_where_no_block_is_cut() -> None:
    media = write(Film("matroska", seconds=3.0, video_s=1.0, options={"cluster_time_limit": "500"}))
    segment = media.index(bytes.fromhex("18538067")) + 4
    live = media[:segment] + b"\x01" + b"\xff" * 7 + media[segment + 8 :]
    assert declared_duration_s(live) == pytest.approx(3.0, abs=0.1)
    cluster = bytes.fromhex("1f43b675")
    whole_blocks = live[: live.rindex(cluster, 0, live.rindex(cluster))]
    assert extent(whole_blocks).claimed_bytes == len(whole_blocks)
    assert code_of(whole_blocks) == "TRUNCATED"
