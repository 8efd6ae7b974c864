"""Take in: the files of a table that is too long for memory, into a DuckDB file that is being built."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import polars.selectors as cs

from pipelines.duckdb_tables import qualified
from pipelines.frame_views import present
from pipelines.lake import read_in_turn
from pipelines.params_publish import PresenceParams
from schemas.core import Table

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

_AT_ONCE = 32
"""Files: at a minute each, up to 200,000 rows are in memory, and as many again on their way."""


def take_in(
    connection: "duckdb.DuckDBPyConnection", table: Table, paths: Sequence[Path], params: PresenceParams
) -> int:
    """Put a table's files into it, one after the other; gives how many rows they have.

    Polars reads them, in half the time that DuckDB takes for many small ones.

    Args:
        connection: to a file that has the table.
        table: which.
        paths: its files, in the order that its rows are to have.
        params: from which intensity on an action unit is present.

    Raises:
        PainLakeError: a file cannot be read.
        ValueError: one has other columns than the table.
    """
    import duckdb  # noqa: PLC0415 - the CLI starts without it
    import pyarrow as pa  # noqa: PLC0415 - as above

    if not paths:
        return 0
    rows = 0
    errors: list[Exception] = []

    def batches() -> "Iterator[pa.RecordBatch]":
        nonlocal rows
        try:
            for frame in read_in_turn(paths, _AT_ONCE):
                rows += frame.height
                # In one piece: each piece is handed over by itself, column by column.
                yield from _arrow(_published(table, frame, params).rechunk()).to_batches()
        except Exception as error:
            errors.append(error)
            raise

    # One statement, so that the whole is written once, a group of rows as soon as it is full.
    reader = pa.RecordBatchReader.from_batches(_arrow(table.frame()).schema, batches())
    connection.register("incoming", reader)
    try:
        connection.execute(f"INSERT INTO {qualified(table)} SELECT * FROM incoming")  # noqa: S608 - a name from schemas/
    except duckdb.Error:
        # DuckDB words an error of where rows come from as one of its own, with all of its traceback.
        if errors:
            raise errors[0] from None
        raise
    finally:
        connection.unregister("incoming")
    return rows


def _arrow(frame: pl.DataFrame) -> "pa.Table":
    return frame.to_arrow(compat_level=pl.CompatLevel.oldest())


def _published(table: Table, frame: pl.DataFrame, params: PresenceParams) -> pl.DataFrame:
    """Rows as they are published: NaN becomes NULL, so that means and counts leave it out."""
    frame = table.conform(frame)
    unknown = frame.select(cs.float().is_nan().any())
    with_nan = [name for name in unknown.columns if unknown[name][0]]
    return present(frame.with_columns(pl.col(with_nan).fill_nan(None)) if with_nan else frame, params)
