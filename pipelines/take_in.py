"""Take in: the files of a table, some at a time, into a DuckDB file that is being built."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from pipelines.duckdb_tables import hand_over, without_nan
from pipelines.frame_views import present
from pipelines.in_parallel import ahead
from pipelines.lake import read_in_turn
from pipelines.params_publish import PresenceParams
from schemas.core import Table

if TYPE_CHECKING:
    import duckdb

_AT_ONCE = 32
"""Files: at a minute each, up to 200,000 rows are in memory, and as many again on their way."""

_SHORT_AT_ONCE = 256
"""Files of a few rows each. Polars keeps each file's columns apart, half a kilobyte each, until they are put in order."""


def take_in(
    connection: "duckdb.DuckDBPyConnection", table: Table, paths: Sequence[Path], params: PresenceParams
) -> int:
    """Put a long table's files into it, one after the other; gives how many rows they have.

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
    published = (_published(table, each, params) for each in read_in_turn(paths, _AT_ONCE))
    return hand_over(connection, table, ahead(published))


def take_in_by_key(connection: "duckdb.DuckDBPyConnection", table: Table, paths: Iterable[Path]) -> int:
    """Put the files of a table that has few rows a recording into it, in the order of its key; gives how many rows.

    Args:
        connection: to a file that has the table.
        table: which; its key begins with the recording.
        paths: its files, each with the rows of the recording that it is named after.

    Raises:
        PainLakeError: a file cannot be read.
        ValueError: one has other columns than the table.
    """
    in_order = sorted(paths, key=lambda path: path.name.partition(".")[0])
    sorted_rows = (by_key(table, each) for each in read_in_turn(in_order, _SHORT_AT_ONCE))
    return hand_over(connection, table, ahead(without_nan(each) for each in sorted_rows))


def by_key(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of a table as it declares them, in the order of its key."""
    return table.conform(frame).sort(table.key, maintain_order=True, nulls_last=True)


def _published(table: Table, frame: pl.DataFrame, params: PresenceParams) -> pl.DataFrame:
    """Rows as they are published."""
    return present(without_nan(table.conform(frame)), params)
