import os
import signal
import time

import pytest

from pipelines.faultpoints import VARIABLE, fault_point


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

    monkeypatch.setattr(time, "sleep", wake)
    monkeypatch.setenv(VARIABLE, "here:hang")
    with pytest.raises(InterruptedError):
        fault_point("here")


def test_an_unknown_action_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "here:explode")
    with pytest.raises(KeyError, match="explode"):
        fault_point("here")
