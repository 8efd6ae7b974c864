"""A scheduler that runs already, and workers of other machines: they see nothing of the study, a bucket is between them.

Each is a process of its own on loopback, started as `dask scheduler` and `dask worker` are, under certificates; the
bucket is a real S3 server's.
"""

import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import dask.config
import psutil
import pytest
from distributed.security import Security

from flows.cluster import workers_of
from pipelines.errors import PainLakeError, UserError
from pipelines.faultpoints import LOG_VARIABLE
from pipelines.faultpoints import VARIABLE as FAULT
from pipelines.params import StudyParams
from pipelines.params_runner import DaskParams
from pipelines.study import Study
from pipelines.work import do_unit
from pipelines.worker_key import VARIABLE as KEY
from pipelines.worker_key import make_worker_key
from tests.flows.cluster_factory import begun, wait_for
from tests.flows.s3_server import free_ports
from tests.pipelines.fleet_factory import Inline, Unmeasured, unmeasured
from tests.pipelines.video_factory import plain, video

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
EXCHANGE = "s3://backup/exchange"


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Unmeasured:
    return unmeasured(tmp_path_factory.mktemp("pristine") / "study", [video([plain(90)] * 25)])


class Machines:
    """Processes of Dask with an environment and temporary folders of their own.

    Args:
        folder: an empty one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (port,) = free_ports(1)
        self.address = f"tls://127.0.0.1:{port}"
        self._options = ["--no-dashboard"]
        security: Any = Security
        certificates = security.temporary()
        for name, option, content in (
            ("ca", "--tls-ca-file", certificates.tls_ca_file),
            ("cert", "--tls-cert", certificates.tls_client_cert),
            ("key", "--tls-key", certificates.tls_client_key),
        ):
            (folder / name).write_text(content)
            (folder / name).chmod(0o600)
            self._options += [option, str(folder / name)]
        make_worker_key(folder / "worker-key")
        # As `painlake` is told.
        self.environment = {
            KEY: str(folder / "worker-key"),
            "DASK_DISTRIBUTED__COMM__TLS__CA_FILE": str(folder / "ca"),
            "DASK_DISTRIBUTED__COMM__TLS__CLIENT__CERT": str(folder / "cert"),
            "DASK_DISTRIBUTED__COMM__TLS__CLIENT__KEY": str(folder / "key"),
        }

    @contextmanager
    def scheduler(self) -> Iterator[None]:
        host, _, port = self.address.removeprefix("tls://").rpartition(":")
        with self._process("dask_scheduler", "--host", f"tls://{host}", "--port", port, name="scheduler"):
            yield

    @contextmanager
    def worker(self, name: str, **environment: str) -> Iterator[psutil.Process]:
        """A worker of one unit at a time; gives the process that Dask measures in."""
        options = ["--nthreads", "1", "--host", "127.0.0.1", "--protocol", "tls", "--no-nanny", "--name", name]
        with self._process("dask_worker", self.address, *options, name=name, **environment) as process:
            yield process

    @contextmanager
    def _process(self, command: str, *arguments: str, name: str, **environment: str) -> Iterator[psutil.Process]:
        own = self.folder / name
        own.mkdir()
        asked = [sys.executable, "-m", f"distributed.cli.{command}", *arguments, *self._options]
        settings = {**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(own), **self.environment, **environment}
        with (own / "log").open("w") as log:
            process = subprocess.Popen(asked, stdout=log, stderr=log, env=settings, cwd=own)
        try:
            yield psutil.Process(process.pid)
        finally:
            process.kill()
            process.wait()


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    made = Machines(tmp_path_factory.mktemp("machines"))
    with pytest.MonkeyPatch.context() as patch, made.scheduler():
        for name, value in made.environment.items():
            patch.setenv(name, value)
        dask.config.refresh()
        yield made
    dask.config.refresh()


def by_address(machines: Machines, **changes: Any) -> StudyParams:
    dask_block = DaskParams.model_validate({"address": machines.address, "wait_s": 60.0} | changes)
    return StudyParams(runner="dask", workers=1, exchange=EXCHANGE, dask=dask_block)


def test_workers_that_see_nothing_of_the_study_measure_to_the_same_bits_and_one_is_killed(
    pristine: Unmeasured, machines: Machines, s3_here: Any, tmp_path: Path
) -> None:
    lake = pristine.copy(tmp_path / "study")
    (recording,) = lake.recordings
    passages, name = tmp_path / "passages", f"unit.quality.{recording.recording}"
    log = {LOG_VARIABLE: str(passages)}
    with ExitStack() as running:
        first = running.enter_context(machines.worker("first", **log, **{FAULT: f"{name}:hang"}))
        fleet = running.enter_context(workers_of(lake.study, by_address(machines)))
        working = threading.Thread(target=fleet.run, args=(do_unit, lake.unit(recording)))
        working.start()
        wait_for(lambda: begun(passages, name) == 1)
        assert [path.name for path in (machines.folder / "first").glob("painlake-workplace-*/*")]
        running.enter_context(machines.worker("second", **log))
        first.kill()
        working.join(120)
        assert begun(passages, name) == 2
        fleet.run(do_unit, lake.unit(recording, "voice"))
        there = {each["Key"].rpartition("/")[2] for each in s3_here.list_objects_v2(Bucket="backup")["Contents"]}
        assert there == {"begun"}
    assert s3_here.list_objects_v2(Bucket="backup").get("KeyCount") == 0
    here = pristine.copy(tmp_path / "here")
    for stage in ("quality", "voice"):
        Inline().run(do_unit, here.unit(recording, stage))
    assert lake.digests() == here.digests() != {}
    assert list((machines.folder / "second").glob("painlake-*")) == []


def test_a_worker_with_other_code_is_named_before_anything_is_sent(
    machines: Machines, s3_here: Any, tmp_path: Path
) -> None:
    (Study(tmp_path).state).mkdir()
    for package in ("flows", "pipelines", "schemas", "expectations"):
        shutil.copytree(ROOT / package, tmp_path / "other" / package, ignore=shutil.ignore_patterns("__pycache__"))
    quality = tmp_path / "other" / "pipelines" / "quality.py"
    quality.write_text(quality.read_text() + "\n# Another one.\n")
    refused = pytest.raises(
        UserError, match=r"^a worker has PainLake \S+ \(\w{8}\) on Python .*: install the same on both"
    )
    with (
        machines.worker("other", PYTHONPATH=str(tmp_path / "other")),
        refused as said,
        workers_of(Study(tmp_path), by_address(machines)),
    ):
        pass
    assert "\n" not in str(said.value)


def test_a_worker_without_painlake_is_named(machines: Machines, s3_here: Any, tmp_path: Path) -> None:
    (Study(tmp_path).state).mkdir()
    (tmp_path / "none" / "pipelines").mkdir(parents=True)
    (tmp_path / "none" / "pipelines" / "__init__.py").touch()
    with (
        machines.worker("none", PYTHONPATH=str(tmp_path / "none")),
        pytest.raises(
            PainLakeError, match=r"takes no orders \(.*pipelines\.carry_out.*install the same PainLake there"
        ),
        workers_of(Study(tmp_path), by_address(machines)),
    ):
        pass


def test_a_scheduler_without_workers_and_one_that_is_not_there_are_waited_for_and_no_longer(
    machines: Machines, tmp_path: Path
) -> None:
    refused = pytest.raises(PainLakeError, match="the Dask cluster had no worker within 1 s")
    alone = StudyParams(runner="dask", dask=DaskParams(address=machines.address, wait_s=1.0))
    with refused, workers_of(Study(tmp_path), alone):
        pass
    (port,) = free_ports(1)
    nobody = StudyParams(runner="dask", dask=DaskParams(address=f"tls://127.0.0.1:{port}", wait_s=1.0))
    silent = pytest.raises(PainLakeError, match=f"tls://127.0.0.1:{port} does not answer")
    with silent as said, workers_of(Study(tmp_path), nobody):
        pass
    assert "\n" not in str(said.value)
