"""The first night of a study, killed with SIGKILL wherever something is written: the next one makes good."""

from collections.abc import Iterator

import pytest

from tests.flows.crash_check import Undisturbed, first_and_last, first_of_each, random_times
from tests.flows.crash_factory import Nights
from tests.flows.crash_study import first

STEPS = {
    "audit.append_all", "lake.recording", "lake.sidecar", "lake.take_out", "land.batch", "ledger.begin_run",
    "ledger.clear_dirty", "ledger.decide", "ledger.end_run", "ledger.enter", "ledger.finish_unit",
    "ledger.forget_units", "ledger.make", "ledger.mark_dirty", "ledger.mark_pushed", "ledger.publish_version",
    "ledger.record_rows", "ledger.settle", "quarantine.drop", "quarantine.keep", "repository.accept",
    "repository.add", "repository.commit", "repository.push", "repository.stage", "repository.tag",
    "tables.replace", "validate.validate", "vault.save", "version.write_index", "version.write_summary",
    "warehouse.make_current", "warehouse.new_file", "work.write_measured",
}  # fmt: skip
"""What leaves something on the disk: a point before and after each, at least."""


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Undisturbed]:
    nights = Nights()
    yield Undisturbed(nights, first(tmp_path_factory.mktemp("crash") / "first"))
    nights.close()


@pytest.mark.slow
def test_every_durable_step_stands_between_two_fault_points(night: Undisturbed) -> None:
    names = set(first_of_each(night.points))
    assert {f"{step}.{end}" for step in STEPS for end in ("before", "after")} - names == set()


@pytest.mark.slow
def test_an_undisturbed_night_leaves_nothing_wrong(night: Undisturbed) -> None:
    state = night.state
    assert (state["wrong"], state["left"], state["dvc status"], state["uncommitted"]) == ([], [], {}, "")
    assert state["audit"] == "None"
    counts = state["counts"]
    assert counts["balanced"]
    assert (counts["landed"], counts["published"], counts["quarantined"], counts["duplicate"]) == (5, 2, 2, 1)


@pytest.mark.slow
def test_killed_at_every_fault_point_in_turn_it_comes_to_the_same_end(night: Undisturbed) -> None:
    assert night.killed_in_turn(list(first_of_each(night.points).values()), chains=6) == []


@pytest.mark.slow
def test_killed_at_random_times_it_comes_to_the_same_end(night: Undisturbed) -> None:
    assert night.killed_at_times(random_times(seed=11, count=4)) == []


@pytest.mark.crash
def test_killed_once_at_every_fault_point_it_comes_to_the_same_end(night: Undisturbed) -> None:
    assert night.killed_once(first_and_last(night.points)) == []


@pytest.mark.crash
def test_killed_at_twenty_random_times_it_comes_to_the_same_end(night: Undisturbed) -> None:
    assert night.killed_at_times(random_times(seed=12, count=20)) == []
