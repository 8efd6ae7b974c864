"""What the quarantine's commands tell people, as plain text."""

from typing import Any

from flows.report import table
from schemas.faults import FAULTS


def listed(found: list[dict[str, Any]]) -> str:
    """`painlake quarantine list`."""
    if not found:
        return "nothing is in quarantine"
    rows = [[e["delivery"], e["kind"], e["code"], age(e["age_days"]), e["meaning"]] for e in found]
    counts: dict[str, int] = {}
    for entry in found:
        counts[entry["code"]] = counts.get(entry["code"], 0) + 1
    sums = [[code, str(count), FAULTS[code].next_step] for code, count in sorted(counts.items())]
    return "\n\n".join(
        [table(["delivery", "kind", "code", "age", "meaning"], rows), table(["code", "count", "what to do next"], sums)]
    )


def shown(entry: dict[str, Any]) -> str:
    """`painlake quarantine show`."""
    lines = [
        ("delivery", entry["delivery"]),
        ("kind", entry["kind"]),
        ("table", entry["table"]),
        ("line", entry["line"]),
        ("code", entry["code"]),
        ("meaning", entry["meaning"]),
        ("found", entry["found"]),
        *(("measured", _measured(each)) for each in entry["measured"] or []),
        ("missing", ", ".join(entry["missing_columns"] or [])),
        ("next step", entry["next_step"]),
        ("participant", entry["participant"]),
        ("bytes", entry["bytes"]),
        ("sha256", entry["sha256"]),
        ("since", entry["since"] and f"{entry['since'][:19]} UTC, {age(entry['age_days'])}"),
        ("kept", "encrypted: `painlake quarantine release` tries it again" if entry["kept"] else "nothing of it"),
    ]
    told = "\n".join(f"{name:<12} {value}" for name, value in lines if value not in {None, ""})
    if not entry["rows"]:
        return told
    rows = [[str(row["line"]), row["code"], row["found"], row["next_step"]] for row in entry["rows"]]
    return f"{told}\n\n{table(['line', 'code', 'found', 'what to do next'], rows)}"


def age(days: float | None) -> str:
    """An age in words.

    >>> age(0.2), age(12.4), age(None)
    ('5 h', '12 d', '-')
    """
    if days is None:
        return "-"
    return f"{days * 24:.0f} h" if days < 2 else f"{days:.0f} d"


def _measured(each: dict[str, Any]) -> str:
    unit = "" if each["unit"] in {"", "1"} else f" {each['unit']}"
    return f"{each['measure']} {each['value']:g}{unit}, should be {each['threshold']}{unit if 'declared' not in each['threshold'] else ''}"
