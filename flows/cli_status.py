"""`painlake status`: for people, for programs, for monitors."""

from typing import Annotated

import typer

from flows.command import JsonOption, StudyOption, plainly, print_json, root_of


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(plainly(status))


def status(
    context: typer.Context,
    max_age: Annotated[
        str | None,
        typer.Option(
            metavar="AGE", help="Only say whether the last good run is older than this (26h, 2d): then exit 1."
        ),
    ] = None,
    metrics: Annotated[bool, typer.Option("--metrics", help="Print Prometheus's text format.")] = False,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show counts by fate, the last run, the current version, and whether the ledger balances."""
    from pipelines.errors import UserError
    from pipelines.study import open_study

    if sum((max_age is not None, metrics)) == 2 or (metrics and as_json):
        raise UserError("ask for one of --max-age, --metrics and --json at a time (--max-age takes --json)")
    opened = open_study(root_of(context, study))
    if max_age is not None:
        from datetime import UTC, datetime

        from pipelines.heartbeat import freshness, read_heartbeat
        from pipelines.quarantine_list import parse_age

        heartbeat = read_heartbeat(opened)
        fresh, line = freshness(heartbeat, parse_age(max_age), datetime.now(tz=UTC))
        if as_json:
            print_json({"ok": fresh, "last_good_run": heartbeat and heartbeat.good_ended_at, "said": line})
        else:
            typer.echo(line)
        raise typer.Exit(0 if fresh else 1)
    from pipelines.overview import overview

    state = overview(opened)
    if metrics:
        from pipelines.heartbeat import read_heartbeat
        from pipelines.metrics import exposition
        from pipelines.study import painlake_version

        typer.echo(exposition(state, read_heartbeat(opened), painlake_version()), nl=False)
    elif as_json:
        print_json(state)
    else:
        from flows.report import stated

        typer.echo(stated(state))
