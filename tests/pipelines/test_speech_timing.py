"""Timing of speech, where the truth is known because the stretches are."""

import pytest

from pipelines.spans import Span
from pipelines.speech_timing import timing
from schemas.speech import TIMING

SPEECH = [(1.0, 2.0), (2.2, 4.0), (4.5, 5.0), (6.0, 9.0)]
TASK = Span("reading", 0.5, 0.5, 10.5)


def test_pauses_are_silences_of_some_length_between_speech() -> None:
    row = timing(SPEECH, TASK, 0.25)
    # 0.2 s between the first two is none; 0.5 s and 1.0 s are; what is before and after is not between.
    assert (row["pauses"], row["pause_mean_s"], row["pause_longest_s"]) == (2, 0.75, 1.0)
    assert row["pauses_per_min"] == pytest.approx(60 * 2 / 8.0)


def test_a_shorter_minimum_finds_more_pauses() -> None:
    row = timing(SPEECH, TASK, 0.2)
    assert (row["pauses"], row["runs"]) == (3, 4)


def test_runs_go_on_over_silences_too_short_for_a_pause() -> None:
    row = timing(SPEECH, TASK, 0.25)
    assert (row["runs"], row["run_longest_s"], row["run_mean_s"]) == (3, 3.0, pytest.approx((3.0 + 0.5 + 3.0) / 3))


def test_speech_and_its_share_leave_all_silence_out() -> None:
    row = timing(SPEECH, TASK, 0.25)
    assert (row["speech_s"], row["phonation_share"]) == (6.3, 0.63)


def test_the_longest_silence_counts_what_is_before_and_after() -> None:
    assert timing(SPEECH, TASK, 0.25)["longest_silence_s"] == 1.5
    assert timing(SPEECH, Span("reading", 0.5, 0.5, 9.0), 0.25)["longest_silence_s"] == 1.0


@pytest.mark.parametrize(
    ("span", "latency_s"),
    [
        (TASK, 0.5),
        (Span("reading", 1.0, 1.0, 9.0), 0.0),
        # Speech is under way: it answers nothing.
        (Span("reading", 1.5, 1.5, 9.0), None),
        # The sound begins a moment late, as with AAC; or so late that words may be lost.
        (Span("reading", 0.0, 0.1, 9.0), 1.0),
        (Span("reading", 0.0, 0.5, 9.0), None),
    ],
)
def test_the_latency_runs_from_the_begin_of_the_task_to_the_first_speech(span: Span, latency_s: float | None) -> None:
    assert timing(SPEECH, span, 0.25)["response_latency_s"] == latency_s


def test_speech_counts_only_within_the_task() -> None:
    row = timing(SPEECH, Span("reading", 1.5, 1.5, 3.2), 0.25)
    assert (row["speech_s"], row["pauses"], row["pause_mean_s"]) == (1.5, 0, None)


def test_without_speech_there_is_a_cause_and_no_rate() -> None:
    row = timing([], TASK, 0.25)
    assert (row["cause"], row["speech_s"], row["phonation_share"], row["longest_silence_s"]) == (
        "no_speech",
        0,
        0,
        10.0,
    )
    assert {row.get(c.name) for c in TIMING[4:]} == {None}


def test_what_cannot_be_measured_keeps_its_cause() -> None:
    row = timing(SPEECH, Span("reading", 20.0, None, None, "outside_recording"), 0.25)
    assert row == {"task": "reading", "start_s": None, "end_s": None, "cause": "outside_recording"}
