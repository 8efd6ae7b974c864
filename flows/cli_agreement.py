"""`painlake agreement`: how far openSMILE and the engine of `voice.cross_check` agree."""

from dataclasses import asdict
from typing import Annotated

import typer

from flows.command import JsonOption, StudyOption, plainly, print_json, root_of


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(agreement)


@plainly
def agreement(
    context: typer.Context,
    version: Annotated[str | None, typer.Option(help="Of an earlier version, such as v0001.")] = None,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show how far openSMILE agrees with Praat on pitch, jitter, shimmer, HNR and formants of the same stretches."""
    from pipelines.agreement import agreements
    from pipelines.study import open_study
    from pipelines.warehouse import current_link

    opened = open_study(root_of(context, study))
    if version is None:
        file = current_link(opened.warehouse)
    else:
        from pipelines.checkout import checkout, find_version

        file = checkout(opened, find_version(opened, version))
    found = agreements(file)
    if as_json:
        print_json([asdict(each) for each in found])
    else:
        from flows.report_agreement import agreed

        typer.echo(agreed(found))
