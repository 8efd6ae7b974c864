"""The study's counts in Prometheus's text format, as its node exporter's textfile collector reads it.

Source: https://prometheus.io/docs/instrumenting/exposition_formats/ (text format, version 0.0.4).
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from pipelines.heartbeat import Heartbeat
from schemas.faults import FAULTS, Effect, Fate

Samples = list[tuple[Mapping[str, str], float]]

_NUMBER = re.compile(r"[0-9]+")


def exposition(state: Mapping[str, Any], heartbeat: Heartbeat | None, painlake: str) -> str:
    """The metrics of a study.

    Args:
        state: of `pipelines.overview`.
        heartbeat: of the last run.
        painlake: the version of the installed code.
    """
    return "".join(_family(name, meaning, samples) for name, meaning, samples in _families(state, heartbeat, painlake))


def _families(state: Mapping[str, Any], heartbeat: Heartbeat | None, painlake: str) -> list[tuple[str, str, Samples]]:
    by_fate: Samples = [({"fate": fate.value}, state[fate.value]) for fate in Fate]
    rows: Samples = [
        ({"table": table, "fate": fate}, counts.get(fate, 0))
        for table, counts in state["tables"].items()
        for fate in ("published", "quarantined")
    ]
    reasons = state["reasons"].items()
    quarantined: Samples = [({"code": c}, n) for c, n in reasons if FAULTS[c].effect is Effect.QUARANTINE]
    flagged: Samples = [({"code": c}, n) for c, n in reasons if FAULTS[c].effect is Effect.FLAG]
    return [
        ("build_info", "The installed PainLake.", [({"version": painlake}, 1)]),
        ("deliveries", "Deliveries of media, by their fate.", by_fate),
        ("deliveries_landed", "Deliveries of media that landed: the sum of all fates.", _one(state["landed"])),
        ("ledger_balanced", "Whether the fates add up to what landed.", _one(state["balanced"])),
        ("table_rows", "Rows of delivered tables, by table and fate.", rows),
        ("quarantined", "Deliveries and rows in quarantine, by code.", quarantined),
        ("flagged", "Deliveries that carry a flag, by code.", flagged),
        ("dataset_version", "The number of the current version; 0 before the first.", _one(_number(state["version"]))),
        ("backed_up", "Whether a second copy of every version exists.", _one(state["backed_up"])),
        ("to_erase", "Persons who took back consent and are to be erased.", _one(len(state["to_erase"]))),
        ("erasures_unfinished", "Erasures that are under way.", _one(len(state["erasing"]))),
        *_of_runs(heartbeat),
    ]


def _of_runs(heartbeat: Heartbeat | None) -> list[tuple[str, str, Samples]]:
    if heartbeat is None:
        return []
    duration_s = _seconds(heartbeat.ended_at) - _seconds(heartbeat.began_at)
    found: list[tuple[str, str, Samples]] = [
        ("last_run_timestamp_seconds", "When the last run ended.", _one(_seconds(heartbeat.ended_at))),
        ("last_run_duration_seconds", "How long the last run took.", _one(duration_s)),
        ("last_run_good", "Whether the last run left nothing undone.", _one(heartbeat.good)),
        ("last_run_failures", "What the last run could not do.", _one(heartbeat.failures)),
        ("attention", "What needs a person, by code.", [({"code": c}, n) for c, n in heartbeat.attention.items()]),
    ]
    if heartbeat.good_ended_at is not None:
        last_good: Samples = _one(_seconds(heartbeat.good_ended_at))
        found.append(("last_good_run_timestamp_seconds", "When the last good run ended.", last_good))
    return found


def _family(name: str, meaning: str, samples: Samples) -> str:
    """One metric with all its samples.

    >>> print(_family("deliveries", "By fate.", [({"fate": "published"}, 24)]), end="")
    # HELP painlake_deliveries By fate.
    # TYPE painlake_deliveries gauge
    painlake_deliveries{fate="published"} 24
    """
    lines = [f"# HELP painlake_{name} {meaning}", f"# TYPE painlake_{name} gauge"]
    lines.extend(f"painlake_{name}{_labels(labels)} {_value(value)}" for labels, value in samples)
    return "".join(f"{line}\n" for line in lines)


def _labels(labels: Mapping[str, str]) -> str:
    pairs = (f'{name}="{_escaped(value)}"' for name, value in labels.items())
    return "{" + ",".join(pairs) + "}" if labels else ""


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n").replace('"', '\\"')


def _value(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


def _one(value: float) -> Samples:
    return [({}, value)]


def _number(version: str | None) -> int:
    """A version's number.

    >>> _number("v0012"), _number(None)
    (12, 0)
    """
    found = _NUMBER.search(version or "")
    return int(found[0]) if found else 0


def _seconds(at: str) -> float:
    return datetime.fromisoformat(at).timestamp()
