"""Runs that a killed process left "running" in Prefect: whoever holds the study knows that they are over."""

import logging

from prefect.client.orchestration import SyncPrefectClient, get_client
from prefect.client.schemas.filters import (
    FlowFilter,
    FlowFilterName,
    FlowRunFilter,
    FlowRunFilterParentFlowRunId,
    FlowRunFilterState,
    FlowRunFilterStateType,
)
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.states import Crashed

log = logging.getLogger("painlake")

_UNDER_WAY = FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.RUNNING, StateType.CANCELLING]))


FLOWS = ("painlake-ingest", "painlake-backfill", "painlake-erase", "painlake-verify")
"""Which hold a study while they run."""


def close_leftover_runs(study: str, current: str | None) -> int:
    """Enter that earlier runs of a study, still under way by Prefect's account, have crashed.

    Call it while holding the study: then none of them can be alive.

    Args:
        study: the study's folder, as the run was given it.
        current: the run that asks.

    Returns:
        How many runs, those within others included.
    """
    with get_client(sync_client=True) as client:
        runs = client.read_flow_runs(
            flow_filter=FlowFilter(name=FlowFilterName(any_=list(FLOWS))),
            flow_run_filter=FlowRunFilter(state=_UNDER_WAY),
        )
        over = [run for run in runs if str(run.id) != current and run.parameters.get("study") == study]
        closed = sum(_close(client, run) for run in over)
    if closed:
        log.info("%d runs that were killed are entered as crashed", closed)
    return closed


def _close(client: SyncPrefectClient, run: FlowRun) -> int:
    within = client.read_flow_runs(
        flow_run_filter=FlowRunFilter(parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run.id]), state=_UNDER_WAY)
    )
    for each in (run, *within):
        client.set_flow_run_state(each.id, Crashed(message="the process was killed"), force=True)
    return 1 + len(within)
