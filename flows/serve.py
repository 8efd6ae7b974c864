"""The nightly flow on a schedule, from a Prefect server on this machine."""

from collections.abc import Callable
from pathlib import Path

from flows.server import local_server
from pipelines.errors import UserError
from pipelines.night import Night
from pipelines.study import open_study

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
    with local_server(study.state, _PORT, for_people=True) as ready:
        tell(f"Prefect's server: {ready()}")
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
