"""A study that runs by itself from one process: a Prefect server on this machine, the schedule, and the watch."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from threading import Event, Thread

from flows.server import PORT, local_server
from flows.watch_landing import watch
from pipelines.errors import UserError
from pipelines.night import Night
from pipelines.study import open_study


def serve_study(root: Path, cron: str | None, look_every_min: float | None, tell: Callable[[str], None]) -> None:
    """Run a study's nights, and what else its deployments offer, until stopped.

    Args:
        root: the study's folder.
        cron: five fields, read in the hospital's time zone (`study.timezone`); None for `night.cron`.
        look_every_min: how often to look for new deliveries, 0 for never; None for `night.look_every_min`.
        tell: called with each line for the user.

    Raises:
        UserError: no such study, its vault cannot be opened, or the schedule cannot be read.
    """
    study = open_study(root)
    Night.check(study)
    params = study.params()
    when = cron or params.night.cron
    every_s = 60 * (params.night.look_every_min if look_every_min is None else look_every_min)
    if len(when.split()) != 5:
        raise UserError(f"--cron {when!r} is no schedule of five fields: minute, hour, day, month, day of week")
    with local_server(study.state, PORT, for_people=True) as ready:
        # Prefect takes seconds to import, beside its server, and reads the environment once.
        from prefect.exceptions import TerminationSignal  # noqa: PLC0415 - as above
        from prefect.runner import Runner  # noqa: PLC0415 - as above

        from flows.deployments import NEW_DELIVERIES, NIGHTLY, deployments_of, missed_nights, start_run  # noqa: PLC0415 - as above

        wanted = deployments_of(study, when)
        tell(f"Prefect's server: {ready()}")
        runner = Runner(name="painlake", limit=1, pause_on_shutdown=False)
        for each in wanted:
            runner.add_deployment(each)
        if asyncio.run(missed_nights(study, when)):
            start_run(NIGHTLY)
            tell("a night was missed: it is made up for now")
        stop = Event()
        if every_s:
            arguments = (root, every_s, lambda: start_run(NEW_DELIVERIES), tell, stop)
            Thread(target=watch, args=arguments, name="watch-landing", daemon=True).start()
        tell(f"serving {study.root} at {when!r}, {params.study.timezone}; stop with Ctrl-C")
        try:
            asyncio.run(runner.start())
        except (KeyboardInterrupt, TerminationSignal):
            tell("stopped")
        finally:
            stop.set()
