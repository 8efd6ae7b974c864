"""What of a published recording becomes a tier in ELAN: tasks, speech, events of action units, and pain.

Speech and events are the warehouse's own tables where it has them; a warehouse of an earlier version has none, and they
are made from its frames.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.elan import Interval, Tier
from pipelines.views import quoted
from schemas.core import Table
from schemas.face import AU_FRAMES, AU_NAMES
from schemas.voice import F0, FRAME_STEP_S, PITCH_WINDOW_S, VOICE_FRAMES

if TYPE_CHECKING:
    import duckdb

_MAX_GAP_S = 0.2
"""Frames further apart belong to no interval together."""
_MIN_EVENT_S = 0.06
"""Shorter ones are noise."""
_PAUSE_S = 0.25
"""A shorter stretch without voice is the closure of a stop (Goldman-Eisler 1968), not a pause."""


class Series(NamedTuple):
    """One value at each time, in order; NaN where there is none."""

    times_s: NDArray[np.float64]
    values: NDArray[np.float64]


def tiers_of(connection: "duckdb.DuckDBPyConnection", recording: str, pspi_threshold: float) -> tuple[Tier, ...]:
    """The tiers of a recording.

    Args:
        connection: to a published warehouse.
        recording: that it has.
        pspi_threshold: from which PSPI on an interval of pain is marked.

    Returns:
        Tasks, speech and PSPI, whether they hold anything or not, and one tier for each action unit that was active.
    """
    return (
        Tier("task", "task", _tasks(connection, recording)),
        Tier("speech", "speech", speech(connection, recording)),
        Tier(f"PSPI >= {pspi_threshold:g}", "pain", _pain(connection, recording, pspi_threshold)),
        *(
            Tier(f"{unit} {AU_NAMES[unit]}", "action unit", intervals)
            for unit, intervals in action_units(connection, recording).items()
        ),
    )


def _tasks(connection: "duckdb.DuckDBPyConnection", recording: str) -> tuple[Interval, ...]:
    rows = connection.execute("SELECT start_s, end_s, task FROM tasks WHERE recording = ? ORDER BY ALL", [recording])
    return tuple(Interval(*row) for row in rows.fetchall())


def speech(connection: "duckdb.DuckDBPyConnection", recording: str) -> tuple[Interval, ...]:
    """Where the person speaks: the table `speech_segments`, or else stretches of voiced frames."""
    if _has(connection, "speech_segments"):
        rows = connection.execute(
            "SELECT start_s, end_s FROM speech_segments WHERE recording = ? ORDER BY ALL", [recording]
        )
        return tuple(Interval(start_s, end_s, "speech") for start_s, end_s in rows.fetchall())
    voiced = _series(_frames(connection, VOICE_FRAMES, recording), F0)
    there = np.isfinite(voiced.values)
    # Each value is that of the window that begins at its time.
    middles_s = voiced.times_s[there] + (PITCH_WINDOW_S - FRAME_STEP_S) / 2
    return tuple(
        Interval(float(middles_s[first]), float(middles_s[last]) + FRAME_STEP_S, "voiced")
        for first, last in _runs(middles_s, np.ones(len(middles_s), dtype=bool), _PAUSE_S)
    )


def action_units(connection: "duckdb.DuckDBPyConnection", recording: str) -> dict[str, tuple[Interval, ...]]:
    """When each action unit is active, with its greatest intensity: the table `au_events`, or else runs of AUnn_c.

    Returns:
        By action unit, those alone that are active at some time.
    """
    found: dict[str, list[Interval]] = {}
    if _has(connection, "au_events"):
        rows = connection.execute(
            "SELECT action_unit, onset_s, offset_s, peak_r FROM au_events WHERE recording = ? ORDER BY ALL", [recording]
        )
        for unit, onset_s, offset_s, peak_r in rows.fetchall():
            found.setdefault(unit, []).append(Interval(onset_s, offset_s, f"{peak_r:.1f}"))
    else:
        faces = _frames(connection, AU_FRAMES, recording)
        found = {unit: _presence(faces, unit) for unit in AU_NAMES if f"{unit}_c" in faces.columns}
    return {unit: tuple(found[unit]) for unit in AU_NAMES if found.get(unit)}


def _presence(faces: pl.DataFrame, unit: str) -> list[Interval]:
    """Runs of frames in which an action unit is present."""
    told = _telling(faces, f"{unit}_c")
    present = _series(told, f"{unit}_c")
    intensity = _series(told, f"{unit}_r") if f"{unit}_r" in faces.columns else None
    intervals = _marked(present, present.values > 0, intensity)
    return [each for each in intervals if each.end_s - each.start_s >= _MIN_EVENT_S]


def _pain(connection: "duckdb.DuckDBPyConnection", recording: str, threshold: float) -> tuple[Interval, ...]:
    pspi = _series(_telling(_frames(connection, AU_FRAMES, recording), "pspi"), "pspi")
    return tuple(_marked(pspi, pspi.values >= threshold, pspi))


def _marked(series: Series, present: NDArray[np.bool_], shown: Series | None) -> list[Interval]:
    """Intervals of frames that are marked, with the greatest value shown within."""
    times_s = series.times_s
    if not len(times_s):
        return []
    steps_s = np.diff(times_s)
    usual_s = float(np.median(steps_s)) if len(steps_s) else 0.0
    # A frame is shown until the next one; before a gap, and at the end, for as long as frames usually are.
    lasts_s = np.append(np.where(steps_s <= _MAX_GAP_S, steps_s, usual_s), usual_s)
    return [
        Interval(
            float(times_s[first]),
            float(times_s[last] + lasts_s[last]),
            _greatest(shown, first, last),
        )
        for first, last in _runs(times_s, present, _MAX_GAP_S)
    ]


def _greatest(shown: Series | None, first: int, last: int) -> str:
    """The greatest value of some frames, where there is one."""
    values = np.empty(0) if shown is None else shown.values[first : last + 1]
    known = values[np.isfinite(values)]
    return f"{known.max():.1f}" if len(known) else "present"


def _runs(times_s: NDArray[np.float64], present: NDArray[np.bool_], max_gap_s: float) -> list[tuple[int, int]]:
    """First and last index of each run of marked frames that follow on one another, none further apart than the gap."""
    marked = np.flatnonzero(present)
    if not len(marked):
        return []
    breaks = (np.diff(marked) > 1) | (np.diff(times_s[marked]) > max_gap_s)
    firsts, lasts = np.append(True, breaks), np.append(breaks, True)
    return [(int(a), int(b)) for a, b in zip(marked[firsts], marked[lasts], strict=True)]


def _frames(connection: "duckdb.DuckDBPyConnection", table: Table, recording: str) -> pl.DataFrame:
    """The rows of a recording, in order of time."""
    return connection.execute(
        f"SELECT * FROM {quoted(table.name)} WHERE recording = ? ORDER BY timestamp_s",  # noqa: S608 - a name from schemas/
        [recording],
    ).pl()


def _telling(faces: pl.DataFrame, column: str) -> pl.DataFrame:
    """The frames that tell of a measure: not those that show a face and were passed over by an engine."""
    return faces.filter(pl.col(column).is_not_null() | ~pl.col("face_found"))


def _series(frames: pl.DataFrame, column: str) -> Series:
    values = frames[column].cast(pl.Float64).fill_null(float("nan"))
    return Series(frames["timestamp_s"].to_numpy(), values.to_numpy())


def _has(connection: "duckdb.DuckDBPyConnection", table: str) -> bool:
    """Whether the warehouse has a table."""
    (found,) = connection.execute(
        "SELECT count(*) FROM duckdb_tables() WHERE database_name = 'painlake' AND schema_name = 'main' AND table_name = ?",
        [table],
    ).fetchone() or (0,)
    return bool(found)
