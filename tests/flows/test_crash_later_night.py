"""A later night, on a published version that the remote has not got yet, killed wherever something is written.

New since the first one: a recording, new bytes under an old name (once good, once refused), changed rows, a stranger
who is registered and released from quarantine, and a person who took back consent.
"""

from collections.abc import Iterator

import pytest

from tests.flows.crash_check import Undisturbed, first_and_last, first_of_each, random_times
from tests.flows.crash_factory import Nights
from tests.flows.crash_study import later

STEPS = {
    "ledger.forget_unread", "ledger.mark_pushed", "ledger.note_withdrawn", "pseudonymise.mark_superseded",
    "quarantine.drop", "repository.push", "warehouse.make_current", "warehouse.remove_older",
}  # fmt: skip
"""Of its steps, those that a first night has not, and those that find something there by then."""


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Undisturbed]:
    nights = Nights()
    yield Undisturbed(nights, later(tmp_path_factory.mktemp("crash") / "later", nights))
    nights.close()


@pytest.mark.slow
def test_an_undisturbed_night_leaves_nothing_wrong(night: Undisturbed) -> None:
    state = night.state
    assert (state["wrong"], state["left"], state["dvc status"], state["uncommitted"]) == ([], [], {}, "")
    assert state["audit"] == "None"
    assert state["warehouse"] == ["current", "painlake-v0002.duckdb"]
    counts = state["counts"]
    assert counts["balanced"]
    assert (counts["landed"], counts["published"], counts["quarantined"], counts["duplicate"]) == (10, 6, 3, 1)


@pytest.mark.slow
def test_killed_at_fault_points_in_turn_it_comes_to_the_same_end(night: Undisturbed) -> None:
    firsts = first_of_each(night.points)
    due = {name: point for name, point in firsts.items() if name.rpartition(".")[0] in STEPS}
    assert {f"{step}.{end}" for step in STEPS for end in ("before", "after")} - set(due) == set()
    assert night.killed_in_turn(list(due.values()), chains=3) == []


@pytest.mark.slow
def test_killed_at_random_times_it_comes_to_the_same_end(night: Undisturbed) -> None:
    assert night.killed_at_times(random_times(seed=21, count=4)) == []


@pytest.mark.crash
def test_killed_once_at_every_fault_point_it_comes_to_the_same_end(night: Undisturbed) -> None:
    assert night.killed_once(first_and_last(night.points)) == []


@pytest.mark.crash
def test_killed_at_twenty_random_times_it_comes_to_the_same_end(night: Undisturbed) -> None:
    assert night.killed_at_times(random_times(seed=22, count=20)) == []
