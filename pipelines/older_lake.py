"""A version's lake that other code wrote: its files are brought to the columns that this code knows."""

from pathlib import Path

import polars as pl
import pyarrow.parquet as pq

from pipelines.errors import UserError
from pipelines.lake import files
from pipelines.parquet import read_provenance, write_parquet
from schemas.core import POLARS_TYPES, Column, Table
from schemas.people import PARTICIPANTS
from schemas.tables import CLINICAL_TABLES, FEATURE_TABLES


def bring_up(lake: Path) -> list[str]:
    """Give the files of a lake the columns of this code's tables; what other code did not measure is NULL.

    Args:
        lake: a copy that may be changed.

    Returns:
        The columns that differ, as `au_frames.gaze_x is NULL` or `au_frames.gaze_angle is left out`, sorted.

    Raises:
        UserError: a column that may not be NULL is missing, or has values of another kind.
    """
    told: set[str] = set()
    for table in (PARTICIPANTS, *CLINICAL_TABLES, *FEATURE_TABLES):
        for path in files(lake, table.name):
            if tuple(pq.read_schema(path).names) != table.names:
                frame = pl.read_parquet(path)
                told |= _differing(frame, table)
                write_parquet(
                    path, frame.select(_brought(frame, column, table) for column in table), read_provenance(path)
                )
    return sorted(told)


def _differing(frame: pl.DataFrame, table: Table) -> set[str]:
    missing = {f"{table.name}.{name} is NULL" for name in table.names if name not in frame.columns}
    return missing | {f"{table.name}.{name} is left out" for name in frame.columns if name not in table.names}


def _brought(frame: pl.DataFrame, column: Column, table: Table) -> pl.Series:
    kind = POLARS_TYPES[column.type]
    if column.name not in frame.columns:
        if not column.nullable and frame.height:
            raise UserError(f"this version has no {table.name}.{column.name}: build it with the PainLake that made it")
        return pl.Series(column.name, [None] * frame.height, dtype=kind)
    try:
        return frame[column.name].cast(kind)
    except pl.exceptions.InvalidOperationError as error:
        raise UserError(
            f"{table.name}.{column.name} of this version is no {column.type}: build it with the PainLake that made it"
        ) from error
