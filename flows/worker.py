"""A study at a Prefect server of its own life: its deployments, the process worker, and the watch for deliveries."""

import asyncio
import json
import os
import sys
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from threading import Event

from flows.environment import note_server, prepare_environment
from flows.watch_landing import watch
from pipelines.errors import UserError
from pipelines.night import Night
from pipelines.study import Study, open_study


def deploy_study(root: Path, cron: str | None, label: str, tell: Callable[[str], None]) -> None:
    """Enter a study's deployments at the server, and make up for a night that was missed meanwhile.

    Args:
        root: the study's folder.
        cron: five fields, in the hospital's time zone; None for `night.cron`.
        label: before each name, where several studies share a server.
        tell: called with each line for the user.

    Raises:
        UserError: no such study, no server, or the schedule cannot be read.
    """
    study = _at_a_server(root)
    from flows.deployments import NIGHTLY, enter_at_server, missed_nights, name_of, start_run  # noqa: PLC0415 - Prefect takes seconds to import

    when = cron or study.params().night.cron
    for name in enter_at_server(study, when, label):
        tell(name)
    tell(f"nights at {when!r}, {study.params().study.timezone}; `painlake worker` runs them")
    if asyncio.run(missed_nights(study, when)):
        start_run(name_of(NIGHTLY, label))
        tell("a night was missed: it is made up for as soon as a worker is there")


def run_worker(root: Path) -> None:
    """Become Prefect's process worker for PainLake's pool; one run at a time.

    Args:
        root: the study's folder.

    Raises:
        UserError: no such study, or no server.
    """
    _at_a_server(root)
    pool = "painlake"
    words = ["-m", "prefect", "worker", "start", "--pool", pool, "--type", "process", "--limit", "1"]
    os.execv(sys.executable, [sys.executable, *words])  # noqa: S606 - the very Python that this is


def watch_study(root: Path, look_every_min: float | None, label: str, tell: Callable[[str], None]) -> None:
    """Look for new deliveries until stopped; without a server, take them in here.

    Args:
        root: the study's folder.
        look_every_min: how often; None for `night.look_every_min`.
        label: as the deployments were entered.
        tell: called with each line for the user.

    Raises:
        UserError: no such study, its vault cannot be opened, or looking is switched off.
    """
    study = open_study(root)
    Night.check(study)
    every_min = study.params().night.look_every_min if look_every_min is None else look_every_min
    if not every_min:
        raise UserError("night.look_every_min is 0: say how often to look with --look-every")
    prepare_environment(study.state)

    def start() -> None:
        if os.environ.get("PREFECT_API_URL"):
            from flows.deployments import NEW_DELIVERIES, name_of, start_run  # noqa: PLC0415 - as above

            start_run(name_of(NEW_DELIVERIES, label))
        else:
            from flows.progress import Lines  # noqa: PLC0415 - only where it is shown
            from flows.run import ingest_once  # noqa: PLC0415 - the same

            tell(f"run: {ingest_once(study.root, Lines())['outcome']}")

    tell(f"looking into the landing zone of {study.root} every {every_min:g} min; stop with Ctrl-C")
    watch(study.root, every_min * 60, start, tell, Event())


def _at_a_server(root: Path) -> Study:
    """The study, with the environment that its runs at the server have."""
    study = open_study(root)
    study.params()
    api = os.environ.get("PREFECT_API_URL")
    if not api:
        raise UserError(
            "set PREFECT_API_URL to a server's address, such as http://127.0.0.1:4200/api (`painlake server`)"
        )
    prepare_environment(study.state)
    home = _data_of(api)
    if home is not None and home.is_dir():
        note_server(study.state, home)
    return study


def _data_of(api: str) -> Path | None:
    """Where a server keeps its database, if it says so.

    Raises:
        UserError: it does not answer.
    """
    try:
        with urllib.request.urlopen(f"{api.rstrip('/')}/admin/settings", timeout=10) as answer:  # noqa: S310 - as the user configured
            home = json.load(answer).get("home")
    except urllib.error.HTTPError:
        # It answers, and keeps this to itself.
        return None
    except (OSError, ValueError) as error:
        raise UserError(f"no Prefect server answers at {api}: start one with `painlake server`") from error
    return None if home is None else Path(home)
