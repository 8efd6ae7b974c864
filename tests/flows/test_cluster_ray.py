"""A cluster of Ray that runs already, and Ray that is not there; `make test-cluster` has it installed."""

import os
import secrets
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory

import psutil
import pytest

from flows.cluster import workers_of
from pipelines.errors import PainLakeError
from pipelines.params import StudyParams
from pipelines.params_runner import RayParams
from pipelines.study import Study
from pipelines.work import do_unit
from pipelines.worker_key import VARIABLE as KEY
from pipelines.worker_key import make_worker_key
from tests.flows.cluster_factory import wait_for
from tests.flows.s3_server import free_ports
from tests.pipelines.fleet_factory import Inline, Unmeasured, unmeasured
from tests.pipelines.video_factory import plain, video

pytest.importorskip("prefect_ray", reason="the extra ray is missing")

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Unmeasured:
    return unmeasured(tmp_path_factory.mktemp("pristine") / "study", [video([plain(90)] * 25)])


@pytest.fixture
def short(tmp_path: Path) -> Iterator[Path]:
    """A folder whose name is short enough for sockets in it."""
    with TemporaryDirectory(prefix="ray", dir="/tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@pytest.fixture
def head(tmp_path: Path, short: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The head of a cluster with a token, as `ray start` starts it; gives its address."""
    (port,) = free_ports(1)
    make_worker_key(tmp_path / "key")
    (tmp_path / "token").write_text(secrets.token_hex(32))
    (tmp_path / "token").chmod(0o600)
    monkeypatch.setenv(KEY, str(tmp_path / "key"))
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN_PATH", str(tmp_path / "token"))
    started = [str(Path(sys.executable).parent / "ray"), "start", "--head", f"--port={port}", "--node-ip-address=127.0.0.1",
               "--num-cpus=1", "--include-dashboard=false", "--disable-usage-stats", "--object-store-memory=100000000",
               f"--temp-dir={short}",
               "--block"]  # fmt: skip
    settings = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with (tmp_path / "log").open("w") as log:
        process = psutil.Popen(started, stdout=log, stderr=log, env=settings)
    wait_for(lambda: "Ray runtime started" in (tmp_path / "log").read_text() or process.poll() is not None)
    family = []
    try:
        yield f"127.0.0.1:{port}"
    finally:
        with suppress(psutil.Error):
            family = process.children(recursive=True)
        for each in (process, *family):
            with suppress(psutil.Error):
                each.kill()
        process.wait()


def test_a_cluster_that_runs_already_measures_to_the_same_bits(pristine: Unmeasured, head: str, tmp_path: Path) -> None:
    lake = pristine.copy(tmp_path / "study")
    with workers_of(lake.study, StudyParams(runner="ray", workers=1, ray=RayParams(address=head))) as fleet:
        assert fleet.count == 1
        fleet.run(do_unit, lake.unit(lake.recordings[0]))
    here = pristine.copy(tmp_path / "here")
    Inline().run(do_unit, here.unit(here.recordings[0]))
    assert lake.digests() == here.digests() != {}


@pytest.mark.parametrize("scheme", ["", "ray://"])
def test_a_cluster_that_is_not_there_is_not_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    make_worker_key(tmp_path / "key")
    monkeypatch.setenv(KEY, str(tmp_path / "key"))
    (port,) = free_ports(1)
    params = StudyParams(runner="ray", ray=RayParams(address=f"{scheme}127.0.0.1:{port}"))
    with pytest.raises(PainLakeError, match="does not answer: Connection refused"), workers_of(Study(tmp_path), params):
        pass
