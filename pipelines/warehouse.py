"""The published DuckDB files: how one takes its place whole, how old ones go, and how one is read and nothing else."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

from pipelines.durable import sync, written_durably, written_meanwhile
from pipelines.durable_steps import durable, durable_step
from pipelines.errors import PainLakeError, UserError

if TYPE_CHECKING:
    import duckdb

CURRENT = "current"
"""The link to the version that queries read."""

STORAGE_VERSION = "v1.4.0"
"""The oldest DuckDB that must be able to read a published file."""

_FILE = re.compile(r"painlake-v(\d{4,})\.duckdb")
_READ_ONLY = 0o444

# Nothing is fetched from a network, and no variable of the calling program is taken for a table.
_OFFLINE: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "allow_community_extensions": False,
    "python_enable_replacements": False,
}


def warehouse_file(warehouse: Path, number: int) -> Path:
    """Where a version's DuckDB file stands.

    >>> warehouse_file(Path("warehouse"), 1).name
    'painlake-v0001.duckdb'
    """
    return warehouse / f"painlake-v{number:04d}.duckdb"


def current_file(warehouse: Path) -> Path:
    """The DuckDB file of the published version, for who holds the study; a later run may remove it.

    Raises:
        UserError: nothing has been published.
    """
    return current_link(warehouse).resolve()


def current_link(warehouse: Path) -> Path:
    """The link to the published version, whichever that is when it is opened.

    Raises:
        UserError: nothing has been published.
    """
    link = warehouse / CURRENT
    # The link itself: its target may go between two looks at it.
    if not link.is_symlink():
        raise UserError("nothing has been published yet: run `painlake ingest`, and `painlake status` to see why not")
    return link


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Give a path to build a DuckDB file at; it takes its place, read-only, once it is whole and on the disk.

    Raises:
        PainLakeError: a write-ahead log is left beside it, which a reader could replay into another file.
    """
    for left in target.parent.glob(".painlake-*.partial*"):
        left.unlink()
    with written_durably(target, _READ_ONLY) as temporary:
        # DuckDB makes the file itself: an empty one is none of its databases.
        temporary.unlink()
        log = Path(f"{temporary}.wal")
        try:
            yield temporary
            if log.exists():
                raise PainLakeError(f"{target.name} was closed with a write-ahead log left: nothing was published")
        finally:
            log.unlink(missing_ok=True)


@durable("warehouse")
def make_current(file: Path) -> None:
    """Point the link `current` at a file of the same folder; a reader sees the old one or the new one."""
    link = file.parent / CURRENT
    temporary = file.parent / f".{CURRENT}.{os.getpid()}.partial"
    temporary.unlink(missing_ok=True)
    # Relative, so that the study can be moved.
    temporary.symlink_to(file.name)
    temporary.replace(link)
    sync(file.parent)


def remove_older(warehouse: Path, keep: int) -> list[str]:
    """Remove all but the `keep` newest versions' files, and never the current one; returns the names of the removed."""
    numbered = {int(match[1]): path for path in warehouse.iterdir() if (match := _FILE.fullmatch(path.name))}
    current = (warehouse / CURRENT).resolve()
    removed = [numbered[number] for number in sorted(numbered)[:-keep] if numbered[number].resolve() != current]
    for path in removed:
        with durable_step("warehouse.remove_older"):
            path.unlink()
    return [path.name for path in removed]


@contextmanager
def building(path: Path, memory_limit_mb: int) -> "Iterator[duckdb.DuckDBPyConnection]":
    """A connection to a new DuckDB file, its default catalog; flushed and closed in the end.

    Args:
        path: where the file is made.
        memory_limit_mb: what DuckDB may take; nothing spills to a disk.
    """
    import duckdb  # noqa: PLC0415 - the CLI starts without it

    # A thread a connection (see `beside`): several threads in one statement put each file's rows together a second time,
    # which costs half as much again, and they may add up means in another order.
    # DuckDB 1.5 makes a checkpoint by itself after so many bytes, and loses what another connection commits meanwhile
    # (tests/pipelines/test_warehouse.py): here it makes the one in the end alone.
    # Each group of rows is written once it is full: the last ones are written by the commit, and until that is over no
    # other connection can begin a statement.
    settings = {
        **_OFFLINE,
        "memory_limit": f"{memory_limit_mb}MB",
        "temp_directory": "",
        "threads": 1,
        "checkpoint_threshold": "1TB",
        "write_buffer_row_group_count": 1,
    }
    connection = duckdb.connect(config=settings)
    with connection:
        # Joins as they are written, frames on the left: else how many rows there are of others decides in which order
        # a recording's frames are added up, and a mean's last digit with it.
        connection.execute("SET disabled_optimizers = 'join_order,build_side_probe_side'")
        # Without a write-ahead log: a file that is not whole in the end is thrown away.
        options = f"STORAGE_VERSION '{STORAGE_VERSION}', RECOVERY_MODE no_wal_writes"
        connection.execute(f"ATTACH '{_literal(path)}' AS painlake ({options})")
        connection.execute("USE painlake")
        with written_meanwhile(path):
            yield connection
        connection.execute("CHECKPOINT painlake")
        connection.execute("USE memory")
        connection.execute("DETACH painlake")


@contextmanager
def beside(connection: "duckdb.DuckDBPyConnection") -> "Iterator[duckdb.DuckDBPyConnection]":
    """A second connection to a file that is being built, for another thread to fill other tables of it.

    Args:
        connection: from `building`.
    """
    with connection.cursor() as other:
        other.execute("USE painlake")
        yield other


def open_warehouse(path: Path) -> "duckdb.DuckDBPyConnection":
    """Open a DuckDB file to read it and nothing else: no other file, no network, no setting can be reached.

    `participants` and `meta.columns` are found as such. The file is attached to an in-memory database, since a second
    `connect(path)` in one process would give the file that had this name before.

    Args:
        path: the file, or the link to it. A link that leads elsewhere by the time its file is opened is followed anew:
            a run may have published, and removed what it led to.

    Raises:
        UserError: there is no such file, or it is no DuckDB database.

    Example:
        with open_warehouse(current_link(study.warehouse)) as warehouse:
            warehouse.execute("FROM participants").pl()
    """
    while True:
        file = path.resolve()
        try:
            return _open(file)
        except UserError:
            if path.resolve() == file:
                raise


def _open(path: Path) -> "duckdb.DuckDBPyConnection":
    import duckdb  # noqa: PLC0415 - the CLI starts without it

    if not path.is_file():
        raise UserError(f"there is no {path.name}: `painlake versions` lists what there is")
    connection = duckdb.connect(config={**_OFFLINE, "temp_directory": ""})
    try:
        connection.execute(f"ATTACH '{_literal(path)}' AS painlake (READ_ONLY)")
        connection.execute("USE painlake")
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
    except duckdb.Error as error:
        with suppress(duckdb.Error):
            connection.close()
        raise UserError(f"{path.name} cannot be read as a DuckDB database ({type(error).__name__})") from error
    return connection


def _literal(path: Path) -> str:
    return str(path).replace("'", "''")
