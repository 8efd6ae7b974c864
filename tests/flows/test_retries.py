"""What can pass is tried again with a growing wait; what cannot, never; and a night without its storage loses nothing."""

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.flows.conftest import painlake, status
from tests.flows.hospital import Delivery, deliver, film_face, register

pytestmark = pytest.mark.slow

RUN = """
import errno, json, sys
from pathlib import Path
from flows.progress import Silent
from flows.run import ingest_once
from pipelines.landing_zone import FolderLanding

root, share_is_away_for = Path(sys.argv[1]), int(sys.argv[2])
reads, read = [], FolderLanding.read

def read_from_a_share(self, path):
    reads.append(path)
    if path.endswith(".mp4") and sum(name.endswith(".mp4") for name in reads) <= share_is_away_for:
        raise OSError(errno.EIO, "Input/output error")
    return read(self, path)

def read_or_fail(self, path):
    from pipelines.errors import TemporaryError
    try:
        return read_from_a_share(self, path)
    except OSError as error:
        raise TemporaryError(f"the landing zone does not answer: {error.strerror}") from error

FolderLanding.read = read_or_fail
print(json.dumps(ingest_once(root, Silent())))
"""


def night(study: Path, share_is_away_for: int, prefect: dict[str, str]) -> dict[str, Any]:
    """A run whose landing zone fails that often when a recording is read."""
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(study), str(share_is_away_for)],
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
        env=os.environ | prefect,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stderr
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("retries") / "study"
    painlake("init", root)
    params = root / "params.yaml"
    params.write_text(params.read_text().replace("retry_wait_s: 2.0", "retry_wait_s: 0.05"), encoding="utf-8")
    register(root / "landing", "PT-1", "PT-2")
    return root


class Prefect(NamedTuple):
    """The session's server, which others have run flows on before."""

    environment: dict[str, str]
    begun: str

    def tries(self, task: str) -> list[int]:
        """How often each task of that name was run since these tests began."""
        sql = "SELECT run_count FROM task_run WHERE name LIKE ? AND created >= ? ORDER BY created"
        with closing(sqlite3.connect(Path(self.environment["PREFECT_HOME"]) / "prefect.db")) as database:
            return [count for (count,) in database.execute(sql, (f"{task}%", self.begun)).fetchall()]


@pytest.fixture(scope="module")
def prefect(prefect_server: dict[str, str]) -> Prefect:
    return Prefect(prefect_server, f"{datetime.now(UTC):%Y-%m-%d %H:%M:%S}")


def test_a_share_that_comes_back_costs_tries_alone_and_a_broken_file_none(study: Path, prefect: Prefect) -> None:
    film = film_face(seed=1)
    deliver(study / "landing", Delivery("PT-1", "V1", "first.mp4", film))
    deliver(study / "landing", Delivery("PT-2", "V1", "cut.mp4", film[: len(film) // 2]))
    said = night(study, 2, prefect.environment)
    assert (said["outcome"], said["failures"]) == ("published", [])
    state = status(study)
    assert (state["published"], state["quarantined"]) == (1, 1)
    assert prefect.tries("land") == [3]
    assert prefect.tries("pseudonymise") == [1, 1]


def test_a_share_that_stays_away_leaves_its_deliveries_to_the_next_run(study: Path, prefect: Prefect) -> None:
    deliver(study / "landing", Delivery("PT-2", "V2", "second.mp4", film_face(seed=2)))
    said = night(study, 1000, prefect.environment)
    assert [line.split(":")[0] for line in said["failures"]] == ["1 deliveries could not be read"]
    state = status(study)
    assert (state["deferred"], state["reasons"]["STORAGE_UNAVAILABLE"], state["balanced"]) == (1, 1, True)
    assert prefect.tries("land")[-1] == 4
    night(study, 0, prefect.environment)
    state = status(study)
    assert (state["published"], state["deferred"], state["version"]) == (2, 0, "v0002")
