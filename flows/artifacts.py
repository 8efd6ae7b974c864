"""What Prefect's pages show of a run besides its tasks: a table of what it came to, and links."""

import logging
from pathlib import Path
from typing import Any

from prefect.artifacts import create_markdown_artifact, create_table_artifact

from pipelines.night_summary import NightSummary
from pipelines.study import Study

log = logging.getLogger("painlake")


def leave_summary(study: Study, summary: NightSummary) -> None:
    """Leave a night's summary, as a page for people and as a table.

    Args:
        study: the study.
        summary: of its run; it names no person.
    """
    key = f"painlake-{summary.event}"
    try:
        create_markdown_artifact(page_of(study, summary), key=key, description=f"{summary.event}: {summary.outcome}")
        create_table_artifact(
            rows_of(summary), key=f"{key}-table", description="deliveries by fate, and what needs a person"
        )
    except Exception as error:  # noqa: BLE001 - the run is over: a server that has gone makes it no worse
        log.warning("Prefect did not take the summary: %s", type(error).__name__)


def leave_findings(document: dict[str, Any]) -> None:
    """Leave what `verify` found; objects are named by hash, persons by pseudonym."""
    checked = ", ".join(f"{count} {what}" for what, count in document["checked"].items())
    said = "\n".join(f"- {line}" for line in document["wrong"]) or "Nothing is wrong."
    create_markdown_artifact(
        f"## Verify\n\nLooked at {checked}.\n\n{said}\n", key="painlake-verify", description="what verify found"
    )


def rows_of(summary: NightSummary) -> list[dict[str, Any]]:
    """The summary as rows of one table."""
    fates = [{"kind": "fate", "what": fate, "count": count, "next step": ""} for fate, count in (summary.fates or {}).items()]  # fmt: skip
    needed = [
        {"kind": "needs a person", "what": each.code, "count": each.count, "next step": each.next_step}
        for each in summary.attention
    ]
    return [*fates, *needed]


def page_of(study: Study, summary: NightSummary) -> str:
    """The summary as Markdown, with links to the study's own files and the commands that say more."""
    new = f"New version **{summary.new_version}**" if summary.new_version else "No new version"
    lines = [
        f"## {summary.event.capitalize()}: {summary.outcome}",
        "",
        f"{new}; current: {summary.version or 'none yet'}. Could not be done: {summary.failures}.",
        "",
        "| fate | deliveries |",
        "|---|---:|",
        *(f"| {fate} | {count} |" for fate, count in (summary.fates or {}).items()),
        "",
    ]
    if summary.attention:
        lines += ["### What needs a person", "", "| code | count | next step |", "|---|---:|---|"]
        lines += [f"| {each.code} | {each.count}{' (new)' if each.grew else ''} | {each.next_step} |" for each in summary.attention]  # fmt: skip
    else:
        lines += ["Nothing needs a person."]
    lines += ["", "### Where to look", ""]
    lines += [f"- [{path.name}]({path.as_uri()})" for path in _files(study)]
    lines += [f"- `painlake {words} --study {study.root}`" for words in ("status", "quarantine list", "versions")]
    return "\n".join([*lines, ""])


def _files(study: Study) -> list[Path]:
    named = (study.reports / "validation.json", study.reports / "dataset.json", study.warehouse / "current", study.log)
    return [path for path in named if path.exists()]
