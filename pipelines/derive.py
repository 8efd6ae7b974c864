"""Derive: the tables that publication makes from published frames, some recordings at a time."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from pipelines.duckdb_tables import insert_frame, qualified
from pipelines.expressions import derived
from pipelines.frame_views import neutral_by_recording_sql, neutral_sql
from pipelines.params_publish import PublishParams
from pipelines.views import au_summaries_sql, quoted
from schemas.expressions import AU_NEUTRAL, AU_NEUTRAL_BY_RECORDING
from schemas.features import AU_SUMMARIES, DYNAMICS

if TYPE_CHECKING:
    import duckdb

_DYNAMICS = "memory.main.dynamics"
"""Beside the file, so that nothing of it stays."""

_AT_A_TIME = 200
"""Recordings: what is derived at once fits into memory."""


def recordings_of(connection: "duckdb.DuckDBPyConnection") -> list[str]:
    """All recordings of a file, in order."""
    return [row[0] for row in connection.execute("SELECT recording FROM main.recordings ORDER BY 1").fetchall()]


def derive(connection: "duckdb.DuckDBPyConnection", params: PublishParams, recordings: Sequence[str]) -> None:
    """Fill the tables that are made from others.

    Args:
        connection: to a file that has all other tables.
        params: of publication.
        recordings: in order.
    """
    parts = [{"recordings": recordings[begin : begin + _AT_A_TIME]} for begin in range(0, len(recordings), _AT_A_TIME)]
    for part in parts:
        connection.execute(
            f"INSERT INTO {qualified(AU_NEUTRAL_BY_RECORDING)} BY NAME {neutral_by_recording_sql(params.neutral)}", part
        )
    connection.execute(f"INSERT INTO {qualified(AU_NEUTRAL)} BY NAME {neutral_sql()}")
    types = ", ".join(f"{quoted(n)} {AU_SUMMARIES[n].type}" for n in ("recording", "task", *DYNAMICS))
    connection.execute(f"CREATE TABLE {_DYNAMICS} ({types})")
    for table, rows in derived(connection, params, recordings):
        if table is AU_SUMMARIES:
            connection.register("incoming", rows.to_arrow())
            connection.execute(f"INSERT INTO {_DYNAMICS} FROM incoming")
            connection.unregister("incoming")
        else:
            insert_frame(connection, table, rows)
    for part in parts:
        connection.execute(
            f"INSERT INTO {qualified(AU_SUMMARIES)} BY NAME {au_summaries_sql(_DYNAMICS, params.neutral.over)}", part
        )
    connection.execute(f"DROP TABLE {_DYNAMICS}")
