"""One run at a time: a scheduled run that finds the study held waits for it, and shows in Prefect that it does."""

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.runtime import deployment, flow_run
from prefect.states import Pending, Running

from flows.lifeline import end_with_parent
from flows.session import Session, in_session, session_of
from pipelines.errors import RunInProgressError
from pipelines.heartbeat import read_heartbeat
from pipelines.study import Study, open_study

_LOOK_EVERY_S = 5.0


def is_scheduled() -> bool:
    """Whether this is a run of a deployment: nobody sits before it."""
    return deployment.id is not None


def end_with_worker() -> None:
    """Have a scheduled run end with the worker that started it.

    Left alone, and its server gone too, it would hold the study for minutes; killed, it is made good by the next run.
    """
    if is_scheduled():
        end_with_parent(signal.SIGKILL)


def is_done_already(study: Study) -> bool:
    """Whether a good run has looked into the study since this one was due.

    So nights that were missed while the machine was off are made up for by one run, not by one each.
    """
    due, last = flow_run.scheduled_start_time, read_heartbeat(study)
    if not is_scheduled() or due is None or last is None or last.good_began_at is None:
        return False
    return bool(datetime.fromisoformat(last.good_began_at) > due)


@contextmanager
def session_when_free(root: Path, *, resume: bool = True) -> Iterator[Session]:
    """A session; a scheduled run waits for a study that another run holds, for at most `night.wait_h`.

    Args:
        root: the study's folder.
        resume: as for `session_of`.

    Raises:
        RunInProgressError: nobody waits, or it took too long.
    """
    if is_scheduled() and not in_session():
        wait_until_free(open_study(root))
    with session_of(root, resume=resume) as session:
        yield session


def wait_until_free(study: Study) -> None:
    """Wait until nobody holds a study.

    While it waits the run is Pending, not Running: whoever holds the study enters what it finds Running as crashed.

    Raises:
        RunInProgressError: it took longer than `night.wait_h`.
    """
    until = time.monotonic() + study.params().night.wait_h * 3600
    waiting = False
    while study.is_held():
        if not waiting:
            _show(Pending(name="WaitingForStudy", message="another run holds the study"))
            waiting = True
        if time.monotonic() >= until:
            raise RunInProgressError(f"RUN_IN_PROGRESS: another run held {study.root} for too long (night.wait_h)")
        time.sleep(_LOOK_EVERY_S)
    if waiting:
        _show(Running())


def _show(state: State[Any]) -> None:
    with get_client(sync_client=True) as client:
        client.set_flow_run_state(flow_run.id, state, force=True)
