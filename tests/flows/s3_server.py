"""A real S3 server on loopback, for tests."""

import json
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

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


@contextmanager
def s3_server(folder: Path) -> Iterator[dict[str, str]]:
    """A SeaweedFS server with one user and two buckets, its data in `folder`; gives the environment that reaches it."""
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
