"""The command that proves that everything is as it was left."""

from typing import Annotated

import typer

from flows.command import JsonOption, StudyOption, plainly, print_json, root_of


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(plainly(verify))


def verify(
    context: typer.Context,
    quick: Annotated[
        bool, typer.Option("--quick", help="See that all is there and adds up, without reading what it holds.")
    ] = False,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Rehash every object of every version, and hold ledger, lake, DVC and warehouse against each other."""
    from flows.progress import shown_progress
    from flows.report import verified
    from pipelines.study import open_study
    from pipelines.verify import verify as look

    opened = open_study(root_of(context, study))
    with shown_progress(quiet=as_json) as progress:
        found = look(opened, progress, quick=quick)
    if as_json:
        print_json(found.document)
    else:
        typer.echo(verified(found.document))
    if found.wrong:
        raise typer.Exit(1)
