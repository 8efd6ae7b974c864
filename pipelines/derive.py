"""Derive: the tables that publication makes from published frames, some recordings at a time."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from pipelines.duckdb_tables import insert_frame, qualified
from pipelines.expressions import derived
from pipelines.frame_views import IN_PART, neutral_by_recording_sql, neutral_sql
from pipelines.params_publish import PublishParams
from pipelines.views import au_summaries_sql, quoted
from schemas.expressions import AU_COOCCURRENCE, AU_EVENTS, AU_NEUTRAL, AU_NEUTRAL_BY_RECORDING
from schemas.features import AU_SUMMARIES, DYNAMICS

if TYPE_CHECKING:
    import duckdb

# Beside the file, so that nothing of them stays.
_DYNAMICS = "memory.main.dynamics"
_NEUTRAL_BEFORE = "memory.main.neutral_before"

_AT_A_TIME = 200
"""Recordings: what is derived at once fits into memory."""


def derive(connection: "duckdb.DuckDBPyConnection", params: PublishParams, recordings: Sequence[str]) -> None:
    """Fill the tables that are made from others, or bring them up to date.

    Args:
        connection: to a file that has all other tables; what it has of other recordings was derived by the same code.
        params: of publication.
        recordings: whose frames or tasks are new, in order; all of them where nothing has been derived yet.
    """
    parts = list(_parts(recordings))
    for part in parts:
        for table in (AU_NEUTRAL_BY_RECORDING, AU_EVENTS, AU_COOCCURRENCE):
            connection.execute(f"DELETE FROM {qualified(table)} WHERE recording {IN_PART}", part)  # noqa: S608 - names from schemas/
        connection.execute(
            f"INSERT INTO {qualified(AU_NEUTRAL_BY_RECORDING)} BY NAME {neutral_by_recording_sql(params.neutral)}", part
        )
    moved = _renew_neutral(connection)
    types = ", ".join(f"{quoted(n)} {AU_SUMMARIES[n].type}" for n in ("recording", "task", *DYNAMICS))
    connection.execute(f"CREATE TABLE {_DYNAMICS} ({types})")
    for table, rows in derived(connection, params, recordings):
        if table is AU_SUMMARIES:
            connection.register("incoming", rows.to_arrow())
            connection.execute(f"INSERT INTO {_DYNAMICS} FROM incoming")
            connection.unregister("incoming")
        else:
            insert_frame(connection, table, rows)
    # With another neutral face all of a person's calibrated values are others; what is known of time stays.
    others = sorted(moved - {*recordings}) if params.neutral.over == "person" else []
    for part in _parts(others):
        known = ", ".join(quoted(name) for name in ("recording", "task", *DYNAMICS))
        connection.execute(
            f"INSERT INTO {_DYNAMICS} SELECT {known} FROM {qualified(AU_SUMMARIES)} WHERE recording {IN_PART}",  # noqa: S608 - names from schemas/
            part,
        )
    for part in (*parts, *_parts(others)):
        connection.execute(f"DELETE FROM {qualified(AU_SUMMARIES)} WHERE recording {IN_PART}", part)  # noqa: S608 - names from schemas/
        connection.execute(
            f"INSERT INTO {qualified(AU_SUMMARIES)} BY NAME {au_summaries_sql(_DYNAMICS, params.neutral.over)}", part
        )
    connection.execute(f"DROP TABLE {_DYNAMICS}")


def _parts(recordings: Sequence[str]) -> Iterator[dict[str, Any]]:
    for begin in range(0, len(recordings), _AT_A_TIME):
        yield {"recordings": list(recordings[begin : begin + _AT_A_TIME])}


def _renew_neutral(connection: "duckdb.DuckDBPyConnection") -> set[str]:
    """Fill `au_neutral` anew; gives the recordings of all whose neutral face is another one now."""
    name = qualified(AU_NEUTRAL)
    connection.execute(f"CREATE TABLE {_NEUTRAL_BEFORE} AS FROM {name}")
    connection.execute(f"DELETE FROM {name}")  # noqa: S608 - a name from schemas/
    connection.execute(f"INSERT INTO {name} BY NAME {neutral_sql()}")
    found = connection.execute(f"""
        SELECT recording FROM main.recordings WHERE participant IN (
            SELECT participant FROM (FROM {name} EXCEPT FROM {_NEUTRAL_BEFORE})
        )""")  # noqa: S608 - names from schemas/
    moved = {row[0] for row in found.fetchall()}
    connection.execute(f"DROP TABLE {_NEUTRAL_BEFORE}")
    return moved
