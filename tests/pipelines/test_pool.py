"""A worker that crashes, hangs or runs out of memory costs one piece of work; the next one is done."""

import os
import time
from collections.abc import Iterator
from zoneinfo import ZoneInfo

import pytest

from pipelines.csvfile import parse_cell
from pipelines.errors import Rejection
from pipelines.pool import Workers
from schemas.landing import Field


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(1, timeout_s=2.0) as pool:
        yield pool


def test_work_is_done_in_another_process_that_starts_no_threads_of_its_own(workers: Workers) -> None:
    assert workers.run(os.getpid) != os.getpid()
    assert workers.run(os.getenv, "OMP_NUM_THREADS") == "1"
    assert workers.run(divmod, 7, 2) == (3, 1)


def test_a_rejection_comes_back_as_it_was_given(workers: Workers) -> None:
    with pytest.raises(Rejection) as refused:
        workers.run(parse_cell, "lots", Field("number"), ZoneInfo("Europe/Amsterdam"))
    assert (refused.value.code, refused.value.detail) == ("VALUE_RANGE", "no number")


def test_an_error_that_is_no_rejection_comes_back_too(workers: Workers) -> None:
    with pytest.raises(ZeroDivisionError):
        workers.run(divmod, 1, 0)


def test_a_crash_costs_one_piece_of_work(workers: Workers) -> None:
    with pytest.raises(Rejection, match="the worker ended with code") as refused:
        workers.run(os.abort)
    assert refused.value.code == "DECODER_CRASH"
    assert workers.run(divmod, 7, 2) == (3, 1)


def test_a_worker_that_hangs_is_ended(workers: Workers) -> None:
    with pytest.raises(Rejection, match="not done within 2 s") as refused:
        workers.run(time.sleep, 600)
    assert refused.value.code == "DECODER_TIMEOUT"
    assert workers.run(divmod, 7, 2) == (3, 1)


def test_who_asks_for_too_much_memory_is_refused(workers: Workers) -> None:
    with pytest.raises(Rejection) as refused:
        workers.run(bytes, 1 << 60)
    assert refused.value.code == "RESOURCE_LIMIT"


def test_zero_workers_are_one_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 5})
    assert Workers(0, timeout_s=1).count == 3


def test_an_error_outside_stops_the_pool_and_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt), Workers(1, timeout_s=600):
        raise KeyboardInterrupt
