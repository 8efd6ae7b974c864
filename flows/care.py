"""The flows that look after a study: erasures that were entered, and the proof that everything is as it was left."""

from pathlib import Path
from typing import Any

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from flows.artifacts import leave_findings
from flows.erase import erase_pending
from flows.leftover import close_leftover_runs
from flows.night_end import night_ending
from flows.waiting import end_with_worker, is_scheduled, wait_until_free
from pipelines.errors import RunInProgressError
from pipelines.study import open_study
from pipelines.verify import verify as look


@flow(name="painlake-erase", flow_run_name="erase", validate_parameters=False)
def erase(study: str, *, withdrawn: bool = False) -> int | State[Any]:
    """Carry out every erasure that was entered (`painlake erase … --later`) or not finished.

    It is told nobody: whom it concerns stands in the study's journals, by pseudonym, and in the vault. So no ID and no
    pseudonym of an erased person is ever a parameter, a name or a result here.

    Args:
        study: the study's folder.
        withdrawn: erase those who took back consent, too.

    Returns:
        How many persons are erased now.
    """
    end_with_worker()
    root = Path(study)
    try:
        with night_ending(root, "erase") as ending:
            if is_scheduled():
                wait_until_free(open_study(root))
            close_leftover_runs(study, flow_run.id)
            done = len(erase_pending(root, withdrawn=withdrawn))
            ending.settle({"outcome": f"{done} persons erased", "version": None, "failures": []})
    except RunInProgressError as error:
        return _skipped(error)
    return done


@flow(name="painlake-verify", flow_run_name="verify", validate_parameters=False)
def verify(study: str, *, quick: bool = False) -> dict[str, Any] | State[Any]:
    """Rehash every object of every version, and hold ledger, lake, DVC and warehouse against each other.

    Args:
        study: the study's folder.
        quick: read no object.

    Returns:
        What was looked at and what was wrong; a run of a deployment fails where something was.
    """
    end_with_worker()
    root = Path(study)
    opened = open_study(root)
    try:
        with night_ending(root, "verify") as ending:
            if is_scheduled():
                wait_until_free(opened)
            document = look(opened, quick=quick).document
            wrong = len(document["wrong"])
            outcome = f"failed: {wrong} wrong" if wrong else "nothing wrong"
            ending.settle({"outcome": outcome, "version": None, "failures": document["wrong"]})
    except RunInProgressError as error:
        return _skipped(error)
    leave_findings(document)
    return Failed(message=outcome) if wrong and is_scheduled() else document


def _skipped(error: RunInProgressError) -> State[Any]:
    if not is_scheduled():
        raise error
    return Completed(name="Skipped", message=str(error))
