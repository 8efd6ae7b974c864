"""A Prefect server of our own on loopback, which does not outlive the process that asked for it.

Prefect's embedded one goes on for ever where the run is killed, and it is started only once Prefect is imported. This
one starts at once, so that both take their seconds side by side.
"""

import gc
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
from datetime import timedelta
from functools import partial
from pathlib import Path

from flows.environment import prepare_environment
from flows.lifeline import end_with_parent
from flows.server_database import begin_database
from pipelines.errors import PainLakeError, UserError

PORT = 4200
"""Prefect's own."""
_START_LIMIT_S = 180.0
_STOP_LIMIT_S = 15.0
_HOST = "127.0.0.1"
_FOR_ONE_RUN = {
    "PREFECT__SERVER_EPHEMERAL": "1",
    # There are no automations that each event would be held against.
    "PREFECT_SERVER_SERVICES_TRIGGERS_ENABLED": "false",
    # What a task's events tell is in its run, which is kept; nobody follows them.
    "PREFECT_SERVER_SERVICES_EVENT_PERSISTER_ENABLED": "false",
    # By itself it writes each change of each task in a transaction of its own.
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_READ_BATCH_SIZE": "200",
    "PREFECT_SERVER_SERVICES_TASK_RUN_RECORDER_FLUSH_INTERVAL": "2",
}
"""Without what keeps house in a server that stays."""


@contextmanager
def local_server(state: Path, port: int = 0, *, for_people: bool = False) -> Iterator[Callable[[], str]]:
    """Start a Prefect server unless the environment names one; it ends with the block, or with this process.

    Args:
        state: where the server keeps its database and its log.
        port: where, if it is free; 0 for any.
        for_people: with Prefect's pages, to look at.

    Yields:
        What waits until it answers and returns its address. Prefect may be imported before, and used after that.

    Raises:
        PainLakeError: it does not start.
    """
    prepare_environment(state)
    given = os.environ.get("PREFECT_API_URL")
    if given:
        yield lambda: given
        return
    port = _free_port(port)
    settings = {
        "PREFECT__SERVER_FINAL": "1",
        "PREFECT_UI_ENABLED": str(for_people).lower(),
        **({"PREFECT_UI_API_URL": f"http://{_HOST}:{port}/api"} if for_people else {}),
        **({} if for_people else _FOR_ONE_RUN),
    }
    address = f"http://{_HOST}:{port}"
    with (state / "prefect-server.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "flows.server", str(port), str(os.getpid())],
            stdout=log,
            stderr=log,
            stdin=subprocess.DEVNULL,
            env=os.environ | settings,
        )

        def ready() -> str:
            _wait_for(f"{address}/api/health", process)
            return address

        # Now, since Prefect reads its settings once, when it is imported.
        os.environ["PREFECT_API_URL"] = f"{address}/api"
        try:
            yield ready
        finally:
            os.environ.pop("PREFECT_API_URL", None)
            process.send_signal(signal.SIGINT)
            try:
                process.wait(timeout=_STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def run_server(data: Path, port: int, tell: Callable[[str], None]) -> None:
    """Be a server that keeps what it knows and outlives the runs, until stopped.

    It listens on loopback alone, since it asks nobody who they are.

    Args:
        data: where it keeps its database.
        port: where it listens.
        tell: called with each line for the user.

    Raises:
        UserError: something else listens there, or the folder cannot be made.
    """
    if _free_port(port) != port:
        raise UserError(f"something listens on {_HOST}:{port} already: name another --port")
    try:
        data.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{data} cannot be made: {error.strerror}") from error
    os.environ["PREFECT_HOME"] = str(data)
    prepare_environment(data)
    address = f"http://{_HOST}:{port}"
    # A server asks no other one, and its pages ask it itself, whatever the environment says.
    os.environ.pop("PREFECT_API_URL", None)
    os.environ |= {"PREFECT_UI_ENABLED": "true", "PREFECT_UI_API_URL": f"{address}/api", "PREFECT__SERVER_FINAL": "1"}
    tell(f"Prefect's server: {address}, data in {data}; stop with Ctrl-C")
    tell(f"for the other commands: export PREFECT_API_URL={address}/api")
    _serve(port, None)


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


def _serve(port: int, parent: int | None) -> None:
    """Be the server, for as long as the parent lives if one is named."""
    if parent is not None and not end_with_parent(signal.SIGTERM, parent):
        return
    begin_database(Path(os.environ["PREFECT_HOME"]))
    import uvicorn  # noqa: PLC0415 - the server's process alone wants it

    # Its modules are a million objects that stay: to look for rings among them at the usual pace takes a sixth of the start.
    gc.set_threshold(50_000, 20, 20)

    if parent is not None:
        _look_seldom()
    uvicorn.run(
        "prefect.server.api.server:create_app", factory=True, host=_HOST, port=port, log_level="error", lifespan="on"
    )
    # Python looks for rings once more as it ends: for a second, though all goes with the process.
    gc.freeze()


def _look_seldom() -> None:
    """Have the server look for housekeeping every few seconds: eight times a second takes 3 % of a core, all night."""
    from docket import Worker  # noqa: PLC0415 - as above
    from prefect.server.api import background_workers  # noqa: PLC0415 - as above

    pause = timedelta(seconds=5)
    # There is no setting for it.
    seldom = partial(Worker, minimum_check_interval=pause, scheduling_resolution=pause)
    background_workers.Worker = seldom  # type: ignore[attr-defined, assignment]  # it is called there, no more


if __name__ == "__main__":
    _serve(int(sys.argv[1]), int(sys.argv[2]))
