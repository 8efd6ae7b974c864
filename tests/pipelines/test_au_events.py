"""Events begin at one threshold, end below another, and never reach over what was not measured."""

import numpy as np
import pytest
from numpy.typing import NDArray

from pipelines.au_events import Events, events, telling, track
from pipelines.params_publish import EventParams

Values = NDArray[np.float64]
PARAMS = EventParams()
NAN = float("nan")


def cut(values: list[float], unit: str = "AU04", step_s: float = 0.04, params: EventParams = PARAMS) -> Events:
    times_s = np.arange(len(values), dtype=np.float64) * step_s
    return events(unit, np.array(values), track(np.zeros(len(values), dtype=np.int64), times_s, 0.2), params)


def spans(found: Events) -> list[tuple[int, int, int]]:
    return list(zip(found.first.tolist(), found.apex.tolist(), found.last.tolist(), strict=True))


def test_an_event_begins_at_the_upper_threshold_and_ends_below_the_lower() -> None:
    assert spans(cut([0.8, 1.0, 2.0, 0.9, 0.7, 0.69, 0.9, 0.0])) == [(1, 2, 4)]


def test_the_apex_is_the_first_of_the_greatest() -> None:
    assert spans(cut([0, 1.5, 3, 2, 3, 0])) == [(1, 2, 4)]


def test_its_length_reaches_to_the_end_of_its_last_frame() -> None:
    (duration_s,) = cut([0, 2, 2, 2, 0]).durations_s
    assert duration_s == pytest.approx(0.12)


def test_what_is_shorter_than_the_least_duration_is_noise() -> None:
    assert spans(cut([0, 3, 0, 0, 2, 2, 0])) == [(4, 4, 5)]
    assert spans(cut([0, 3, 3, 3, 0], step_s=0.02)) == [(1, 1, 3)]


def test_a_frame_that_was_not_measured_ends_an_event_and_marks_it() -> None:
    found = cut([0, 2, 2, NAN, 0.9, 0.9, 2, 2, 0])
    assert spans(found) == [(1, 1, 2), (6, 6, 7)]
    assert found.censored.tolist() == [True, False]


@pytest.mark.parametrize("every", [1, 2, 3, 5])
def test_frames_that_an_engine_passes_over_neither_end_an_event_nor_count(every: int) -> None:
    whole = np.repeat([0.0, 2.0, 0.0], 30)
    values = np.where(np.arange(90) % every == 0, whole, NAN)
    kept = telling(values, np.ones(90, dtype=bool))
    frames = track(np.zeros(len(kept), dtype=np.int64), kept.astype(np.float64) * 0.04, 0.2)
    found = events("AU04", values[kept], frames, PARAMS)
    assert found.durations_s == pytest.approx([1.2])
    assert not found.censored.any()


def test_an_unusable_frame_among_those_passed_over_ends_an_event() -> None:
    values = np.array([0.0, NAN, 2.0, NAN, NAN, NAN, 2.0, NAN, 0.0])
    usable = np.ones(9, dtype=bool)
    usable[4] = False
    kept = telling(values, usable)
    assert kept.tolist() == [0, 2, 4, 6, 8]
    found = events(
        "AU04", values[kept], track(np.zeros(5, dtype=np.int64), kept.astype(np.float64) * 0.04, 0.2), PARAMS
    )
    assert spans(found) == [(1, 1, 1), (3, 3, 3)]
    assert found.censored.all()


def test_events_at_the_edges_may_have_lasted_longer() -> None:
    assert cut([2, 2, 0, 2, 2, 0, 2, 2]).censored.tolist() == [True, False, True]


def test_no_event_reaches_over_a_gap_or_into_another_recording() -> None:
    values = np.full(6, 2.0)
    times_s = np.array([0, 0.04, 0.5, 0.54, 0.0, 0.04])
    found = events("AU04", values, track(np.array([0, 0, 0, 0, 1, 1]), times_s, 0.2), PARAMS)
    assert spans(found) == [(0, 0, 1), (2, 2, 3), (4, 4, 5)]
    # A frame before a gap stands for the longest time that one may, and the last as long as the one before it.
    assert found.durations_s.tolist() == pytest.approx([0.24, 0.08, 0.08])


def test_closed_eyes_are_a_blink_while_short_and_closure_beyond() -> None:
    short, long = [0.0, 4, 4, 4, 0.0], [0.0] + [4.0] * 20 + [0.0]
    assert (len(cut(short, "AU45").first), len(cut(short, "AU43").first)) == (1, 0)
    assert (len(cut(long, "AU45").first), len(cut(long, "AU43").first)) == (0, 1)
    assert len(cut([0.0, 1.9, 1.9, 1.9, 0.0], "AU45").first) == 0


def test_without_frames_or_above_nothing_there_are_no_events() -> None:
    assert spans(cut([0.0, 0.0])) == []
    assert spans(cut([NAN, NAN])) == []


@pytest.mark.parametrize("seed", range(5))
def test_events_are_those_of_a_plain_loop(seed: int) -> None:
    rng = np.random.default_rng(seed)
    values = np.clip(np.cumsum(rng.normal(0, 0.5, 400)), 0, 5)
    values[rng.random(400) < 0.05] = NAN
    expected, begin = [], None
    for i, value in enumerate([*values, NAN]):
        if begin is None and value >= PARAMS.onset_r:
            begin = i
        elif begin is not None and not value >= PARAMS.offset_r:
            if i - begin >= 2:
                expected.append((begin, begin + int(np.argmax(values[begin:i])), i - 1))
            begin = None
    assert spans(cut(values.tolist())) == expected
