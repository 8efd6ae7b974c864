"""What a release says of itself in words: disclosure report, data dictionary, citation."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl

from pipelines.disclosure import Disclosed
from pipelines.duckdb_tables import dictionary
from pipelines.durable import write_durably
from pipelines.release_files import Contents, Facts, label
from pipelines.release_tables import Changes
from schemas.people import PARTICIPANTS, RECORDINGS
from schemas.releases import Profile, released_tables
from schemas.tables import TABLES, VIEWS

_USE: Mapping[Profile, str] = {
    "internal": "For those who work under the study's own protocol.",
    "partner": "For the partners named in the agreement that it was given under; not to be passed on.",
    "open": "For everyone.",
}

_NAMED = 12
"""Of more columns the report for people gives the number alone."""


def report_of(
    contents: Contents,
    disclosed: Disclosed,
    changes: Changes,
    without_consent: int,
    before: Mapping[str, pl.DataFrame],
) -> dict[str, Any]:
    """The disclosure report: what was asked, what was reached, what was changed; counts and columns, never a value.

    Args:
        contents: of the release.
        disclosed: what was done to its people.
        changes: what was done to its rows.
        without_consent: how many were left out for want of consent.
        before: the tables that it was made from.
    """
    facts = contents.facts
    params = facts.params
    return {
        "release": facts.release,
        "profile": facts.profile,
        "version": facts.version,
        "created_on": facts.created_on,
        "painlake_version": facts.painlake_version,
        "k": {"asked": params.k_anonymity, "reached": disclosed.k, "quasi_identifiers": list(params.quasi_identifiers)},
        "people": {
            "in_version": before[PARTICIPANTS.name].height,
            "without_consent": without_consent,
            "left_out_for_k": disclosed.dropped,
            "released": disclosed.people.height,
        },
        "recordings": {
            "in_version": before[RECORDINGS.name].height,
            "released": contents.frames[RECORDINGS.name].height,
        },
        "generalised": dict(disclosed.recodings),
        "tumour_types_merged": {"types": disclosed.types_merged, "people": disclosed.people_merged},
        "people_suppressed": disclosed.suppressed,
        "cells_suppressed": dict(sorted(changes.cells.items())),
        "rows_dropped": dict(sorted(changes.rows.items())),
        "left_out": _left_out(facts.profile),
        "tables": {},
    }


def _left_out(profile: Profile) -> dict[str, list[str] | str]:
    """What the profile does not give: whole tables, and columns of others."""
    given = released_tables(profile)
    missing: dict[str, list[str] | str] = {}
    for table in (*TABLES.values(), *VIEWS.values()):
        if table.name not in given:
            missing[label(table)] = "all"
        elif columns := [name for name in table.names if name not in given[table.name].names]:
            missing[label(table)] = columns
    return missing


def write_texts(folder: Path, facts: Facts, report: Mapping[str, Any]) -> None:
    """Write data dictionary, citation and report beside the tables."""
    entries = dictionary(released_tables(facts.profile).values())
    write_durably(folder / "dictionary.csv", entries.write_csv().encode())
    write_durably(folder / "CITATION.txt", _citation(facts, report).encode())
    write_durably(folder / "report.json", (json.dumps(report, indent=1, ensure_ascii=False) + "\n").encode())
    write_durably(folder / "report.md", _markdown(facts, report).encode())


def _citation(facts: Facts, report: Mapping[str, Any]) -> str:
    people, recordings = report["people"]["released"], report["recordings"]["released"]
    return f"""\
{facts.study}. Dataset {facts.version}, {facts.profile} release {facts.release}, {facts.created_on}: {recordings} recordings of {people} people. Made with PainLake {facts.painlake_version}.

{_USE[facts.profile]} These are personal data still: do not try to find out who is in them, and do not join them with other data about persons or with another release.

Cite with the measures that you use:
- Voice: Eyben et al. 2016, The Geneva Minimalistic Acoustic Parameter Set (GeMAPS) for Voice Research and Affective Computing, IEEE Transactions on Affective Computing 7(2), doi:10.1109/TAFFC.2015.2457417; computed with openSMILE.
- Action units: Ekman and Friesen 1978, Facial Action Coding System; estimated with MediaPipe Face Landmarker, see the table au_support.
- PSPI: Prkachin and Solomon 2008, The structure, reliability and validity of pain expression, Pain 139(2), 267-274.
"""


def _markdown(facts: Facts, report: Mapping[str, Any]) -> str:
    """The report for people."""
    people, k = report["people"], report["k"]
    merged = report["tumour_types_merged"]
    lines = [
        f"# Release {facts.release}",
        "",
        f"Profile {facts.profile}, dataset {facts.version}, {facts.created_on}, PainLake {facts.painlake_version}. {_USE[facts.profile]}",
        "",
        f"- People: {people['released']} of {people['in_version']}; {people['without_consent']} without the consent it needs, {people['left_out_for_k']} left out for k.",
        f"- Recordings: {report['recordings']['released']} of {report['recordings']['in_version']}. The films and sounds themselves are in no release.",
        f"- k-anonymity: each combination of {', '.join(k['quasi_identifiers'])} is that of at least {k['reached']} people; {k['asked']} were asked.",
        f"- Tumour types merged into 'other': {merged['types']}, of {merged['people']} people.",
        f"- People whose quasi-identifiers were suppressed, but for the group: {report['people_suppressed']}.",
        *(f"- {name}: {what}." for name, what in report["generalised"].items()),
        *(f"- {name}: {cells} cells of values that fewer than {facts.params.min_cell} people have were suppressed."
          for name, cells in report["cells_suppressed"].items()),
        *(f"- {name}: {rows} rows for such values were dropped." for name, rows in report["rows_dropped"].items()),
        "",
        "Pseudonyms are random and of this release alone. Pseudonymised data remain personal data.",
        "",
        "| table | rows |",
        "|---|---|",
        *(f"| {name} | {rows} |" for name, rows in report["tables"].items()),
        "",
        "| not in this release | columns |",
        "|---|---|",
        *(f"| {name} | {_few(what)} |" for name, what in report["left_out"].items()),
        "",
    ]  # fmt: skip
    return "\n".join(lines)


def _few(columns: list[str] | str) -> str:
    """Columns by name, or how many there are."""
    if isinstance(columns, str):
        return columns
    return ", ".join(columns) if len(columns) <= _NAMED else f"{len(columns)} columns, named in report.json"
