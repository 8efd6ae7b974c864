"""What the ledger adds up to, for `painlake status`."""

from typing import Any

from pipelines.ledger import Ledger
from schemas.faults import Fate


def counts(ledger: Ledger) -> dict[str, Any]:
    """Counts by fate, whether they add up, reasons, and counts of table rows."""
    found = ledger.fate_counts("media")
    landed = sum(found.values())
    by_fate = {fate.value: found.get(fate.value, 0) for fate in Fate}
    reasons = ledger.reason_counts()
    tables: dict[str, dict[str, int]] = {}
    for name, fate, given, rows in ledger.row_counts():
        table = tables.setdefault(name, {"landed": 0, "published": 0, "quarantined": 0})
        table["landed"] += rows
        table[fate] = table.get(fate, 0) + rows
        if given:
            reasons[given] = reasons.get(given, 0) + rows
    return {
        "landed": landed,
        **by_fate,
        "balanced": sum(by_fate.values()) == landed,
        "reasons": dict(sorted(reasons.items())),
        "tables": dict(sorted(tables.items())),
    }
