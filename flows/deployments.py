"""What Prefect can run of a study: the night on its schedule, new deliveries, back-fill, erasures, verify.

`painlake serve` runs them in a process of its own; `painlake deploy` enters them at a server for a process worker.
They are found by module, so that they run wherever PainLake is installed.
"""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from prefect import Flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.actions import WorkPoolCreate
from prefect.deployments.flow_runs import run_deployment
from prefect.deployments.runner import RunnerDeployment
from prefect.exceptions import ObjectAlreadyExists, ObjectNotFound
from prefect.schedules import Cron, Schedule
from prefect.server.schemas.schedules import CronSchedule
from prefect.types.entrypoint import EntrypointType

from flows.backfill import backfill
from flows.care import erase, verify
from flows.environment import settings_for
from flows.ingest import ingest
from pipelines.errors import UserError
from pipelines.heartbeat import read_heartbeat
from pipelines.study import Study

POOL = "painlake"
"""The work pool of the process worker; one run at a time is the worker's limit and the study's lock, not the pool's,
since a pool counts runs of a worker that was killed."""

NIGHTLY, NEW_DELIVERIES = "nightly", "new-deliveries"


@dataclass(frozen=True, slots=True)
class _Plan:
    name: str
    flow: Flow[Any, Any]
    description: str


_PLANS = (
    _Plan(NIGHTLY, ingest, "Take in what is new, measure, validate, publish, version."),
    _Plan(NEW_DELIVERIES, ingest, "The same between nights, started when something new stands whole in landing."),
    _Plan("backfill", backfill, "Measure one stage of chosen recordings, or of all, again."),
    _Plan("erase", erase, "Carry out erasures that were entered with `painlake erase --later`, or not finished."),
    _Plan("verify", verify, "Rehash every object, and hold ledger, lake, DVC and warehouse against each other."),
)


def schedule_of(cron: str, timezone: str) -> Schedule:
    """The night's schedule, in the hospital's time zone.

    Raises:
        UserError: it cannot be read.
    """
    try:
        return Cron(cron, timezone=timezone)
    except ValueError as error:
        raise UserError(f"{cron!r} is no schedule of five fields: {error}") from error


def deployments_of(study: Study, cron: str, label: str = "", *, pool: str | None = None) -> list[RunnerDeployment]:
    """All deployments of a study.

    Args:
        study: the study.
        cron: when its nights are.
        label: before each name, where several studies share a server.
        pool: a work pool; None where the process that asks runs them itself.

    Raises:
        UserError: the schedule cannot be read.
    """
    schedule = schedule_of(cron, study.params().study.timezone)
    return [
        RunnerDeployment.from_flow(
            plan.flow,
            name=name_of(plan.name, label),
            schedule=schedule if plan.name == NIGHTLY else None,
            parameters={"study": str(study.root)},
            description=plan.description,
            tags=["painlake"],
            entrypoint_type=EntrypointType.MODULE_PATH,
            work_pool_name=pool,
            job_variables=None if pool is None else {"env": settings_for(study.state)},
        )
        for plan in _PLANS
    ]


def name_of(deployment: str, label: str) -> str:
    """A deployment's name.

    >>> name_of("nightly", ""), name_of("nightly", "trial")
    ('nightly', 'trial-nightly')
    """
    return f"{label}-{deployment}" if label else deployment


def start_run(deployment: str) -> UUID:
    """Have a deployment of the night run now; returns at once."""
    run = run_deployment(f"{ingest.name}/{deployment}", timeout=0, as_subflow=False)
    return run.id  # type: ignore[union-attr]  # outside an event loop it is no coroutine


async def missed_nights(study: Study, cron: str, now: datetime | None = None) -> bool:
    """Whether a night was due since the last good run began: the machine was off, or nothing served the study.

    A study that never had a good run is due.

    Args:
        study: the study.
        cron: when its nights are.
        now: the time of asking.
    """
    last = read_heartbeat(study)
    if last is None or last.good_began_at is None:
        return True
    zone = study.params().study.timezone
    since, until = datetime.fromisoformat(last.good_began_at), now or datetime.now(tz=UTC)
    if until <= since:
        return False
    due = await CronSchedule(cron=cron, timezone=zone).get_dates(
        1, start=since.astimezone(ZoneInfo(zone)), end=until.astimezone(ZoneInfo(zone))
    )
    return bool(due)


def enter_at_server(study: Study, cron: str, label: str) -> list[str]:
    """Enter a study's deployments at the server of the environment; gives their full names.

    Raises:
        UserError: the schedule cannot be read, or deployments of another study have these names.
    """
    wanted = deployments_of(study, cron, label, pool=POOL)
    with get_client(sync_client=True) as client:
        for each in wanted:
            _check_ours(client, each, study)
        with suppress(ObjectAlreadyExists):
            client.create_work_pool(WorkPoolCreate(name=POOL, type="process", description="PainLake's nights"))
    for each in wanted:
        each.apply()
    return [f"{each.flow_name}/{each.name}" for each in wanted]


def _check_ours(client: Any, wanted: RunnerDeployment, study: Study) -> None:
    try:
        there = client.read_deployment_by_name(f"{wanted.flow_name}/{wanted.name}")
    except ObjectNotFound:
        return
    if there.parameters.get("study") != str(study.root):
        raise UserError(
            f"the server has a deployment {wanted.name} of another study ({there.parameters.get('study')}): "
            "give this one a --label of its own"
        )
