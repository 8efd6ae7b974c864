"""What stretches of sound are summed up."""

import numpy as np
import pytest

from pipelines.mono import Sound
from pipelines.recording import Recording, Task
from pipelines.spans import Span, joined, spans, speech_piece, whole_piece

RATE = 16_000
SOUND = Sound(np.ones(4 * RATE, np.float32), RATE, 0.5)


def recording(*tasks: Task) -> Recording:
    return Recording("P000000000-00000000", "P000000000", "v1", 0, 0, 0, None, "en", tasks, "0" * 64)


def test_the_whole_comes_first_and_tasks_reach_as_far_as_there_is_sound() -> None:
    whole, reading = spans(SOUND, recording(Task("reading", 0.0, 9.0)), 0.5)
    assert (whole.task, whole.start_s, whole.end_s, whole.cause) == ("whole", 0.5, 4.5, None)
    assert (reading.planned_start_s, reading.start_s, reading.end_s) == (0.0, 0.5, 4.5)


@pytest.mark.parametrize(
    ("task", "cause"), [(Task("reading", 1.0, 1.3), "too_short"), (Task("reading", 6.0, 9.0), "outside_recording")]
)
def test_a_span_that_cannot_be_summed_up_says_why(task: Task, cause: str) -> None:
    assert spans(SOUND, recording(task), 0.5)[1].cause == cause
    assert spans(None, recording(task), 0.5)[1].cause == "no_audio"


def test_joined_stretches_are_as_long_as_together_and_do_not_click() -> None:
    samples = joined(SOUND, [(1.0, 1.5), (2.0, 2.25)])
    assert len(samples) == 0.75 * RATE
    assert np.abs(np.diff(samples)).max() < 0.05
    assert samples[RATE // 4] == 1
    assert SOUND.samples.min() == 1, "the sound itself stays as it is"


def test_the_speech_of_a_span_is_cut_at_its_borders() -> None:
    piece = speech_piece(SOUND, Span("reading", 1.0, 1.0, 3.0), [(0.6, 1.6), (2.5, 4.0)], 0.5)
    assert piece.stretches == ((1.0, 1.6), (2.5, 3.0))
    assert len(piece.samples) == round(1.1 * RATE)


@pytest.mark.parametrize(
    ("speech", "cause"), [([], "no_speech"), ([(1.0, 1.2)], "too_short"), ([(3.5, 4.0)], "no_speech")]
)
def test_too_little_speech_has_a_cause_and_no_samples(speech: list[tuple[float, float]], cause: str) -> None:
    piece = speech_piece(SOUND, Span("reading", 1.0, 1.0, 3.0), speech, 0.5)
    assert (piece.span.cause, len(piece.samples)) == (cause, 0)


def test_a_span_with_a_cause_gives_no_samples() -> None:
    span = Span("reading", 1.0, 1.0, 1.2, "too_short")
    assert len(whole_piece(SOUND, span).samples) == len(speech_piece(SOUND, span, [(1.0, 1.2)], 0.1).samples) == 0
