"""A Dask cluster of one worker process: killed in the middle, it costs a retry; and nothing but orders passes."""

import os
import threading
from collections.abc import Iterator
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from flows.cluster import workers_of
from pipelines.carry_out import build_here, carry_out
from pipelines.faultpoints import LOG_VARIABLE
from pipelines.faultpoints import VARIABLE as FAULT
from pipelines.fleet import Fleet
from pipelines.order import Order, Outcome
from pipelines.params import StudyParams
from pipelines.pool import Workers
from pipelines.work import do_unit
from tests.flows.cluster_factory import begun, confined, wait_for
from tests.pipelines.fleet_factory import Inline, Unmeasured, unmeasured
from tests.pipelines.video_factory import plain, video

pytest.importorskip("prefect_dask", reason="the extra dask is missing")


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Unmeasured:
    sound = np.random.default_rng(1).normal(0, 0.1, 16_000).astype(np.float32)
    return unmeasured(tmp_path_factory.mktemp("pristine") / "study", [video([plain(90)] * 25, sound=sound)])


@pytest.fixture(scope="module")
def lake(pristine: Unmeasured, tmp_path_factory: pytest.TempPathFactory) -> Unmeasured:
    return pristine.copy(tmp_path_factory.mktemp("dask") / "study")


class Wire:
    """What passes between machines: client and scheduler are in this process, so all of it passes through here."""

    def __init__(self) -> None:
        self.frames: list[bytes] = []
        self.submitted: list[tuple[Any, tuple[Any, ...]]] = []
        self.run: list[Any] = []
        self.came_back: list[Any] = []

    def watch(self, patch: pytest.MonkeyPatch) -> None:
        # It may not be installed, and has types for some of this alone.
        distributed: Any = import_module("distributed")
        tcp: Any = import_module("distributed.comm.tcp")
        to_frames, from_frames = tcp.to_frames, tcp.from_frames
        submit, run, result = distributed.Client.submit, distributed.Client.run, distributed.Future.result

        async def sent(*arguments: Any, **options: Any) -> Any:
            frames = await to_frames(*arguments, **options)
            self.frames.extend(bytes(frame) for frame in frames)
            return frames

        async def received(frames: Any, *arguments: Any, **options: Any) -> Any:
            self.frames.extend(bytes(frame) for frame in frames)
            return await from_frames(frames, *arguments, **options)

        def submitted(client: Any, function: Any, *arguments: Any, **options: Any) -> Any:
            self.submitted.append((function, arguments))
            return submit(client, function, *arguments, **options)

        def ran(client: Any, function: Any, *arguments: Any, **options: Any) -> Any:
            self.run.append(function)
            return run(client, function, *arguments, **options)

        def came_back(future: Any, *arguments: Any, **options: Any) -> Any:
            self.came_back.append(result(future, *arguments, **options))
            return self.came_back[-1]

        patch.setattr(tcp, "to_frames", sent)
        patch.setattr(tcp, "from_frames", received)
        patch.setattr(distributed.Client, "submit", submitted)
        patch.setattr(distributed.Client, "run", ran)
        patch.setattr(distributed.Future, "result", came_back)


@pytest.fixture(scope="module")
def wire() -> Iterator[Wire]:
    watched = Wire()
    with pytest.MonkeyPatch.context() as patch:
        watched.watch(patch)
        yield watched


@pytest.fixture(scope="module")
def passages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the worker notes what it begins."""
    return tmp_path_factory.mktemp("passages") / "log"


@pytest.fixture(scope="module")
def fleet(lake: Unmeasured, wire: Wire, passages: Path) -> Iterator[Workers]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(LOG_VARIABLE, str(passages))
        patch.setenv(FAULT, f"unit.quality.{lake.recordings[0].recording}:hang")
        with workers_of(lake.study, StudyParams(runner="dask", workers=1)) as made:
            yield made


def test_a_worker_killed_in_the_middle_costs_a_retry_and_not_a_bit(
    fleet: Workers, lake: Unmeasured, pristine: Unmeasured, passages: Path, tmp_path: Path
) -> None:
    (recording,) = lake.recordings
    name = f"unit.quality.{recording.recording}"
    working = threading.Thread(target=fleet.run, args=(do_unit, lake.unit(recording)))
    working.start()
    wait_for(lambda: begun(passages, name) == 1)
    # The next worker is to find nothing that stops it.
    del os.environ[FAULT]
    (decoder,) = confined()
    worker = decoder.parent()
    assert worker is not None
    worker.kill()
    working.join(120)
    assert begun(passages, name) == 2
    wait_for(lambda: not decoder.is_running() or decoder.status() == "zombie", 10)
    fleet.run(do_unit, lake.unit(recording, "voice"))
    here = pristine.copy(tmp_path / "here")
    for stage in ("quality", "voice"):
        Inline().run(do_unit, here.unit(here.recordings[0], stage))
    assert lake.digests() == here.digests() != {}


def test_nothing_but_pseudonyms_paths_and_digests_passed(fleet: Workers, lake: Unmeasured, wire: Wire) -> None:
    (recording,) = lake.recordings
    assert isinstance(fleet, Fleet)
    units = [lake.unit(recording, stage) for stage in ("quality", "voice")]
    root = str(lake.study.root)
    orders = [Order(root, unit.stage, recording.participant, recording.recording, unit.key) for unit in units]
    assert wire.submitted == [(carry_out, (order,)) for order in orders]
    assert wire.run == [build_here]
    assert [type(each) for each in wire.came_back] == [Outcome, Outcome]
    for outcome in wire.came_back:
        filled = [each.name for each in fields(outcome) if getattr(outcome, each.name)]
        assert filled == ["sha256"]
    everything = b"\0".join(wire.frames)
    assert recording.recording.encode() in everything, "the orders were seen"
    for secret in (*lake.identities.values(), "AGE-SECRET-KEY-", "voice_onset", "loudness", "study_day", "PREFECT"):
        assert secret.encode() not in everything


def test_nothing_is_left_of_keys(fleet: Workers, lake: Unmeasured) -> None:
    assert list((lake.study.state / "handover").iterdir()) == []
