"""One pass over a recording for the quality stage: all times, all decoding errors, luma of some frames, the sound."""

import time
from dataclasses import dataclass, field
from typing import Any

import av
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

from pipelines.declared import declared_lengths
from pipelines.frames import FrameTaker
from pipelines.media import container_start_s, decode_packet, open_media, read_packets
from pipelines.mono import Mono, Sound
from pipelines.params import QualityParams
from pipelines.quality_picture import Picture, picture
from pipelines.speech import SPEECH_RATE_HZ

FULL_SCALE = 0.999
"""Samples from here on count as clipped: the largest 16-bit value is 0.99997, resampled clipping falls a little short."""
_AT_ONCE = 64
"""Frames of sound: numpy takes as long to be called as to measure one."""


@dataclass(slots=True)
class VideoTrace:
    """What decoding the video track showed; times in seconds on the container's clock."""

    timestamps_s: list[float] = field(default_factory=list)
    packet_times_s: list[float] = field(default_factory=list)
    pictures: list[Picture] = field(default_factory=list)
    last_interval_s: float = 0.0
    packets: int = 0
    faulty_packets: int = 0
    width_px: int | None = None
    height_px: int | None = None
    scaler: VideoReformatter = field(default_factory=VideoReformatter)

    @property
    def span_s(self) -> tuple[float, float] | None:
        """From the first to the end of the last frame, or None without frames."""
        times = self.timestamps_s
        return (min(times), max(times) + self.last_interval_s) if times else None


@dataclass(slots=True)
class AudioTrace:
    """What decoding the audio track showed.

    `samples` counts those of one channel; `values`, `square_sum`, `peak` and `clipped` are over all channels, as
    recorded: mixing down hides clipping in one of them. `mono` is mixed down, at the rate of the model of speech.
    """

    samples: int = 0
    values: int = 0
    square_sum: float = 0.0
    peak: float = 0.0
    clipped: int = 0
    start_s: float = 0.0
    end_s: float = 0.0
    packets: int = 0
    faulty_packets: int = 0
    sample_rate_hz: int | None = None
    mono: Mono = field(default_factory=lambda: Mono(SPEECH_RATE_HZ))
    waiting: list[NDArray[Any]] = field(default_factory=list)

    def measure(self) -> None:
        """Measure the samples that wait for it."""
        if not self.waiting:
            return
        frames = np.abs(_in_full_scale(np.stack(self.waiting))).reshape(len(self.waiting), -1)
        self.waiting.clear()
        self.values += frames.size
        # Frame by frame: sums of other sums would differ in their last digits.
        for square_sum in np.sum(np.square(frames), axis=1).tolist():
            self.square_sum += square_sum
        self.peak = max(self.peak, float(frames.max(initial=0.0)))
        self.clipped += int(np.count_nonzero(frames >= FULL_SCALE))

    @property
    def span_s(self) -> tuple[float, float] | None:
        """From the first to the end of the last sample, or None without samples."""
        return (self.start_s, self.end_s) if self.samples else None


@dataclass(frozen=True, slots=True)
class Decoded:
    """Both tracks, None where there is no such track; `declared_s` as `declared_lengths` gives it.

    `sound` is mono at the rate of the model of speech; None where nothing was heard.
    """

    video: VideoTrace | None
    audio: AudioTrace | None
    declared_s: dict[str, float]
    sound: Sound | None


def decode(media: bytes, params: QualityParams, taker: FrameTaker | None = None) -> Decoded:
    """Decode the first video and the first audio track once, side by side.

    Args:
        media: a whole file.
        params: which frames are looked at, and how small.
        taker: is shown every frame.

    Raises:
        Rejection: no demuxer can open it.
    """
    with open_media(media) as container:
        chosen: list[av.VideoStream | av.AudioStream] = [*container.streams.video[:1], *container.streams.audio[:1]]
        for stream in chosen:
            # One thread: the workers are processes already, and frame threads would multiply their memory.
            stream.codec_context.thread_type = "NONE"
        video = VideoTrace() if container.streams.video else None
        audio = AudioTrace() if container.streams.audio else None
        origin_s = container_start_s(container)
        try:
            for packet in read_packets(container, *chosen):
                if video is not None and isinstance(packet.stream, av.VideoStream):
                    _take_video(video, packet, origin_s, params, taker)
                elif audio is not None:
                    _take_audio(audio, packet, origin_s)
        except av.error.FFmpegError:
            # What the container lost shows in the decoded length; the packet it broke at is one more faulty one.
            for trace in (video, audio):
                if trace is not None:
                    trace.packets += 1
                    trace.faulty_packets += 1
            if taker is not None:
                taker.give_up()
        if audio is not None:
            audio.measure()
        sound = None if audio is None else audio.mono.sound()
        return Decoded(video, audio, declared_lengths(media, container), sound)


def _decoded(trace: VideoTrace | AudioTrace, packet: "av.Packet[Any]") -> list[Any]:
    """The frames of a packet, counting it and what is wrong with it."""
    real = packet.size > 0
    trace.packets += real
    try:
        frames = decode_packet(packet)
    except av.error.FFmpegError:
        trace.faulty_packets += real
        return []
    trace.faulty_packets += sum(frame.is_corrupt for frame in frames)
    return frames


def _take_video(
    trace: VideoTrace, packet: "av.Packet[Any]", origin_s: float, params: QualityParams, taker: FrameTaker | None
) -> None:
    begun = time.process_time()
    frames: list[av.VideoFrame] = _decoded(trace, packet)
    if taker is not None:
        taker.decoded_in(time.process_time() - begun)
    if packet.size and packet.pts is not None and not packet.is_discard:
        trace.packet_times_s.append(float(packet.pts * packet.time_base) - origin_s)
    for frame in frames:
        if frame.pts is None or frame.time_base is None:
            continue
        if trace.width_px is None:
            turned = round(frame.rotation / 90) % 2
            trace.width_px, trace.height_px = (frame.height, frame.width) if turned else (frame.width, frame.height)
        if len(trace.timestamps_s) % params.image_every == 0:
            trace.pictures.append(picture(frame, params.image_side_px, trace.scaler))
        timestamp_s = float(frame.pts * frame.time_base) - origin_s
        trace.timestamps_s.append(timestamp_s)
        if taker is not None:
            taker.take(frame, timestamp_s)
        trace.last_interval_s = float(frame.duration * frame.time_base)


def _take_audio(trace: AudioTrace, packet: "av.Packet[Any]", origin_s: float) -> None:
    frames: list[av.AudioFrame] = _decoded(trace, packet)
    for frame in frames:
        at_s = None
        if frame.pts is not None and frame.time_base is not None:
            at_s = float(frame.pts * frame.time_base) - origin_s
        start_s = trace.end_s if at_s is None else at_s
        if trace.samples == 0:
            trace.sample_rate_hz, trace.start_s = frame.sample_rate, start_s
        trace.end_s = max(trace.end_s, start_s + frame.samples / frame.sample_rate)
        samples = frame.to_ndarray()
        trace.samples += frame.samples
        if trace.waiting and (trace.waiting[0].shape, trace.waiting[0].dtype) != (samples.shape, samples.dtype):
            trace.measure()
        trace.waiting.append(samples)
        if len(trace.waiting) == _AT_ONCE:
            trace.measure()
        trace.mono.take(frame, at_s)


def _in_full_scale(samples: NDArray[Any]) -> NDArray[np.float64]:
    """Samples of any format as float64, full scale at 1."""
    scaled: NDArray[np.float64] = samples.astype(np.float64)
    if samples.dtype == np.uint8:
        return scaled / 128 - 1
    if np.issubdtype(samples.dtype, np.integer):
        scaled /= -float(np.iinfo(samples.dtype).min)
    return scaled
