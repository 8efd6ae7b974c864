"""Reading media from memory: what a container holds, its frames with their true times, its sound.

Times are presentation times in seconds on the recording's clock: the container's own, with 0 where its first track
begins, or at the container's 0 where a track begins before (an encoder's priming, which is never heard). So an audio
track that starts late starts late here too. Nothing here writes to a disk.
"""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

import av
from av.container import InputContainer
from av.stream import Disposition

from pipelines.bounds import check_declared, check_picture, check_room
from pipelines.errors import Rejection
from pipelines.frames import Frame, FrameConverter, Pixels
from pipelines.mono import Mono, Sound


@dataclass(frozen=True, slots=True)
class Track:
    """One track as its packets tell, without decoding.

    `start_s`, `end_s`: of the packets present; `declared_s`: the length its header claims; `packets` of
    `declared_packets` (0 where the header does not say) are there.
    """

    kind: Literal["video", "audio"]
    codec: str
    packets: int
    declared_packets: int
    start_s: float
    end_s: float
    declared_s: float | None
    sample_rate_hz: int | None = None
    width: int | None = None
    height: int | None = None


def open_media(media: bytes) -> InputContainer:
    """Open media from memory.

    Raises:
        Rejection: `NO_INDEX` or `TYPE_MISMATCH` where no demuxer can read them, `RESOURCE_LIMIT` where they declare
            more than `pipelines.bounds` allows.
        MemoryError: the memory is at its end.
    """
    try:
        container = av.open(io.BytesIO(media), mode="r", metadata_errors="replace")
    except (av.error.FFmpegError, ValueError) as error:
        check_room(error)
        if media[4:8] in _BOXES and b"moov" not in media:
            raise Rejection("NO_INDEX", "the container has no index") from error
        raise Rejection("TYPE_MISMATCH", f"no demuxer can open it: {type(error).__name__}") from error
    try:
        check_declared(container)
    except Rejection:
        container.close()
        raise
    return container


_BOXES = (b"ftyp", b"mdat", b"wide", b"free", b"skip")


def tracks(media: bytes) -> list[Track]:
    """The first video and the first audio track, by walking all packets.

    Raises:
        Rejection: the container cannot be opened, or holds neither.
    """
    with open_media(media) as container:
        chosen = first_streams(container)
        origin = container_start_s(container)
        spans: dict[int, list[float]] = {stream.index: [] for stream in chosen}
        ends: dict[int, float] = {}
        try:
            for packet in read_packets(container, *chosen):
                if packet.pts is None or packet.size == 0:
                    continue
                at = float(packet.pts * packet.time_base) - origin
                spans[packet.stream.index].append(at)
                end = at + float((packet.duration or 0) * packet.time_base)
                ends[packet.stream.index] = max(ends.get(packet.stream.index, 0.0), end)
        except av.error.FFmpegError as error:
            raise Rejection("TRUNCATED", f"the packets end early: {type(error).__name__}") from error
        return [
            Track(
                kind="video" if stream.type == "video" else "audio",
                codec=stream.codec_context.name,
                packets=len(spans[stream.index]),
                # Of PCM, MOV counts samples, of which a packet has many.
                declared_packets=0 if stream.codec.canonical_name.startswith("pcm_") else stream.frames,
                start_s=min(spans[stream.index], default=0.0),
                end_s=ends.get(stream.index, 0.0),
                declared_s=_declared_s(container, stream),
                sample_rate_hz=stream.codec_context.sample_rate if isinstance(stream, av.AudioStream) else None,
                width=stream.codec_context.width if isinstance(stream, av.VideoStream) else None,
                height=stream.codec_context.height if isinstance(stream, av.VideoStream) else None,
            )
            for stream in chosen
        ]


_STILL = Disposition.attached_pic | Disposition.timed_thumbnails | Disposition.still_image


def first_streams(container: InputContainer) -> list[av.VideoStream | av.AudioStream]:
    """The first video and the first audio stream; cover art, thumbnails and still pictures are no video.

    Raises:
        Rejection: `TYPE_MISMATCH` where there is neither, or the first is of an unknown codec.
    """
    moving = [stream for stream in container.streams.video if not stream.disposition & _STILL]
    chosen: list[av.VideoStream | av.AudioStream] = [*moving[:1], *container.streams.audio[:1]]
    if not chosen:
        raise Rejection("TYPE_MISMATCH", "neither video nor audio in it")
    # PyAV's stub says that there always is one, yet a track of an unknown codec has none.
    if any(cast("object", stream.codec_context) is None for stream in chosen):
        raise Rejection("TYPE_MISMATCH", "a track of an unknown codec")
    return chosen


def _declared_s(container: InputContainer, stream: av.VideoStream | av.AudioStream) -> float | None:
    if stream.duration is not None and stream.time_base is not None:
        return float(stream.duration * stream.time_base)
    return None if container.duration is None else container.duration / av.time_base


def container_start_s(container: InputContainer) -> float:
    """The container's own start on its clock, in seconds: where time 0 is here."""
    # PyAV's stub says int, yet a container without timestamps gives None.
    start_time = cast("int | None", container.start_time)
    return 0.0 if start_time is None else max(start_time / av.time_base, 0.0)


def read_packets(container: InputContainer, *streams: av.VideoStream | av.AudioStream) -> "Iterator[av.Packet[Any]]":
    """The packets of some tracks, in the file's order, and one without content for each track at the end.

    Raises:
        MemoryError: the memory is at its end, so that what was read may not be all there is.
        av.error.FFmpegError: the container is damaged.
    """
    try:
        yield from container.demux(*streams)
    except av.error.FFmpegError as error:
        check_room(error)
        raise
    check_room()


def decode_packet(packet: "av.Packet[Any]") -> list[Any]:
    """The frames that a packet completes.

    Raises:
        MemoryError: the memory is at its end, so that the packet need not be damaged.
        av.error.FFmpegError: it is damaged.
        Rejection: `RESOURCE_LIMIT` for a picture larger than the container declared and `pipelines.bounds` allows.
    """
    try:
        frames: list[Any] = packet.decode()
    except av.error.FFmpegError as error:
        check_room(error)
        raise
    for frame in frames:
        if isinstance(frame, av.VideoFrame):
            check_picture(frame.width, frame.height)
    return frames


def decoded_frames(media: bytes) -> Iterator[tuple[av.VideoFrame, float]]:
    """Decode the first video track, frame by frame, in presentation order, each with its time.

    Args:
        media: a whole file.

    Yields:
        frames as they are coded, and their true times in seconds; one that cannot be decoded is not given.
    """
    with open_media(media) as container:
        stream = container.streams.video[0]
        # One thread: the workers are processes already, and frame threads would multiply their memory.
        stream.thread_type = "NONE"
        origin = container_start_s(container)
        for packet in read_packets(container, stream):
            try:
                decoded = decode_packet(packet)
            except av.error.FFmpegError:
                continue
            for frame in decoded:
                if frame.pts is not None and frame.time_base is not None:
                    yield frame, float(frame.pts * frame.time_base) - origin


def video_frames(media: bytes, *, pixels: Pixels, max_width: int | None = None, every: int = 1) -> Iterator[Frame]:
    """Decode the first video track to pictures as they are to be shown.

    Args:
        media: a whole file.
        pixels: what to give.
        max_width: scale down to at most this width (of the coded frame) while converting.
        every: convert and give each n-th frame only; `Frame.index` still counts all decoded frames.

    Yields:
        frames with their true times, in presentation order; one that cannot be decoded is not given.
    """
    converter = FrameConverter(pixels, max_width)
    for index, (frame, timestamp_s) in enumerate(decoded_frames(media)):
        if index % every == 0:
            yield converter.convert(frame, index, timestamp_s)


def read_sound(media: bytes, sample_rate_hz: int) -> Sound | None:
    """Decode the first audio track to mono at one rate; where packets are lost, silence stands in their place.

    Returns:
        The sound, or None where there is no audio track or nothing in it can be decoded.
    """
    with open_media(media) as container:
        if not container.streams.audio:
            return None
        stream = container.streams.audio[0]
        origin = container_start_s(container)
        mono = Mono(sample_rate_hz)
        for packet in read_packets(container, stream):
            try:
                decoded = decode_packet(packet)
            except av.error.FFmpegError:
                continue
            for frame in decoded:
                timed = frame.pts is not None and frame.time_base is not None
                mono.take(frame, float(frame.pts * frame.time_base) - origin if timed else None)
        return mono.sound()
