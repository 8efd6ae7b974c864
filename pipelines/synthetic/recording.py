"""Film a synthetic patient: a face, a voice and a container full of tags that must not survive."""

import io
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Final, Literal

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from pipelines.recording import Task
from pipelines.synthetic.expression import Course, course
from pipelines.synthetic.face import FaceModel
from pipelines.synthetic.speech import ABOUT_PAIN, ABOUT_THE_DAY, READING, SAMPLE_RATE_HZ, Voice, speak

FPS: Final = 25
_READING_SHARE: Final = 0.4
_PAUSE_S: Final = 0.15
_SENTENCE_S: Final = 2.0
"""Hardly any sentence is shorter: as many are synthesised as may be needed."""
_AAC_FRAME: Final = 1024
_PEAK: Final = 0.45
_ROOM_NOISE: Final = 0.0006
"""The standard deviation of the room's noise: some 45 dB below speech."""

Container = Literal["mp4", "mov", "matroska"]


@dataclass(frozen=True, slots=True)
class Take:
    """What is to be filmed.

    Args:
        seed: of this recording.
        person: seed of the face.
        voice: how the person sounds.
        language: `nl` or `en`.
        seconds: length.
        pain: how strongly the face shows it in free speech, 0 to 1; 0 talks about the day instead.
        tags: the container's metadata, keys and values.
        handler: the tracks' handler name, where cameras and editors leave names too.
        container: the file format.
        index_first: whether an mp4 has its index before the media, as for streaming.
        width, height: of the picture in pixels.
    """

    seed: int
    person: int
    voice: Voice
    language: str
    seconds: float
    pain: float
    tags: tuple[tuple[str, str], ...] = ()
    handler: str = ""
    container: Container = "mp4"
    index_first: bool = False
    width: int = 640
    height: int = 360


@dataclass(frozen=True, slots=True)
class Filmed:
    """A recording as the camera delivers it, with what was done when."""

    media: bytes
    tasks: tuple[Task, ...]


def film(take: Take) -> Filmed:
    """Render and encode one recording in memory: H.264 at 25 Hz and AAC at 44.1 kHz.

    The same take gives the same bytes, in any process.

    >>> film(Take(1, 1, Voice("female"), "en", 1.0, 0.5)).media[4:8]
    b'ftyp'
    """
    rng = np.random.default_rng([take.seed, 3])
    frames = round(take.seconds * FPS)
    samples, tasks = soundtrack(take, rng, round(frames / FPS * SAMPLE_RATE_HZ))
    times_s = np.arange(frames) / FPS
    played = course(rng, times_s=times_s, pain=take.pain, from_s=tasks[1].start_s, loudness=loudness(samples, frames))
    return Filmed(_encode(take, played, samples), tasks)


def soundtrack(take: Take, rng: np.random.Generator, length: int) -> tuple[NDArray[np.float32], tuple[Task, Task]]:
    """The reading sentence, a pause, and as many sentences of free speech as there is time for.

    Args:
        take: whose voice, which language, and what about.
        rng: decides the order of sentences, the level and the room's noise.
        length: in samples at `SAMPLE_RATE_HZ`.

    Returns:
        Mono samples, shape (length,), and when what is spoken.
    """
    about = list((ABOUT_PAIN if take.pain > 0 else ABOUT_THE_DAY)[take.language])
    rng.shuffle(about)
    enough = 1 + round(length * (1 - _READING_SHARE) / SAMPLE_RATE_HZ / _SENTENCE_S)
    reading, *free = speak([READING[take.language], *about[:enough]], take.language, take.voice)
    pause = round(_PAUSE_S * SAMPLE_RATE_HZ)
    read_until = min(len(reading), round(_READING_SHARE * length))
    starts = read_until + 2 * pause
    sound = np.zeros(length, dtype=np.float32)
    sound[pause : pause + read_until] = _faded(reading[:read_until], cut=read_until < len(reading))
    at, last = starts, length - pause
    for sentence in free:
        room = last - at
        if room < SAMPLE_RATE_HZ // 4:
            break
        part = sentence[:room]
        sound[at : at + len(part)] = _faded(part, cut=len(part) < len(sentence))
        at += len(part) + pause
    sound *= np.float32(_PEAK * rng.uniform(0.8, 1.2) / max(float(np.abs(sound).max()), 1e-6))
    sound += rng.normal(0, _ROOM_NOISE, length).astype(np.float32)
    edge_s = (starts - pause / 2) / SAMPLE_RATE_HZ
    tasks = (
        Task("reading", 0.0, round(edge_s, 3)),
        Task("free_speech", round(edge_s, 3), round(length / SAMPLE_RATE_HZ, 3)),
    )
    return sound, tasks


def _faded(speech: NDArray[np.float32], *, cut: bool) -> NDArray[np.float32]:
    """Speech that is cut short ends softly, without a click."""
    fade = min(len(speech), SAMPLE_RATE_HZ // 20)
    if not cut or not fade:
        return speech
    return np.concatenate((speech[:-fade], speech[-fade:] * np.linspace(1, 0, fade, dtype=np.float32)))


def loudness(samples: NDArray[np.float32], frames: int) -> NDArray[np.float64]:
    """The speech's envelope at each of some frames that share the sound evenly, 0 to 1: how far the jaw follows it."""
    power = np.array([float(np.mean(part.astype(np.float64) ** 2)) for part in np.array_split(samples, frames)])
    envelope = np.convolve(np.sqrt(power), (0.25, 0.5, 0.25), mode="same")
    return np.asarray(np.clip(envelope / max(float(np.percentile(envelope, 95)), 1e-6), 0, 1) ** 0.8)


def _encode(take: Take, played: Course, samples: NDArray[np.float32]) -> bytes:
    face = FaceModel(take.person, take.width, take.height)
    frames = len(played.pain)
    options = {"fflags": "+bitexact"}
    if take.container == "mov":
        options["movflags"] = "use_metadata_tags"
    if take.index_first:
        packets = frames + len(samples) // _AAC_FRAME
        options["moov_size"] = str(4096 + 32 * packets)
    buffer = io.BytesIO()
    with av.open(buffer, "w", format=take.container, options=options) as container:
        container.metadata.update(dict(take.tags))
        video, audio = _streams(container, take)
        heard = 0
        for number in range(frames):
            image = face.render(*played.at(number))
            picture = VideoFrame.from_ndarray(image, format="rgb24")
            picture.pts, picture.time_base = number, Fraction(1, FPS)
            container.mux(video.encode(picture))
            # Sound goes in beside its picture, so that a file cut short loses both.
            until = len(samples) if number == frames - 1 else (number + 1) * SAMPLE_RATE_HZ // FPS
            while until - heard >= _AAC_FRAME or (until == len(samples) and heard < until):
                block = samples[heard : heard + _AAC_FRAME]
                container.mux(audio.encode(_audio_frame(block, heard)))
                heard += len(block)
        container.mux(video.encode(None))
        container.mux(audio.encode(None))
    return buffer.getvalue()


def _streams(container: OutputContainer, take: Take) -> tuple[VideoStream, AudioStream]:
    coding: dict[str, Any] = {"preset": "veryfast", "crf": "26", "threads": "1"}
    video = container.add_stream("libx264", rate=FPS, options=coding)
    video.width, video.height, video.pix_fmt = take.width, take.height, "yuv420p"
    # More threads would split the pictures differently from machine to machine.
    video.codec_context.thread_count = 1
    audio = container.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono", options={"b": "96000"})
    if take.handler:
        video.metadata["handler_name"] = take.handler
        audio.metadata["handler_name"] = take.handler
    return video, audio


def _audio_frame(block: NDArray[np.float32], at: int) -> AudioFrame:
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(block[None, :]), format="fltp", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE_HZ, at, Fraction(1, SAMPLE_RATE_HZ)
    return frame
