"""Running rules through Great Expectations, and reading back what it found without a single value."""

import logging
import os
from collections.abc import Sequence
from functools import cache
from typing import Any

import polars as pl

from expectations.results import CheckResult, Rule

_RESULT_FORMAT = {"result_format": "BASIC", "exclude_unexpected_values": True}


def warm_up() -> None:
    """Import Great Expectations (seconds of CPU) ahead of its first use, for instance while workers extract."""
    _library()


def _library() -> Any:
    # Before the import: it reads them once. It would otherwise report its use to its makers.
    os.environ["GX_ANALYTICS_ENABLED"] = "false"
    os.environ.setdefault("DO_NOT_TRACK", "1")
    logging.getLogger("great_expectations").setLevel(logging.WARNING)
    import great_expectations  # noqa: PLC0415 - takes seconds, and most commands never check anything

    return great_expectations


@cache
def _context() -> Any:
    """The one ephemeral context: each makes a temporary folder of its own."""
    context = _library().get_context(mode="ephemeral")
    context.variables.progress_bars = {"globally": False}
    return context


def run_rules(frame: pl.DataFrame, rules: Sequence[Rule], *, partial: bool = False) -> list[CheckResult]:
    """Check a frame.

    Args:
        frame: holds the columns that the rules name.
        rules: of one table and suite.
        partial: the frame holds only some of the rows, so that counts are lower bounds.

    Returns:
        One result a rule, in the same order.
    """
    if not rules:
        return []
    gx = _library()
    expectations = [
        getattr(gx.expectations, rule.expectation)(**rule.kwargs, severity=rule.severity, meta={"rule": position})
        for position, rule in enumerate(rules)
    ]
    # What the context's data sources and suites come to in the end: these would be written as YAML and read again four
    # times for each frame, a quarter of all the time.
    batch = gx.core.batch.Batch(data=frame.to_pandas())
    pandas = gx.execution_engine.PandasExecutionEngine()
    validator = gx.validator.validator.Validator(execution_engine=pandas, batches=[batch], data_context=_context())
    found = validator.graph_validate(
        configurations=[expectation.configuration for expectation in expectations],
        runtime_configuration={"result_format": dict(_RESULT_FORMAT)},
    )
    by_rule = {result.expectation_config.meta["rule"]: result for result in found}
    return [_read(rule, by_rule.get(position), partial=partial) for position, rule in enumerate(rules)]


def _read(rule: Rule, found: Any, *, partial: bool) -> CheckResult:
    if found is None:
        return rule.result(success=False, detail="the check gave no result", error=True)
    broken = _exception_in(found.exception_info)
    if broken is not None:
        return rule.result(success=False, detail=f"the check itself broke: {broken}", error=True)
    if found.success:
        return rule.result(success=True)
    count, of = found.result.get("unexpected_count"), found.result.get("element_count")
    if not count:
        return rule.result(success=False)
    rows = "row" if of == 1 else "rows"
    return rule.result(success=False, detail=f"at least {count} rows" if partial else f"{count} of {of} {rows}")


def _exception_in(info: Any) -> str | None:
    """The name of the exception that broke a check, if one did; its message could carry values."""
    if not isinstance(info, dict):
        return None
    if info.get("raised_exception"):
        last_line = str(info.get("exception_traceback") or "").strip().rpartition("\n")[2]
        return last_line.partition(":")[0].rpartition(".")[2] or "unknown error"
    return next((name for part in info.values() if (name := _exception_in(part)) is not None), None)
