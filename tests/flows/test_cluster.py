"""Real clusters of two worker processes: the same bits, at the price of a retry where they are killed; what errors say.

Dask is there in the environment of development; Ray in that of `make test-cluster`. What passes between machines stands
in `test_cluster_dask.py`; clusters that run already in `test_cluster_address.py`; jobs in `test_cluster_slurm.py`.
"""

import os
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

from flows.cluster import check_runner, workers_of
from pipelines.confine import Limits
from pipelines.errors import Rejection, UserError
from pipelines.faultpoints import LOG_VARIABLE
from pipelines.faultpoints import VARIABLE as FAULT
from pipelines.params import Params, StudyParams
from pipelines.params_runner import DaskParams
from pipelines.pool import Workers
from pipelines.recording import Recording
from pipelines.study import Study
from pipelines.work import do_unit
from pipelines.worker_key import VARIABLE as KEY
from pipelines.worker_key import make_worker_key
from tests.flows.cluster_factory import begun, confined, wait_for
from tests.flows.hospital import film_face
from tests.pipelines.fleet_factory import Unmeasured, unmeasured

RUNNERS = [
    pytest.param(
        "dask", marks=pytest.mark.skipif(find_spec("prefect_dask") is None, reason="the extra dask is missing")
    ),
    pytest.param("ray", marks=pytest.mark.skipif(find_spec("prefect_ray") is None, reason="the extra ray is missing")),
]
CRASHES = "P000000001-00000000"
"""The recording whose face stage crashes, where a test has it crash."""


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Unmeasured:
    films = [film_face(seed, seconds=1.0) for seed in (1, 2, 3)]
    return unmeasured(tmp_path_factory.mktemp("pristine") / "study", films)


@pytest.fixture(scope="module")
def by_processes(pristine: Unmeasured, tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The SHA-256 of each feature file, as the process runner makes them."""
    lake = pristine.copy(tmp_path_factory.mktemp("processes") / "study")
    with Workers(2, Limits.of(StudyParams())) as workers:
        return lake.measure(workers)


@pytest.fixture(scope="module", params=RUNNERS)
def runner(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="module")
def root(runner: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp(runner)


@pytest.fixture(scope="module")
def passages(root: Path) -> Path:
    """Where each worker notes what it begins."""
    return root / "passages"


@pytest.fixture(scope="module")
def lake(pristine: Unmeasured, root: Path) -> Unmeasured:
    return pristine.copy(root / "study")


@pytest.fixture(scope="module")
def fleet(
    runner: str,
    lake: Unmeasured,
    passages: Path,
    by_processes: dict[str, str],  # made first: its workers are not to see the environment of these
) -> Iterator[Workers]:
    """Two workers of a cluster."""
    before = dict(os.environ)
    os.environ[LOG_VARIABLE] = str(passages)
    os.environ[FAULT] = f"unit.face.{CRASHES}:crash"
    try:
        with workers_of(lake.study, StudyParams.model_validate({"runner": runner, "workers": 2})) as made:
            yield made
    finally:
        os.environ.clear()
        os.environ.update(before)


def bring(lake: Unmeasured, workers: Workers, recording: Recording, *stages: str) -> None:
    for stage in stages:
        workers.run(do_unit, lake.unit(recording, stage))


@pytest.mark.slow
def test_workers_killed_in_the_middle_cost_a_retry_and_not_a_bit(
    fleet: Workers, lake: Unmeasured, passages: Path, by_processes: dict[str, str]
) -> None:
    first, _, third = lake.recordings
    bring(lake, fleet, first, "quality")
    killed: list[int] = []

    def kill() -> None:
        wait_for(lambda: begun(passages, f"unit.face.{first.recording}") > 0)
        for worker in {each.parent() for each in confined()}:
            assert worker is not None
            killed.append(worker.pid)
            worker.kill()

    killer = threading.Thread(target=kill)
    killer.start()
    with ThreadPoolExecutor(2) as threads:
        list(threads.map(lambda each: bring(lake, fleet, each, "quality", "face", "voice", "align"), (first, third)))
    killer.join()
    assert killed
    assert begun(passages, f"unit.face.{first.recording}") >= 2, "it was begun again"
    own = {name: digest for name, digest in by_processes.items() if not name.startswith("P000000001")}
    assert lake.digests() == own


@pytest.mark.slow
def test_a_decoder_that_crashes_costs_its_recording_and_no_worker(fleet: Workers, lake: Unmeasured) -> None:
    _, second, _ = lake.recordings
    bring(lake, fleet, second, "quality")
    with pytest.raises(Rejection) as refused:
        bring(lake, fleet, second, "face")
    assert refused.value.code == "DECODER_CRASH"
    bring(lake, fleet, second, "voice")


@pytest.mark.slow
def test_nothing_is_left_of_keys(fleet: Workers, lake: Unmeasured) -> None:
    assert fleet.count == 2
    handover = lake.study.state / "handover"
    assert not handover.exists() or list(handover.iterdir()) == []


# --- what a missing piece says ---


def test_a_missing_extra_is_named_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flows.cluster.find_spec", lambda _: None)
    check_runner(Params())
    for wanted in ("dask", "ray"):
        with pytest.raises(UserError, match=rf"pip install 'painlake\[{wanted}\]'") as refused:
            check_runner(Params.model_validate({"study": {"runner": wanted}}))
        assert "\n" not in str(refused.value)


def test_csv_files_of_openface_do_not_go_by_a_bucket() -> None:
    face = {"engine": "openface", "openface": {"csv_folder": "/csv"}}
    by_bucket = {"runner": "dask", "exchange": "s3://bucket/x"}
    with pytest.raises(UserError, match=r"face\.openface\.csv_folder is not seen by workers"):
        check_runner(Params.model_validate({"study": by_bucket, "face": face}))
    check_runner(Params.model_validate({"study": {"exchange": "s3://bucket/x"}, "face": face}))


needs_dask = pytest.mark.skipif(find_spec("prefect_dask") is None, reason="the extra dask is missing")


@needs_dask
def test_workers_elsewhere_need_a_key(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(KEY, raising=False)
    params = StudyParams(runner="dask", dask=DaskParams(address="tls://127.0.0.1:1"))
    with pytest.raises(UserError, match=KEY), workers_of(Study(tmp_path), params):
        pass


@pytest.mark.slow
@needs_dask
def test_a_scheduler_without_tls_is_refused(tmp_path: Path) -> None:
    params = StudyParams(runner="dask", workers=1, dask=DaskParams(cluster_kwargs={"security": None}))
    with pytest.raises(UserError, match=r"tcp://\.\.\. speaks without TLS"), workers_of(Study(tmp_path), params):
        pass


@needs_dask
def test_a_class_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_worker_key(tmp_path / "key")
    monkeypatch.setenv(KEY, str(tmp_path / "key"))
    params = StudyParams(runner="dask", dask=DaskParams(cluster_class="no_such_package.Cluster"))
    with (
        pytest.raises(UserError, match=r"no_such_package\.Cluster cannot be imported"),
        workers_of(Study(tmp_path), params),
    ):
        pass
