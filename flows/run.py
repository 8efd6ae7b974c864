"""Running the flow once from the command line: look first, and start Prefect only for work."""

from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

from flows.crew import crew_ahead
from flows.night_end import Ending, night_ending
from flows.progress import Progress
from flows.server import local_server
from flows.session import session_of
from pipelines.backfill import Backfill


def ingest_once(root: Path, progress: Progress) -> dict[str, Any]:
    """Run a study's night once; with nothing new it is over before Prefect is imported.

    Args:
        root: the study's folder.
        progress: where to show it.

    Returns:
        The outcome in words, the new version's number if there is one, what could not be processed, and what needs a
        person.
    """
    progress.phase("looking into the landing zone")
    with night_ending(root) as ending, session_of(root, progress) as session:
        if not session.anything_to_do:
            return _summed_up(ending, session.nothing_new)
        progress.phase("starting Prefect")
        with local_server(session.night.study.state) as ready, crew_ahead(session):
            from flows.ingest import ingest  # noqa: PLC0415 - Prefect takes seconds to import, beside its server

            ready()
            try:
                # A state is what a deployment's run ends in.
                result = cast("dict[str, Any]", ingest(str(session.night.study.root)))
            finally:
                hand_over_what_is_said()
        return _summed_up(ending, result)


def backfill_once(root: Path, wanted: Backfill, progress: Progress) -> dict[str, Any]:
    """Measure recordings again, once, from the command line.

    Args:
        root: the study's folder.
        wanted: which stage of which.
        progress: where to show it.

    Returns:
        As `ingest_once`.

    Raises:
        UserError: it cannot be done.
    """
    with night_ending(root, "backfill") as ending, session_of(root, progress) as session:
        # Before Prefect keeps a name that is none.
        wanted.check(session.night.measuring)
        wanted.check_names()
        progress.phase("starting Prefect")
        with local_server(session.night.study.state) as ready, crew_ahead(session):
            from flows.backfill import backfill  # noqa: PLC0415 - as above

            ready()
            try:
                run: Any = backfill
                done = run(str(session.night.study.root), **{**asdict(wanted), "recordings": list(wanted.recordings)})
            finally:
                hand_over_what_is_said()
        return _summed_up(ending, done)


def _summed_up(ending: Ending, result: dict[str, Any]) -> dict[str, Any]:
    """The result with what needs a person."""
    summary = ending.summary or ending.settle(result)
    return {**result, "attention": summary.document["attention"]}


def hand_over_what_is_said() -> None:
    """Wait until the server has what Prefect's threads still hold for it: else they try again when it is gone."""
    from prefect.events.worker import EventsWorker  # noqa: PLC0415 - as above
    from prefect.logging.handlers import APILogWorker  # noqa: PLC0415 - as above

    for worker in (APILogWorker, EventsWorker):
        worker.drain_all()
