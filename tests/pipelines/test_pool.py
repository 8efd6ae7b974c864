"""A worker that crashes, hangs or takes too much costs one piece of work; the next one is done, under the same limits."""

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from pipelines.confine import Limits
from pipelines.csvfile import parse_cell
from pipelines.errors import PainLakeError, Rejection
from pipelines.pool import Workers
from schemas.landing import Field
from tests.pipelines import fault_factory as faults

LIMITS = Limits(wall_s=60.0, cpu_s=1, memory_mb=1000, max_picture_mpx=16, require_isolation=True)


@pytest.fixture(scope="module")
def workers() -> Iterator[Workers]:
    with Workers(1, LIMITS) as pool:
        yield pool


def refusal(workers: Workers, function: Callable[..., object], *arguments: Any) -> tuple[str, str]:
    with pytest.raises(Rejection) as refused:
        workers.run(function, *arguments)
    return refused.value.code, refused.value.detail


def test_work_is_done_in_another_process_that_starts_no_threads_of_its_own(workers: Workers) -> None:
    assert workers.run(os.getpid) != os.getpid()
    assert workers.run(os.getenv, "OMP_NUM_THREADS") == "1"
    assert workers.run(os.getenv, "_RJEM_MALLOC_CONF") == ""
    assert workers.run(divmod, 7, 2) == (3, 1)


def test_a_worker_goes_on_to_the_next_piece_of_work(workers: Workers) -> None:
    assert workers.run(os.getpid) == workers.run(os.getpid)


def test_memory_that_is_free_is_given_back_before_the_next_piece_of_work(workers: Workers) -> None:
    before = workers.run(_resident_mb)
    workers.run(_litter)
    assert workers.run(_resident_mb) < before + 50


_LEFT: list[bytearray] = []


def _litter() -> None:
    """100 MB in pieces for which the C library asks the kernel together; the last one stays, and all lie below it."""
    pieces = [bytearray(b"x") * 100_000 for _ in range(1000)]
    _LEFT.append(pieces[-1])


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def test_what_goes_wrong_while_workers_warm_up_harms_no_later_work() -> None:
    with Workers(2, LIMITS) as pool:
        pool.warm(divmod, 1, 0)
        assert pool.run(divmod, 7, 2) == (3, 1)
        pool.warm(os._exit, 3)
        assert pool.run(divmod, 7, 2) == (3, 1)


def test_every_worker_warms_up(tmp_path: Path) -> None:
    with Workers(2, LIMITS) as pool:
        pool.warm(faults.leave_mark, tmp_path)
        pool.run(divmod, 7, 2)
    assert len(list(tmp_path.iterdir())) == 2


def test_a_rejection_comes_back_as_it_was_given(workers: Workers) -> None:
    with pytest.raises(Rejection) as refused:
        workers.run(parse_cell, "lots", Field("number"), ZoneInfo("Europe/Amsterdam"))
    assert (refused.value.code, refused.value.detail) == ("VALUE_RANGE", "no number")


def test_an_error_that_is_no_rejection_comes_back_too(workers: Workers) -> None:
    with pytest.raises(ZeroDivisionError):
        workers.run(divmod, 1, 0)


@pytest.mark.parametrize(
    ("function", "arguments", "code", "detail"),
    [
        (faults.die_by, (signal.SIGSEGV,), "DECODER_CRASH", "the worker ended with Segmentation fault"),
        (os._exit, (3,), "DECODER_CRASH", "the worker ended with code 3"),
        (faults.die_by, (signal.SIGKILL,), "DECODER_CRASH", "the worker ended with Killed"),
        (faults.compute_for_ever, (), "DECODER_TIMEOUT", "more than 1 s of computing"),
        (faults.take, (1_000_000_000,), "RESOURCE_LIMIT", "more than 1000 MB of memory"),
        (faults.abort_for_want_of_memory, (), "RESOURCE_LIMIT", "more than 1000 MB of memory"),
        (faults.ffmpeg_without_memory, (), "RESOURCE_LIMIT", "more than 1000 MB of memory"),
    ],
    ids=["crash", "exit", "kill", "cpu", "too much", "bad_alloc", "ffmpeg"],
)  # fmt: skip
def test_a_worker_that_ends_costs_one_piece_of_work(
    workers: Workers, function: Callable[..., object], arguments: tuple[Any, ...], code: str, detail: str
) -> None:
    assert refusal(workers, function, *arguments) == (code, detail)
    assert workers.run(divmod, 7, 2) == (3, 1)


def test_a_worker_that_hangs_is_ended() -> None:
    with Workers(1, Limits(2.0)) as pool:
        assert refusal(pool, time.sleep, 600) == ("DECODER_TIMEOUT", "not done within 2 s")
        assert pool.run(divmod, 7, 2) == (3, 1)


def test_the_one_after_has_the_same_limits(workers: Workers) -> None:
    refusal(workers, os.abort)
    assert refusal(workers, faults.take, 1_000_000_000)[0] == "RESOURCE_LIMIT"
    assert workers.run(faults.take, 500_000_000) == 500_000_000
    assert not workers.run(faults.sockets)["AF_INET"]


def test_computing_time_is_counted_anew_for_each_piece_of_work(workers: Workers) -> None:
    for _ in range(3):
        assert workers.run(_compute, 0.7) > 0


def _compute(seconds: float) -> int:
    steps, until = 0, time.process_time() + seconds
    while time.process_time() < until:
        steps += 1
    return steps


def test_who_was_killed_from_outside_is_tried_once_more(workers: Workers, tmp_path: Path) -> None:
    assert workers.run(faults.die_once, tmp_path / "mark") == "done"


def test_who_found_the_memory_taken_by_others_is_tried_once_more_in_a_fresh_worker(
    workers: Workers, tmp_path: Path
) -> None:
    before = workers.run(os.getpid)
    assert workers.run(faults.take_while_there_is_much_taken, tmp_path / "mark") == "done"
    assert workers.run(os.getpid) != before


@pytest.mark.parametrize("pause_s", [0.0, 0.5], ids=["at once", "later"])
def test_an_idle_worker_that_is_killed_is_replaced_at_no_ones_cost(workers: Workers, pause_s: float) -> None:
    os.kill(workers.run(os.getpid), signal.SIGKILL)
    time.sleep(pause_s)
    assert workers.run(divmod, 7, 2) == (3, 1)


def test_a_neighbour_goes_on_undisturbed() -> None:
    with Workers(2, Limits(60.0)) as pool:
        done: list[object] = []
        neighbour = threading.Thread(target=lambda: done.append(pool.run(_compute, 1.5)))
        neighbour.start()
        for _ in range(2):
            assert refusal(pool, os.abort)[0] == "DECODER_CRASH"
        neighbour.join()
        assert len(done) == 1


def test_zero_workers_are_one_a_core(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 5})
    with Workers(0, Limits(1.0)) as pool:
        assert pool.count == 3


def test_an_error_outside_stops_the_pool_and_is_not_swallowed() -> None:
    with pytest.raises(KeyboardInterrupt), Workers(1, Limits(600.0)):
        raise KeyboardInterrupt


# --- where the machine does not confine ---


@pytest.fixture
def unconfined(monkeypatch: pytest.MonkeyPatch) -> None:
    """This process takes the place of a worker that the kernel does not confine."""
    monkeypatch.setattr("pipelines.pool.lacking", lambda _: ("memory", "network"))


@pytest.mark.usefixtures("unconfined")
def test_nothing_is_decoded_where_isolation_is_required_and_lacking() -> None:
    from pipelines.pool import _do  # noqa: PLC0415 - beside its one use

    with pytest.raises(PainLakeError, match=r"does not limit the memory and network of workers: .*require_isolation"):
        _do(LIMITS, divmod, (7, 2))
    assert _do(Limits(4.0), divmod, (7, 2)) == ((3, 1), ("memory", "network"))


def test_what_is_lacking_is_said_once_in_the_log(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Workers(1, Limits(4.0)) as pool, caplog.at_level(logging.WARNING, "painlake"):
        monkeypatch.setattr(pool._workers[0], "do", lambda *_: (1, ("network",)))
        assert [pool.run(divmod, 7, 2), pool.run(divmod, 7, 2)] == [1, 1]
    assert [record.getMessage() for record in caplog.records] == ["this machine does not limit the network of workers"]
