"""What the commands tell people, as plain text."""

from pathlib import Path
from typing import Any

from pipelines.study import Study
from schemas.faults import FAULTS, Fate

_MEANING = {
    Fate.PUBLISHED: "in the current version",
    Fate.QUARANTINED: "set aside with a reason: `painlake quarantine list`",
    Fate.DEFERRED: "waits: the next run looks again",
    Fate.DUPLICATE: "the same bytes came before",
    Fate.ERASED: "erased on request",
}


def table(header: list[str], rows: list[list[str]]) -> str:
    """Aligned columns; numbers to the right.

    >>> print(table(["code", "n"], [["EMPTY_FILE", "1"]]))
    code        n
    ----------  -
    EMPTY_FILE  1
    """
    widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
    rule = ["-" * width for width in widths]

    def line(cells: list[str]) -> str:
        parts = [
            cell.rjust(width) if cell.isdecimal() else cell.ljust(width)
            for cell, width in zip(cells, widths, strict=True)
        ]
        return "  ".join(parts).rstrip()

    return "\n".join(line(row) for row in [header, rule, *rows])


def made(study: Study) -> str:
    """After `painlake init`."""
    return (
        f"Made the study {study.root}.\n"
        f"Its vault's master key is {study.vault / 'master.key'}: keep a copy elsewhere, without it nothing can be read.\n"
        f"Next: let deliveries land in {study.root / study.params().study.landing}, then run `painlake ingest --study {study.root}`."
    )


def ingested(result: dict[str, Any], state: dict[str, Any]) -> str:
    """After `painlake ingest`."""
    lines = [f"Run: {result['outcome']}."]
    if result["version"] is not None:
        lines.append(f"New version {state['version']}: {state['warehouse']}")
    lines.extend(f"could not be processed: {failure}" for failure in result["failures"])
    if result["attention"]:
        rows = [
            [each["code"], str(each["count"]), "yes" if each["grew"] else "", each["next_step"]]
            for each in result["attention"]
        ]
        needed = table(["needs a person", "count", "more than before", "what to do"], rows)
    else:
        needed = "Nothing needs a person."
    return "\n".join([*lines, "", stated(state), "", needed])


def stated(state: dict[str, Any]) -> str:
    """`painlake status`."""
    fates = table(
        ["fate", "deliveries", "meaning"],
        [[fate.value, str(state[fate.value]), _MEANING[fate]] for fate in Fate]
        + [["landed", str(state["landed"]), "the sum" if state["balanced"] else "NOT THE SUM: please report this"]],
    )
    parts = [fates]
    if state["tables"]:
        rows = [
            [name, str(counts["landed"]), str(counts["published"]), str(counts["quarantined"])]
            for name, counts in state["tables"].items()
        ]
        parts.append(table(["rows of", "landed", "published", "quarantined"], rows))
    if state["reasons"]:
        rows = [[code, str(count), FAULTS[code].meaning] for code, count in state["reasons"].items()]
        parts.append(table(["code", "count", "meaning"], rows))
    if state["to_erase"]:
        parts.append(f"consent taken back, to be erased (`painlake erase`): {', '.join(state['to_erase'])}")
    if state["erasing"]:
        parts.append(f"erasures under way (`painlake erase --resume`): {', '.join(state['erasing'])}")
    last = state["last_run"]
    parts.append(
        f"version {state['version'] or 'none yet'}"
        f"{'' if state['backed_up'] else ' (NOT_BACKED_UP: there is no second copy)'}"
        f"\nlast run: {'none yet' if last is None else last['finished_at'] + ', ' + last['outcome']}"
    )
    return "\n\n".join(parts)


def listed_versions(found: list[dict[str, Any]]) -> str:
    """`painlake versions`."""
    rows = [
        [v["version"], v["published_at"] or "-", v["git_commit"][:12], "yes" if v["backed_up"] else "no"] for v in found
    ]
    return table(["version", "published", "git commit", "backed up"], rows) if rows else "no versions yet"


def erased(root: Path, receipts: list[dict[str, Any]]) -> str:
    """`painlake erase`."""
    if not receipts:
        return "no erasure is unfinished"
    lines = []
    for receipt in receipts:
        page = root / "state" / "receipts" / f"{receipt['pseudonym']}.md"
        lines.append(
            f"{receipt['pseudonym']} is erased: {len(receipt['deleted']['objects_md5'])} objects in all versions; "
            f"{receipt['published']}.\nReceipt: {page}"
        )
    return "\n".join(lines)


def verified(document: dict[str, Any]) -> str:
    """`painlake verify`."""
    looked_at = ", ".join(f"{count} {what}" for what, count in document["checked"].items())
    wrong = document["wrong"]
    notes = [f"note: {note}" for note in document["notes"]]
    return "\n".join([*wrong, *notes, f"looked at {looked_at}: {len(wrong) or 'nothing'} wrong"])
