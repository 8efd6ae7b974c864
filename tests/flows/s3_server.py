"""A real S3 server on loopback, for tests."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

WEED = Path(sys.executable).parent / "weed"
USER: Any = {"name": "night", "credentials": [{"accessKey": "night", "secretKey": "secret-of-the-night"}],
        "actions": ["Admin", "Read", "List", "Tagging", "Write"]}  # fmt: skip
KMS = {"kms": {"default_provider": "local", "providers": {"local": {"type": "local", "enableOnDemandCreate": True}}}}


def free_ports(count: int) -> list[int]:
    """Ports that are free, each another: all are held until all are found."""
    with ExitStack() as held:
        probes = [held.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [int(probe.getsockname()[1]) for probe in probes]


class S3Server:
    """A SeaweedFS server with one user, two buckets and keys to encrypt with, its data in a folder.

    Args:
        folder: an empty one.
    """

    def __init__(self, folder: Path) -> None:
        names = ("master.port", "volume.port", "filer.port", "s3.port")
        ports = dict(zip((*names, *(f"{name}.grpc" for name in names)), free_ports(2 * len(names)), strict=True))
        (self.metrics_port,) = free_ports(1)
        # These two have fixed ports, where a server of another test may stand.
        ports |= {"s3.port.iceberg": 0, "s3.port.lance": 0, "metricsPort": self.metrics_port}
        (folder / "users.json").write_text(json.dumps({"identities": [USER], **KMS}), encoding="utf-8")
        self._folder = folder
        self.pid_file = folder / "pid"
        self._command = [str(WEED), "server", f"-dir={folder}", "-filer", "-s3", "-ip=127.0.0.1", "-ip.bind=127.0.0.1",
                         f"-s3.config={folder / 'users.json'}", "-volume.max=20", "-master.volumeSizeLimitMB=64",
                         *(f"-{name}={number}" for name, number in ports.items())]  # fmt: skip
        self._process: subprocess.Popen[bytes] | None = None
        self.environment = {
            "AWS_ACCESS_KEY_ID": "night",
            "AWS_SECRET_ACCESS_KEY": USER["credentials"][0]["secretKey"],
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{ports['s3.port']}",
            "AWS_DEFAULT_REGION": "us-east-1",
        }

    def start(self) -> None:
        """Start it, with what an earlier start left, and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            settings = os.environ | {"WEED_S3_SSE_KEK": "5a" * 32}
            self._process = subprocess.Popen(self._command, stdout=log, stderr=log, env=settings)
        self.pid_file.write_text(str(self._process.pid), encoding="utf-8")
        _make_buckets(self.environment, self._process)

    @property
    def died(self) -> bool:
        """Whether it was started and ended since."""
        return self._process is not None and self._process.poll() is not None

    def kill(self) -> None:
        """End it as suddenly as a power cut does."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()


@contextmanager
def s3_server(folder: Path) -> Iterator[dict[str, str]]:
    """A server that runs; gives the environment that reaches it."""
    server = S3Server(folder)
    server.start()
    try:
        yield server.environment
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
            asked = client(environment)
            there = {each["Name"] for each in asked.list_buckets()["Buckets"]}
            for bucket in {"hospital", "backup"} - there:
                asked.create_bucket(Bucket=bucket)
        except Exception:
            assert server.poll() is None
            if time.monotonic() > until:
                raise
            time.sleep(0.5)
        else:
            return
