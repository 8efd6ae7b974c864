"""The commands on what was set aside: see it, try it again, hand it to the study nurse."""

from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.command import JsonOption, StudyOption, plainly, print_json, root_of

quarantine = typer.Typer(name="quarantine", help="What was set aside, why, and what to do next.", no_args_is_help=True)

CodeOption = Annotated[str | None, typer.Option(help="Only this code.")]
KindOption = Annotated[
    Literal["media", "table", "row", "other"] | None,
    typer.Option(help="Only these; a row is one of a delivered table."),
]
OlderOption = Annotated[str | None, typer.Option(help="Set aside so long ago or longer: 7d, 12h, 2w.")]
NewerOption = Annotated[str | None, typer.Option(help="Set aside no longer ago than this: 7d, 12h, 2w.")]
DeliveryOption = Annotated[list[str] | None, typer.Option(help="Only this delivery and its rows; may be repeated.")]


@quarantine.command("list")
@plainly
def list_entries(
    context: typer.Context,
    code: CodeOption = None,
    kind: KindOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    delivery: DeliveryOption = None,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """List what was set aside, deliveries and refused rows of tables, oldest first, with a count for each code."""
    from flows.report_quarantine import listed
    from pipelines.quarantine_list import Wanted, in_quarantine, parse_age
    from pipelines.study import open_study

    wanted = Wanted(
        code,
        kind,
        tuple(delivery or ()),
        None if older_than is None else parse_age(older_than),
        None if newer_than is None else parse_age(newer_than),
    )
    found = in_quarantine(open_study(root_of(context, study)), wanted)
    if as_json:
        print_json(found)
    else:
        typer.echo(listed(found))


@quarantine.command()
@plainly
def show(
    context: typer.Context,
    delivery: Annotated[str, typer.Argument(help="A delivery's or row's id, from `quarantine list`.")],
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what was found, measured values with their limits, and what to do next; never whose it is."""
    from flows.report_quarantine import shown
    from pipelines.quarantine_list import details_of
    from pipelines.study import open_study

    found = details_of(open_study(root_of(context, study)), delivery)
    if as_json:
        print_json(found)
    else:
        typer.echo(shown(found))


@quarantine.command()
@plainly
def release(
    context: typer.Context,
    deliveries: Annotated[
        list[str] | None,
        typer.Argument(metavar="[DELIVERY]...", help="Ids of deliveries or rows, from `quarantine list`."),
    ] = None,
    code: Annotated[str | None, typer.Option(help="All of this code.")] = None,
    reason: Annotated[str, typer.Option(help="Why it may be tried again; kept in ledger and audit log.")] = "",
    study: StudyOption = None,
) -> None:
    """Have the next run try again, from the landing zone or, where the file has gone, from the copy that is kept."""
    from pipelines.errors import UserError
    from pipelines.quarantine_list import Wanted
    from pipelines.study import open_study
    from pipelines.try_again import release_from_quarantine

    if not deliveries and code is None:
        raise UserError("name deliveries of `painlake quarantine list`, or all of a code with --code")
    wanted = Wanted(code=code, deliveries=tuple(deliveries or ()))
    released = release_from_quarantine(open_study(root_of(context, study)), wanted, reason)
    for each in released:
        typer.echo(f"{each} is tried again by the next `painlake ingest`")


@quarantine.command()
@plainly
def export(
    context: typer.Context,
    file: Annotated[Path, typer.Argument(metavar="FILE.csv", help="A new file outside the study; it names people.")],
    code: CodeOption = None,
    kind: KindOption = None,
    older_than: OlderOption = None,
    newer_than: NewerOption = None,
    delimiter: Annotated[
        Literal["semicolon", "comma", "tab"], typer.Option(help="Where your Excel splits: a comma in Britain.")
    ] = "semicolon",
    study: StudyOption = None,
) -> None:
    """Write it as one CSV for the study nurse, with the hospital's own IDs and file names out of the vault."""
    from pipelines.quarantine_export import DELIMITERS, export_quarantine
    from pipelines.quarantine_list import Wanted, parse_age
    from pipelines.study import open_study

    wanted = Wanted(
        code,
        kind,
        (),
        None if older_than is None else parse_age(older_than),
        None if newer_than is None else parse_age(newer_than),
    )
    count = export_quarantine(open_study(root_of(context, study)), file, wanted, DELIMITERS[delimiter])
    typer.echo(f"{file}: {count} lines, readable by you alone. It names people: delete it once it is dealt with.")
