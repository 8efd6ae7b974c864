"""The empty database that a server begins with: it is what Prefect would make, and never takes another one's place."""

import sqlite3
import sys
from contextlib import closing
from importlib.metadata import distribution
from pathlib import Path

import pytest

from flows.server_database import NAME, begin_database, keep_database, kept_database


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "installation"))
    return tmp_path / "installation"


@pytest.fixture
def kept(installation: Path) -> Path:
    """Some file in its place."""
    path = kept_database()
    assert path.is_relative_to(installation)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"kept")
    return path


def test_it_has_been_through_all_of_prefects_migrations_and_holds_nothing_else(
    installation: Path, tmp_path: Path
) -> None:
    keep_database()
    assert [path.name for path in (installation / "share" / "painlake").iterdir()] == [kept_database().name]
    assert begin_database(tmp_path / "prefect")
    with closing(sqlite3.connect(tmp_path / "prefect" / NAME)) as database:
        tables = [name for (name,) in database.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        rows = {name: database.execute(f'SELECT * FROM "{name}"').fetchall() for name in tables}  # noqa: S608 - Prefect's own names
    assert [name for name, found in rows.items() if found] == ["alembic_version"]
    ((version,),) = rows["alembic_version"]
    prefect = Path(str(distribution("prefect").locate_file("prefect")))
    migrations = (prefect / "server" / "database" / "_migrations" / "versions" / "sqlite").glob("*.py")
    assert version in max(path.name for path in migrations), "named by their times"
    assert {"flow_run", "task_run", "artifact"} <= set(tables)


def test_a_server_that_has_a_database_keeps_it(kept: Path, tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"a study's")
    assert not begin_database(tmp_path)
    assert (tmp_path / NAME).read_bytes() == b"a study's"
    assert kept.read_bytes() == b"kept"


def test_a_server_whose_database_is_elsewhere_is_given_none(
    kept: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREFECT_API_DATABASE_CONNECTION_URL", "postgresql+asyncpg://database/prefect")
    assert not begin_database(tmp_path / "prefect")
    assert not (tmp_path / "prefect").exists()
    assert kept.is_file()


def test_without_a_kept_one_prefect_makes_it(installation: Path, tmp_path: Path) -> None:
    assert not begin_database(tmp_path / "prefect")
    assert not (tmp_path / "prefect").exists()
    assert not installation.exists()
