"""What a process that decodes may not do."""

import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from pipelines.confine import Limits, lacking
from pipelines.params import StudyParams
from pipelines.pool import Workers
from tests.pipelines import fault_factory as faults


def test_a_worker_has_no_network_and_no_way_around_that_and_leaves_no_dump() -> None:
    with Workers(1, Limits.of(StudyParams())) as pool:
        assert pool.run(faults.sockets) == {
            "AF_INET": False, "AF_INET6": False, "AF_NETLINK": False, "AF_PACKET": False, "AF_VSOCK": False, "AF_UNIX": True,
        }  # fmt: skip
        assert pool.run(faults.calls_refused) == [1, 1]
        with pytest.raises(PermissionError):
            pool.run(faults.connect_out)
        # A program that a worker starts is confined as well.
        tried = pool.run(subprocess.call, [sys.executable, "-c", "import socket; socket.socket()"])
        assert tried == 1
        assert pool.run(faults.core_limit_and_dumpable) == ((0, 0), 0)
        assert pool.run(lacking, Limits.of(StudyParams())) == ()


def test_what_is_not_confined_is_found_out_by_trying() -> None:
    assert lacking(Limits(1.0, memory_mb=1000)) == ("memory", "network")
    assert lacking(Limits(1.0)) == ("network",)


def test_the_limits_are_those_of_the_studys_parameters() -> None:
    params = StudyParams(
        unit_timeout_s=9, unit_cpu_s=8, worker_memory_mb=1007, max_picture_mpx=6, require_isolation=False
    )
    assert Limits.of(params) == Limits(9, 8, 1007, 6, require_isolation=False)


def test_workers_end_with_a_run_that_is_killed(tmp_path: Path) -> None:
    script = tmp_path / "run.py"
    script.write_text(
        "import threading, time\n"
        "from pipelines.confine import Limits\n"
        "from pipelines.pool import Workers\n"
        "if __name__ == '__main__':\n"
        "    pool = Workers(1, Limits(600.0))\n"
        "    threading.Thread(target=pool.run, args=(time.sleep, 600), daemon=True).start()\n"
        "    time.sleep(600)\n",
        encoding="utf-8",
    )
    root = Path(__file__).parents[2]
    run = psutil.Popen([sys.executable, str(script)], cwd=root, env={"PYTHONPATH": str(root)})
    try:
        while not (started := [each for each in run.children() if "spawn_main" in " ".join(each.cmdline())]):
            time.sleep(0.05)
    finally:
        run.kill()
        run.wait()
    assert psutil.wait_procs(started, timeout=20)[1] == []
