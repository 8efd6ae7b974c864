"""`python -m benchmarks.s3`: what a bucket costs: time, throughput and requests, counted by the server itself.

A SeaweedFS server on loopback, so no network: what a request costs here is what PainLake and the server compute. Far from
a bucket, count the requests and multiply by your own round trip.
"""

import argparse
import json
import os
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path

from benchmarks.machine import describe
from benchmarks.report import Part, Table
from pipelines.backup import complete
from pipelines.in_parallel import in_parallel
from pipelines.repository import Repository
from pipelines.s3_client import CONNECTIONS, make_client
from pipelines.s3_write import Target, write_file
from pipelines.storage import S3Landing, S3Objects
from pipelines.study import make_study
from tests.flows.s3_server import S3Server

_LARGE_MB = 100
_SMALL = 2_500
_SMALL_BYTES = 20_000
_PUSHED = 300


@dataclass(frozen=True, slots=True)
class Figure:
    """What one piece of work came to."""

    work: str
    seconds: float
    megabytes: float
    requests: dict[str, int]

    @property
    def row(self) -> list[str]:
        """For the table."""
        rate = f"{self.megabytes / self.seconds:.0f}" if self.megabytes else "."
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(self.requests.items()))
        return [self.work, f"{self.seconds:.2f}", rate, str(sum(self.requests.values())), kinds]


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; returns the exit code.

    Args:
        arguments: of the command line; by default the process's own.
    """
    parser = argparse.ArgumentParser(prog="python -m benchmarks.s3", description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures as JSON, with the machine")
    chosen = parser.parse_args(arguments)
    if chosen.json is not None and not chosen.json.resolve().parent.is_dir():
        parser.error(f"{chosen.json} cannot be written: there is no such folder")
    part = measure()
    print("\n".join(each.text() for each in part.tables))
    said = json.dumps({"machine": describe(), **part.data}, indent=1)
    print(said)
    if chosen.json is not None:
        chosen.json.write_text(said + "\n", encoding="utf-8")
    return 0


def measure() -> Part:
    """Everything on one server."""
    with tempfile.TemporaryDirectory() as name, _server(Path(name)) as server:
        figures = [*_large(server, Path(name)), *_small(server, Path(name)), *_pushed(server, Path(name))]
    note = (
        f"SeaweedFS on loopback; large: one object of {_LARGE_MB} MB; small: {_SMALL} objects of {_SMALL_BYTES // 1000} kB "
        f"in {CONNECTIONS} threads. Beside each what boto3 alone takes, which reads nothing back."
    )
    table = Table("S3", note, ("work", "s", "MB/s", "requests", "of which"), [each.row for each in figures])
    data = [{"work": each.work, "s": each.seconds, "mb": each.megabytes, "requests": each.requests} for each in figures]
    return Part((table,), {"s3": data})


@contextmanager
def _server(folder: Path) -> Iterator[S3Server]:
    (folder / "server").mkdir()
    server = S3Server(folder / "server")
    server.start()
    before = {name: os.environ.get(name) for name in server.environment}
    os.environ.update(server.environment)
    try:
        yield server
    finally:
        server.kill()
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _measured(server: S3Server, work: str, megabytes: float, do: Callable[[], object]) -> Figure:
    before, begun = _requests(server), time.perf_counter()
    do()
    seconds = time.perf_counter() - begun
    # The server counts a request after it has answered.
    time.sleep(0.5)
    return Figure(work, round(seconds, 3), megabytes, dict(_requests(server) - before))


def _requests(server: S3Server) -> Counter[str]:
    """How often each kind of request has been answered, as the server counts."""
    with urllib.request.urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    found: Counter[str] = Counter()
    for line in lines:
        if line.startswith("SeaweedFS_s3_request_total{"):
            kind = line.partition('type="')[2].partition('"')[0]
            found[kind] += int(float(line.rpartition(" ")[2]))
    return found


def _large(server: S3Server, folder: Path) -> list[Figure]:
    source, client, size = folder / "large", make_client(), _LARGE_MB * 10**6
    source.write_bytes(os.urandom(size))
    target, landing = Target(client, "backup"), S3Landing("backup", "")
    put = client.put_object
    return [
        _measured(server, "write large, boto3", _LARGE_MB, lambda: client.upload_file(str(source), "backup", "bare")),
        _measured(server, "write large, read back", _LARGE_MB, lambda: write_file(target, "ours", source, new=True)),
        _measured(server, "read large, boto3", _LARGE_MB, lambda: client.download_fileobj("backup", "bare", BytesIO())),
        _measured(server, "read large, of parts", _LARGE_MB, lambda: landing.read("ours")),
        # So it has a checksum of the whole.
        _measured(
            server,
            "write large, boto3, in one",
            _LARGE_MB,
            lambda: put(Bucket="backup", Key="one", Body=source.read_bytes()),
        ),
        _measured(server, "read large, checksum held", _LARGE_MB, lambda: landing.read("one")),
    ]


def _small(server: S3Server, folder: Path) -> list[Figure]:
    client, source = make_client(), folder / "small"
    source.write_bytes(os.urandom(_SMALL_BYTES))
    target, objects = Target(client, "backup"), S3Objects("backup", "small", {})
    names = [f"{number:05d}" for number in range(_SMALL)]
    megabytes = _SMALL * _SMALL_BYTES / 1e6
    content = source.read_bytes()

    def bare(name: str) -> None:
        client.put_object(Bucket="backup", Key=f"bare-small/{name}", Body=content)

    def ours(name: str) -> None:
        write_file(target, f"small/{name}", source, new=True)

    def all_of(do: Callable[[str], object]) -> Callable[[], object]:
        return lambda: list(in_parallel(do, names, CONNECTIONS))

    return [
        _measured(server, "write small, boto3", megabytes, all_of(bare)),
        _measured(server, "write small, read back", megabytes, all_of(ours)),
        _measured(server, "list small", 0, S3Landing("backup", "small").files),
        _measured(server, "read small", megabytes, all_of(S3Landing("backup", "small").read)),
        _measured(server, "remove small, all versions", 0, all_of(objects.remove)),
    ]


def _pushed(server: S3Server, folder: Path) -> list[Figure]:
    """DVC's own copy of a version of objects, and our look at whether each arrived."""
    study = make_study(folder / "study", None, "s3://backup/dvc")
    repository, person = Repository(study.root), study.lake / "P000000001" / "recordings"
    person.mkdir(parents=True)
    for number in range(_PUSHED):
        (person / f"{number}.age").write_bytes(os.urandom(_SMALL_BYTES))
    # Of the objects alone: there are no features to push.
    (study.root / "dvc.yaml").write_text("stages: {}\n", encoding="utf-8")
    repository.add([person])
    repository.commit("Objects")
    repository.tag(1, "one")
    megabytes = _PUSHED * _SMALL_BYTES / 1e6
    return [
        _measured(server, f"push {_PUSHED} objects, DVC", megabytes, repository.push),
        _measured(server, f"see {_PUSHED} objects arrived", 0, lambda: complete(study, repository, [1], None)),
    ]


if __name__ == "__main__":
    sys.exit(main())
