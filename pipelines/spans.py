"""The stretches of a recording's sound that are summed up: the whole, each task, and the speech within them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from pipelines.mono import Sound
from pipelines.recording import Recording, Task
from schemas.people import WHOLE
from schemas.speech import NO_SPEECH

Stretch = tuple[float, float]
"""Begin and end in seconds, on the recording's clock."""

_FADE_S = 0.005


@dataclass(frozen=True, slots=True)
class Span:
    """A task as far as there is sound.

    Args:
        task: its name, or 'whole'.
        planned_start_s: where the task begins, with or without sound.
        start_s, end_s: where sound of it begins and ends; None where there is none.
        cause: why it cannot be summed up, as `schemas.voice.CAUSES` has it.
    """

    task: str
    planned_start_s: float
    start_s: float | None
    end_s: float | None
    cause: str | None = None

    def where(self) -> dict[str, object]:
        """The columns that all tables of spans have."""
        return {"task": self.task, "start_s": self.start_s, "end_s": self.end_s, "cause": self.cause}


def end_s(sound: Sound) -> float:
    """Where the sound ends, on the recording's clock."""
    return sound.start_s + len(sound.samples) / sound.sample_rate_hz


def spans(sound: Sound | None, recording: Recording, min_segment_s: float) -> list[Span]:
    """The whole recording first, then its tasks in the sidecar's order.

    Args:
        sound: of the recording, or None where it has no sound track.
        recording: with its tasks.
        min_segment_s: what is shorter cannot be summed up.
    """
    if sound is None:
        return [Span(task.name, task.start_s, None, None, "no_audio") for task in (_NOTHING, *recording.tasks)]
    return [_span(sound, task, min_segment_s) for task in (Task(WHOLE, 0.0, end_s(sound)), *recording.tasks)]


_NOTHING = Task(WHOLE, 0.0, 0.0)


def _span(sound: Sound, task: Task, min_segment_s: float) -> Span:
    first_s, last_s = max(task.start_s, sound.start_s), min(task.end_s, end_s(sound))
    if last_s <= first_s:
        return Span(task.name, task.start_s, None, None, "outside_recording")
    cause = "too_short" if last_s - first_s < min_segment_s else None
    return Span(task.name, task.start_s, first_s, last_s, cause)


def within(stretches: Sequence[Stretch], span: Span) -> list[Stretch]:
    """The parts of some stretches that lie in a span.

    >>> within([(0.0, 1.0), (2.0, 4.0)], Span("reading", 0.5, 0.5, 3.0))
    [(0.5, 1.0), (2.0, 3.0)]
    """
    if span.start_s is None or span.end_s is None:
        return []
    cut = [(max(start, span.start_s), min(end, span.end_s)) for start, end in stretches]
    return [(start, end) for start, end in cut if end > start]


@dataclass(frozen=True, slots=True)
class Piece:
    """Sound to be summed up: a span whole, or its speech alone.

    Args:
        span: where it stands; its `cause` is why there are no samples.
        segment: as in `schemas.voice_sets.VOICE_FEATURES_LONG`.
        sound: what it is cut from, where there is no cause.
        stretches: of speech that are joined.
    """

    span: Span
    segment: Literal["task", "speech"]
    sound: Sound | None = None
    stretches: tuple[Stretch, ...] = ()

    @property
    def samples(self) -> NDArray[np.float32]:
        """Mono; empty where there is a cause. Joined anew each time, so that all pieces are not there at once."""
        where = self.span
        if self.sound is None or where.cause is not None or where.start_s is None or where.end_s is None:
            return np.zeros(0, np.float32)
        if self.segment == "speech":
            return joined(self.sound, self.stretches)
        return samples_of(self.sound, (where.start_s, where.end_s))


def whole_piece(sound: Sound | None, span: Span) -> Piece:
    """A span with all its sound."""
    return Piece(span, "task", sound)


def speech_piece(sound: Sound | None, span: Span, speech: Sequence[Stretch], min_segment_s: float) -> Piece:
    """A span's speech alone, joined.

    Args:
        sound: of the recording.
        span: the task.
        speech: all stretches of speech of the recording.
        min_segment_s: less speech cannot be summed up.
    """
    if sound is None or span.cause is not None:
        return Piece(span, "speech")
    stretches = tuple(within(speech, span))
    speech_s = sum(end - start for start, end in stretches)
    if speech_s < min_segment_s:
        cause = "too_short" if stretches else NO_SPEECH
        return Piece(replace(span, cause=cause), "speech", None, stretches)
    return Piece(span, "speech", sound, stretches)


def samples_of(sound: Sound, stretch: Stretch) -> NDArray[np.float32]:
    """The samples of a stretch of sound."""
    first, last = (round((at - sound.start_s) * sound.sample_rate_hz) for at in stretch)
    return sound.samples[max(first, 0) : last]


def joined(sound: Sound, stretches: Sequence[Stretch]) -> NDArray[np.float32]:
    """Stretches of sound, one after the other.

    Each is faded in and out over 5 ms (half a cosine): a step from one to the next would click, and a click is a
    change of the spectrum that nobody spoke.
    """
    parts = [samples_of(sound, stretch) for stretch in stretches]
    together = np.empty(sum(len(part) for part in parts), np.float32)
    end = 0
    for spoken in parts:
        begin, end = end, end + len(spoken)
        part = together[begin:end]
        part[:] = spoken
        length = min(round(_FADE_S * sound.sample_rate_hz), len(part) // 2)
        ramp = (0.5 - 0.5 * np.cos(np.pi * (np.arange(length) + 0.5) / max(length, 1))).astype(np.float32)
        part[:length] *= ramp
        part[len(part) - length :] *= ramp[::-1]
    return together
