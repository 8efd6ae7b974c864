"""Units of work as they go to another machine: what is sent, what is left for the worker, what comes back.

This process takes the worker's place; real clusters stand in `tests/flows/test_cluster.py`.
"""

import errno
import pickle
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from pipelines import exchange as exchange_module
from pipelines.carry_out import carry_out
from pipelines.confine import Limits
from pipelines.disk import DiskError
from pipelines.errors import PainLakeError, Rejection
from pipelines.exchange import SharedFolder
from pipelines.faultpoints import VARIABLE as FAULT
from pipelines.fleet import Fleet
from pipelines.order import Order, Outcome
from pipelines.pool import Workers
from pipelines.vault_key import new_key
from pipelines.work import do_unit
from pipelines.worker_key import VARIABLE, handed_over, key_of_own_workers, lease_of, worker_key
from tests.pipelines.fleet_factory import Inline, Unmeasured, unmeasured
from tests.pipelines.video_factory import plain, video

LIMITS = Limits(wall_s=120.0)


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Unmeasured:
    return unmeasured(tmp_path_factory.mktemp("pristine") / "study", [video([plain(90)] * 8)])


@pytest.fixture
def lake(pristine: Unmeasured, tmp_path: Path) -> Unmeasured:
    return pristine.copy(tmp_path / "study")


@dataclass
class Wire:
    """Takes orders to a worker in this process, and keeps what passed, and what lay for the worker meanwhile."""

    passed: list[bytes]
    left: list[bytes]
    answer: Outcome | None = None

    def send(self, order: Order) -> Outcome:
        self.passed.append(pickle.dumps(order))
        self.left += [path.read_bytes() for path in lying(order)]
        outcome = self.answer or carry_out(pickle.loads(self.passed[-1]))  # noqa: S301 - our own
        self.left += [path.read_bytes() for path in lying(order)]
        self.passed.append(pickle.dumps(outcome))
        return outcome


def lying(order: Order) -> list[Path]:
    return list((Path(order.place) / "state" / "handover").iterdir())


@pytest.fixture
def wire() -> Wire:
    return Wire([], [])


@pytest.fixture
def at_worker(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The workers' key; the engines are tried in `tests/flows/test_cluster.py`."""
    monkeypatch.setattr("pipelines.carry_out._try_engines", lambda *_: None)
    with key_of_own_workers():
        yield


@pytest.fixture
def fleet(lake: Unmeasured, wire: Wire, at_worker: None) -> Iterator[Fleet]:
    with Fleet(1, LIMITS, SharedFolder(lake.study, worker_key()), wire.send, 7) as made:
        yield made


def test_a_unit_is_done_to_the_same_bits_as_here(fleet: Fleet, lake: Unmeasured, pristine: Unmeasured) -> None:
    (recording,) = lake.recordings
    done = fleet.run(do_unit, lake.unit(recording))
    here = pristine.copy(lake.study.root.with_name("here"))
    assert done == Inline().run(do_unit, here.unit(recording))
    assert lake.digests() == here.digests() != {}


def test_what_is_there_is_sent_to_nobody_unless_it_is_to_be_measured_again(
    fleet: Fleet, wire: Wire, lake: Unmeasured
) -> None:
    unit = lake.unit(lake.recordings[0])
    done = fleet.run(do_unit, unit)
    sent = len(wire.passed)
    assert fleet.run(do_unit, unit) == done
    assert len(wire.passed) == sent
    assert fleet.run(do_unit, replace(unit, again=True)) == done
    assert len(wire.passed) == 2 * sent
    assert pickle.loads(wire.passed[sent]).again  # noqa: S301 - our own


def test_pseudonyms_paths_and_digests_travel_and_nothing_else(
    fleet: Fleet, wire: Wire, lake: Unmeasured, monkeypatch: pytest.MonkeyPatch
) -> None:
    (recording,) = lake.recordings
    unit = lake.unit(recording)
    done = fleet.run(do_unit, unit)
    monkeypatch.setattr("pipelines.carry_out._idle", {})
    monkeypatch.setenv(FAULT, f"unit.voice.{recording.recording}:crash")
    with pytest.raises(Rejection) as refused:
        fleet.run(do_unit, lake.unit(recording, "voice"))
    assert "ended with" in refused.value.detail, "what was found comes back"
    passed = [pickle.loads(each) for each in wire.passed]  # noqa: S301 - our own
    root, person = str(lake.study.root), recording.participant
    assert passed == [
        Order(root, "quality", person, recording.recording, unit.key),
        Outcome(sha256=done.sha256),
        Order(root, "voice", person, recording.recording, lake.unit(recording, "voice").key),
        Outcome(code="DECODER_CRASH"),
    ]
    secrets = [*lake.identities.values(), worker_key(), "AGE-SECRET-KEY-", refused.value.detail]
    assert len(wire.left) == 5, "a key for each, and an answer"
    for each in [*wire.passed, *wire.left]:
        assert not any(secret.encode() in each for secret in secrets)


def test_nothing_stays_of_what_was_handed_over(fleet: Fleet, wire: Wire, lake: Unmeasured) -> None:
    wire.answer = Outcome(error="it did not go well")
    with pytest.raises(PainLakeError):
        fleet.run(do_unit, lake.unit(lake.recordings[0]))
    assert list((lake.study.state / "handover").iterdir()) == []


def test_all_else_is_done_here(fleet: Fleet, wire: Wire) -> None:
    assert fleet.run(divmod, 7, 2) == (3, 1)
    assert wire.passed == []
    assert fleet.count == 7


@pytest.mark.parametrize(
    ("outcome", "kind", "said"),
    [
        (Outcome(disk="the disk of study cannot be written"), DiskError, "cannot be written"),
        (Outcome(error="ValueError at media.py:12"), PainLakeError, "ValueError at media.py:12"),
    ],
)
def test_what_became_of_it_there_is_raised_here(  # noqa: PLR0917 - two fixtures more than columns
    fleet: Fleet, wire: Wire, lake: Unmeasured, outcome: Outcome, kind: type[Exception], said: str
) -> None:
    wire.answer = outcome
    with pytest.raises(kind, match=said):
        fleet.run(do_unit, lake.unit(lake.recordings[0]))


@pytest.mark.parametrize("outcome", [Outcome(sha256="0" * 64), Outcome(code="DECODER_CRASH")])
def test_what_was_written_must_be_seen_here(
    fleet: Fleet, wire: Wire, lake: Unmeasured, outcome: Outcome, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchange_module, "_SEEN_WITHIN_S", 0.1)
    wire.answer = outcome
    with pytest.raises(PainLakeError, match="must be on a shared file system"):
        fleet.run(do_unit, lake.unit(lake.recordings[0]))


# --- at the worker ---


def order_of(lake: Unmeasured) -> Order:
    unit = lake.unit(lake.recordings[0])
    return Order(str(lake.study.root), unit.stage, unit.recording.participant, unit.recording.recording, unit.key)


def carried_out(lake: Unmeasured, order: Order) -> Outcome:
    lease = lease_of(lake.study.state, order.stage, order.recording, order.key)
    with handed_over(lease, lake.identities[order.participant], worker_key()):
        return carry_out(order)


@pytest.mark.usefixtures("at_worker")
def test_a_worker_with_other_parameters_does_nothing(lake: Unmeasured) -> None:
    order = order_of(lake)
    params = lake.study.params_file
    params.write_text(params.read_text().replace("min_fps: 15.0", "min_fps: 16.0"))
    assert "other code, libraries, models or parameters" in carried_out(lake, order).error
    assert lake.digests() == {}


@pytest.mark.usefixtures("at_worker")
def test_a_worker_that_does_not_see_the_study_says_so(lake: Unmeasured) -> None:
    order = order_of(lake)
    shutil.rmtree(lake.study.lake / order.participant / "recordings")
    assert "must be on a shared file system" in carried_out(lake, order).error


@pytest.mark.usefixtures("at_worker")
def test_a_worker_with_another_key_does_nothing(lake: Unmeasured, monkeypatch: pytest.MonkeyPatch) -> None:
    lease = lease_of(lake.study.state, "quality", lake.recordings[0].recording, order_of(lake).key)
    with handed_over(lease, "x", new_key()):
        assert carry_out(order_of(lake)).error == f"this worker's {VARIABLE} is not that of the run"
    with handed_over(lease, "x", new_key()), monkeypatch.context() as without:
        without.delenv(VARIABLE)
        assert carry_out(order_of(lake)).error.startswith(f"set {VARIABLE}")


@pytest.mark.usefixtures("at_worker")
def test_nothing_is_written_for_a_run_that_is_over(lake: Unmeasured) -> None:
    assert carry_out(order_of(lake)).error == "the run that ordered this is over"
    unit = lake.unit(lake.recordings[0], lease=lake.study.state / "gone")
    with pytest.raises(PainLakeError, match="is over"):
        do_unit(unit)
    assert lake.digests() == {}


@pytest.mark.usefixtures("at_worker")
def test_a_worker_keeps_its_confined_process_whatever_becomes_of_an_order(
    lake: Unmeasured, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[int] = []

    class Counted(Workers):
        def __init__(self, count: int, limits: Limits) -> None:
            started.append(count)
            super().__init__(count, limits)

    monkeypatch.setattr("pipelines.carry_out.Workers", Counted)
    monkeypatch.setattr("pipelines.carry_out._idle", {})
    monkeypatch.setenv(FAULT, f"unit.quality.{lake.recordings[0].recording}:crash")
    order = order_of(lake)
    assert [carried_out(lake, order).code for _ in range(2)] == ["DECODER_CRASH"] * 2
    assert started == [1]


@pytest.mark.usefixtures("at_worker")
def test_errors_travel_without_their_message(lake: Unmeasured, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("Annemarie-Grootenboer")

    monkeypatch.setattr("pipelines.carry_out._done", fail)
    assert carry_out(order_of(lake)).error.startswith("ValueError at test_fleet.py:")


@pytest.mark.usefixtures("at_worker")
def test_a_full_disk_is_told_apart(lake: Unmeasured, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("pipelines.carry_out._done", fail)
    assert "it is full" in carry_out(order_of(lake)).disk
