"""Recordings with a text of its own planted in each place that could hold one, by hand where no muxer writes there."""

import io
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cache

import av
import numpy as np
from av.container import OutputContainer
from av.stream import Stream

from tests.pipelines.landing_factory import wav
from tests.pipelines.video_factory import plain, video

XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")
SEI_UUID = bytes.fromhex("086f3693b7b34f2c965321492feee5b8")


@dataclass(slots=True)
class Planted:
    """A recording and what was planted in it: place -> the bytes to look for."""

    suffix: str
    media: bytes = b""
    places: dict[str, bytes] = field(default_factory=dict)

    def text(self, place: str, length: int = 20) -> bytes:
        """A text for a place, found nowhere else."""
        number = sum(ord(letter) * (at + 7) for at, letter in enumerate(self.suffix + place)) % 100_000
        text = (
            f"{number:05d}Grootenboer{place.translate(str.maketrans('/ .-', '____'))}"[:length]
            .ljust(length, "z")
            .encode()
        )
        assert text not in self.places.values()
        self.places[place] = text
        return text


def sound(seconds: float) -> np.ndarray[tuple[int], np.dtype[np.float32]]:
    samples: np.ndarray[tuple[int], np.dtype[np.float32]] = (
        0.2 * np.sin(np.arange(round(16_000 * seconds)) * 0.1)
    ).astype(np.float32)
    return samples


@cache
def film(seconds: float = 0.6) -> bytes:
    return video([plain(60 + 4 * number) for number in range(round(25 * seconds))], sound=sound(seconds))


Change = Callable[[bytes, bool], bytes]


def remux(
    media: bytes,
    container: str,
    change: Change = lambda packet, _: packet,
    *,
    dress: Callable[[OutputContainer], None] = lambda _: None,
    configure: Callable[[str, bytes], bytes] = lambda _, extradata: extradata,
    options: Mapping[str, str] | None = None,
) -> bytes:
    """The packets in another container, each changed (`change(packet, is_video)`), with tags set by `dress`."""
    out = io.BytesIO()
    with (
        av.open(io.BytesIO(media), "r") as source,
        av.open(out, "w", format=container, options=dict(options or {})) as sink,
    ):
        copies = {stream.index: sink.add_stream_from_template(stream, opaque=True) for stream in source.streams}
        for stream in source.streams:
            context = copies[stream.index].codec_context
            context.extradata = configure(stream.codec.canonical_name, context.extradata or b"")
        dress(sink)
        for packet in source.demux():
            if packet.dts is None:
                continue
            fresh: av.Packet[Stream] = av.Packet(change(bytes(packet), packet.stream.type == "video"))
            fresh.pts, fresh.dts, fresh.duration = packet.pts, packet.dts, packet.duration
            fresh.time_base, fresh.is_keyframe = packet.time_base, packet.is_keyframe
            fresh.stream = copies[packet.stream.index]
            sink.mux_one(fresh)
    return out.getvalue()


def encoded(
    container: str,
    codec: str,
    *,
    audio: str | None = None,
    pix_fmt: str = "yuv420p",
    options: Mapping[str, str] | None = None,
    count: int = 4,
) -> bytes:
    """A few grey pictures, and a tone, by other codecs."""
    out = io.BytesIO()
    with av.open(out, "w", format=container, options={"strict": "experimental"}) as sink:
        stream = sink.add_stream(codec, rate=25, options=dict(options or {}))
        assert isinstance(stream, av.VideoStream)
        stream.width, stream.height, stream.pix_fmt = 64, 64, pix_fmt
        voice = None
        if audio is not None:
            voice = sink.add_stream(audio, rate=48_000, layout="stereo", options={"strict": "experimental"})
        for level in (40 + 200 // count * number for number in range(count)):
            sink.mux(stream.encode(av.VideoFrame.from_ndarray(plain(level, 64, 64), format="rgb24")))
        sink.mux(stream.encode(None))
        if isinstance(voice, av.AudioStream):
            heard = av.AudioFrame.from_ndarray(np.tile(sound(0.6), (2, 1)), format="fltp", layout="stereo")
            heard.sample_rate, heard.pts = 48_000, 0
            sink.mux(voice.encode(heard))
            sink.mux(voice.encode(None))
    return out.getvalue()


def sei(kind: int, payload: bytes, *, h265: bool = False, more: bytes = b"") -> bytes:
    """A length-prefixed SEI unit with one message, and others before it."""
    unit = (b"\x4e\x01" if h265 else b"\x06") + more + bytes((kind, len(payload))) + payload + b"\x80"
    return len(unit).to_bytes(4, "big") + unit


def nal(head: bytes, payload: bytes) -> bytes:
    return (len(head) + len(payload)).to_bytes(4, "big") + head + payload


def to_packet(elements: Iterable[tuple[int, int]], packet: bytes) -> bytes:
    """Put bits, as (value, width), before a packet of AAC."""
    value = width = 0
    for number, bits in elements:
        value, width = value << bits | number, width + bits
    whole = value << 8 * len(packet) | int.from_bytes(packet, "big")
    size = (width + 8 * len(packet) + 7) // 8
    return (whole << (8 * size - width - 8 * len(packet))).to_bytes(size, "big")


def data_element(text: bytes) -> list[tuple[int, int]]:
    """An AAC data element whose bytes are aligned, so that a search for bytes finds them."""
    return [(4, 3), (0, 4), (1, 1), (len(text), 8), *((byte, 8) for byte in text)]


def fill_element(text: bytes) -> list[tuple[int, int]]:
    """A pad and an AAC fill element whose payload begins at a whole byte, with a type that only fills."""
    head = [(6, 3), (15, 4), (len(text) + 2 - 14, 8), (0, 4), (0, 5)]
    return [*head, *((byte, 8) for byte in text), (0, 7)]


# MP4 and MOV


def box(name: bytes, *content: bytes) -> bytes:
    body = b"".join(content)
    return (8 + len(body)).to_bytes(4, "big") + name + body


def into(media: bytes, path: bytes, addition: bytes, *, number: int = 0) -> bytes:
    """Append to the box at a path (`b"moov/trak"`) behind the media data; sizes above it follow."""
    at, end, sizes = 0, len(media), []
    for name in path.split(b"/") if path else []:
        skip = number if name == b"trak" else 0
        while media[at + 4 : at + 8] != name or skip:
            skip -= media[at + 4 : at + 8] == name
            at += int.from_bytes(media[at : at + 4], "big")
            assert at < end, name
        sizes.append(at)
        end = at + int.from_bytes(media[at : at + 4], "big")
        at += 8
    for place in sizes:
        grown = int.from_bytes(media[place : place + 4], "big") + len(addition)
        media = media[:place] + grown.to_bytes(4, "big") + media[place + 4 :]
    return media[:end] + addition + media[end:]


def further_track(kind: bytes, samples: bytes, at: int, number: int, name: bytes) -> bytes:
    """A track of one sample that is neither picture nor sound."""
    ones = b"\x00\x00\x00\x01"
    matrix = b"".join(value.to_bytes(4, "big") for value in (1 << 16, 0, 0, 0, 1 << 16, 0, 0, 0, 1 << 30))
    table = box(
        b"stbl",
        box(b"stsd", bytes(4), ones, box(kind, bytes(6) + b"\x00\x01", bytes(16))),
        box(b"stts", bytes(4), ones, ones, (500).to_bytes(4, "big")),
        box(b"stsc", bytes(4), ones, ones, ones, ones),
        box(b"stsz", bytes(8), ones, len(samples).to_bytes(4, "big")),
        box(b"stco", bytes(4), ones, at.to_bytes(4, "big")),
    )
    header = box(
        b"tkhd",
        b"\x00\x00\x00\x03",
        bytes(8),
        number.to_bytes(4, "big"),
        bytes(4),
        (500).to_bytes(4, "big"),
        bytes(16),
        matrix,
        bytes(8),
    )
    media = box(
        b"mdia",
        box(b"mdhd", bytes(12), (1000).to_bytes(4, "big"), (500).to_bytes(4, "big"), b"\x55\xc4\x00\x00"),
        box(b"hdlr", bytes(8), b"meta", bytes(12), name + b"\x00"),
        box(b"minf", box(b"nmhd", bytes(4)), box(b"dinf", box(b"dref", bytes(4), ones, box(b"url ", ones))), table),
    )
    return box(b"trak", header, media)


def jpeg(text: bytes) -> bytes:
    with av.open(io.BytesIO(encoded("matroska", "mjpeg", pix_fmt="yuvj420p")), "r") as source:
        image = bytes(next(source.demux(video=0)))
    return image[:2] + b"\xff\xfe" + (len(text) + 2).to_bytes(2, "big") + text + image[2:]


def ilst_text(name: bytes, text: bytes, kind: int = 1) -> bytes:
    return box(name, box(b"data", kind.to_bytes(4, "big"), bytes(4), text))


def item_list(*items: bytes) -> bytes:
    handler = box(b"hdlr", bytes(8), b"mdirappl", bytes(9))
    return box(b"meta", bytes(4), handler, box(b"ilst", *items))


def dated(media: bytes, name: bytes, text: bytes) -> bytes:
    """With a time of creation and of change in every header of that name."""
    at = media.find(name)
    while at >= 0:
        media = media[: at + 8] + text + media[at + 8 + len(text) :]
        at = media.find(name, at + 1)
    return media


def tagged(texts: Mapping[str, bytes]) -> Callable[[OutputContainer], None]:
    def set_tags(sink: OutputContainer) -> None:
        sink.metadata.update({name: text.decode() for name, text in texts.items() if name not in {"chapter", "track"}})
        for stream in sink.streams:
            stream.metadata.clear()
            if "track" in texts:
                stream.metadata["title"] = stream.metadata["handler_name"] = texts["track"].decode()
        if "chapter" in texts:
            sink.set_chapters(
                [
                    {
                        "id": 1,
                        "start": 0,
                        "end": 300,
                        "time_base": Fraction(1, 1000),
                        "metadata": {"title": texts["chapter"].decode()},
                    }
                ]
            )

    return set_tags


def in_h264(planted: Planted) -> Change:
    """Every place in the packets of H.264 and AAC, in every packet."""
    additions = b"".join(
        (
            sei(5, SEI_UUID + planted.text("SEI user data unregistered")),
            sei(4, b"\xb5\x00\x31GA94" + planted.text("SEI user data registered")),
            sei(200, planted.text("SEI of a reserved type")),
            sei(1, planted.text("SEI picture timing")),
            sei(5, SEI_UUID + planted.text("SEI behind a recovery point"), more=b"\x06\x01\x84"),
            nal(b"\x18", planted.text("NAL of an unspecified type")),
            nal(b"\x0c", planted.text("NAL filler data")),
        )
    )
    spoken = [*data_element(planted.text("AAC data element")), *fill_element(planted.text("AAC fill element"))]
    return lambda packet, is_video: additions + packet if is_video else to_packet(spoken, packet)


@cache
def mp4() -> Planted:
    planted = Planted(".mp4")
    tags = {
        name: planted.text(f"tag {name}")
        for name in ("title", "comment", "location", "artist", "chapter", "track", "model")
    }
    after = planted.text("behind the avcC's sets")
    media = remux(
        film(),
        "mp4",
        in_h264(planted),
        dress=tagged(tags),
        configure=lambda codec, extradata: extradata + (after if codec == "h264" else b""),
        options={"movflags": "use_metadata_tags"},
    )
    for name in (b"mvhd", b"tkhd", b"mdhd"):
        media = dated(media, name, planted.text(f"{name.decode()} times", 8))
    media = into(media, b"moov", box(b"uuid", XMP, planted.text("moov/uuid")))
    media = into(media, b"moov/trak", box(b"udta", box(b"name", planted.text("moov/trak/udta/name"))))
    media = into(media, b"moov/trak/mdia/minf/stbl", box(b"uuid", XMP, planted.text("stbl/uuid")))
    media = into(media, b"moov/trak", box(b"meta", bytes(4), planted.text("moov/trak/meta")), number=1)
    media = into(media, b"", box(b"uuid", XMP, b"<x:xmpmeta>" + planted.text("uuid XMP")))
    media = into(media, b"", box(b"free", planted.text("free")))
    media = into(media, b"", box(b"skip", planted.text("skip")))
    media = into(media, b"", box(b"mdat", planted.text("mdat without a sample")))
    media = into(media, b"", box(b"emsg", bytes(4), planted.text("emsg")))
    planted.media = media + planted.text("behind the last box", 8)
    compressor = media.index(b"avc1", media.index(b"stsd")) + 4 + 42
    planted.media = (
        planted.media[:compressor] + b"\x14" + planted.text("compressor's name") + planted.media[compressor + 21 :]
    )
    return planted


@cache
def mov() -> Planted:
    """As a phone writes it, with PCM; and with tracks of telemetry, text and time code, and cover art."""
    planted = Planted(".mov")
    out = io.BytesIO()
    with av.open(io.BytesIO(film()), "r") as source, av.open(out, "w", format="mov") as sink:
        picture = sink.add_stream_from_template(source.streams.video[0])
        voice = sink.add_stream("pcm_s16le", rate=16_000, layout="mono")
        assert isinstance(voice, av.AudioStream)
        sink.metadata["title"] = planted.text("tag title").decode()
        picture.metadata["handler_name"] = planted.text("hdlr").decode()
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = picture
                sink.mux_one(packet)
        heard = av.AudioFrame.from_ndarray(
            (sound(0.6)[np.newaxis] * 32767).astype(np.int16), format="s16", layout="mono"
        )
        heard.sample_rate, heard.pts = 16_000, 0
        sink.mux(voice.encode(heard))
        sink.mux(voice.encode(None))
    media = out.getvalue()
    texts = {name: planted.text(f"udta/{name.decode('latin-1')[1:]}") for name in (b"\xa9mod", b"\xa9xyz", b"\xa9day")}
    strings = (box(name, len(text).to_bytes(2, "big"), b"\x15\xc7", text) for name, text in texts.items())
    media = into(
        media, b"moov", box(b"udta", *strings, item_list(ilst_text(b"covr", jpeg(planted.text("cover art")), 13)))
    )
    key = planted.text("moov/meta/keys")
    keys = box(b"keys", bytes(4), b"\x00\x00\x00\x01", box(b"mdta", b"com.apple." + key))
    items = box(b"ilst", ilst_text(b"\x00\x00\x00\x01", planted.text("moov/meta/ilst")))
    media = into(media, b"moov", box(b"meta", box(b"hdlr", bytes(8), b"mdta", bytes(13)), keys, items))
    for number, kind in enumerate((b"gpmd", b"tx3g", b"tmcd", b"camm"), 3):
        samples = planted.text(f"track of {kind.decode()}")
        track = further_track(kind, samples, len(media) + 8, number, planted.text(f"name of {kind.decode()}"))
        media = into(media + box(b"mdat", samples), b"moov", track)
        # The index stands before these samples, so it pushes them back.
        media = media.replace((len(media) - len(track) - 20).to_bytes(4, "big"), (len(media) - 20).to_bytes(4, "big"))
    planted.media = media
    return planted


@cache
def hevc() -> Planted:
    planted = Planted(".mp4")
    raw = encoded("mp4", "libx265", options={"x265-params": "log-level=none:info=0", "preset": "ultrafast"})
    additions = sei(5, SEI_UUID + planted.text("H.265 SEI user data"), h265=True) + nal(
        b"\x7c\x01", planted.text("H.265 NAL of an unspecified type")
    )
    late = nal(b"\x50\x01", b"\x05\x24" + SEI_UUID + planted.text("H.265 suffix SEI") + b"\x80")

    def configure(_: str, extradata: bytes) -> bytes:
        unit = b"\x4e\x01\x05\x24" + SEI_UUID + planted.text("SEI in the hvcC") + b"\x80"
        return (
            extradata[:22]
            + bytes((extradata[22] + 1,))
            + extradata[23:]
            + b"\x27\x00\x01"
            + len(unit).to_bytes(2, "big")
            + unit
        )

    planted.media = remux(
        raw, "mp4", lambda packet, is_video: additions + packet + late if is_video else packet, configure=configure
    )
    return planted


# Matroska and WebM


def element(number: str, content: bytes) -> bytes:
    return bytes.fromhex(number) + (len(content) | 1 << 28).to_bytes(4, "big") + content


def into_segment(media: bytes, addition: bytes) -> bytes:
    """Append to the Segment, whose size the muxer writes in eight bytes."""
    at = media.index(bytes.fromhex("18538067")) + 4
    size = int.from_bytes(media[at + 1 : at + 8], "big") + len(addition)
    return media[: at + 1] + size.to_bytes(7, "big") + media[at + 8 :] + addition


@cache
def mkv() -> Planted:
    planted = Planted(".mkv")
    tags = {name: planted.text(f"tag {name}") for name in ("title", "comment", "artist", "chapter", "track")}

    def dress_all(sink: OutputContainer) -> None:
        tagged(tags)(sink)
        sink.metadata["creation_time"] = "2026-03-15T09:30:00.000000Z"
        sink.add_attachment(planted.text("attachment's name").decode(), "text/plain", planted.text("attachment"))

    media = remux(film(), "matroska", in_h264(planted), dress=dress_all)
    date = media.index(b"\x44\x61\x88")
    planted.places["DateUTC"] = media[date : date + 11]
    at = media.index(b"WA") + 3
    assert media[at : at + 4] == b"Lavf"
    media = media[:at] + planted.text("WritingApp", 13) + media[at + 13 :]
    void = media.index(b"\xec\x01\x00\x00\x00") + 9
    media = media[:void] + planted.text("Void") + media[void + 20 :]
    media = into_segment(
        media,
        element("1549A966", element("7384", planted.text("SegmentFilename")) + element("2AD7B1", b"\x0f\x42\x40")),
    )
    media = into_segment(media, element("4DFF", planted.text("an unknown element")))
    with av.open(io.BytesIO(media), "r") as source:
        packet = bytes(next(source.demux(video=0)))
    more = element("A6", element("EE", b"\x04") + element("A5", planted.text("BlockAdditional")))
    group = element("A1", b"\x81\x00\x00\x00" + packet) + element("9B", b"\x28") + element("75A1", more)
    media = into_segment(media, element("1F43B675", element("E7", b"\x03\xe8") + element("A0", group)))
    planted.media = media + planted.text("behind the Segment")
    return planted


@cache
def vorbis() -> Planted:
    planted = Planted(".mkv")
    try:
        raw = encoded("matroska", "libsvtav1", audio="vorbis", options={"preset": "12", "svtav1-params": "log-level=0"})
    finally:
        # As root, SVT-AV1 makes its caller a real-time thread: left so, whatever waits busily in later tests starves
        # the very threads that it waits for.
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    text = planted.text("AV1 metadata OBU")
    metadata = b"\x2a" + bytes((len(text) + 1,)) + b"\x04" + text
    vendor, comment = planted.text("Vorbis vendor"), b"ARTIST=" + planted.text("Vorbis comment")
    comments = b"\x03vorbis" + b"".join(
        part.to_bytes(4, "little") if isinstance(part, int) else part
        for part in (len(vendor), vendor, 1, len(comment), comment)
    )

    def configure(codec: str, extradata: bytes) -> bytes:
        if codec != "vorbis":
            return extradata
        first, last = extradata.index(b"\x01vorbis"), extradata.index(b"\x05vorbis")
        return bytes((2, 30, len(comments) + 1)) + extradata[first : first + 30] + comments + b"\x01" + extradata[last:]

    planted.media = remux(
        raw, "matroska", lambda packet, is_video: metadata + packet if is_video else packet, configure=configure
    )
    return planted


@cache
def webm() -> Planted:
    planted = Planted(".webm")
    raw = encoded("webm", "libvpx-vp9", audio="libopus", options={"deadline": "realtime", "cpu-used": "8"})
    tags = {name: planted.text(f"tag {name}") for name in ("title", "comment", "track")}
    text = planted.text("Opus padding")

    def padded(packet: bytes, is_video: bool) -> bytes:  # noqa: FBT001 - as `Change` has it
        if is_video or packet[0] & 3:
            return packet
        return bytes((packet[0] | 3, 0x41, len(text))) + packet[1:] + text

    planted.media = into_segment(remux(raw, "webm", padded, dress=tagged(tags)), element("EC", planted.text("Void")))
    return planted


# AVI and WAV


def chunk(name: bytes, content: bytes) -> bytes:
    return name + len(content).to_bytes(4, "little") + content + bytes(len(content) % 2)


def riff(media: bytes, addition: bytes) -> bytes:
    grown = len(media) - 8 + len(addition)
    return media[:4] + grown.to_bytes(4, "little") + media[8:] + addition


@cache
def avi() -> Planted:
    planted = Planted(".avi")
    raw = encoded("avi", "mjpeg", pix_fmt="yuvj420p", audio="mp3")
    segments = b"".join(
        b"\xff" + marker + (len(text) + 2).to_bytes(2, "big") + text
        for marker, text in (
            (b"\xfe", planted.text("JPEG comment")),
            (b"\xe1", b"Exif\x00\x00MM\x00*\x00\x00\x00\x08\x00\x00" + planted.text("JPEG EXIF")),
            (b"\xe2", b"ICC_PROFILE\x00\x01\x01" + planted.text("JPEG ICC profile")),
        )
    )
    end = planted.text("behind the JPEG's end")
    media = remux(raw, "avi", lambda packet, is_video: packet[:2] + segments + packet[2:] + end if is_video else packet,
                  dress=tagged({"title": planted.text("INFO INAM"), "comment": planted.text("INFO ICMT"), "track": planted.text("strn")}))  # fmt: skip
    planted.media = riff(
        media, chunk(b"IDIT", planted.text("IDIT")) + chunk(b"JUNK", planted.text("JUNK"))
    ) + planted.text("behind the RIFF")
    return planted


@cache
def divx() -> Planted:
    planted = Planted(".avi")
    text = b"\x00\x00\x01\xb2" + planted.text("MPEG-4 user data")
    planted.media = remux(encoded("avi", "mpeg4"), "avi", lambda packet, _: text + packet)
    return planted


@cache
def wave() -> Planted:
    planted = Planted(".wav")
    info = chunk(b"LIST", b"INFO" + chunk(b"IART", planted.text("LIST INFO")))
    labels = chunk(b"LIST", b"adtl" + chunk(b"labl", b"\x01\x00\x00\x00" + planted.text("LIST adtl")))
    text = planted.text("id3")
    id3 = (
        b"ID3\x03\x00\x00\x00\x00\x00"
        + bytes((len(text) + 11,))
        + b"TIT2"
        + (len(text) + 1).to_bytes(4, "big")
        + b"\x00\x00\x00"
        + text
    )
    extra = (
        info + labels + chunk(b"id3 ", id3)
        + chunk(b"bext", planted.text("bext").ljust(602, b"\x00"))
        + chunk(b"iXML", b"<BWFXML><NOTE>" + planted.text("iXML") + b"</NOTE></BWFXML>")
        + chunk(b"axml", planted.text("axml"))
        + chunk(b"JUNK", planted.text("JUNK"))
        + chunk(b"PEAK", planted.text("PEAK"))
    )  # fmt: skip
    media = wav()
    before = chunk(b"bext", planted.text("bext before the samples").ljust(602, b"\x00"))
    media = media[:4] + (len(media) - 8 + len(before)).to_bytes(4, "little") + media[8:12] + before + media[12:]
    planted.media = riff(media, extra) + planted.text("behind the RIFF")
    return planted


FILES: Mapping[str, Callable[[], Planted]] = {
    "mp4": mp4, "mov": mov, "hevc": hevc, "mkv": mkv, "av1-vorbis": vorbis, "webm": webm, "avi": avi, "divx": divx, "wav": wave,
}  # fmt: skip
