"""The command line. Every heavy import waits until a command needs it: `painlake status` answers at once."""

import atexit
import gc
from pathlib import Path
from typing import Annotated, Literal

import typer

from flows import cli_agreement, cli_erase, cli_serve, cli_status, cli_verify
from flows.cli_benchmark import benchmark
from flows.cli_export import export
from flows.cli_quarantine import quarantine
from flows.cli_release import release
from flows.cli_vault import audit, vault
from flows.command import JsonOption, StudyOption
from flows.command import plainly as _plainly
from flows.command import print_json as _print
from flows.command import root_of as _root
from flows.environment import prepare_for_polars

app = typer.Typer(
    name="painlake",
    help="The data platform of a clinical cancer-pain study: from filmed patients to a versioned DuckDB.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog="Exit codes: 0 done (also with items in quarantine), 1 failed, 2 wrong use or bad input, 3 another run holds the study.",
)
for group in (quarantine, vault, audit, export, benchmark):
    app.add_typer(group)
app.command()(release)


def main() -> None:
    """The entry point of `painlake`."""
    prepare_for_polars()
    # Python looks for rings of objects once more as it ends, though all goes with the process.
    atexit.register(gc.freeze)
    app()


@app.callback()
def _before(study: StudyOption = None) -> None:
    """Options that may stand before a command; each command reads them from the context."""


@app.command()
@_plainly
def init(
    study: Annotated[Path, typer.Argument(help="A new or empty folder.")],
    landing: Annotated[
        str | None, typer.Option(help="Where deliveries land: a folder or s3://bucket/prefix. Default: STUDY/landing.")
    ] = None,
    remote: Annotated[
        str | None, typer.Option(help="Where DVC keeps a second copy: a folder or s3://bucket/prefix. Default: none.")
    ] = None,
) -> None:
    """Make a study: its parameters, its vault with a new key, and a git and DVC repository."""
    from flows.report import made
    from pipelines.study import make_study

    typer.echo(made(make_study(study, landing, remote)))


@app.command()
@_plainly
def ingest(context: typer.Context, study: StudyOption = None, as_json: JsonOption = False) -> None:
    """Run the nightly flow once: take in what is new, measure it, validate, publish, version."""
    from flows.progress import shown_progress
    from flows.report import ingested
    from flows.run import ingest_once
    from pipelines.overview import overview
    from pipelines.study import open_study

    root = _root(context, study)
    with shown_progress() as progress:
        result = ingest_once(root, progress)
    state = overview(open_study(root))
    if as_json:
        _print({**state, **result, "version": state["version"], "new_version": result["version"]})
    else:
        typer.echo(ingested(result, state))
    if result["failures"] or result["outcome"].startswith(("held back", "failed")):
        raise typer.Exit(1)


@app.command()
@_plainly
def demo(
    context: typer.Context,
    target: Annotated[Path | None, typer.Argument(metavar="[STUDY]", help="A new or empty folder.")] = None,
    participants: Annotated[int, typer.Option(min=2, max=500, help="How many people.")] = 12,
    seed: Annotated[int, typer.Option(help="The same seed makes the same people.")] = 1,
    seconds: Annotated[float, typer.Option(min=2, max=60, help="About how long a recording is.")] = 8.0,
    study: StudyOption = None,
) -> None:
    """Make a study with a synthetic landing zone, ingest it, and ask it a question."""
    from flows.demo import run_demo
    from flows.progress import shown_progress

    root = target or _root(context, study)
    with shown_progress() as progress:
        summary = run_demo(root, participants, seed, seconds, progress)
    typer.echo(summary)


@app.command()
@_plainly
def query(
    context: typer.Context,
    sql: Annotated[str, typer.Argument(help="One SELECT statement.")],
    form: Annotated[
        Literal["table", "csv", "json"], typer.Option("--format", help="How to print the answer.")
    ] = "table",
    version: Annotated[str | None, typer.Option(help="Ask an earlier version, such as v0001.")] = None,
    study: StudyOption = None,
) -> None:
    """Ask the published DuckDB file, read only."""
    from pipelines.query import format_rows, run_query
    from pipelines.study import open_study
    from pipelines.warehouse import current_link

    opened = open_study(_root(context, study))
    if version is None:
        file = current_link(opened.warehouse)
    else:
        from pipelines.checkout import checkout as build
        from pipelines.checkout import find_version

        file = build(opened, find_version(opened, version))
    columns, rows = run_query(file, sql)
    typer.echo(format_rows(columns, rows, form))


@app.command()
@_plainly
def versions(context: typer.Context, study: StudyOption = None, as_json: JsonOption = False) -> None:
    """List the dataset's versions."""
    from flows.report import listed_versions
    from pipelines.overview import all_versions
    from pipelines.study import open_study

    found = all_versions(open_study(_root(context, study)))
    if as_json:
        _print(found)
    else:
        typer.echo(listed_versions(found))


@app.command()
@_plainly
def checkout(
    context: typer.Context,
    version: Annotated[str, typer.Argument(help="Such as v0001.")],
    study: StudyOption = None,
) -> None:
    """Build the DuckDB file of an earlier version, beside the current one; prints its path."""
    from pipelines.checkout import checkout as build
    from pipelines.checkout import find_version
    from pipelines.study import open_study

    opened = open_study(_root(context, study))
    typer.echo(str(build(opened, find_version(opened, version))))


@app.command()
@_plainly
def stage(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="quality, face, voice, align, validate or publish.")],
    participant: Annotated[str | None, typer.Argument(help="A pseudonym, for the first four.")] = None,
    study: StudyOption = None,
) -> None:
    """Run one stage, as `dvc.yaml` does."""
    from flows.stage import run_stage
    from pipelines.study import open_study

    run_stage(open_study(_root(context, study)), name, participant, typer.echo)


cli_agreement.register(app)
cli_erase.register(app)
cli_serve.register(app)
cli_status.register(app)
cli_verify.register(app)

if __name__ == "__main__":
    main()
