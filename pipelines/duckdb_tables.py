"""The declared tables as DuckDB has them: made, commented, and listed in a data dictionary."""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Literal

import polars as pl
import polars.selectors as cs

from pipelines.views import quoted
from schemas.core import Column, Table
from schemas.meta import COLUMNS

if TYPE_CHECKING:
    import duckdb

_FLOATS = ("DOUBLE", "FLOAT")


def qualified(table: Table) -> str:
    """A table's name with its schema."""
    return f"{quoted(table.schema)}.{quoted(table.name)}"


_RISING = frozenset({"frame", "stretch", "timestamp_s", "t_s"})
"""Columns that count. DuckDB packs 1, 2, 3, … into the bytes 1, 2, 3, …, among them the text "1234567", and a search of
the file's bytes for an identity must find nothing but identities: so these are not packed. Nor are the texts of the
schema `meta`, catalogues of which nearly each row has another: DuckDB writes them as places in a list, 1, 2, 3, …"""


def create_sql(table: Table, *, quick: bool = False) -> str:
    """The statement that makes a table.

    Args:
        table: which.
        quick: whether to write measured values as they are. What measures have after the point packs to four fifths or
            two thirds, and to find that out takes a fifth of the time of writing a file.
    """
    # Without PRIMARY KEY: the keys are checked before, and its index would double the file.
    return f"CREATE TABLE {qualified(table)} ({', '.join(_column_sql(column, table, quick) for column in table)})"


def _column_sql(column: Column, table: Table, quick: bool) -> str:  # noqa: FBT001 - handed on
    listed = table.schema == "meta" and column.type == "VARCHAR"
    plain = listed or column.name in _RISING or (quick and column.type == "FLOAT")
    packing = " USING COMPRESSION uncompressed" if plain else ""
    return f"{quoted(column.name)} {column.type}{packing}{'' if column.nullable else ' NOT NULL'}"


def selected(table: Table, instead: Mapping[str, str] | None = None) -> str:
    """A table's columns, to be selected; NaN becomes NULL, so that means and counts leave it out.

    Args:
        table: the table.
        instead: expressions for some of its columns.
    """
    made = instead or {}
    return ", ".join(
        f"{made[c.name]} AS {quoted(c.name)}"
        if c.name in made
        else f"CASE WHEN isnan({quoted(c.name)}) THEN NULL ELSE {quoted(c.name)} END"
        if c.type in _FLOATS
        else quoted(c.name)
        for c in table
    )


def insert_frame(connection: "duckdb.DuckDBPyConnection", table: Table, frame: pl.DataFrame) -> None:
    """Put rows into a table, in their order; NaN becomes NULL, so that means and counts leave it out.

    Raises:
        ValueError: the frame has other columns than the table.
    """
    hand_over(connection, table, [without_nan(table.conform(frame))])


def without_nan(frame: pl.DataFrame) -> pl.DataFrame:
    """The same rows, NULL where there is no number, so that means and counts leave it out."""
    unknown = frame.select(cs.float().is_nan().any())
    with_nan = [name for name in unknown.columns if unknown[name][0]]
    return frame.with_columns(pl.col(with_nan).fill_nan(None)) if with_nan else frame


def hand_over(connection: "duckdb.DuckDBPyConnection", table: Table, frames: Iterable[pl.DataFrame]) -> int:
    """Put rows into a table as they are, in their order and in one statement; gives how many they are.

    Args:
        connection: to a file that has the table.
        table: which.
        frames: rows that have its columns, in order; each is taken once the one before it is in the table.

    Raises:
        BaseException: what taking a frame raised; the table is then as it was.
    """
    import pyarrow as pa  # noqa: PLC0415 - not all who make a table fill it

    rows = 0
    failed: list[BaseException] = []

    def batches() -> Iterator[pa.RecordBatch]:
        nonlocal rows
        try:
            for frame in frames:
                rows += frame.height
                yield from pa.RecordBatchReader.from_stream(frame)
        except BaseException as error:
            failed.append(error)
            raise

    schema = pa.RecordBatchReader.from_stream(table.frame()).schema
    # The stream itself: of a frame or a reader DuckDB would first load pyarrow's datasets, and pandas with them.
    connection.register("incoming", pa.RecordBatchReader.from_batches(schema, batches()).__arrow_c_stream__())
    try:
        connection.execute(f"INSERT INTO {qualified(table)} SELECT * FROM incoming")  # noqa: S608 - a name from schemas/
    except Exception:
        if failed:
            raise failed[0] from None
        raise
    finally:
        connection.unregister("incoming")
    return rows


def comment(connection: "duckdb.DuckDBPyConnection", table: Table, kind: Literal["TABLE", "VIEW"]) -> None:
    """Write what a table or view and its columns mean where DuckDB's users look for it."""
    about = f"{table.meaning} One row per {table.row_per}."
    connection.execute(f"COMMENT ON {kind} {qualified(table)} IS '{_text(about)}'")
    for column in table:
        unit = f" [{column.unit}]" if column.unit else ""
        gain = " Gain-sensitive." if column.gain_sensitive else ""
        connection.execute(
            f"COMMENT ON COLUMN {qualified(table)}.{quoted(column.name)} IS '{_text(column.meaning + gain + unit)}'"
        )


def _text(text: str) -> str:
    return text.replace("'", "''")


def dictionary(tables: Iterable[Table]) -> pl.DataFrame:
    """The table `meta.columns` of some tables and views: every column of each."""
    return COLUMNS.frame([_entry(table, column) for table in tables for column in table])


def _entry(table: Table, column: Column) -> dict[str, object]:
    return {
        "table_schema": table.schema,
        "table_name": table.name,
        "column_name": column.name,
        "type": column.type,
        "unit": column.unit or None,
        "meaning": column.meaning,
        "nullable": column.nullable,
        "minimum": column.minimum,
        "maximum": column.maximum,
        "allowed": ", ".join(column.allowed) or None,
        "tier": table.tier_of(column).value,
        "gain_sensitive": column.gain_sensitive,
    }
