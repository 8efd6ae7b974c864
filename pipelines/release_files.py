"""The tables of a release as files: one DuckDB database, and each table as parquet."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from pipelines.duckdb_tables import comment, create_sql, dictionary, insert_frame, qualified
from pipelines.params import ReleaseParams
from pipelines.rekey import Keys
from pipelines.views import quoted
from pipelines.warehouse import building
from schemas.core import Table
from schemas.meta import COLUMNS
from schemas.releases import Profile, released_tables

if TYPE_CHECKING:
    import duckdb

_AT_A_TIME = 25
"""Recordings that are sorted at once: about 150,000 rows of the longest table."""


@dataclass(frozen=True, slots=True)
class Facts:
    """What a release says of itself."""

    release: str
    profile: Profile
    version: str
    created_on: str
    study: str
    painlake_version: str
    params: ReleaseParams

    @property
    def file(self) -> str:
        """The name of its DuckDB file."""
        return f"painlake-{self.version}-{self.profile}.duckdb"

    def row(self, counts: Mapping[str, int], k: int) -> dict[str, object]:
        """Its row of `meta.release`."""
        return {
            "release": self.release,
            "profile": self.profile,
            "version": self.version,
            "created_on": self.created_on,
            "painlake_version": self.painlake_version,
            **counts,
            "k": k,
            "quasi_identifiers": " ".join(self.params.quasi_identifiers),
        }


@dataclass(frozen=True, slots=True)
class Contents:
    """What a release holds: its tables but for those too long for memory, and the new names."""

    facts: Facts
    frames: Mapping[str, pl.DataFrame]
    keys: Keys


def write_warehouse(folder: Path, source: Path, contents: Contents, memory_limit_mb: int) -> dict[str, int]:
    """Write the DuckDB file, and each of its tables as parquet.

    Args:
        folder: of the release.
        source: the warehouse's file, for the tables that are too long for memory.
        contents: what it holds else.
        memory_limit_mb: what DuckDB may take.

    Returns:
        How many rows each table has.
    """
    facts, frames = contents.facts, contents.frames
    given = released_tables(facts.profile)
    counts = {}
    with building(folder / facts.file, memory_limit_mb) as connection:
        connection.execute(f"ATTACH '{_text(source)}' AS source (READ_ONLY)")
        # In one transaction, since each is flushed to the disk.
        connection.begin()
        connection.execute("CREATE SCHEMA meta")
        for table in given.values():
            connection.execute(create_sql(table))
            comment(connection, table, "TABLE")
        connection.commit()
        for table in given.values():
            if table.name == COLUMNS.name:
                insert_frame(connection, table, dictionary(given.values()))
            elif table.name in frames:
                insert_frame(connection, table, frames[table.name])
            else:
                _copy_long(connection, table, contents.keys)
            counts[label(table)] = _write_parquet(connection, table, folder, facts)
        connection.execute("DETACH source")
    return counts


def _copy_long(connection: "duckdb.DuckDBPyConnection", table: Table, keys: Keys) -> None:
    """Copy a table of frames under the new names, in their order."""
    columns = ", ".join(
        f"k.new_recording AS {quoted(n)}" if n == "recording" else f"s.{quoted(n)}" for n in table.names
    )
    order = ", ".join(quoted(name) for name in table.key)
    films = keys.recordings.sort("new_recording")
    for begin in range(0, films.height, _AT_A_TIME):
        connection.register("films", films[begin : begin + _AT_A_TIME].to_arrow())
        connection.execute(
            f"INSERT INTO {qualified(table)} SELECT {columns} FROM source.{qualified(table)} AS s "  # noqa: S608 - names from schemas/
            f"JOIN films AS k ON k.recording = s.recording ORDER BY {order}"
        )
        connection.unregister("films")


def _write_parquet(connection: "duckdb.DuckDBPyConnection", table: Table, folder: Path, facts: Facts) -> int:
    path = folder / "parquet" / f"{label(table)}.parquet"
    path.parent.mkdir(exist_ok=True)
    about = f"release: '{facts.release}', profile: '{facts.profile}', version: '{facts.version}'"
    (rows,) = connection.execute(
        f"COPY {qualified(table)} TO '{_text(path)}' (FORMAT parquet, COMPRESSION zstd, KV_METADATA {{{about}}})"
    ).fetchone() or (0,)
    return int(rows)


def label(table: Table) -> str:
    """A table's name with its schema, unless that is main."""
    return table.name if table.schema == "main" else f"{table.schema}.{table.name}"


def _text(path: Path) -> str:
    return str(path).replace("'", "''")
