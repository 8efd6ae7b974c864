"""What stands between two fault points, and what it is called."""

from collections import Counter
from pathlib import Path

import pytest

from pipelines import faultpoints
from pipelines.durable import write_durably
from pipelines.durable_steps import durable, durable_step
from pipelines.faultpoints import LOG_VARIABLE
from pipelines.ledger import Ledger


@pytest.fixture(autouse=True)
def _nothing_passed_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(faultpoints, "_passed", Counter())


def test_the_places_that_are_passed_are_written_down_with_how_often(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "points"
    monkeypatch.setenv(LOG_VARIABLE, str(log))
    for _ in range(2):
        with durable_step("a.step"):
            pass
    assert log.read_text(encoding="utf-8").split() == [
        "a.step.before#1",
        "a.step.after#1",
        "a.step.before#2",
        "a.step.after#2",
    ]


@durable("area")
def work(path: Path) -> None:
    write_durably(path, b"content")


def test_steps_are_called_after_who_asks_for_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "points"
    monkeypatch.setenv(LOG_VARIABLE, str(log))
    work(tmp_path / "file")
    write_durably(tmp_path / "file", b"content", step="lake.sidecar")
    names = [line.partition("#")[0] for line in log.read_text(encoding="utf-8").split()]
    own = [f"test_durable_steps.work.{each}" for each in ("before", "written", "after")]
    sidecar = [f"lake.sidecar.{each}" for each in ("before", "written", "after")]
    assert names == ["area.work.before", *own, "area.work.after", *sidecar]


def test_every_write_of_the_ledger_is_a_step(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "points"
    ledger = Ledger(tmp_path / "ledger.sqlite")
    monkeypatch.setenv(LOG_VARIABLE, str(log))
    ledger.mark_dirty("P000000001")
    ledger.dirty()
    ledger.end_run(ledger.begin_run("now"), "done", None, "then")
    names = [line.partition("#")[0] for line in log.read_text(encoding="utf-8").split()]
    assert names == [
        f"ledger.{each}.{end}" for each in ("mark_dirty", "begin_run", "end_run") for end in ("before", "after")
    ]
    ledger.close()


def test_the_environment_alone_makes_it_write_or_die(tmp_path: Path) -> None:
    work(tmp_path / "file")
    assert faultpoints._passed == Counter()
