"""The commands that write recordings' features for other programs."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from flows.command import StudyOption, plainly, root_of
from pipelines.errors import UserError

export = typer.Typer(name="export", help="Features of recordings for other programs.", no_args_is_help=True)


@export.command()
@plainly
def elan(
    context: typer.Context,
    recording: Annotated[str | None, typer.Argument(help="As in the table recordings.")] = None,
    out: Annotated[Path | None, typer.Argument(help="A new file outside the study, such as out.eaf.")] = None,
    all_to: Annotated[
        Path | None, typer.Option("--all", metavar="DIR", help="Write every current recording into this folder.")
    ] = None,
    version: Annotated[str | None, typer.Option(help="Export an earlier version, such as v0001.")] = None,
    pspi: Annotated[float, typer.Option(min=0.0, max=16.0, help="Mark pain from this PSPI on.")] = 2.0,
    force: Annotated[bool, typer.Option("--force", help="Replace files that are there.")] = False,
    study: StudyOption = None,
) -> None:
    """Write tasks, speech, action units and PSPI as time-aligned tiers that ELAN 6 opens."""
    from pipelines.elan_export import Choice, export_all, export_recording
    from pipelines.study import open_study

    opened = open_study(root_of(context, study))
    choice = Choice(version, pspi, force)
    if all_to is not None and recording is None:
        files = export_all(opened, all_to, choice)
        typer.echo(f"{len(files)} recordings in {all_to}")
    elif all_to is None and recording is not None and out is not None:
        typer.echo(str(export_recording(opened, recording, out, choice)[0]))
    else:
        raise UserError("name a recording and a file, or --all and a folder")


@export.command()
@plainly
def films(
    context: typer.Context,
    out: Annotated[Path, typer.Argument(metavar="DIR", help="A new or empty folder outside the study.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    study: StudyOption = None,
) -> None:
    """Write the films that have no CSV in face.openface.csv_folder, for OpenFace on another machine.

    They show the persons: keep the folder as safe as the study, and delete it when their CSV files are there.
    """
    from pipelines.export_films import export_films
    from pipelines.study import open_study

    if not yes:
        if not sys.stdin.isatty():
            raise UserError("the films show patients, unencrypted: say --yes where nobody can be asked")
        typer.confirm(f"Write films of patients, unencrypted, to {out}?", abort=True, err=True)
    files = export_films(open_study(root_of(context, study)), out)
    typer.echo(
        f"{len(files)} films in {out}, readable by you alone. They show persons: delete them once they are measured."
    )
