"""Whole runs by the command line, as users start them; made once, looked at by many tests."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flows.server import local_server
from pipelines.study import Study
from pipelines.synthetic.zone import PlantedZone, make_landing_zone
from tests.flows.s3_server import client, s3_server

PAINLAKE = Path(sys.executable).parent / "painlake"
RECORDINGS = Path(__file__).parents[3] / "shared" / "recordings"


def painlake(
    *arguments: object, env: Mapping[str, str] | None = None, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run the command line; a failure that was not asked for shows what it said."""
    done = subprocess.run(
        [str(PAINLAKE), *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
        env={**os.environ, **(env or {})},
        stdin=subprocess.DEVNULL,
    )
    if check:
        assert done.returncode == 0, f"exit {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done


def ask(study: Path, sql: str, *options: str) -> list[dict[str, Any]]:
    """Ask the published file."""
    answer: list[dict[str, Any]] = json.loads(
        painlake("query", sql, "--format", "json", "--study", study, *options).stdout
    )
    return answer


def status(study: Path) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(painlake("status", "--json", "--study", study).stdout)
    return answer


@dataclass(frozen=True)
class FirstNight:
    """A study after its first night, with what was planted in its landing zone."""

    study: Study
    zone: PlantedZone
    landing: Path
    remote: Path
    said: str
    connections: list[str]


@pytest.fixture(scope="session")
def first_night(tmp_path_factory: pytest.TempPathFactory) -> FirstNight:
    """One run with Prefect's embedded server, from an empty study, watched for connections."""
    folder = tmp_path_factory.mktemp("first-night")
    landing, root, remote = folder / "hospital", folder / "study", folder / "remote"
    zone = make_landing_zone(landing, participants=3, seed=5, seconds=(2.0, 2.5))
    log = folder / "connections"
    log.touch()
    watched = {"PYTHONPATH": str(Path(__file__).parent / "watch"), "PAINLAKE_TEST_CONNECTIONS": str(log)}
    painlake("init", root, "--landing", landing, "--remote", remote, env=watched)
    done = painlake("ingest", "--study", root, env=watched)
    said = done.stdout + done.stderr
    return FirstNight(Study(root), zone, landing, remote, said, log.read_text(encoding="utf-8").splitlines())


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A real Prefect server on loopback, so that later runs need not start their own; gives the environment to use."""
    state = tmp_path_factory.mktemp("prefect")
    before = dict(os.environ)
    try:
        # With what keeps house, such as the scheduler that `serve` wants.
        with local_server(state, for_people=True) as ready:
            ready()
            settings = {name: os.environ[name] for name in ("PREFECT_API_URL", "PREFECT_HOME")}
            # Who wants this server says so: no other test of this process is to find it.
            os.environ.clear()
            os.environ.update(before)
            yield settings
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A real S3 server on loopback; gives the environment that reaches it."""
    with s3_server(tmp_path_factory.mktemp("s3")) as environment:
        yield environment


@pytest.fixture
def s3_here(s3: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Any:
    """A client of the S3 server, which code in this process reaches too."""
    for name, value in s3.items():
        monkeypatch.setenv(name, value)
    return client(s3)
