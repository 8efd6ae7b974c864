"""The command that gives data away."""

from typing import Annotated, Any, Literal

import typer

from flows.command import JsonOption, StudyOption, plainly, print_json, root_of

# Written out, since schemas/ would bring polars into every start of the command line.
ProfileName = Literal["internal", "partner", "open"]


@plainly
def release(
    context: typer.Context,
    out: Annotated[str, typer.Argument(help="A new or empty folder outside the study, or s3://bucket/prefix.")],
    profile: Annotated[
        ProfileName, typer.Option(help="For whom: colleagues of the study, partners under an agreement, or everyone.")
    ],
    version: Annotated[str | None, typer.Option(help="Release an earlier version, such as v0001.")] = None,
    study: StudyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write a version to give away: new pseudonyms, k-anonymous, with a report of what was changed."""
    from pipelines.release import release as make
    from pipelines.study import open_study

    report = make(open_study(root_of(context, study)), profile, out, version)
    if as_json:
        print_json(report)
    else:
        typer.echo(_said(report, out))


def _said(report: dict[str, Any], out: str) -> str:
    """What a release came to, for people."""
    people, recordings, k = report["people"], report["recordings"], report["k"]
    changed = [f"{column}: {what}" for column, what in report["generalised"].items()]
    counts = f"{people['released']} of {people['in_version']} people, {recordings['released']} of {recordings['in_version']} recordings"
    missing = f"{people['without_consent']} without the consent it needs, {people['left_out_for_k']} left out for k"
    return "\n".join(
        [
            f"Release {report['release']} ({report['profile']}) of {report['version']} stands in {out}",
            f"{counts}; {missing}",
            f"k = {k['reached']}; {', '.join(changed) or 'nothing generalised'}",
            "What was changed: report.md. Pseudonymised data remain personal data.",
        ]
    )
