"""Only picture and sound stay: every planted text is gone, every pixel and sample is as it was."""

import contextlib
import hashlib
import io
import random
from fractions import Fraction

import av
import numpy as np
import pytest
from av.bitstream import BitStreamFilterContext
from numpy.typing import NDArray

from pipelines.errors import Rejection
from pipelines.media import read_sound, video_frames
from pipelines.payload import Payload
from pipelines.strip import strip
from tests.pipelines.canary_factory import encoded
from tests.pipelines.landing_factory import wav
from tests.pipelines.video_factory import plain, video

PLANTED = {
    "title": "Annemarie Grootenboer",
    "comment": "MRN-4711007, born 1961-05-04",
    "artist": "Dokter de Wit",
    "location": "+52.3702+004.8952/",
    "description": "ward 4B bed 12",
    "copyright": "Amstel hospital",
    "creation_time": "2026-03-15T09:30:00.000000Z",
}
HANDLER, CHAPTER, SEI, TRACK = "Piets-Handycam", "Mevrouw vertelt", "SEI-serial-00998877", "Kamer 12"
SECRETS = (*PLANTED.values(), "Grootenboer", "4711007", HANDLER, CHAPTER, SEI, TRACK, "x264 - core", "HandBrake")


def sound(seconds: float) -> NDArray[np.float32]:
    samples: NDArray[np.float32] = (0.2 * np.sin(np.arange(round(16_000 * seconds)) * 0.1)).astype(np.float32)
    return samples


def film(seconds: float = 0.6, rotation_deg: int = 0) -> bytes:
    images = [plain(60 + 4 * number) for number in range(round(25 * seconds))]
    return video(images, sound=sound(seconds), rotation_deg=rotation_deg)


def planted(container: str) -> bytes:
    """A film full of texts: container and stream tags, chapters, SEI user data."""
    out = io.BytesIO()
    options = {"movflags": "use_metadata_tags"} if container in {"mp4", "mov"} else {}
    with av.open(io.BytesIO(film()), "r") as source, av.open(out, "w", format=container, options=options) as sink:
        copies = {stream.index: sink.add_stream_from_template(stream) for stream in source.streams}
        for copy in copies.values():
            copy.metadata.update({"handler_name": HANDLER, "title": TRACK, "encoder": "HandBrake 1.9"})
        sink.metadata.update(PLANTED)
        sink.set_chapters(
            [{"id": 1, "start": 0, "end": 300, "time_base": Fraction(1, 1000), "metadata": {"title": CHAPTER}}]
        )
        picture = source.streams.video[0]
        note = BitStreamFilterContext(
            f"h264_metadata=sei_user_data=086f3693-b7b3-4f2c-9653-21492feee5b8+{SEI}", picture, copies[picture.index]
        )
        for packet in source.demux():
            if packet.dts is None:
                continue
            index = packet.stream.index
            for each in note.filter(packet) if index == picture.index else [packet]:
                each.stream = copies[index]
                sink.mux_one(each)
    return out.getvalue()


def planted_wav() -> bytes:
    out = io.BytesIO()
    with av.open(io.BytesIO(wav()), "r") as source, av.open(out, "w", format="wav") as sink:
        copy = sink.add_stream_from_template(source.streams.audio[0])
        sink.metadata.update(PLANTED)
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = copy
                sink.mux_one(packet)
    return out.getvalue()


FILMS = {".mp4": planted("mp4"), ".mov": planted("mov"), ".mkv": planted("matroska"), ".wav": planted_wav()}


def pictures(media: bytes) -> list[str]:
    return [hashlib.sha256(frame.image.tobytes()).hexdigest() for frame in video_frames(media, pixels="rgb")]


def times(media: bytes) -> list[float]:
    return [frame.timestamp_s for frame in video_frames(media, pixels="luma")]


@pytest.mark.parametrize("suffix", FILMS)
def test_no_planted_text_survives(suffix: str) -> None:
    delivered = FILMS[suffix]
    there = [secret for secret in SECRETS if secret.encode() in delivered]
    assert len(there) >= (4 if suffix == ".wav" else 9)
    stripped = strip(delivered, suffix).media
    assert [secret for secret in SECRETS if secret.encode() in stripped] == []
    with av.open(io.BytesIO(stripped)) as container:
        assert container.chapters() == []
        assert "title" not in container.metadata


@pytest.mark.parametrize("suffix", [".mp4", ".mov", ".mkv"])
def test_every_pixel_and_its_time_stays(suffix: str) -> None:
    delivered = FILMS[suffix]
    stripped = strip(delivered, suffix).media
    assert len(pictures(delivered)) == 15
    assert pictures(stripped) == pictures(delivered)
    assert times(stripped) == pytest.approx(times(delivered), abs=1e-3)


@pytest.mark.parametrize("suffix", FILMS)
def test_every_sample_stays(suffix: str) -> None:
    delivered = FILMS[suffix]
    before, after = read_sound(delivered, 16_000), read_sound(strip(delivered, suffix).media, 16_000)
    assert before is not None
    assert after is not None
    assert np.array_equal(before.samples, after.samples)
    assert after.start_s == pytest.approx(before.start_s, abs=1e-3)


@pytest.mark.parametrize("suffix", FILMS)
def test_the_same_delivery_gives_the_same_bytes(suffix: str) -> None:
    assert strip(FILMS[suffix], suffix) == strip(FILMS[suffix], suffix)


@pytest.mark.parametrize(
    ("suffix", "container"), [(".mp4", "mp4"), (".mov", "mp4"), (".mkv", "matroska"), (".wav", "wav")]
)
def test_the_container_is_of_the_same_family(suffix: str, container: str) -> None:
    assert strip(FILMS[suffix], suffix).container == container


def test_an_avi_becomes_a_matroska_with_its_frames() -> None:
    out = io.BytesIO()
    with av.open(out, "w", format="avi") as sink:
        stream = sink.add_stream("mjpeg", rate=25, width=64, height=48, pix_fmt="yuvj420p")
        for level in (40, 80, 120, 160):
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(plain(level), format="rgb24")))
        sink.mux(stream.encode(None))
    avi = out.getvalue()
    stripped = strip(avi, ".avi")
    assert stripped.container == "matroska"
    assert pictures(stripped.media) == pictures(avi)


def test_the_rotation_stays_since_it_is_how_the_picture_is_shown() -> None:
    turned = film(0.2, rotation_deg=90)
    assert pictures(strip(turned, ".mp4").media) == pictures(turned)
    (frame, *_) = video_frames(strip(turned, ".mp4").media, pixels="luma")
    assert (frame.shown_width_px, frame.shown_height_px) == (48, 64)


def test_a_second_sound_track_stays_behind() -> None:
    out = io.BytesIO()
    with av.open(io.BytesIO(film()), "r") as source, av.open(out, "w", format="matroska") as sink:
        voice = source.streams.audio[0]
        both = [sink.add_stream_from_template(voice) for _ in range(2)]
        for packet in source.demux(voice):
            if packet.dts is not None:
                packet.stream = both[0]
                sink.mux_one(packet)
    with av.open(io.BytesIO(strip(out.getvalue(), ".mkv").media)) as container:
        assert len(container.streams) == 1


def test_a_tag_whose_value_would_survive_is_found_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pipelines.strip.payload", lambda _, extradata: Payload(extradata, bytes))
    tagged = io.BytesIO()
    with av.open(io.BytesIO(film()), "r") as source, av.open(tagged, "w", format="matroska") as sink:
        copy = sink.add_stream_from_template(source.streams.video[0])
        sink.metadata["comment"] = "x264 - core"
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = copy
                sink.mux_one(packet)
    with pytest.raises(Rejection, match="a tag's value survived") as refused:
        strip(tagged.getvalue(), ".mkv")
    assert refused.value.code == "SCRUB_FAILED"
    assert "core" not in refused.value.detail


@pytest.mark.parametrize(
    ("code", "media", "suffix"),
    [
        ("EMPTY_FILE", b"", ".mp4"),
        ("TYPE_MISMATCH", wav(), ".mp4"),
        ("TYPE_MISMATCH", FILMS[".mp4"], ".mkv"),
        ("TYPE_MISMATCH", b"GIF89a" + b"\x00" * 100, ".mp4"),
        ("NO_INDEX", FILMS[".mp4"][: FILMS[".mp4"].index(b"moov") - 4], ".mp4"),
    ],
)
def test_what_cannot_be_stripped_is_refused(code: str, media: bytes, suffix: str) -> None:
    with pytest.raises(Rejection) as refused:
        strip(media, suffix)
    assert refused.value.code == code


def marked(rotation_deg: int, container: str, *, pcm: bool = False) -> bytes:
    """A film, bright in its upper left corner as coded, to be shown turned."""
    image = plain(20)
    image[:16, :16] = 235
    filmed = video([image] * 4, sound=sound(0.2), rotation_deg=rotation_deg)
    out = io.BytesIO()
    with av.open(io.BytesIO(filmed), "r") as source, av.open(out, "w", format=container) as sink:
        picture = sink.add_stream_from_template(source.streams.video[0])
        if rotation_deg:
            picture.set_display_rotation(rotation_deg)
        voice = sink.add_stream("pcm_s16le", rate=16_000, layout="mono") if pcm else None
        for packet in source.demux(source.streams.video[0]):
            if packet.dts is not None:
                packet.stream = picture
                sink.mux_one(packet)
        if voice is not None:
            silence = av.AudioFrame.from_ndarray(np.zeros((1, 1600), dtype=np.int16), format="s16", layout="mono")
            silence.sample_rate, silence.pts = 16_000, 0
            sink.mux(voice.encode(silence))
    return out.getvalue()


CORNERS = {0: "upper left", 90: "lower left", 180: "lower right", 270: "upper right"}
"""Where the bright corner is once the picture is turned counter-clockwise."""


def bright_corner(media: bytes) -> str:
    frame = next(iter(video_frames(media, pixels="luma"))).image
    height, width = frame.shape
    corners = {"upper left": (8, 8), "upper right": (8, width - 8), "lower left": (height - 8, 8), "lower right": (height - 8, width - 8)}  # fmt: skip
    (bright,) = [name for name, at in corners.items() if frame[at] > 128]
    return bright


@pytest.mark.parametrize(
    ("suffix", "container", "pcm"), [(".mp4", "mp4", False), (".mov", "mov", False), (".mov", "mov", True), (".mkv", "matroska", False)]
)  # fmt: skip
@pytest.mark.parametrize("rotation_deg", [0, 90, 180, 270])
def test_a_turned_picture_is_shown_upright_once(rotation_deg: int, suffix: str, container: str, pcm: bool) -> None:  # noqa: FBT001 - a column of the table above
    delivered = marked(rotation_deg, container, pcm=pcm)
    stripped = strip(delivered, suffix)
    assert stripped.container == ("matroska" if pcm or suffix == ".mkv" else "mp4")
    assert bright_corner(delivered) == CORNERS[rotation_deg]
    assert bright_corner(stripped.media) == CORNERS[rotation_deg]
    # Stripping its own result changes nothing more.
    again = strip(stripped.media, ".mkv" if stripped.container == "matroska" else ".mp4").media
    assert bright_corner(again) == CORNERS[rotation_deg]


def test_a_turn_in_an_sei_message_is_moved_into_the_container() -> None:
    out = io.BytesIO()
    with av.open(io.BytesIO(marked(0, "mp4")), "r") as source, av.open(out, "w", format="mp4") as sink:
        stream = source.streams.video[0]
        copy = sink.add_stream_from_template(stream)
        turn = BitStreamFilterContext("h264_metadata=display_orientation=insert:rotate=90", stream, copy)
        for packet in source.demux(stream):
            if packet.dts is not None:
                for each in turn.filter(packet):
                    each.stream = copy
                    sink.mux_one(each)
    delivered = out.getvalue()
    shown = bright_corner(delivered)
    assert shown != CORNERS[0]
    assert bright_corner(strip(delivered, ".mp4").media) == shown


def test_cover_art_is_not_taken_for_the_video() -> None:
    art = io.BytesIO()
    with av.open(art, "w", format="mjpeg") as sink:
        stream = sink.add_stream("mjpeg", rate=25, width=32, height=32, pix_fmt="yuvj420p")
        sink.mux(stream.encode(av.VideoFrame.from_ndarray(plain(200, 32, 32), format="rgb24")))
        sink.mux(stream.encode(None))
    out = io.BytesIO()
    with av.open(io.BytesIO(film()), "r") as source, av.open(out, "w", format="matroska") as sink:
        sink.add_attachment("cover.jpg", "image/jpeg", art.getvalue())
        copies = {stream.index: sink.add_stream_from_template(stream) for stream in source.streams}
        for packet in source.demux():
            if packet.dts is not None:
                packet.stream = copies[packet.stream.index]
                sink.mux_one(packet)
    with av.open(io.BytesIO(out.getvalue()), "r") as container:
        assert len(container.streams.video) == 2
    assert pictures(strip(out.getvalue(), ".mkv").media) == pictures(film())


def test_a_codec_that_is_not_known_to_be_safe_is_refused() -> None:
    out = io.BytesIO()
    with av.open(out, "w", format="mov") as sink:
        stream = sink.add_stream("prores_ks", rate=25, width=64, height=48, pix_fmt="yuv422p10le")
        sink.mux(stream.encode(av.VideoFrame.from_ndarray(plain(90), format="rgb24")))
        sink.mux(stream.encode(None))
    with pytest.raises(Rejection, match="the codec prores is not known to be safe") as refused:
        strip(out.getvalue(), ".mov")
    assert refused.value.code == "CODEC_NOT_ALLOWED"


def test_a_track_of_an_unknown_codec_is_refused() -> None:
    with pytest.raises(Rejection) as refused:
        strip(FILMS[".mkv"].replace(b"V_MPEG4/ISO/AVC", b"V_GROOTENBOERAV"), ".mkv")
    assert (refused.value.code, refused.value.detail) == ("TYPE_MISMATCH", "a track of an unknown codec")


@pytest.mark.parametrize(
    ("codec", "audio", "container", "options"),
    [
        ("libx264", "aac", "mp4", {"bf": "3", "x264-params": "open-gop=1:keyint=12:nal-hrd=vbr:vbv-maxrate=2000:vbv-bufsize=2000:pic-struct=1"}),
        ("libx264", "libopus", "matroska", {"x264-params": "tff=1:pic-struct=1:keyint=10"}),
        ("libx265", "aac", "mov", {"x265-params": "log-level=none:bframes=3:keyint=12:open-gop=1:repeat-headers=1:hash=1"}),
        ("libx264", "alac", "mov", {}),
        ("libx264", "pcm_s24le", "mov", {}),
        ("libx264", "flac", "matroska", {}),
        ("libx264", "aac", "mp4", {"x264-params": "intra-refresh=1:keyint=20:bframes=0"}),
        ("mpeg4", "aac", "mp4", {"bf": "2"}),
        ("mpeg4", "mp3", "avi", {}),
    ],
)  # fmt: skip
def test_pictures_and_sound_of_all_codecs_stay(codec: str, audio: str, container: str, options: dict[str, str]) -> None:
    """Open groups of pictures, B-frames, interlacing and recovery points are where dropped SEI messages could show."""
    delivered = encoded(container, codec, audio=audio, options=options, count=30)
    stripped = strip(delivered, ".mkv" if container == "matroska" else f".{container}").media
    assert len(pictures(stripped)) == 30
    assert pictures(stripped) == pictures(delivered)
    assert times(stripped) == pytest.approx(times(delivered), abs=1e-3)
    before, after = read_sound(delivered, 16_000), read_sound(stripped, 16_000)
    assert before is not None
    assert after is not None
    assert np.array_equal(before.samples, after.samples)
    assert after.start_s == pytest.approx(before.start_s, abs=1e-3)


@pytest.mark.parametrize("suffix", FILMS)
def test_damaged_deliveries_are_stripped_or_refused(suffix: str) -> None:
    chance = random.Random(7)  # noqa: S311 - the same damage every time
    for _ in range(60):
        damaged = bytearray(FILMS[suffix])
        at = chance.randrange(len(damaged) - 20)
        damaged[at : at + 20] = chance.randbytes(20)
        with contextlib.suppress(Rejection):
            strip(bytes(damaged), suffix)
