"""What every command of the command line has: its options, its errors in one line, its output."""

import json
import os
import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer

from pipelines.errors import PainLakeError

P = ParamSpec("P")
T = TypeVar("T")

StudyOption = Annotated[
    Path | None,
    typer.Option("--study", help="The study's folder; else $PAINLAKE_STUDY, else ./study.", show_default=False),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON document on standard output.")]


def plainly(command: Callable[P, T]) -> Callable[P, T]:
    """A command whose expected errors are one line on standard error and an exit code."""

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        try:
            return command(*args, **kwargs)
        except PainLakeError as error:
            typer.echo(f"painlake: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
        except BrokenPipeError:
            # The reader of our output has gone (`painlake query … | head`): that is its good right.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(0) from None
        except KeyboardInterrupt:
            typer.echo("painlake: interrupted; the next run goes on from here", err=True)
            raise typer.Exit(1) from None

    return run


def root_of(context: typer.Context, study: Path | None) -> Path:
    """The study's folder: from the command, from before it, from the environment, or ./study."""
    chosen = study or (context.find_root().params.get("study"))
    return Path(chosen or os.environ.get("PAINLAKE_STUDY") or "study")


def print_json(document: dict[str, Any] | list[Any]) -> None:
    """Print one JSON document on standard output."""
    typer.echo(json.dumps(document, indent=1, ensure_ascii=False))
