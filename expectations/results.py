"""What a check is and how it came out."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Severity = Literal["critical", "warning"]
Suite = Literal["columns", "values", "relations"]


@dataclass(frozen=True, slots=True)
class Rule:
    """One expectation about one table.

    Args:
        suite: columns (names and types), values (rows of one table) or relations (across tables).
        table: whose rule it is.
        check: the rule's short name.
        columns: what it is about; none for the table as a whole.
        severity: only a failed critical rule holds a publication back.
        expectation: the class of `great_expectations.expectations`.
        kwargs: its arguments.
    """

    suite: Suite
    table: str
    check: str
    columns: tuple[str, ...]
    severity: Severity
    expectation: str
    kwargs: Mapping[str, object] = field(default_factory=dict)

    def result(self, *, success: bool, detail: str = "", error: bool = False) -> "CheckResult":
        """How the rule came out."""
        return CheckResult(
            self.suite, self.table, self.check, ", ".join(self.columns), self.severity, success, detail, error
        )


@dataclass(frozen=True, slots=True, order=True)
class CheckResult:
    """How one rule came out: counts and names of columns, never a value.

    `error`: the check itself broke, so nothing is known; that holds a publication back whatever the severity.

    >>> CheckResult("values", "tasks", "unique", "recording, task", "critical", False, "2 of 10 rows").holds_back
    True
    """

    suite: Suite
    table: str
    check: str
    column: str
    severity: Severity
    success: bool
    detail: str = ""
    error: bool = False

    @property
    def holds_back(self) -> bool:
        """Whether nothing may be published."""
        return not self.success and (self.error or self.severity == "critical")

    def __str__(self) -> str:
        """One line for people."""
        where = f"{self.table}.{self.column}" if self.column else self.table
        return f"{where}: {self.check}: {self.detail or ('passed' if self.success else 'failed')}"
