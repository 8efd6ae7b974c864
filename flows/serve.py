"""The nightly flow on a schedule, from a Prefect server on this machine."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from flows.environment import prepare_environment
from pipelines.errors import PainLakeError, UserError
from pipelines.night import Night
from pipelines.study import open_study

_START_LIMIT_S = 180.0
_HOST = "127.0.0.1"
_PORT = 4200
"""Prefect's own."""


def serve_nightly(root: Path, cron: str, tell: Callable[[str], None]) -> None:
    """Run the nightly flow on a schedule until stopped.

    Args:
        root: the study's folder.
        cron: five fields, read in the hospital's time zone (`study.timezone`).
        tell: called with each line for the user.

    Raises:
        UserError: no such study, its vault cannot be opened, or the schedule cannot be read.
    """
    study = open_study(root)
    Night.check(study)
    with local_server(study.state, tell, _PORT):
        from prefect.schedules import Cron  # noqa: PLC0415 - takes seconds, and reads the environment once

        from flows.ingest import ingest  # noqa: PLC0415 - the same

        try:
            schedule = Cron(cron, timezone=study.params().study.timezone)
        except ValueError as error:
            raise UserError(f"--cron {cron!r} is no schedule of five fields: {error}") from error
        tell(f"serving {study.root} at {cron!r}, {study.params().study.timezone}; stop with Ctrl-C")
        ingest.serve(
            name="nightly",
            schedule=schedule,
            parameters={"study": str(study.root)},
            limit=1,
            print_starting_message=False,
        )


@contextmanager
def local_server(state: Path, tell: Callable[[str], None], port: int = 0) -> Iterator[None]:
    """A Prefect server of our own on loopback, unless the environment names one; it ends with the block.

    Args:
        state: where the server keeps its database and its log.
        tell: called with where it is.
        port: where, if it is free.

    Raises:
        PainLakeError: it does not start.
    """
    prepare_environment(state)
    # What a person opens the server for: to look.
    os.environ["PREFECT_UI_ENABLED"] = "true"
    if os.environ.get("PREFECT_API_URL"):
        tell(f"using the Prefect server at {os.environ['PREFECT_API_URL']}")
        yield
        return
    port = _free_port(port)
    with (state / "prefect-server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "prefect", "server", "start", "--host", _HOST, "--port", str(port)],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
        )
        try:
            _wait_for(f"http://{_HOST}:{port}/api/health", process)
            os.environ["PREFECT_API_URL"] = f"http://{_HOST}:{port}/api"
            tell(f"Prefect's server: http://{_HOST}:{port}")
            yield
        finally:
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()


def _free_port(preferred: int) -> int:
    """The preferred port, or another one where something listens on that; 0 prefers none."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((_HOST, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise PainLakeError("no port is free for Prefect's server")


def _wait_for(url: str, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START_LIMIT_S
    while time.monotonic() < until:
        if process.poll() is not None:
            raise PainLakeError(f"Prefect's server ended with code {process.returncode}: see state/prefect-server.log")
        try:
            with urllib.request.urlopen(url, timeout=2) as answer:  # noqa: S310 - our own server on loopback
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError):
            time.sleep(0.3)
    raise PainLakeError(f"Prefect's server was not up within {_START_LIMIT_S:g} s")
