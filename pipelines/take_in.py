"""Take in: the files of a table, some at a time, into a DuckDB file that is being built."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl
import polars.selectors as cs

from pipelines.duckdb_tables import hand_over, insert_frame
from pipelines.frame_views import present
from pipelines.lake import read_in_turn
from pipelines.params_publish import PresenceParams
from schemas.core import Table

if TYPE_CHECKING:
    import duckdb

_AT_ONCE = 32
"""Files: at a minute each, up to 200,000 rows are in memory, and as many again on their way."""

_SHORT_AT_ONCE = 256
"""Files of a few rows each. Polars keeps each file's columns apart, half a kilobyte each, until they are put in order."""

_GROUP = 122_880
"""Rows that DuckDB packs and writes together."""


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
    rows = 0
    for frame in _in_groups(_published(table, each, params) for each in read_in_turn(paths, _AT_ONCE)):
        rows += frame.height
        hand_over(connection, table, frame)
    return rows


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
    rows = 0
    in_order = sorted(paths, key=lambda path: path.name.partition(".")[0])
    for frame in _in_groups(by_key(table, each) for each in read_in_turn(in_order, _SHORT_AT_ONCE)):
        rows += frame.height
        insert_frame(connection, table, frame)
    return rows


def by_key(table: Table, frame: pl.DataFrame) -> pl.DataFrame:
    """The rows of a table as it declares them, in the order of its key."""
    return table.conform(frame).sort(table.key, maintain_order=True, nulls_last=True)


def _in_groups(frames: Iterable[pl.DataFrame]) -> Iterator[pl.DataFrame]:
    """The same rows in frames of as many as fill whole groups of DuckDB's, and the rest.

    A group is written once it is full. Within one statement or transaction DuckDB would hold on to all that it was
    handed, and one that ends within a group leaves it to be written again.
    """
    waiting: list[pl.DataFrame] = []
    height = 0
    for frame in frames:
        waiting.append(frame)
        height += frame.height
        if height >= _GROUP:
            together = pl.concat(waiting)
            rest = height % _GROUP
            yield together[: height - rest]
            waiting, height = [together[height - rest :]], rest
    if height:
        yield pl.concat(waiting)


def _published(table: Table, frame: pl.DataFrame, params: PresenceParams) -> pl.DataFrame:
    """Rows as they are published: NaN becomes NULL, so that means and counts leave it out."""
    frame = table.conform(frame)
    unknown = frame.select(cs.float().is_nan().any())
    with_nan = [name for name in unknown.columns if unknown[name][0]]
    return present(frame.with_columns(pl.col(with_nan).fill_nan(None)) if with_nan else frame, params)
