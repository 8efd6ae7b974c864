"""The suites of single tables, built from their declaration: first columns and types, then the rows."""

import re
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest

import polars as pl

from expectations.engine import run_rules
from expectations.results import CheckResult, Rule, Severity
from schemas.core import POLARS_TYPES, Column, Table

_DUCKDB_TYPES = {polars_type: name for name, polars_type in POLARS_TYPES.items()}
_FLOATS = ("DOUBLE", "FLOAT")
_INFINITE = "any value is infinite"
"""A column beside the table's own: whether any of the row's numbers is."""

ALL_ROWS_UP_TO = 20_000
"""Longer tables are checked by their telling rows: Great Expectations calls Python once a value."""


def check_tables(tables: Mapping[str, pl.DataFrame], declared: Sequence[Table]) -> list[CheckResult]:
    """Check tables against their declaration; where the columns of one are wrong, its rows are not looked at.

    Args:
        tables: the rows, by the table's name; floating-point NaN counts as missing.
        declared: what each must be like; one that is not in `tables` fails.

    Returns:
        The results in the order of `declared`; of the suite "columns", then of "values".
    """
    results: list[CheckResult] = []
    for table in declared:
        frame = tables.get(table.name)
        of_columns = check_columns(table, frame)
        results.extend(of_columns)
        if frame is not None and all(result.success for result in of_columns):
            results.extend(check_values(table, frame))
    return results


def check_columns(table: Table, frame: pl.DataFrame | None) -> list[CheckResult]:
    """Check that exactly the declared columns are there, in order, with their types."""
    rules = [
        Rule("columns", table.name, check, (), "critical", "ExpectColumnPairValuesToBeEqual",
             {"column_A": f"declared_{check}", "column_B": f"found_{check}", "ignore_row_if": "both_values_are_missing"})
        for check in ("names", "types")
    ]  # fmt: skip
    if frame is None:
        return [rule.result(success=False, detail="the table is missing") for rule in rules]
    # One row a column: pandas, which Great Expectations looks at, would not tell a missing integer from a float.
    found = [
        (name, _DUCKDB_TYPES.get(dtype if dtype.is_nested() else dtype.base_type(), str(dtype)))
        for name, dtype in frame.schema.items()
    ]
    pairs = zip_longest([(column.name, column.type) for column in table], found, fillvalue=("", ""))
    sides = [(*declared, *there) for declared, there in pairs]
    names = ("declared_names", "declared_types", "found_names", "found_types")
    side_by_side = pl.DataFrame(sides, schema=dict.fromkeys(names, pl.String), orient="row")
    return [
        result if result.success or result.error else rule.result(success=False, detail=_differing(sides, at))
        for at, (rule, result) in enumerate(zip(rules, run_rules(side_by_side, rules), strict=True))
    ]


def _differing(sides: Sequence[tuple[str, ...]], at: int) -> str:
    """Which columns differ, in name (`at` 0) or type (`at` 1)."""
    found = [
        f"{side[at] or 'nothing'} declared, {side[at + 2] or 'nothing'} found" + (f" for {side[0]}" if at else "")
        for side in sides
        if side[at] != side[at + 2]
    ]
    return "; ".join(found[:3]) + ("; …" if len(found) > 3 else "")


def check_values(table: Table, frame: pl.DataFrame) -> list[CheckResult]:
    """Check missing values, keys, bounds, closed sets and patterns of a table whose columns are right."""
    partial = frame.height > ALL_ROWS_UP_TO
    frame = _checked(table, frame)
    return run_rules(telling_rows(table, frame) if partial else frame, value_rules(table), partial=partial)


def check_parts(table: Table, parts: Iterable[pl.DataFrame], sound: Iterable[pl.DataFrame] = ()) -> list[CheckResult]:
    """As `check_values`, of a table too long for memory, part by part: each has whole keys, that no other part has.

    Args:
        table: the declaration.
        parts: those that break a rule.
        sound: of those that `is_sound` passed, what `rows_to_show` gives: Great Expectations judges them as well.
    """
    shown = [_gathered(table, (_checked(table, part) for part in parts)), _gathered(table, sound)]
    return run_rules(pl.concat(shown), value_rules(table), partial=True)


def rows_to_show(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Of a part with the declared columns, the rows that tell whether any breaks a rule, for `check_parts`."""
    return telling_rows(table, _checked(table, frame))


def _gathered(table: Table, parts: Iterable[pl.DataFrame]) -> pl.DataFrame:
    gathered = [_checked(table, table.frame())]
    rows = 0
    for part in parts:
        gathered.append(telling_rows(table, part))
        rows += gathered[-1].height
        if rows > ALL_ROWS_UP_TO:
            gathered = [telling_rows(table, pl.concat(gathered))]
            rows = gathered[0].height
    return pl.concat(gathered)


def _checked(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """The columns that rules look at, and whether any number of a row is infinite."""
    checked = {name for rule in value_rules(table) for name in rule.columns}
    frame = frame.select(pl.col(c.name) for c in table if c.name in checked or c.type in _FLOATS)
    frame = frame.with_columns(pl.col(pl.Float32, pl.Float64).fill_nan(None))
    return frame.with_columns(pl.any_horizontal(False, pl.col(pl.Float32, pl.Float64).is_infinite()).alias(_INFINITE))


def value_rules(table: Table) -> list[Rule]:
    """The rules for a table's rows that its declaration implies."""

    def rule(
        check: str, columns: tuple[str, ...], expectation: str, *, critical: bool = True, **kwargs: object
    ) -> Rule:
        severity: Severity = "critical" if critical else "warning"
        return Rule("values", table.name, check, columns, severity, expectation, kwargs)

    rules = []
    if len(table.key) == 1:
        rules.append(rule("unique", table.key, "ExpectColumnValuesToBeUnique", column=table.key[0]))
    elif table.key:
        rules.append(rule("unique", table.key, "ExpectCompoundColumnsToBeUnique", column_list=list(table.key),
                          ignore_row_if="never"))  # fmt: skip
    for column in table:
        one = (column.name,)
        if not column.nullable:
            rules.append(rule("not_null", one, "ExpectColumnValuesToNotBeNull", column=column.name))
        if _bounded(column):
            rules.append(rule("range", one, "ExpectColumnValuesToBeBetween", critical=column.critical,
                              column=column.name, min_value=column.minimum, max_value=column.maximum))  # fmt: skip
        if column.allowed:
            rules.append(rule("allowed", one, "ExpectColumnValuesToBeInSet", critical=column.critical,
                              column=column.name, value_set=list(column.allowed)))  # fmt: skip
        if column.pattern is not None:
            rules.append(rule("pattern", one, "ExpectColumnValuesToMatchRegex", critical=column.critical,
                              column=column.name, regex=_whole_text(column.pattern)))  # fmt: skip
    if any(column.type in _FLOATS for column in table):
        rules.append(rule("finite", (), "ExpectColumnValuesToBeInSet", column=_INFINITE, value_set=[False]))
    return rules


def _whole_text(pattern: str) -> str:
    """The pattern for a whole text, without capturing groups: pandas warns about those."""
    return "^(?:" + re.sub(r"(?<!\\)\((?!\?)", "(?:", pattern) + ")$"


def _bounded(column: Column) -> bool:
    return column.minimum is not None or column.maximum is not None


def is_sound(table: Table, frame: pl.DataFrame) -> bool:
    """Whether no row breaks a rule of `value_rules`, found out without Great Expectations; in doubt it is not.

    Of many sound parts with keys of their own the whole is sound too, so that those need not be looked at again.

    Args:
        table: the declaration.
        frame: rows of exactly its columns and types.
    """
    frame = _checked(table, frame)
    return (
        not frame[_INFINITE].any()
        and not (table.key and frame.select(table.key).is_duplicated().any())
        and all(_keeps_to(column, frame[column.name]) for column in table if column.name in frame.columns)
    )


def _keeps_to(column: Column, values: pl.Series) -> bool:
    if not column.nullable and values.null_count():
        return False
    if _bounded(column):
        # A float that is stored in fewer bits is compared as the number that it is, as Great Expectations does.
        low, high = values.min(), values.max()
        if column.minimum is not None and isinstance(low, int | float) and low < column.minimum:
            return False
        if column.maximum is not None and isinstance(high, int | float) and high > column.maximum:
            return False
    if column.allowed or column.pattern is not None:
        texts = values.drop_nulls().unique().to_list()
        if column.allowed and not set(texts) <= set(column.allowed):
            return False
        if column.pattern is not None and not all(re.fullmatch(column.pattern, text) for text in texts):
            return False
    return True


def telling_rows(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """Rows of a long frame that fail a rule of `value_rules` exactly if any row of the whole does.

    These are the rows with each number's least and greatest value, each distinct text of a closed set or pattern, a
    missing value where none may be, an infinite value, and the rows of one key that is there more than once.
    """
    keep: set[int] = set()
    if frame[_INFINITE].any():
        keep.add(int(frame[_INFINITE].arg_max() or 0))
    for column in table:
        if column.name not in frame.columns:
            continue
        values = frame[column.name]
        if not column.nullable and values.null_count():
            keep.add(int(values.is_null().arg_max() or 0))
        if _bounded(column):
            keep.update(at for at in (values.arg_min(), values.arg_max()) if at is not None)
        if column.allowed or column.pattern is not None:
            keep.update(values.arg_unique().to_list())
    keys = frame.select(table.key)
    repeated = keys.is_duplicated().arg_true()
    if len(repeated):
        first = keys.row(repeated[0])
        keep.update(at for at in repeated.head(1_000_000).to_list() if keys.row(at) == first)
    return frame[sorted(keep)]
