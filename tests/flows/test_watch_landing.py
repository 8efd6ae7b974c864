"""The watch: a run for what is new, none for nothing, and no trouble of a moment ends it."""

from collections.abc import Callable
from pathlib import Path
from threading import Event

import pytest

from flows.watch_landing import watch
from tests.pipelines.landing_factory import ID, NAME, Hospital, LightStudy, small_mp4


class Between(Event):
    """Does something between looks, and stops after the last of them."""

    def __init__(self, *steps: Callable[[], object]) -> None:
        super().__init__()
        self.steps = list(steps)

    def wait(self, timeout: float | None = None) -> bool:
        assert timeout == 60
        if not self.steps:
            return True
        self.steps.pop(0)()
        return False


@pytest.fixture
def root(study: LightStudy) -> Path:
    (study.study.root / "dvc.yaml").touch()
    return study.study.root


def nothing() -> None:
    """Time passes."""


def test_what_is_new_starts_one_run_and_no_line_names_it(root: Path, hospital: Hospital) -> None:
    runs, said = [], list[str]()
    stop = Between(nothing, lambda: hospital.film(small_mp4()), nothing, nothing, nothing)
    assert watch(root, 60, lambda: runs.append(1), said.append, stop) == 1
    assert runs == [1]
    assert said == ["1 new in the landing zone: a run begins"]
    assert not [line for line in said if ID in line or NAME in line]


def test_a_run_that_could_not_be_started_is_started_at_the_next_look(root: Path, hospital: Hospital) -> None:
    hospital.film(small_mp4())
    tries, said = [], list[str]()

    def start() -> None:
        tries.append(1)
        if len(tries) < 3:
            raise ConnectionError(f"no server at {NAME}")

    assert watch(root, 60, start, said.append, Between(*[nothing] * 5)) == 1
    assert len(tries) == 3
    assert [line for line in said if "ConnectionError" in line] == ["no run could be started: ConnectionError; the next look tries again"]  # fmt: skip


def test_a_landing_zone_that_is_away_is_said_once_and_looked_at_again(root: Path, hospital: Hospital) -> None:
    landing = root / "landing"
    away = root / "unmounted"
    hospital.film(small_mp4())
    said = list[str]()
    stop = Between(lambda: landing.rename(away), nothing, nothing, lambda: away.rename(landing), nothing, nothing)
    assert watch(root, 60, nothing, said.append, stop) == 1
    assert sum("could not be looked into" in line for line in said) == 1
