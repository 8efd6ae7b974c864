"""What the ledger adds up to, for `painlake status`."""

from typing import Any

from pipelines.ledger import Ledger
from schemas.faults import Fate


def counts(ledger: Ledger) -> dict[str, Any]:
    """Counts by fate, whether they add up, reasons, and counts of table rows."""
    media = ledger.deliveries("media")
    by_fate = {fate.value: sum(entry.fate is fate for entry in media) for fate in Fate}
    reasons: dict[str, int] = {}
    for entry in ledger.deliveries():
        for code in entry.codes:
            reasons[code] = reasons.get(code, 0) + 1
    tables: dict[str, dict[str, int]] = {}
    for name, fate, given, rows in ledger.row_counts():
        table = tables.setdefault(name, {"landed": 0, "published": 0, "quarantined": 0})
        table["landed"] += rows
        table[fate] = table.get(fate, 0) + rows
        if given:
            reasons[given] = reasons.get(given, 0) + rows
    return {
        "landed": len(media),
        **by_fate,
        "balanced": sum(by_fate.values()) == len(media),
        "reasons": dict(sorted(reasons.items())),
        "tables": dict(sorted(tables.items())),
    }
