"""Asking a published DuckDB file: one reading statement in, rows out, as a table, CSV or JSON."""

import csv
import io
import json
import math
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Literal

from pipelines.errors import UserError
from pipelines.warehouse import open_warehouse

Format = Literal["table", "csv", "json"]
Row = tuple[object, ...]

_READING = ("SELECT", "EXPLAIN")
_NULL = "NULL"
_NARROWEST = 4


def run_query(path: Path, sql: str) -> tuple[list[str], list[Row]]:
    """Run one reading statement on a published file.

    Args:
        path: a DuckDB file of the warehouse.
        sql: one statement.

    Returns:
        The columns' names and the rows.

    Raises:
        UserError: it is no statement, more than one, one that would write, or DuckDB refuses it; in one line.
    """
    import duckdb  # noqa: PLC0415 - the CLI starts without it

    with open_warehouse(path) as connection:
        try:
            statements = connection.extract_statements(sql)
            if len(statements) != 1:
                raise UserError(f"ask one question at a time: that is {len(statements)} statements")
            kind = statements[0].type.name
            if kind not in _READING:
                raise UserError(
                    f"the warehouse is read only: {kind} is refused, SELECT, FROM, DESCRIBE and the like are not"
                )
            result = connection.execute(statements[0])
            return [column[0] for column in result.description or []], result.fetchall()
        except duckdb.Error as error:
            raise UserError(_one_line(str(error))) from error


def _one_line(message: str) -> str:
    """DuckDB's message without the excerpt of the statement that it ends with."""
    return " ".join(message.partition("\nLINE ")[0].split())


def format_rows(columns: Sequence[str], rows: Sequence[Row], form: Format = "table") -> str:
    """Rows as text.

    Args:
        columns: their names.
        rows: their values.
        form: "table" for people, cut to the width of a terminal but never in a pipe; "csv" after RFC 4180, with
            nothing for NULL; "json" as a list of objects, with null for NULL and NaN.

    Returns:
        The text, ending in a newline.

    >>> print(format_rows(["n"], [(1,), (None,)]), end="")
       n
    ----
       1
    NULL
    (2 rows)
    """
    if form == "csv":
        return _csv(columns, rows)
    if form == "json":
        names = _distinct(columns)
        objects = [dict(zip(names, map(_plain, row), strict=True)) for row in rows]
        return json.dumps(objects, indent=1, ensure_ascii=False, default=str) + "\n"
    return _table(columns, rows, shutil.get_terminal_size().columns if sys.stdout.isatty() else None)


def _csv(columns: Sequence[str], rows: Sequence[Row]) -> str:
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(columns)
    writer.writerows([None if _missing(value) else value for value in row] for row in rows)
    return out.getvalue()


def _missing(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _plain(value: object) -> object:
    """A value as JSON can say it: no NaN, no infinity."""
    if isinstance(value, float) and not math.isfinite(value):
        return None if math.isnan(value) else str(value)
    if isinstance(value, dict):
        return {str(name): _plain(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(part) for part in value]
    return value


def _distinct(columns: Sequence[str]) -> list[str]:
    """Names that an object can hold side by side: a repeated one gets a number."""
    names: list[str] = []
    for column in columns:
        name, number = column, 0
        while name in names:
            number += 1
            name = f"{column}_{number}"
        names.append(name)
    return names


def _table(columns: Sequence[str], rows: Sequence[Row], width: int | None) -> str:
    cells = [[_cell(value) for value in row] for row in rows]
    widths = [max([len(name), _NARROWEST, *(len(row[at]) for row in cells)]) for at, name in enumerate(columns)]
    numeric = [any(_is_number(row[at]) for row in rows) for at in range(len(columns))]

    def line(texts: Sequence[str]) -> str:
        padded = [
            text.rjust(size) if right else text.ljust(size)
            for text, size, right in zip(texts, widths, numeric, strict=True)
        ]
        joined = "  ".join(padded).rstrip()
        return joined if width is None or len(joined) <= width else joined[: max(width - 1, 0)] + "…"

    count = "1 row" if len(rows) == 1 else f"{len(rows)} rows"
    lines = [line(columns), line(["-" * size for size in widths]), *map(line, cells), f"({count})"]
    return "\n".join(lines) + "\n"


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def _cell(value: object) -> str:
    if _missing(value):
        return _NULL
    if isinstance(value, float):
        return f"{value:.6g}"
    return " ".join(str(value).split())
