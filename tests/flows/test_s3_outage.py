"""An S3 server that dies and comes back in the middle of a night, of a copy and of a release: nothing is lost or half."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from pipelines.errors import TemporaryError
from pipelines.release import release
from pipelines.release_bucket import MANIFEST, UNFINISHED
from pipelines.s3_write import Target, write_file
from tests.flows.conftest import painlake, status
from tests.flows.hospital import Delivery, deliver, film_face, register
from tests.flows.s3_server import S3Server, client
from tests.flows.test_release_s3 import assert_whole, objects
from tests.pipelines.release_factory import published_study

pytestmark = pytest.mark.slow

NIGHT = """
import json, os, signal, sys, threading, time
from pathlib import Path
from flows.progress import Silent
from flows.run import ingest_once
from pipelines.repository import Repository
from pipelines.storage import S3Landing, S3Objects

root, pid_file = Path(sys.argv[1]), Path(sys.argv[2])
read, dvc, killed = S3Landing.read, Repository.dvc, set()

def kill(when):
    if when not in killed:
        killed.add(when)
        os.kill(int(pid_file.read_text()), signal.SIGKILL)

def read_and_kill(self, path):
    if path.endswith(".mp4"):
        kill("read")
    return read(self, path)

def kill_once_something_is_there():
    objects = S3Objects("backup", "dvc", {})
    while len(objects.current()) < 3:
        time.sleep(0.02)
    kill("push")

def dvc_and_kill(self, *arguments):
    if arguments[0] == "push" and "push" not in killed:
        threading.Thread(target=kill_once_something_is_there, daemon=True).start()
    return dvc(self, *arguments)

S3Landing.read, Repository.dvc = read_and_kill, dvc_and_kill
print(json.dumps({**ingest_once(root, Silent()), "killed": sorted(killed)}))
"""


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    server = S3Server(tmp_path_factory.mktemp("s3"))
    server.start()
    yield server
    server.kill()


@contextmanager
def kept_alive(server: S3Server) -> Iterator[None]:
    """Start it again two seconds after each death."""
    over = Event()

    def keep() -> None:
        while not over.wait(0.1):
            if server.died:
                time.sleep(2)
                server.start()

    keeper = Thread(target=keep)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


def test_a_night_through_two_outages_ends_right(
    server: S3Server, prefect_server: dict[str, str], tmp_path: Path
) -> None:
    register(tmp_path / "hospital", "PT-1", "PT-2")
    for number in (1, 2):
        deliver(tmp_path / "hospital", Delivery(f"PT-{number}", "V1", f"{number}.mp4", film_face(seed=number)))
    landed = {
        f"inbox/{path.relative_to(tmp_path / 'hospital').as_posix()}": path.read_bytes()
        for path in (tmp_path / "hospital").rglob("*")
        if path.is_file()
    }
    for key, body in landed.items():
        client(server.environment).put_object(Bucket="hospital", Key=key, Body=body)
    study = tmp_path / "study"
    painlake("init", study, "--landing", "s3://hospital/inbox", "--remote", "s3://backup/dvc", env=server.environment)
    with kept_alive(server):
        done = subprocess.run(
            [sys.executable, "-c", NIGHT, str(study), str(server.pid_file)],
            capture_output=True,
            text=True,
            check=False,
            timeout=600,
            env=os.environ | server.environment | prefect_server,
            cwd=Path(__file__).parents[2],
        )
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout.splitlines()[-1])
    assert (said["killed"], said["failures"], said["version"]) == (["push", "read"], [], 1)
    # What the first night could not copy, the next does.
    painlake("ingest", "--study", study, env={**server.environment, **prefect_server})
    state = status(study)
    assert (state["published"], state["landed"], state["balanced"], state["backed_up"]) == (2, 2, True, True)
    assert painlake("verify", "--study", study, env=server.environment).returncode == 0
    still = client(server.environment)
    assert {key: still.get_object(Bucket="hospital", Key=key)["Body"].read() for key in landed} == landed


def test_a_release_that_an_outage_cuts_is_none_until_it_is_made_again(
    server: S3Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in server.environment.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0)
    study = published_study(tmp_path / "study").study
    written = []

    def write_and_kill(target: Target, key: str, source: Path, *, new: bool) -> str:
        written.append(key)
        if len(written) == 5:
            server.kill()
        return write_file(target, key, source, new=new)

    monkeypatch.setattr("pipelines.release_bucket.write_file", write_and_kill)
    with pytest.raises(TemporaryError, match=r"cannot be reached: .*; what is there is no release yet"):
        release(study, "partner", "s3://backup/outage")
    server.start()
    left = objects(client(server.environment), "outage/")
    assert UNFINISHED in left
    assert MANIFEST not in left
    release(study, "partner", "s3://backup/outage")
    assert_whole(objects(client(server.environment), "outage/"))
