import os
import signal
from collections import Counter
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from pipelines import faultpoints
from pipelines.faultpoints import GROUP_VARIABLE, VARIABLE, fault_point


@pytest.fixture
def signals(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    sent: list[int] = []
    monkeypatch.setattr(os, "kill", lambda _, number: sent.append(number))
    return sent


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        ("unit.face.P1-a", [signal.SIGKILL]),
        ("unit.face.P1-a:kill", [signal.SIGKILL]),
        ("unit.face.P1-a:crash", [signal.SIGSEGV]),
        ("unit.face.P1-b:crash", []),
        ("", []),
    ],
)
def test_only_the_named_place_dies_and_as_asked(
    monkeypatch: pytest.MonkeyPatch, signals: list[int], asked: str, sent: list[int]
) -> None:
    monkeypatch.setenv(VARIABLE, asked)
    fault_point("unit.face.P1-a")
    assert signals == sent


def test_a_hang_sleeps(monkeypatch: pytest.MonkeyPatch) -> None:
    def wake(_: float) -> None:
        raise InterruptedError

    # Of this module alone: other threads of the tests sleep too.
    monkeypatch.setattr(faultpoints, "time", SimpleNamespace(sleep=wake))
    monkeypatch.setenv(VARIABLE, "here:hang")
    with pytest.raises(InterruptedError):
        fault_point("here")


def test_an_unknown_action_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "here:explode")
    with pytest.raises(KeyError, match="explode"):
        fault_point("here")


@pytest.fixture(autouse=True)
def _nothing_passed_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faultpoints, "_passed", Counter())


def end_of(work: Callable[[], object], **environment: str) -> int:
    """How a child with a session of its own ends that does something."""
    child = os.fork()
    if child == 0:
        os.setsid()
        os.environ.update(environment)
        work()
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def twice() -> None:
    fault_point("here")
    fault_point("here")


@pytest.mark.parametrize(("asked", "code"), [("here", -9), ("here#2", -9), ("here#3", 0), ("her", 0), ("there", 0)])
def test_a_process_dies_at_the_place_and_time_that_is_asked_for(asked: str, code: int) -> None:
    assert end_of(twice, **{VARIABLE: asked}) == code


def test_a_worker_takes_its_whole_run_with_it_where_the_run_has_a_group_of_its_own() -> None:
    def run() -> None:
        worker = os.fork()
        if worker == 0:
            fault_point("unit")
        os.waitpid(worker, 0)

    assert end_of(run, **{VARIABLE: "unit"}) == 0
    assert end_of(run, **{VARIABLE: "unit", GROUP_VARIABLE: "1"}) == -signal.SIGKILL
