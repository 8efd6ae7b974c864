"""The commands that have a study run by itself: all in one process, or a server, a worker and a watch."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.command import StudyOption, plainly, root_of
from pipelines.errors import UserError

CronOption = Annotated[
    str | None, typer.Option(help="When to run, in the hospital's time zone; else night.cron of params.yaml.")
]
EveryOption = Annotated[
    float | None,
    typer.Option(
        "--look-every", min=0, metavar="MINUTES", help="How often to look for new deliveries, 0 for never; else night.look_every_min."
    ),
]  # fmt: skip


def register(app: typer.Typer) -> None:
    """Add the commands to the command line."""
    for command in (serve, server, deploy, worker, watch, backfill):
        app.command()(plainly(command))


def serve(
    context: typer.Context, cron: CronOption = None, look_every: EveryOption = None, study: StudyOption = None
) -> None:
    """Run the nights, and runs for new deliveries, from a local Prefect server in one process, until stopped."""
    from flows.serve import serve_study

    serve_study(root_of(context, study), cron, look_every, typer.echo)


def server(
    context: typer.Context,
    data: Annotated[
        Path | None, typer.Argument(help="Where it keeps its database. Default: STUDY/state/prefect.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="On 127.0.0.1.")] = 4200,
    study: StudyOption = None,
) -> None:
    """Run a Prefect server that keeps what it knows, with its pages, until stopped."""
    from flows.server import run_server
    from pipelines.study import open_study

    folder = data or open_study(root_of(context, study)).state / "prefect"
    run_server(folder.absolute(), port, typer.echo)


def deploy(
    context: typer.Context,
    cron: CronOption = None,
    label: Annotated[
        str, typer.Option(help="Before each deployment's name, where several studies share a server.")
    ] = "",
    study: StudyOption = None,
) -> None:
    """Enter the study's deployments at the Prefect server of PREFECT_API_URL, for `painlake worker`."""
    from flows.worker import deploy_study

    deploy_study(root_of(context, study), cron, label, typer.echo)


def worker(context: typer.Context, study: StudyOption = None) -> None:
    """Run what is due at the Prefect server of PREFECT_API_URL, one run at a time, until stopped."""
    from flows.worker import run_worker

    run_worker(root_of(context, study))


def watch(
    context: typer.Context,
    look_every: EveryOption = None,
    label: Annotated[str, typer.Option(help="As for `painlake deploy`.")] = "",
    study: StudyOption = None,
) -> None:
    """Look for new deliveries until stopped; have the server of PREFECT_API_URL, or else this process, take them in."""
    from flows.worker import watch_study

    watch_study(root_of(context, study), look_every, label, typer.echo)


def backfill(
    context: typer.Context,
    stage: Annotated[Literal["quality", "face", "voice", "align"], typer.Argument(help="Which stage.")],
    recordings: Annotated[
        list[str] | None, typer.Argument(metavar="[RECORDING]...", help="As in the table recordings.")
    ] = None,
    everything: Annotated[bool, typer.Option("--all", help="All recordings.")] = False,
    reason: Annotated[
        Literal["engine changed", "code changed", "output damaged", "on request"],
        typer.Option(help="Kept in the audit log."),
    ] = "on request",
    engine: Annotated[
        str | None, typer.Option(help="Go on only if params.yaml names this engine for the stage.")
    ] = None,
    study: StudyOption = None,
) -> None:
    """Measure a stage again, and what builds on it; then validate, publish and version as a night does."""
    from flows.progress import shown_progress
    from flows.report import ingested
    from flows.run import backfill_once
    from pipelines.backfill import Backfill
    from pipelines.overview import overview
    from pipelines.study import open_study

    if bool(recordings) == everything:
        raise UserError("name recordings, or all of them with --all")
    root = root_of(context, study)
    with shown_progress() as progress:
        result = backfill_once(root, Backfill(stage, tuple(recordings or ()), reason, engine), progress)
    typer.echo(ingested(result, overview(open_study(root))))
    if result["failures"] or result["outcome"].startswith(("held back", "failed")):
        raise typer.Exit(1)
