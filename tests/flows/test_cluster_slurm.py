"""Workers as jobs of Slurm: dask-jobqueue's own job scripts, run on this machine by a stand-in for `sbatch` and `scancel`."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import dask.config
import psutil
import pytest

from flows.cluster import workers_of
from pipelines.errors import PainLakeError
from pipelines.faultpoints import LOG_VARIABLE
from pipelines.faultpoints import VARIABLE as FAULT
from pipelines.params import StudyParams
from pipelines.params_runner import DaskParams
from pipelines.study import Study
from pipelines.work import do_unit
from pipelines.worker_key import VARIABLE as KEY
from pipelines.worker_key import make_worker_key
from tests.flows.cluster_factory import begun, wait_for
from tests.pipelines.fleet_factory import Inline, Unmeasured, unmeasured
from tests.pipelines.video_factory import plain, video

pytest.importorskip("dask_jobqueue", reason="the extra dask is missing")

pytestmark = pytest.mark.slow

SBATCH = """#!/bin/sh
# As Slurm does: the script is kept, runs elsewhere with a session of its own, and its number is printed.
cp "$1" "$SLURM/script.$$"
. "$SLURM/environment"
setsid sh "$SLURM/script.$$" >"$SLURM/out.$$" 2>&1 &
echo "$!" >>"$SLURM/jobs"
echo "Submitted batch job $!"
"""
SCANCEL = """#!/bin/sh
# As Slurm does, which waits for longer (KillWait).
kill -TERM "-$1"
(sleep 1; kill -KILL "-$1") >/dev/null 2>&1 &
"""


@pytest.fixture(scope="module")
def pristine(tmp_path_factory: pytest.TempPathFactory) -> Unmeasured:
    return unmeasured(tmp_path_factory.mktemp("pristine") / "study", [video([plain(90)] * 25)])


@pytest.fixture
def slurm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the scripts and numbers of all jobs; what is in its file `environment`, each job has."""
    folder = tmp_path / "slurm"
    folder.mkdir()
    for name, script in (("sbatch", SBATCH), ("scancel", SCANCEL)):
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    (folder / "jobs").touch()
    (folder / "environment").touch()
    monkeypatch.setenv("SLURM", str(folder))
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parents[2]))
    make_worker_key(tmp_path / "key")
    monkeypatch.setenv(KEY, str(tmp_path / "key"))
    yield folder
    for job in jobs(folder):
        if runs(job):
            os.killpg(job, signal.SIGKILL)


def jobs(slurm: Path) -> list[int]:
    return [int(line) for line in (slurm / "jobs").read_text().split()]


def runs(job: int) -> bool:
    """Whether a process of a job is alive; who is init here may leave the dead unburied."""
    for each in psutil.process_iter(["status"]):
        with suppress(ProcessLookupError):
            if each.info["status"] != psutil.STATUS_ZOMBIE and os.getpgid(each.pid) == job:
                return True
    return False


def by_slurm(tmp_path: Path, **changes: Any) -> StudyParams:
    """As docs/cluster.md has it."""
    kwargs = {
        "queue": "medium",
        "cores": 1,
        "processes": 1,
        "memory": "6GB",
        "walltime": "04:00:00",
        "interface": "lo",
        "security": True,
        "shared_temp_directory": str(tmp_path),
        "python": sys.executable,
        "worker_extra_args": ["--no-dashboard"],
        "scheduler_options": {"dashboard_address": None},
    }
    values = {"cluster_class": "dask_jobqueue.SLURMCluster", "cluster_kwargs": kwargs, "n_workers": 1} | changes
    return StudyParams(runner="dask", workers=1, dask=DaskParams.model_validate(values))


def test_a_job_that_ends_in_the_middle_is_asked_for_again_and_costs_not_a_bit(
    pristine: Unmeasured, slurm: Path, tmp_path: Path
) -> None:
    lake = pristine.copy(tmp_path / "study")
    (recording,) = lake.recordings
    passages, name = tmp_path / "passages", f"unit.quality.{recording.recording}"
    (slurm / "environment").write_text(f"export {LOG_VARIABLE}={passages} {FAULT}={name}:hang\n")
    with (
        dask.config.set({"distributed.deploy.lost-worker-timeout": "1s"}),
        workers_of(lake.study, by_slurm(tmp_path)) as fleet,
    ):
        assert fleet.count == 1
        working = threading.Thread(target=fleet.run, args=(do_unit, lake.unit(recording)))
        working.start()
        wait_for(lambda: begun(passages, name) == 1)
        (slurm / "environment").write_text(f"export {LOG_VARIABLE}={passages}\n")
        (first,) = jobs(slurm)
        os.killpg(first, signal.SIGKILL)
        working.join(120)
        assert begun(passages, name) == 2
    here = pristine.copy(tmp_path / "here")
    Inline().run(do_unit, here.unit(recording))
    assert lake.digests() == here.digests() != {}
    assert len(jobs(slurm)) == 2
    wait_for(lambda: not any(runs(job) for job in jobs(slurm)), 20)
    script = next(slurm.glob("script.*")).read_text()
    for line in ("#SBATCH -p medium", "#SBATCH -t 04:00:00", "#SBATCH --cpus-per-task=1", "#SBATCH --mem=6G"):
        assert line in script
    assert "tls://" in script
    for secret in (*lake.identities.values(), "AGE-SECRET-KEY-", "PRIVATE KEY"):
        assert secret not in script


def test_slurm_that_refuses_is_one_line(slurm: Path, tmp_path: Path) -> None:
    (slurm / "sbatch").write_text("#!/bin/sh\necho 'sbatch: error: invalid partition specified: medium' >&2\nexit 1\n")
    refused = pytest.raises(PainLakeError, match="invalid partition specified: medium")
    with refused as said, workers_of(Study(tmp_path), by_slurm(tmp_path, wait_s=20.0)):
        pass
    assert "\n" not in str(said.value)
