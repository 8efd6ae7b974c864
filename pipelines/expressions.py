"""What publication derives from published frames, recording by recording: events, co-occurrence and summaries of time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from pipelines.au_events import Indices, Mask, Track, Values, events, telling, track
from pipelines.face_series import head_speed, pairs, share_and_area, spread, together
from pipelines.frame_views import usable_sql
from pipelines.params_publish import EventParams, PublishParams
from schemas.core import Table
from schemas.expressions import AU_COOCCURRENCE, AU_EVENTS, GRADED
from schemas.face import AU_NAMES
from schemas.features import AU_SUMMARIES, DYNAMICS
from schemas.people import WHOLE

if TYPE_CHECKING:
    import duckdb

_AT_A_TIME = 100
"""Recordings in memory at once: about 180,000 frames of 45 numbers."""

_PRESENT = tuple(f"{unit}_c" for unit in AU_NAMES)
_POSE = ("pose_Rx", "pose_Ry", "pose_Rz")
_COLUMNS = (*(f"{unit}_r" for unit in GRADED), *_PRESENT, *_POSE, "pspi", "mouth_open")
_PAIRS, _WHERE = pairs(tuple(AU_NAMES))


@dataclass(frozen=True, slots=True)
class Span:
    """A task of a recording, or the whole of it: frames from `first` up to, and without, `end`."""

    recording: str
    task: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Frames of some recordings, one after the other; NaN in every column of `values` where a frame is not usable."""

    recordings: Sequence[str]
    of_frame: "np.ndarray[tuple[int], np.dtype[np.int64]]"
    frames: Track
    usable: Mask
    values: dict[str, Values]
    spans: Sequence[Span]

    def told(self, name: str, max_gap_s: float) -> tuple[Indices, Track]:
        """The frames that tell of a column, and what each stands for."""
        kept = telling(self.values[name], self.usable)
        if len(kept) == len(self.of_frame):
            return kept, self.frames
        return kept, track(self.of_frame[kept], self.frames.times_s[kept], max_gap_s)

    def durations_s(self, name: str, max_gap_s: float) -> Values:
        """For how long each frame stands for a column: one that is passed over for no time."""
        kept, frames = self.told(name, max_gap_s)
        durations_s = np.zeros(len(self.of_frame))
        durations_s[kept] = frames.durations_s
        return durations_s


def derived(
    connection: "duckdb.DuckDBPyConnection", params: PublishParams, recordings: Sequence[str]
) -> Iterator[tuple[Table, pl.DataFrame]]:
    """The rows of `au_events`, `au_cooccurrence` and, of `au_summaries`, the key and the columns in `DYNAMICS`.

    Args:
        connection: to a file whose frames, recordings and tasks are there.
        params: of publication.
        recordings: of which; those without frames have no rows.

    Yields:
        A table and some of its rows, in their order; each table several times.
    """
    framed = connection.execute(
        "SELECT DISTINCT recording FROM main.au_frames WHERE recording IN (SELECT unnest(?::VARCHAR[])) ORDER BY 1",
        [recordings],
    )
    names = [row[0] for row in framed.fetchall()]
    tasks = connection.execute("SELECT recording, task, start_s, end_s FROM main.tasks ORDER BY recording, task").pl()
    by_recording = {str(name): rows for (name,), rows in tasks.group_by("recording", maintain_order=True)}
    for begin in range(0, len(names), _AT_A_TIME):
        batch = _read(connection, names[begin : begin + _AT_A_TIME], by_recording, params)
        found = _events(batch, params.events)
        yield AU_EVENTS, found
        yield AU_COOCCURRENCE, _cooccurrence(batch)
        yield AU_SUMMARIES, _dynamics(batch, found, params.events)


def _read(
    connection: "duckdb.DuckDBPyConnection",
    names: Sequence[str],
    tasks: dict[str, pl.DataFrame],
    params: PublishParams,
) -> Batch:
    columns = ", ".join(f"CASE WHEN usable THEN {name} END AS {name}" for name in _COLUMNS)
    rows = connection.execute(
        f"SELECT recording, timestamp_s, usable, {columns} FROM (SELECT *, {usable_sql(params.usable)} AS usable "  # noqa: S608 - names from schemas/ and numbers
        "FROM main.au_frames WHERE recording IN (SELECT unnest(?::VARCHAR[]))) ORDER BY recording, frame",
        [names],
    ).pl()
    numbers = dict(zip(names, range(len(names)), strict=True))
    of_frame = rows["recording"].replace_strict(numbers, return_dtype=pl.Int64).to_numpy()
    times_s = rows["timestamp_s"].to_numpy()
    bounds = np.searchsorted(of_frame, np.arange(len(names) + 1))
    spans = [
        span
        for number, name in enumerate(names)
        for span in _spans(name, int(bounds[number]), times_s[bounds[number] : bounds[number + 1]], tasks.get(name))
    ]
    values = {name: rows[name].cast(pl.Float64).fill_null(float("nan")).to_numpy() for name in _COLUMNS}
    frames = track(of_frame, times_s, params.events.max_gap_s)
    return Batch(names, of_frame, frames, rows["usable"].to_numpy(), values, spans)


def _spans(name: str, begin: int, times_s: Values, tasks: pl.DataFrame | None) -> Iterator[Span]:
    yield Span(name, WHOLE, begin, begin + len(times_s))
    for _, task, start_s, end_s in () if tasks is None else tasks.iter_rows():
        first, end = np.searchsorted(times_s, [start_s, end_s])
        yield Span(name, task, begin + int(first), begin + int(end))


def _events(batch: Batch, params: EventParams) -> pl.DataFrame:
    tasks = np.full(len(batch.of_frame), None, dtype=object)
    for span in batch.spans:
        if span.task != WHOLE:
            tasks[span.first : span.end] = span.task
    parts = []
    for unit in GRADED:
        kept, frames = batch.told(f"{unit}_r", params.max_gap_s)
        values = batch.values[f"{unit}_r"][kept]
        found = events(unit, values, frames, params)
        onset_s = frames.times_s[found.first]
        parts.append(
            pl.DataFrame(
                {
                    "recording": pl.Series(
                        [batch.recordings[i] for i in batch.of_frame[kept[found.first]]], dtype=pl.String
                    ),
                    "task": pl.Series(tasks[kept[found.apex]].tolist(), dtype=pl.String),
                    "action_unit": pl.Series([unit] * len(onset_s), dtype=pl.String),
                    "onset_s": onset_s,
                    "apex_s": frames.times_s[found.apex],
                    "offset_s": onset_s + found.durations_s,
                    "duration_s": found.durations_s,
                    "peak_r": values[found.apex],
                    "censored": found.censored,
                }
            )
        )
    return AU_EVENTS.conform(pl.concat(parts)).sort(AU_EVENTS.key)


def _cooccurrence(batch: Batch) -> pl.DataFrame:
    present = np.stack([batch.values[name] for name in _PRESENT], axis=1)
    spans = [span for span in batch.spans if span.end > span.first]
    shares, jaccards = [], []
    for span in spans:
        share, jaccard = together(present[span.first : span.end], batch.frames.durations_s[span.first : span.end])
        shares.append(share[_WHERE])
        jaccards.append(jaccard[_WHERE])
    each = len(_PAIRS)
    rows = pl.DataFrame(
        {
            "recording": [span.recording for span in spans for _ in range(each)],
            "task": [span.task for span in spans for _ in range(each)],
            "action_unit_a": [one for one, _ in _PAIRS] * len(spans),
            "action_unit_b": [other for _, other in _PAIRS] * len(spans),
            "both_share": pl.Series(np.concatenate([*shares, np.empty(0)]), nan_to_null=True),
            "jaccard": pl.Series(np.concatenate([*jaccards, np.empty(0)]), nan_to_null=True),
        },
        schema=AU_COOCCURRENCE.polars_schema(),
    )
    return rows.sort(AU_COOCCURRENCE.key)


def _dynamics(batch: Batch, found: pl.DataFrame, params: EventParams) -> pl.DataFrame:
    speeds = head_speed(np.stack([batch.values[name] for name in _POSE], axis=1), batch.frames)
    blinks = found.filter(action_unit="AU45")
    counts = {(name, task): n for name, task, n in blinks.group_by("recording", "task").len().iter_rows()}
    counts |= {(name, WHOLE): n for name, n in blinks.group_by("recording").len().iter_rows()}
    standing_s = {name: batch.durations_s(name, params.max_gap_s) for name in ("pspi", "AU45_r")}
    rows: list[dict[str, object]] = []
    for span in batch.spans:
        if span.end <= span.first:
            continue
        part = slice(span.first, span.end)
        values = {name: batch.values[name][part] for name in (*_POSE, "pspi", "AU45_r", "mouth_open")}
        watched_s = float(standing_s["AU45_r"][part][~np.isnan(values["AU45_r"])].sum())
        blinked = counts.get((span.recording, span.task), 0)
        row: dict[str, object] = {"recording": span.recording, "task": span.task}
        row |= {f"pspi_{name}": value for name, value in share_and_area(values["pspi"], standing_s["pspi"][part], params.pspi_threshold).items()}  # fmt: skip
        row["blinks_per_min"] = 60 * blinked / watched_s if watched_s > 0 else None
        row |= {f"head_speed_{name}": value for name, value in spread(speeds[part]).items()}
        row |= {f"{name}_range": spread(values[name])["range"] for name in _POSE}
        row |= {f"mouth_open_{name}": value for name, value in spread(values["mouth_open"]).items()}
        rows.append(row)
    return pl.DataFrame(
        rows, schema={name: AU_SUMMARIES.polars_schema()[name] for name in ("recording", "task", *DYNAMICS)}
    )
