"""The empty database that a Prefect server begins with, kept ready: to make one goes through Prefect's whole history.

Its hundred migrations take four seconds of computing, as long as the rest of a server's start. `make setup` goes through
them once (`python -m flows.server_database`); where that was not done, a new study's first run does.
"""

import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from contextlib import closing
from importlib.metadata import version
from pathlib import Path

NAME = "prefect.db"
"""Of the file in Prefect's data folder."""
_ELSEWHERE = ("PREFECT_SERVER_DATABASE_CONNECTION_URL", "PREFECT_API_DATABASE_CONNECTION_URL")
_MIGRATE = (
    "import asyncio; from prefect.server.database import provide_database_interface; "
    "asyncio.run(provide_database_interface().create_db())"
)


def kept_database() -> Path:
    """Where the installed Prefect's empty database is kept, if it is: with the installation, for all its users."""
    return Path(sys.prefix) / "share" / "painlake" / f"prefect-{version('prefect')}.db"


def begin_database(home: Path) -> bool:
    """Give a server its database, where it has none yet and there is one to copy; else it makes it.

    Args:
        home: Prefect's data folder.

    Returns:
        Whether it was given one.
    """
    database = home / NAME
    if database.exists() or not kept_database().is_file() or any(os.environ.get(name) for name in _ELSEWHERE):
        return False
    home.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(prefix=f".{NAME}.", suffix=".partial", dir=home)
    os.close(handle)
    shutil.copyfile(kept_database(), temporary)
    Path(temporary).replace(database)
    return True


def keep_database() -> Path:
    """Make the empty database that servers are to begin with; returns where it is kept.

    Raises:
        subprocess.CalledProcessError: Prefect does not make one.
        OSError: the installation cannot be written.
    """
    kept = kept_database()
    kept.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        given = {name: value for name, value in os.environ.items() if name not in _ELSEWHERE}
        settings = {"PREFECT_HOME": folder, "DO_NOT_TRACK": "1", "PREFECT_SERVER_ANALYTICS_ENABLED": "false"}
        subprocess.run([sys.executable, "-c", _MIGRATE], check=True, env=given | settings)
        ready = kept.with_suffix(".partial")
        ready.unlink(missing_ok=True)
        # In one file, whatever of it stands in the write-ahead log.
        with closing(sqlite3.connect(Path(folder) / NAME)) as connection:
            connection.execute("VACUUM INTO ?", [str(ready)])
    ready.replace(kept)
    return kept


if __name__ == "__main__":
    keep_database()
