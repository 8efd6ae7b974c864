"""The command on the right to erasure."""

import sys
from typing import Annotated

import typer

from flows.command import JsonOption, StudyOption, plainly, print_json, root_of


def register(app: typer.Typer) -> None:
    """Add the command to the command line."""
    app.command()(plainly(erase))


def erase(
    context: typer.Context,
    person: Annotated[str | None, typer.Argument(metavar="PARTICIPANT_ID", help="The hospital's ID.")] = None,
    reason: Annotated[str, typer.Option(help="Why; kept on the receipt for good, so without a name or an ID.")] = "",
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Go on with every unfinished erasure.")] = False,
    later: Annotated[
        bool, typer.Option("--later", help="Enter it: the next night, or the deployment `erase`, carries it out.")
    ] = False,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Erase a person for good: from vault, lake, every version, remotes and quarantine, with a receipt."""
    from flows.erase import enter_erasure, erase_person, resume_erasures
    from flows.report import erased
    from pipelines.errors import UserError

    root = root_of(context, study)
    if later and (resume or as_json):
        raise UserError("--later goes with a PARTICIPANT_ID and --reason, and gives no receipt yet")
    if resume:
        receipts = resume_erasures(root)
    elif person is None or not reason.strip():
        raise UserError("name a PARTICIPANT_ID and say why with --reason, or go on with --resume")
    else:
        if not yes:
            if not sys.stdin.isatty():
                raise UserError("erasure cannot be undone: say --yes where nobody can be asked")
            typer.confirm("This cannot be undone. Erase this person from every version?", abort=True, err=True)
        if later:
            pseudonym = enter_erasure(root, person.strip(), reason.strip())
            typer.echo(f"{pseudonym} is entered: the next night, or the deployment `erase`, erases this person")
            return
        receipts = [erase_person(root, person.strip(), reason.strip())]
    if as_json:
        print_json(receipts if resume else receipts[0])
    else:
        typer.echo(erased(root, receipts))
