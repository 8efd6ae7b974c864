"""Films as a study's tablets deliver them, of any size and length, made once into a folder and kept there.

A camera films each of a few synthetic persons for a few seconds; a film repeats its person's pictures, without encoding
them again, under a soundtrack of its own. So films differ in every byte, and an hour of them is made in a minute.
"""

import hashlib
import heapq
import io
import json
import os
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks.film import encode, h264
from benchmarks.performance import Performance
from pipelines.recording import Task
from pipelines.study import Study, make_study
from pipelines.synthetic.speech import SAMPLE_RATE_HZ

PEOPLE = 6
_DAY = date(2026, 1, 5)
_AAC_FRAME = 1024
_SPOKEN_S = 60.0
"""Longer soundtracks repeat this much."""


@dataclass(frozen=True, slots=True)
class Camera:
    """What films: the height of its 16:9 picture in pixels, frames a second, x264's constant quality."""

    height: int
    fps: int
    crf: int = 23

    @property
    def name(self) -> str:
        """For files.

        >>> Camera(720, 30).name
        '720p30-23'
        """
        return f"{self.height}p{self.fps}-{self.crf}"


@dataclass(frozen=True, slots=True)
class Batch:
    """Films of one length: how many, of how many seconds (whole clips), by which camera; `clip_s` of pictures repeat."""

    films: int
    seconds: float
    camera: Camera
    clip_s: float = 10.0

    @property
    def name(self) -> str:
        """For files, and for people.

        >>> Batch(24, 20, Camera(720, 30)).name
        '24x20s-720p30-23'
        """
        return f"{self.films}x{self.seconds:g}s-{self.camera.name}"


def films(folder: Path, batch: Batch) -> list[Path]:
    """The films of a batch, made where they are not there yet.

    Args:
        folder: where clips and films are kept.
        batch: which.

    Raises:
        ValueError: a film is no whole number of clips.
    """
    if batch.seconds % batch.clip_s:
        raise ValueError(f"a film of {batch.seconds:g} s is no whole number of clips of {batch.clip_s:g} s")
    made = folder / batch.name
    made.mkdir(parents=True, exist_ok=True)
    paths = [made / f"film-{number:02}.mp4" for number in range(batch.films)]
    for number, path in enumerate(paths):
        if not path.is_file():
            sound, tasks = _soundtrack(number, batch.seconds)
            media = _mux(_clip(folder, number % PEOPLE, batch), sound, round(batch.seconds / batch.clip_s))
            path.with_suffix(".json").write_text(json.dumps([asdict(task) for task in tasks]), encoding="utf-8")
            # The film last: what has one is whole.
            partial = path.with_suffix(".partial")
            partial.write_bytes(media)
            partial.rename(path)
    return paths


def tasks_of(film: Path) -> tuple[Task, ...]:
    """What is spoken when in a film."""
    return tuple(Task(**task) for task in json.loads(film.with_suffix(".json").read_text(encoding="utf-8")))


def study_of(root: Path, made: list[Path], workers: int) -> Study:
    """A new study into whose landing zone films have been delivered, each person's on days of their own.

    Args:
        root: a new folder.
        made: the films; their persons take turns.
        workers: how many worker processes it is to have.
    """
    study = make_study(root, None, None)
    text = study.params_file.read_text(encoding="utf-8")
    study.params_file.write_text(text.replace("  workers: 0\n", f"  workers: {workers}\n", 1), encoding="utf-8")
    people = min(PEOPLE, len(made))
    for number, film in enumerate(made):
        person, visit = _hospital_id(number % people), number // people + 1
        delivered = study.root / "landing" / "recordings" / person / f"V{visit}" / "film.mp4"
        delivered.parent.mkdir(parents=True)
        # Landing is only read.
        os.link(film, delivered)
        said = {
            "participant_id": person, "visit": f"V{visit}", "recorded_at": f"{_DAY + timedelta(days=visit)}T10:15:00+01:00",
            "device": "tablet 1", "language": "en", "tasks": [asdict(task) for task in tasks_of(film)],
            "sha256": hashlib.sha256(film.read_bytes()).hexdigest(),
        }  # fmt: skip
        delivered.with_suffix(".json").write_text(json.dumps(said), encoding="utf-8")
    for name, lines in _tables(people, -(-len(made) // people)).items():
        (study.root / "landing" / f"{name}.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return study


def _hospital_id(number: int) -> str:
    return f"PT-{number:04d}"


def _tables(people: int, visits: int) -> dict[str, list[str]]:
    everyone = [_hospital_id(number) for number in range(people)]
    days = [_DAY + timedelta(days=visit + 1) for visit in range(visits)]
    return {
        "participants": ["participant_id,birth_date,sex,group,site,language,tumour_type,tumour_stage,admission_reason,enrolled_at,exclusion",
                         *(f"{one},1961-05-04,female,pain,north,en,breast,II,pain,{_DAY}," for one in everyone)],
        "consent": ["participant_id,recorded_at,status,scope",
                    *(f"{one},{_DAY}T08:00:00+01:00,given,recording|ai_research" for one in everyone)],
        "clinical": ["participant_id,observed_at,nrs_now,nrs_worst_24h,nrs_mean_24h,ecog,clinical_status",
                     *(f"{one},{day}T10:30:00+01:00,6,8,5,1,stable" for one in everyone for day in days)],
    }  # fmt: skip


def _clip(folder: Path, person: int, batch: Batch) -> bytes:
    """A person's pictures, encoded once for all films of a camera."""
    path = folder / "clips" / f"{batch.camera.name}-{batch.clip_s:g}s-{person}.mp4"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        images = Performance(person, batch.clip_s).images(batch.camera.height, batch.camera.fps)
        path.write_bytes(encode(images, h264(batch.camera.crf), batch.camera.fps))
    return path.read_bytes()


def _soundtrack(number: int, seconds: float) -> tuple[NDArray[np.float32], tuple[Task, ...]]:
    """Each film's own speech, and when what is spoken."""
    samples, tasks = Performance(number, min(seconds, _SPOKEN_S)).sound
    repeated = np.resize(samples, round(seconds * SAMPLE_RATE_HZ))
    return repeated, (*tasks[:-1], Task(tasks[-1].name, tasks[-1].start_s, seconds))


def _mux(clip: bytes, sound: NDArray[np.float32], times: int) -> bytes:
    """A film of a clip's pictures, several times, and its sound."""
    buffer = io.BytesIO()
    with av.open(io.BytesIO(clip), "r") as source, av.open(buffer, "w", "mp4", options={"fflags": "+bitexact"}) as sink:
        picture = source.streams.video[0]
        copy = sink.add_stream_from_template(picture, opaque=True)
        audio: Any = sink.add_stream("aac", rate=SAMPLE_RATE_HZ, layout="mono", options={"b": "96000"})
        heard = [packet for packet in _encoded(audio, sound) if packet.dts is not None]
        packets = [packet for packet in source.demux(picture) if packet.dts is not None]
        for packet in heapq.merge(_repeated(packets, copy, times), heard, key=_time_s):
            sink.mux_one(packet)
    return buffer.getvalue()


def _encoded(audio: Any, sound: NDArray[np.float32]) -> Iterator[Any]:
    for at in range(0, len(sound), _AAC_FRAME):
        block = np.ascontiguousarray(sound[np.newaxis, at : at + _AAC_FRAME])
        frame = av.AudioFrame.from_ndarray(block, format="fltp", layout="mono")
        frame.sample_rate, frame.pts, frame.time_base = SAMPLE_RATE_HZ, at, Fraction(1, SAMPLE_RATE_HZ)
        yield from audio.encode(frame)
    yield from audio.encode(None)


def _repeated(packets: list[Any], stream: Any, times: int) -> Iterator[Any]:
    length = max(packet.pts + packet.duration for packet in packets)
    for number in range(times):
        for packet in packets:
            fresh: Any = av.Packet(bytes(packet))
            fresh.pts, fresh.dts = packet.pts + number * length, packet.dts + number * length
            fresh.duration, fresh.time_base, fresh.is_keyframe = packet.duration, packet.time_base, packet.is_keyframe
            fresh.stream = stream
            yield fresh


def _time_s(packet: Any) -> float:
    return float(packet.dts * packet.time_base)


def seconds_of(made: Iterable[Path]) -> float:
    """How long films are, all together."""
    total = 0.0
    for path in made:
        with av.open(str(path)) as container:
            total += (container.duration or 0) / av.time_base
    return total
