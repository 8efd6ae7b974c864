"""The commands that look after the vault, and those that read its audit log."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

from flows.command import JsonOption, StudyOption, plainly, print_json, root_of

vault = typer.Typer(name="vault", help="The vault: who is who, and the keys to all recordings.", no_args_is_help=True)
audit = typer.Typer(name="audit", help="Who opened, decrypted, released or published what, and when.", no_args_is_help=True)  # fmt: skip


@vault.command()
@plainly
def init(context: typer.Context, study: StudyOption = None) -> None:
    """Make a vault for a study that has none, with a master key beside it unless the environment names one."""
    from pipelines.study import open_study
    from pipelines.vault_care import make_vault

    opened = open_study(root_of(context, study))
    where = make_vault(opened)
    typer.echo(f"Made the vault {opened.vault}.\nIts master key stands in {where}: keep a copy elsewhere.")


@vault.command()
@plainly
def check(context: typer.Context, study: StudyOption = None, as_json: JsonOption = False) -> None:
    """See whether the vault opens, is whole and private, and has backups."""
    from pipelines.study import open_study
    from pipelines.vault_care import check_vault

    found = check_vault(open_study(root_of(context, study)))
    if as_json:
        print_json(found)
    else:
        typer.echo(_checked(found))
    if found["problems"]:
        raise typer.Exit(1)


@vault.command("worker-key")
@plainly
def worker_key(
    file: Annotated[
        Path, typer.Argument(help="A new file that this machine and the workers can read, and nobody else.")
    ],
) -> None:
    """Make a key for the workers of a cluster (`study.runner` dask or ray), under which they are handed persons' keys."""
    from pipelines.worker_key import VARIABLE, make_worker_key

    make_worker_key(file)
    typer.echo(f"Set {VARIABLE}={file} for `painlake` and for the workers.")


@vault.command()
@plainly
def rotate(
    context: typer.Context,
    new_key_file: Annotated[
        Path | None,
        typer.Option(help="Where to write the new key; needed where the key is in the environment or a secret."),
    ] = None,
    study: StudyOption = None,
) -> None:
    """Encrypt the vault with a new master key."""
    from pipelines.study import open_study
    from pipelines.vault_care import rotate_key

    done = rotate_key(open_study(root_of(context, study)), new_key_file)
    typer.echo(f"The vault has a new master key, in {done.key_place}: keep a copy elsewhere.")
    if done.to_name:
        typer.echo("From now on have the environment name that key: the old one opens the vault no more.")
    if done.old_backups:
        typer.echo(f"{done.old_backups} backups were made before: only their old key opens them. Make a new one.")


@vault.command()
@plainly
def backup(
    context: typer.Context,
    dest: Annotated[Path, typer.Argument(help="A folder or a new file, outside the study.")],
    keep_days: Annotated[
        int, typer.Option(min=1, help="After how many days you delete it; receipts of erasure name the day.")
    ] = 90,
    study: StudyOption = None,
) -> None:
    """Copy the encrypted vault, never its key."""
    from pipelines.study import open_study
    from pipelines.vault_care import back_up

    done = back_up(open_study(root_of(context, study)), dest, keep_days)
    typer.echo(f"{done.file}\nDelete it by {done.keep_until[:10]}. Only the master key opens it: keep that elsewhere.")


@audit.command()
@plainly
def verify(context: typer.Context, study: StudyOption = None, as_json: JsonOption = False) -> None:
    """Find a changed, missing, reordered, inserted or cut line of the audit log; exit 1 if there is one."""
    from dataclasses import asdict

    from pipelines.audit import verify as check_log
    from pipelines.study import open_study
    from pipelines.vault import Vault

    opened = open_study(root_of(context, study))
    with opened.held():
        found = check_log(opened, Vault.open(opened.vault))
    if as_json:
        print_json({"sound": found.problem is None, **asdict(found)})
    elif found.problem is None:
        typer.echo(f"{found.entries} lines, all as they were written{f' ({found.note})' if found.note else ''}")
    else:
        typer.echo(f"line {found.bad_line} of {opened.audit}: {found.problem}")
    if found.problem is not None:
        raise typer.Exit(1)


@audit.command()
@plainly
def show(
    context: typer.Context,
    last: Annotated[int | None, typer.Option(min=1, help="Only the last so many entries.")] = None,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show the audit log, oldest first; `audit verify` says whether it is sound."""
    from flows.report import table
    from pipelines.audit import read_audit
    from pipelines.study import open_study

    found = read_audit(open_study(root_of(context, study)))
    found = found if last is None else found[-last:]
    if as_json:
        print_json(found)
        return
    rows = [[str(e["seq"]), e["at"][:19], e["by"], e["action"], e["subject"], _told(e["detail"])] for e in found]
    typer.echo(table(["entry", "at (UTC)", "by", "action", "subject", "detail"], rows) if rows else "no entries yet")


def _told(detail: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value if isinstance(value, str) else json.dumps(value)}" for name, value in detail.items())  # fmt: skip


def _checked(found: dict[str, Any]) -> str:
    from flows.report import table

    parts = [
        f"the vault opens: {found['people']} people, {found['pseudonyms']} pseudonyms",
        f"master key: {found['key']} ({found['key_id']})",
    ]
    if found["backups"]:
        rows = [
            [
                backup["file"],
                backup["made_at"][:19],
                backup["keep_until"][:10],
                "yes" if backup["found"] else "no",
                "yes" if backup["opens"] else "no",
            ]
            for backup in found["backups"]
        ]
        parts.append(table(["backup", "made (UTC)", "kept until", "found", "opens"], rows))
    parts.extend(f"PROBLEM: {problem}" for problem in found["problems"])
    parts.extend(f"advice: {advice}" for advice in found["advice"])
    return "\n".join(parts)
