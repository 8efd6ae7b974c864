"""`painlake serve`: one process that makes up for a missed night and takes in what lands between nights."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.study import Study
from tests.flows.conftest import PAINLAKE, painlake, status
from tests.flows.hospital import Delivery, deliver, film_face, register

pytestmark = pytest.mark.slow


@dataclass
class Served:
    """A study that is served, and what its process has said."""

    study: Study
    process: "subprocess.Popen[bytes]"
    log: Path

    def reaches(self, version: str) -> bool:
        until = time.monotonic() + 300
        while time.monotonic() < until and status(self.study.root)["version"] != version:
            assert self.process.poll() is None, self.log.read_text()
            time.sleep(2)
        return bool(status(self.study.root)["version"] == version)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    root = tmp_path_factory.mktemp("serve") / "study"
    painlake("init", root)
    register(root / "landing", "PT-8301", "PT-8302")
    deliver(root / "landing", Delivery("PT-8301", "V1", "first.mp4", film_face(seed=1)))
    log = root.parent / "log"
    command = [str(PAINLAKE), "serve", "--cron", "0 2 1 1 *", "--look-every", "0.05", "--study", str(root)]
    with log.open("wb") as out:
        process = subprocess.Popen(
            command, stdout=out, stderr=out, env={**os.environ, "PYTHONUNBUFFERED": "1"}, stdin=subprocess.DEVNULL
        )
    try:
        yield Served(Study(root), process, log)
    finally:
        process.kill()
        process.wait()


def test_a_missed_night_is_made_up_for_at_the_start(served: Served) -> None:
    assert served.reaches("v0001")
    assert "a night was missed" in served.log.read_text()


def test_what_lands_between_nights_is_taken_in(served: Served) -> None:
    deliver(served.study.root / "landing", Delivery("PT-8302", "V1", "second.mp4", film_face(seed=2)))
    assert served.reaches("v0002")
    assert "new in the landing zone: a run begins" in served.log.read_text()


def test_it_ends_when_it_is_told_to_and_leaves_a_heartbeat(served: Served) -> None:
    deadline = time.monotonic() + 120
    while served.study.is_held() and time.monotonic() < deadline:
        time.sleep(1)
    served.process.send_signal(signal.SIGTERM)
    assert served.process.wait(timeout=120) == 0, served.log.read_text()
    assert "Traceback" not in served.log.read_text()
    assert painlake("status", "--max-age", "1h", "--study", served.study.root).stdout.startswith("ok")
