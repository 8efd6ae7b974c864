"""A benchmark's tables, for the terminal and for a document."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flows.report import table

NOTHING = "."
"""What rounds to nothing."""


@dataclass(frozen=True, slots=True)
class Table:
    """One table of figures: what it is, how to read it, and its cells as they are shown."""

    title: str
    note: str
    header: Sequence[str]
    rows: Sequence[Sequence[str]]

    def text(self) -> str:
        """For the terminal."""
        return f"{self.title}\n{self.note}\n{table(list(self.header), [list(row) for row in self.rows])}\n"

    def markdown(self) -> str:
        """For a document: numbers to the right.

        >>> print(Table("T", "Note.", ("unit", "rise"), (("AU04", "1.5"),)).markdown())
        ### T
        <BLANKLINE>
        Note.
        <BLANKLINE>
        | unit | rise |
        |---|--:|
        | AU04 | 1.5 |
        <BLANKLINE>
        """
        rules = ["---" if _is_text([row[i] for row in self.rows]) else "--:" for i in range(len(self.header))]
        lines = [self.header, *self.rows]
        body = ["| " + " | ".join(line) + " |" for line in lines]
        body.insert(1, "|" + "|".join(rules) + "|")
        return "\n".join([f"### {self.title}", "", self.note, "", *body, ""])


@dataclass(frozen=True, slots=True)
class Part:
    """What one part of a benchmark found: for people, for machines, and whether it may stand."""

    tables: Sequence[Table]
    data: Mapping[str, Any]
    passed: bool = True


_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?%?")


def _is_text(cells: Sequence[str]) -> bool:
    return any(cell not in {"", NOTHING, "NULL"} and not _NUMBER.fullmatch(cell) for cell in cells)


def signed(value: float, digits: int = 1) -> str:
    """A difference; what rounds to nothing is a dot, so that the rest stands out.

    >>> signed(1.25), signed(-0.31), signed(0.04)
    ('+1.2', '-0.3', '.')
    """
    if value != value:  # noqa: PLR0124 - what is not a number does not equal itself
        return "NULL"
    shown = f"{value:+.{digits}f}"
    return NOTHING if float(shown) == 0 else shown
