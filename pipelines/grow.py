"""Grow: a version's DuckDB file built upon the last one's, so that a night takes in what is new and not what is there.

A file is built upon where the code, declarations, thresholds and libraries that made it are those of today, and where
each row that it has of a person or a recording would be in the new one as well. So nothing that was corrected,
withdrawn or erased is carried over, not even in bytes that no query reaches: then a file is built anew.
"""

import hashlib
import logging
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from pipelines.duckdb_tables import qualified, selected
from pipelines.errors import UserError
from pipelines.params_publish import PublishParams
from pipelines.seal import sha256_of
from pipelines.stages import code_sha256_of
from pipelines.warehouse import open_warehouse
from schemas.core import Table
from schemas.meta import DATASET_VERSION
from schemas.tables import TABLES, VIEWS

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger("painlake")

_LIBRARIES = ("duckdb", "numpy", "polars", "pyarrow")


@cache
def _made_by() -> str:
    declared = hashlib.sha256(repr((TABLES, VIEWS)).encode()).hexdigest()
    return declared + code_sha256_of("pipelines.publish", _LIBRARIES)


def publication_sha256(params: PublishParams) -> str:
    """A digest of what decides which rows a published file has of given features."""
    values = params.model_dump_json(exclude={"keep_warehouses", "memory_limit_mb", "grow_from_recordings"})
    return hashlib.sha256((_made_by() + values).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Base:
    """A published file that may be built upon.

    Args:
        file: where it stands.
        sha256: of its bytes as they were published, so that no damage is built upon; None where nobody knows it.
    """

    file: Path
    sha256: str | None = None


def is_whole(base: Base) -> bool:
    """Whether a file's bytes are as they were published, as far as that is known."""
    try:
        whole = base.sha256 is None or sha256_of(base.file) == base.sha256
    except OSError:
        whole = False
    if not whole:
        log.warning("%s is not built upon: its bytes are not those that were published", base.file.name)
    return whole


def made_alike(base: Path, params: PublishParams) -> bool:
    """Whether a published file is large enough to be built upon, and was made as one would be today.

    Args:
        base: a published file.
        params: of publication.
    """
    import duckdb  # noqa: PLC0415 - the CLI starts without it

    try:
        with open_warehouse(base) as connection:
            names = {row[0] for row in connection.execute(f"DESCRIBE {qualified(DATASET_VERSION)}").fetchall()}
            if "publication_sha256" not in names:
                return False
            said = connection.execute("SELECT publication_sha256, recordings FROM meta.dataset_version").fetchone()
    except (UserError, duckdb.Error) as error:
        log.warning("%s is not built upon: %s", base.name, error)
        return False
    return said is not None and said[0] == publication_sha256(params) and said[1] >= params.grow_from_recordings


def still_true(base: Path, said: Mapping[str, pl.DataFrame]) -> bool:
    """Whether all that a file says of persons and recordings is said in the new version too.

    Features need no look: `meta.provenance` has the key of each, and the same key is the same rows.

    Args:
        base: a published file, made as one would be today.
        said: the new rows by table, of all tables of the lake but those of features.
    """
    import duckdb  # noqa: PLC0415 - the CLI starts without it

    try:
        with open_warehouse(base) as connection:
            gone = next((name for name, rows in said.items() if _lacks(connection, TABLES[name], rows)), None)
    except duckdb.Error as error:
        log.warning("%s is not built upon: %s", base.name, error)
        return False
    if gone is not None:
        log.info("%s is not built upon: rows of %s changed or went", base.name, gone)
    return gone is None


def _lacks(connection: "duckdb.DuckDBPyConnection", table: Table, rows: pl.DataFrame) -> bool:
    """Whether some rows lack one that the file's table has."""
    connection.register("incoming", rows.to_arrow())
    gone = connection.execute(
        f"SELECT 1 FROM (FROM {qualified(table)} EXCEPT ALL SELECT {selected(table)} FROM incoming) LIMIT 1"  # noqa: S608 - names from schemas/
    ).fetchone()
    connection.unregister("incoming")
    return gone is not None


def copy_to_write(base: Path, target: Path) -> None:
    """Copy a published file, to be written to."""
    shutil.copyfile(base, target)
    target.chmod(0o600)


def clear(connection: "duckdb.DuckDBPyConnection", kept: Sequence[Table]) -> None:
    """Drop all but some tables of a copied file, and free their place."""
    views = connection.execute(
        "SELECT view_name FROM duckdb_views() WHERE database_name = 'painlake' AND NOT internal"
    ).fetchall()
    for (name,) in views:
        connection.execute(f'DROP VIEW main."{name}"')
    for table in TABLES.values():
        if table not in kept:
            connection.execute(f"DROP TABLE {qualified(table)}")
    connection.execute("DROP SCHEMA meta")
    connection.execute("CHECKPOINT painlake")


def rows_of(connection: "duckdb.DuckDBPyConnection", table: Table) -> pl.DataFrame:
    """All rows of a table."""
    return table.conform(connection.execute(f"FROM {qualified(table)}").pl())


def recordings_in(connection: "duckdb.DuckDBPyConnection", table: Table) -> set[str]:
    """The recordings that a table has rows of."""
    return {row[0] for row in connection.execute(f"SELECT DISTINCT recording FROM {qualified(table)}").fetchall()}  # noqa: S608 - a name from schemas/


def files_of_others(paths: Sequence[Path], there: set[str]) -> list[Path]:
    """The files of recordings that a table has no rows of yet."""
    return [path for path in paths if path.name.partition(".")[0] not in there]
