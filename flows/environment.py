"""What Prefect, DVC and Great Expectations must know before they are imported: to keep quiet and to keep to themselves.

None of them may open a connection that the user did not ask for: no telemetry, no update checks, no event stream.
"""

import os
from pathlib import Path

_ALWAYS = {
    "DO_NOT_TRACK": "1",
    "DVC_NO_ANALYTICS": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
}

_UNLESS_SET = {
    # The default of 20 s is not enough for a first start, which makes the database.
    "PREFECT_SERVER_EPHEMERAL_STARTUP_TIMEOUT_SECONDS": "180",
    # The server keeps the log of each task; the terminal has our own progress and our own one-line errors.
    "PREFECT_LOGGING_LEVEL": "INFO",
    "PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL": "CRITICAL",
    "PREFECT_SERVER_LOGGING_LEVEL": "ERROR",
    "PREFECT_LOGGING_EXTRA_LOGGERS": "painlake",
    "PREFECT_UI_ENABLED": "false",
    # The catalogue of block types is of no use here, and its examples ("sk-1234567890") look like identities to
    # whoever searches Prefect's database for one.
    "PREFECT_SERVER_REGISTER_BLOCKS_ON_START": "false",
    "PREFECT_RESULTS_PERSIST_BY_DEFAULT": "false",
    # There is a task run for each stage of each recording: after Prefect's 90 days they go, at a server that stays.
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
}

_FOR_POLARS = {
    # Its allocator (jemalloc) gives back at once what it has freed, to take it again for the next files; kept for five
    # seconds, a publication computes 3 % less, and its peak is no higher.
    "_RJEM_MALLOC_CONF": "dirty_decay_ms:5000,muzzy_decay_ms:5000",
}

_SERVERS = "prefect-servers"
"""In the state folder: the data folders of servers that the study is entered at."""


def prepare_for_polars() -> None:
    """Set what polars looks up when it is imported; call it before that, which is earlier than Prefect's turn."""
    for name, value in _FOR_POLARS.items():
        os.environ.setdefault(name, value)


def prepare_environment(state: Path) -> None:
    """Set the environment; call it before Prefect is imported.

    Args:
        state: the study's state folder, where Prefect keeps its own unless `PREFECT_HOME` says otherwise, so that
            what it knows of a study lies with the study.
    """
    os.environ.update(_ALWAYS)
    for name, value in {**_UNLESS_SET, "PREFECT_HOME": str(state / "prefect")}.items():
        os.environ.setdefault(name, value)


def settings_for(state: Path) -> dict[str, str]:
    """The environment of a run that a worker starts, whoever started the worker.

    Args:
        state: the study's state folder.
    """
    home = os.environ.get("PREFECT_HOME") or str(state / "prefect")
    logs = {name: _UNLESS_SET[name] for name in ("PREFECT_LOGGING_EXTRA_LOGGERS", "PREFECT_RESULTS_PERSIST_BY_DEFAULT")}
    return {**_ALWAYS, **_FOR_POLARS, **logs, "PREFECT_HOME": home}


def traces_elsewhere(state: Path) -> tuple[Path, ...]:
    """Where Prefect keeps names of runs outside the study, as the environment and `note_server` say.

    Args:
        state: the study's state folder.
    """
    home = os.environ.get("PREFECT_HOME")
    noted = state / _SERVERS
    lines = noted.read_text(encoding="utf-8").splitlines() if noted.is_file() else []
    return tuple(Path(each) for each in sorted({*lines, *([home] if home else [])}))


def note_server(state: Path, home: Path) -> None:
    """Note where a server that the study is entered at keeps its database, so that an erasure looks there too.

    Args:
        state: the study's state folder.
        home: the server's data folder, on this machine.
    """
    noted = state / _SERVERS
    known = set(noted.read_text(encoding="utf-8").splitlines()) if noted.is_file() else set()
    if str(home) not in known:
        noted.write_text("".join(f"{each}\n" for each in sorted({*known, str(home)})), encoding="utf-8")
