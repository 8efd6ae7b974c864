"""How a DuckDB file is built: what two connections put in is all there in the end."""

import threading
from pathlib import Path

import duckdb
import pytest

from pipelines.warehouse import beside, building

TABLES = 8
TIMES = 4
ROWS = 100_000
"""In a statement: less than a group of rows, so that nothing is written before the end."""


def fill(connection: duckdb.DuckDBPyConnection, tables: list[int]) -> None:
    for table in tables:
        for _ in range(TIMES):
            connection.execute(f"INSERT INTO t{table} SELECT random() FROM range({ROWS})")  # noqa: S608 - of this file


@pytest.fixture
def built(tmp_path: Path) -> tuple[Path, int]:
    """A file that two connections filled, and its size when they had done so, before it was closed."""
    path = tmp_path / "a.duckdb"
    with building(path, 500) as connection:
        for table in range(TABLES):
            connection.execute(f"CREATE TABLE t{table} (a DOUBLE)")
        with beside(connection) as other:
            thread = threading.Thread(target=fill, args=(other, [*range(0, TABLES, 2)]))
            thread.start()
            fill(connection, [*range(1, TABLES, 2)])
            thread.join()
        size = path.stat().st_size
    return path, size


def test_no_checkpoint_is_made_while_two_connections_fill_a_file(built: tuple[Path, int]) -> None:
    """DuckDB 1.5.5 makes one after each 16 MB by itself, and loses what is committed meanwhile: of 150 files of 40
    tables it lost rows in 80 where it made one after each kilobyte, and in none without."""
    path, size = built
    assert size < 1_000_000 < path.stat().st_size


def test_all_rows_are_there_in_the_end(built: tuple[Path, int]) -> None:
    path, _ = built
    with duckdb.connect(path, read_only=True) as connection:
        for table in range(TABLES):
            assert connection.execute(f"SELECT count(*) FROM t{table}").fetchone() == (TIMES * ROWS,)  # noqa: S608 - of this file
