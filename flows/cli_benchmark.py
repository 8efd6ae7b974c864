"""`painlake benchmark`: how good the features are, for those who hold what humans said."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Literal

import typer

from flows.command import JsonOption, StudyOption, plainly, print_json, root_of

benchmark = typer.Typer(name="benchmark", help="Features against what humans said.", no_args_is_help=True)


@benchmark.callback()
def _group() -> None:
    """Features against what humans said."""


@benchmark.command()
@plainly
def au(
    context: typer.Context,
    labels: Annotated[Path, typer.Option(help="A coder's file, or a folder of them.")],
    layout: Annotated[
        Literal["auto", "long", "disfa", "unbc"], typer.Option(help="How the labels are written; see above.")
    ] = "auto",
    mapping: Annotated[
        Path | None, typer.Option(help="A CSV video,recording: which recording each labelled video is.")
    ] = None,
    first_frame: Annotated[
        int | None,
        typer.Option(min=0, help="What the labels call the first frame; 0 in a long CSV, else 1.", show_default=False),
    ] = None,
    present_from: Annotated[
        float, typer.Option(min=0, max=5, help="The coder's intensity from which on a unit is present.")
    ] = 1.0,
    predictions: Annotated[
        Path | None, typer.Option(help="Frames of another program: parquet or CSV in the columns of au_frames.")
    ] = None,
    version: Annotated[str | None, typer.Option(help="Of an earlier version, such as v0001.")] = None,
    resamples: Annotated[int, typer.Option(min=100, max=100_000, help="Draws of persons for the intervals.")] = 1000,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Compare action units with a FACS coder's: F1, ICC(3,1) and AUC, with 95 % intervals over persons.

    The labels may be:

    long: a CSV with recording, frame (from 0) or timestamp_s, action_unit (AU04, AU4 or 4), intensity (0-5 or A-E)
    and/or presence (0 or 1).

    disfa: DISFA's ActionUnit_Labels/, with SN001/SN001_au1.txt of lines frame,intensity; frames from 1. The mapping's
    video is SN001.

    unbc: UNBC-McMaster's Frame_Labels/FACS/, with 042-ll042/ll042t1aaaff/ll042t1aaaff001_facs.txt of lines action
    unit, intensity, onset, offset; a file for each frame, from 1. The mapping's video is ll042t1aaaff.

    docs/benchmark_au.md says more.
    """
    from pipelines.au_accuracy import Draws
    from pipelines.au_labels import read_labels
    from pipelines.au_matching import compare, published, read_predictions
    from pipelines.errors import UserError

    if predictions is not None and version is not None:
        raise UserError("name --predictions or --version, not both")
    read = read_labels(labels, layout, mapping, first_frame)
    if predictions is not None:
        engine = read_predictions(predictions)
    else:
        from pipelines.checkout import checkout, find_version
        from pipelines.study import open_study
        from pipelines.warehouse import current_link

        opened = open_study(root_of(context, study))
        file = current_link(opened.warehouse) if version is None else checkout(opened, find_version(opened, version))
        engine = published(file, read.rows["recording"].unique().to_list())
    found = compare(read, engine, present_from, Draws(resamples))
    if as_json:
        print_json(asdict(found))
    else:
        from flows.report_benchmark import compared

        typer.echo(compared(found))
