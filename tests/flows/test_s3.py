"""Landing and remote in a bucket, on a real S3 server."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.flows.conftest import ask, painlake, status
from tests.flows.hospital import Delivery, deliver, film_face, register

WEED = Path(sys.executable).parent / "weed"
USER = {"name": "night", "credentials": [{"accessKey": "night", "secretKey": "secret-of-the-night"}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"]}  # fmt: skip


def free_ports(count: int) -> list[int]:
    """Ports that are free, each another: all are held until all are found."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """A SeaweedFS server on loopback with one user; gives the environment that reaches it."""
    folder = tmp_path_factory.mktemp("s3")
    (folder / "users.json").write_text(json.dumps({"identities": [USER]}), encoding="utf-8")
    names = ("master.port", "volume.port", "filer.port", "s3.port")
    ports = dict(zip((*names, *(f"{name}.grpc" for name in names)), free_ports(2 * len(names)), strict=True))
    # These two have fixed ports, where a server of another test may stand.
    ports |= {"s3.port.iceberg": 0, "s3.port.lance": 0}
    command = [str(WEED), "server", f"-dir={folder}", "-filer", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
               f"-s3.config={folder / 'users.json'}", "-volume.max=20", "-master.volumeSizeLimitMB=64",
               *(f"-{name}={number}" for name, number in ports.items())]  # fmt: skip
    with (folder / "log").open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as server:
        environment = {
            "AWS_ACCESS_KEY_ID": "night",
            "AWS_SECRET_ACCESS_KEY": "secret-of-the-night",
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ports['s3.port']}",
            "AWS_DEFAULT_REGION": "us-east-1",
        }
        try:
            _make_buckets(environment, server)
            yield environment
        finally:
            # Its data go with the folder, so it need not end tidily, which takes it half a minute.
            server.kill()


def client(environment: dict[str, str]) -> Any:
    import boto3  # noqa: PLC0415 - no other test needs it

    return boto3.client(
        "s3",
        endpoint_url=environment["AWS_ENDPOINT_URL"],
        aws_access_key_id=environment["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environment["AWS_SECRET_ACCESS_KEY"],
        region_name=environment["AWS_DEFAULT_REGION"],
    )


def _make_buckets(environment: dict[str, str], server: "subprocess.Popen[bytes]") -> None:
    until = time.monotonic() + 60
    while True:
        try:
            for bucket in ("hospital", "backup"):
                client(environment).create_bucket(Bucket=bucket)
        except Exception:
            assert server.poll() is None
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
        else:
            return


def keys(environment: dict[str, str], bucket: str) -> list[str]:
    return [entry["Key"] for entry in client(environment).list_objects_v2(Bucket=bucket).get("Contents", [])]


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory, s3: dict[str, str], prefect_server: dict[str, str]) -> Path:
    folder = tmp_path_factory.mktemp("s3-study")
    register(folder / "hospital", "PT-1")
    deliver(folder / "hospital", Delivery("PT-1", "V1", "first.mp4", film_face(seed=1)))
    for path in sorted((folder / "hospital").rglob("*")):
        if path.is_file():
            key = f"inbox/{path.relative_to(folder / 'hospital').as_posix()}"
            client(s3).upload_file(str(path), "hospital", key)
    painlake("init", folder / "study", "--landing", "s3://hospital/inbox", "--remote", "s3://backup/dvc", env=s3)
    painlake("ingest", "--study", folder / "study", env={**s3, **prefect_server})
    return folder / "study"


def test_what_lands_in_a_bucket_is_published(study: Path) -> None:
    state = status(study)
    assert (state["landed"], state["published"], state["backed_up"]) == (1, 1, True)
    assert ask(study, "SELECT count(*) AS n FROM au_frames") == [{"n": 50}]


def test_the_bucket_is_only_read(study: Path, s3: dict[str, str]) -> None:
    assert sorted(keys(s3, "hospital")) == [
        "inbox/clinical.csv",
        "inbox/consent.csv",
        "inbox/medications.csv",
        "inbox/participants.csv",
        "inbox/questionnaires.csv",
        "inbox/recordings/PT-1/V1/first.json",
        "inbox/recordings/PT-1/V1/first.mp4",
    ]


def test_the_remote_has_the_versions_objects_and_no_identity(study: Path, s3: dict[str, str]) -> None:
    stored = keys(s3, "backup")
    cache = study / ".dvc" / "cache" / "files" / "md5"
    assert len(stored) > 10
    assert {key.removeprefix("dvc/files/md5/") for key in stored} <= {
        path.relative_to(cache).as_posix() for path in cache.rglob("*")
    }
    for key in stored:
        assert b"PT-1" not in client(s3).get_object(Bucket="backup", Key=key)["Body"].read()


def test_nothing_new_in_the_bucket_is_no_work(study: Path, s3: dict[str, str]) -> None:
    done = painlake("ingest", "--json", "--study", study, env=s3)
    assert json.loads(done.stdout)["outcome"] == "nothing new"


def test_a_wrong_key_is_one_clear_line(study: Path, s3: dict[str, str]) -> None:
    done = painlake("ingest", "--study", study, env={**s3, "AWS_SECRET_ACCESS_KEY": "wrong"}, check=False)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("painlake: the landing zone s3://hospital/inbox/ answers")
    assert "Traceback" not in done.stderr
