"""What `painlake benchmark au` tells people."""

from flows.report import table
from pipelines.au_accuracy import Estimate
from pipelines.au_matching import Compared


def compared(found: Compared) -> str:
    """A row an action unit, and below it what the statistics do not rest on."""
    header = ["action unit", "n", "persons", "coder", "engine", "F1", "ICC(3,1)", "AUC"]
    rows = [
        [
            row.action_unit, str(row.n), str(row.groups), _percent(row.prevalence), _percent(row.predicted),
            _estimate(row.f1), _estimate(row.icc), _estimate(row.auc),
        ]
        for row in found.action_units
    ]  # fmt: skip
    engines = ", ".join(found.engines) or "no engine"
    rests_on = f"{found.used} of {found.labels} labels ({found.layout}) against {engines}"
    how = "coder and engine: share of frames with it; brackets: 95 % over persons."
    lines = [table(header, rows), "", f"{rests_on}; {how}"]
    lines += [f"not among them: {many} {why}" for why, many in found.left_out.items()]
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"


def _estimate(estimate: Estimate) -> str:
    """A value with its interval.

    >>> _estimate(Estimate(0.8, 0.7, 0.9)), _estimate(Estimate(0.5)), _estimate(Estimate())
    ('0.80 [0.70, 0.90]', '0.50', '-')
    """
    if estimate.value is None:
        return "-"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} [{estimate.low:.2f}, {estimate.high:.2f}]"
