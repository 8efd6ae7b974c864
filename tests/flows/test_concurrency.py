"""Two runs at once, and what is left of one that was killed: nothing that stands in the next one's way."""

import signal
import sqlite3
import subprocess
import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.study import Study
from tests.flows.conftest import PAINLAKE, painlake, status
from tests.flows.hospital import Delivery, deliver, film_face, register

pytestmark = pytest.mark.slow


def wait_until(what: Callable[[], bool], limit_s: float = 180.0) -> None:
    until = time.monotonic() + limit_s
    while not what():
        assert time.monotonic() < until, "waited in vain"
        time.sleep(0.2)


def alive(pid: int) -> bool:
    state = Path(f"/proc/{pid}/stat")
    return state.is_file() and state.read_text().rsplit(")", 1)[1].split()[0] != "Z"


def children(pid: int) -> set[int]:
    return {
        int(each) for task in Path(f"/proc/{pid}/task").iterdir() for each in (task / "children").read_text().split()
    }


@dataclass(frozen=True)
class Killed:
    """A study whose run was killed while it measured, what a second run said meanwhile, and what the first left."""

    study: Study
    second: subprocess.CompletedProcess[str]
    children: set[int]


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Killed:
    root = tmp_path_factory.mktemp("concurrency") / "study"
    painlake("init", root)
    register(root / "landing", "PT-1")
    deliver(root / "landing", Delivery("PT-1", "V1", "first.mp4", film_face(seed=1)))
    study = Study(root)
    command = [str(PAINLAKE), "ingest", "--study", str(root)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as holder:
        wait_until(lambda: any(study.lake.glob("*/recordings/*.json")))
        second = painlake("ingest", "--study", root, check=False)
        left = children(holder.pid)
        holder.send_signal(signal.SIGKILL)
    return Killed(study, second, left)


def test_the_second_run_is_told_so_and_ends(killed: Killed) -> None:
    assert killed.second.returncode == 3
    assert killed.second.stderr.splitlines()[-1].startswith("painlake: RUN_IN_PROGRESS")


def test_no_process_outlives_a_killed_run(killed: Killed) -> None:
    # Prefect's server and at least one worker.
    assert len(killed.children) >= 2
    wait_until(lambda: not any(map(alive, killed.children)), 60)


def test_the_third_run_proceeds_and_prefect_holds_no_run_for_alive(killed: Killed) -> None:
    done = painlake("ingest", "--study", killed.study.root)
    assert done.returncode == 0
    state = status(killed.study.root)
    assert (state["version"], state["published"], state["balanced"]) == ("v0001", 1, True)
    with closing(sqlite3.connect(killed.study.state / "prefect" / "prefect.db")) as database:
        runs = database.execute("SELECT state_type, count(*) FROM flow_run GROUP BY state_type").fetchall()
    # Of each run, the night and the measuring within it.
    assert sorted(runs) == [("COMPLETED", 2), ("CRASHED", 2)]
