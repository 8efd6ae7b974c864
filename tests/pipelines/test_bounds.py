"""What a file declares decides whether it is decoded at all."""

import io
from collections.abc import Iterator
from fractions import Fraction

import av
import pytest

from pipelines.bounds import BOUNDS, Bounds, check_picture
from pipelines.confine import Limits
from pipelines.errors import Rejection
from pipelines.media import open_media, video_frames
from pipelines.pool import Workers
from tests.pipelines.bomb_factory import giant_mp4, growing_avi
from tests.pipelines.fault_factory import decode_with_little_memory
from tests.pipelines.landing_factory import small_mp4, wav


@pytest.fixture(autouse=True)
def _bounds() -> Iterator[None]:
    token = BOUNDS.set(Bounds())
    yield
    BOUNDS.reset(token)


def refused(media: bytes) -> str:
    with pytest.raises(Rejection) as found:
        open_media(media)
    assert found.value.code == "RESOURCE_LIMIT"
    return found.value.detail


def with_tracks(count: int) -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", "matroska") as sink:
        streams = [sink.add_stream("pcm_s16le", rate=8000, layout="mono") for _ in range(count)]
        for stream in streams:
            packet = av.Packet(b"\x00" * 160)
            packet.pts = packet.dts = 0
            packet.time_base, packet.stream = Fraction(1, 8000), stream
            sink.mux_one(packet)
    return out.getvalue()


def test_a_giant_picture_is_refused_by_what_it_declares() -> None:
    assert refused(giant_mp4()) == "pictures of 4160 x 4160, at most 16 Mpx are decoded"


def test_the_bound_is_the_studys() -> None:
    BOUNDS.set(Bounds(max_picture_mpx=0.003))
    assert refused(small_mp4()) == "pictures of 64 x 48, at most 0.003 Mpx are decoded"
    BOUNDS.set(Bounds(max_picture_mpx=0.004))
    open_media(small_mp4()).close()


def test_a_picture_that_grows_is_refused_where_it_does() -> None:
    frames = video_frames(growing_avi(), pixels="luma")
    assert [next(frames).shown_width_px for _ in range(20)] == [64] * 20
    with pytest.raises(Rejection, match="4160 x 4160"):
        next(frames)


def test_4k_is_no_giant() -> None:
    check_picture(4096, 2160)


def test_absurd_rates_channels_and_numbers_of_tracks_are_refused() -> None:
    assert refused(wav(0.01, 1_000_000)) == "1000000 Hz, at most 768000 are decoded"
    loud = bytearray(wav())
    loud[22:24], loud[32:34] = (200).to_bytes(2, "little"), (400).to_bytes(2, "little")
    assert refused(bytes(loud)) == "200 channels, at most 64 are decoded"
    assert refused(with_tracks(65)) == "65 tracks, at most 64 are decoded"
    open_media(with_tracks(2)).close()


def test_want_of_memory_does_not_pass_for_a_damaged_file() -> None:
    giant = giant_mp4()
    for more_mb, outcome in ((600, 1), (10, "RESOURCE_LIMIT")):
        with Workers(1, Limits(60.0, memory_mb=2000)) as workers:
            try:
                found: int | str = workers.run(decode_with_little_memory, giant, more_mb)
            except Rejection as refused:
                found = refused.code
        assert found == outcome
