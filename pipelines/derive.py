"""Derive: the tables that publication makes from published frames, some recordings at a time."""

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipelines.au_batch import Batch, read_batch
from pipelines.au_events import Values
from pipelines.au_summaries import neutral_faces, summaries
from pipelines.duckdb_tables import insert_frame, qualified
from pipelines.expressions import cooccurrence, dynamics, found_events
from pipelines.frame_views import neutral_sql
from pipelines.params_publish import PublishParams
from schemas.core import Table
from schemas.expressions import (
    AU_COOCCURRENCE,
    AU_EVENTS,
    AU_NEUTRAL,
    AU_NEUTRAL_BY_RECORDING,
    GRADED,
    NO_READING,
    TOO_FEW_FRAMES,
)
from schemas.features import AU_SUMMARIES

if TYPE_CHECKING:
    import duckdb

Tasks = Mapping[str, Sequence[tuple[str, float, float]]]

# Beside the file, so that nothing of it stays.
_NEUTRAL_BEFORE = "neutral_before"

_AT_A_TIME = 50
"""Recordings: about 90,000 frames of 45 numbers are in memory at once."""

_NOBODY = np.full(len(GRADED), np.nan)


def derive(connection: "duckdb.DuckDBPyConnection", params: PublishParams, recordings: Sequence[str]) -> None:
    """Fill the tables that are made from others, or bring them up to date.

    Args:
        connection: to a file that has all other tables; what it has of other recordings was derived by the same code.
        params: of publication.
        recordings: whose frames or tasks are new, in order; all of them where nothing has been derived yet.
    """
    whose = dict(connection.execute("SELECT recording, participant FROM main.recordings").fetchall())
    tasks: dict[str, list[tuple[str, float, float]]] = {}
    for recording, task, start_s, end_s in connection.execute(
        "SELECT recording, task, start_s, end_s FROM main.tasks ORDER BY recording, task"
    ).fetchall():
        tasks.setdefault(recording, []).append((task, start_s, end_s))
    for table in (AU_NEUTRAL_BY_RECORDING, AU_EVENTS, AU_COOCCURRENCE, AU_SUMMARIES):
        _clear(connection, table, recordings)
    # In one transaction: rows are written once they fill a group, and those of a shorter one would stay in memory.
    connection.begin()
    for part in parts_of_persons(recordings, whose):
        batch = read_batch(connection, part, tasks, params)
        faces = neutral_faces(batch, params.neutral)
        known = [recording for recording in part if recording in whose]
        insert_frame(connection, AU_NEUTRAL_BY_RECORDING, _neutral_rows(known, faces, tasks))
        found = found_events(batch, params.events)
        insert_frame(connection, AU_EVENTS, found)
        insert_frame(connection, AU_COOCCURRENCE, cooccurrence(batch))
        if params.neutral.over == "person":
            faces = _of_persons(connection, known, whose)
        insert_frame(connection, AU_SUMMARIES, _summed(batch, faces, found, params))
    connection.commit()
    moved = _renew_neutral(connection)
    # With another neutral face all of a person's calibrated values are others.
    others = sorted(moved - {*recordings}) if params.neutral.over == "person" else []
    _clear(connection, AU_SUMMARIES, others)
    for part in parts_of_persons(others, whose):
        batch = read_batch(connection, part, tasks, params)
        found = found_events(batch, params.events)
        faces = _of_persons(connection, part, whose)
        insert_frame(connection, AU_SUMMARIES, _summed(batch, faces, found, params))


def parts_of_persons(recordings: Sequence[str], whose: Mapping[str, str]) -> Iterator[list[str]]:
    """Recordings in parts, in their order; nobody's are in two of them, since a neutral face is a person's.

    Args:
        recordings: sorted.
        whose: each recording's person.

    >>> list(parts_of_persons(["A-1", "B-1"], {"A-1": "A", "B-1": "B"}))
    [['A-1', 'B-1']]
    """
    last = {whose.get(recording): place for place, recording in enumerate(recordings)}
    part: list[str] = []
    whole_at = 0
    for place, recording in enumerate(recordings):
        part.append(recording)
        whole_at = max(whole_at, last[whose.get(recording)])
        if place == whole_at and len(part) >= _AT_A_TIME:
            yield part
            part = []
    if part:
        yield part


def _clear(connection: "duckdb.DuckDBPyConnection", table: Table, recordings: Sequence[str]) -> None:
    connection.execute(
        f"DELETE FROM {qualified(table)} WHERE recording IN (SELECT unnest(?::VARCHAR[]))",  # noqa: S608 - a name from schemas/
        [list(recordings)],
    )


def _neutral_rows(recordings: Sequence[str], faces: Mapping[str, Values], tasks: Tasks) -> pl.DataFrame:
    """The rows of `au_neutral_by_recording` of some recordings, in the order of their key."""
    found = np.concatenate([np.empty(0), *(faces.get(recording, _NOBODY) for recording in recordings)])
    reading = {name for name, of_recording in tasks.items() if any(task == "reading" for task, *_ in of_recording)}
    rows = pl.DataFrame(
        {
            "recording": [recording for recording in recordings for _ in GRADED],
            "action_unit": [*GRADED] * len(recordings),
            "neutral_r": pl.Series(found, nan_to_null=True),
            "cause": [
                TOO_FEW_FRAMES if recording in reading else NO_READING for recording in recordings for _ in GRADED
            ],
        },
        schema=AU_NEUTRAL_BY_RECORDING.polars_schema(),
    )
    return rows.with_columns(pl.when(pl.col("neutral_r").is_null()).then("cause"))


def _of_persons(
    connection: "duckdb.DuckDBPyConnection", recordings: Sequence[str], whose: Mapping[str, str]
) -> dict[str, Values]:
    """By recording, the neutral face of its person: of each of `GRADED`, NaN where there is none."""
    rows = connection.execute(
        neutral_sql(of_some=True), {"persons": sorted({whose[recording] for recording in recordings})}
    ).fetchall()
    faces: dict[str, Values] = {}
    for person, unit, value, _ in rows:
        if value is not None:
            faces.setdefault(person, _NOBODY.copy())[GRADED.index(unit)] = value
    return {recording: faces.get(whose[recording], _NOBODY) for recording in recordings}


def _summed(batch: Batch, faces: Mapping[str, Values], found: pl.DataFrame, params: PublishParams) -> pl.DataFrame:
    """The rows of `au_summaries`, in the order of their key."""
    over_time = dynamics(batch, found, params.events)
    return summaries(batch, faces).join(over_time, on=AU_SUMMARIES.key, how="left").sort(AU_SUMMARIES.key)


def _renew_neutral(connection: "duckdb.DuckDBPyConnection") -> set[str]:
    """Fill `au_neutral` anew; gives the recordings of all whose neutral face is another one now."""
    name = qualified(AU_NEUTRAL)
    connection.execute(f"CREATE TEMP TABLE {_NEUTRAL_BEFORE} AS FROM {name}")
    connection.execute(f"DELETE FROM {name}")  # noqa: S608 - a name from schemas/
    connection.execute(f"INSERT INTO {name} BY NAME {neutral_sql()}")
    found = connection.execute(f"""
        SELECT recording FROM main.recordings WHERE participant IN (
            SELECT participant FROM (FROM {name} EXCEPT FROM {_NEUTRAL_BEFORE})
        )""")  # noqa: S608 - names from schemas/
    moved = {row[0] for row in found.fetchall()}
    connection.execute(f"DROP TABLE {_NEUTRAL_BEFORE}")
    return moved
