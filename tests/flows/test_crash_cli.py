"""`painlake ingest` itself, with Prefect and its worker processes, killed from outside as by a power cut."""

import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from pipelines.study import Study
from tests.flows.conftest import PAINLAKE
from tests.flows.crash_check import differing, random_times
from tests.flows.crash_state import end_state
from tests.flows.crash_study import copy_of, first

pytestmark = pytest.mark.slow


def ingest(root: Path, environment: dict[str, str], after_s: float | None = None) -> tuple[int, float]:
    """Run a night in a session of its own, killed with all its processes after a while if so asked."""
    began = time.monotonic()
    command = [str(PAINLAKE), "ingest", "--study", str(root)]
    with (root.parent / "ingest.log").open("wb") as log:
        run = subprocess.Popen(
            command, stdout=log, stderr=log, env={**os.environ, **environment}, start_new_session=True
        )
        try:
            code = run.wait(timeout=600 if after_s is None else after_s)
        except subprocess.TimeoutExpired:
            with suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGKILL)
            code = run.wait(timeout=60)
    return code, time.monotonic() - began


def test_killed_at_random_times_in_turn_the_next_run_comes_to_the_same_end(
    tmp_path: Path, prefect_server: dict[str, str]
) -> None:
    before = first(tmp_path / "study")
    undisturbed = copy_of(before, tmp_path / "undisturbed")
    code, seconds = ingest(undisturbed, prefect_server)
    assert code == 0, (undisturbed.parent / "ingest.log").read_text(encoding="utf-8")
    killed = copy_of(before, tmp_path / "killed")
    codes = [ingest(killed, prefect_server, share * seconds)[0] for share in sorted(random_times(seed=31, count=3))]
    assert codes[0] == -signal.SIGKILL
    code, _ = ingest(killed, prefect_server)
    assert code == 0, (killed.parent / "ingest.log").read_text(encoding="utf-8")
    expected: dict[str, Any] = end_state(Study(undisturbed))
    assert differing(expected, end_state(Study(killed))) == []
    assert expected["wrong"] == []
