"""Published frames of some recordings in memory, and the spans of time that they are summed up over."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.au_events import Indices, Mask, Track, Values, telling, track
from pipelines.frame_views import usable_sql
from pipelines.params_publish import PublishParams
from schemas.expressions import GRADED
from schemas.face import AU_NAMES
from schemas.people import WHOLE

if TYPE_CHECKING:
    import duckdb

INTENSITIES = tuple(f"{unit}_r" for unit in GRADED)
PRESENT = tuple(f"{unit}_c" for unit in AU_NAMES)
POSE = ("pose_Rx", "pose_Ry", "pose_Rz")
COLUMNS = (*INTENSITIES, "pspi", *PRESENT, *POSE, "mouth_open")
"""Of `au_frames`, what is summed up of usable frames."""


@dataclass(frozen=True, slots=True)
class Span:
    """A task of a recording, or the whole of it: frames from `first` up to, and without, `end`."""

    recording: str
    task: str
    first: int
    end: int


@dataclass(frozen=True, slots=True)
class Batch:
    """Frames of some recordings, one after the other.

    Args:
        recordings: k names, sorted; each has frames.
        of_frame: n numbers: which of them a frame belongs to.
        frames: when each is, and how long it stands.
        face_found: n of 0 and 1, NaN where not known.
        usable: n, whether a frame counts.
        matrix: `COLUMNS` x n; NaN where not measured, and in each column where a frame is not usable.
        spans: of each recording the whole, then its tasks; those without frames too.
    """

    recordings: Sequence[str]
    of_frame: NDArray[np.int64]
    frames: Track
    face_found: Values
    usable: Mask
    matrix: Values
    spans: Sequence[Span]

    def values(self, name: str) -> Values:
        """One of `COLUMNS`."""
        return np.asarray(self.matrix[_PLACES[name]])

    def told(self, name: str, max_gap_s: float) -> tuple[Indices, Track]:
        """The frames that tell of a column, and what each stands for."""
        kept = telling(self.values(name), self.usable)
        if len(kept) == len(self.of_frame):
            return kept, self.frames
        return kept, track(self.of_frame[kept], self.frames.times_s[kept], max_gap_s)

    def durations_s(self, name: str, max_gap_s: float) -> Values:
        """For how long each frame stands for a column: one that is passed over for no time."""
        kept, frames = self.told(name, max_gap_s)
        durations_s = np.zeros(len(self.of_frame))
        durations_s[kept] = frames.durations_s
        return durations_s


_PLACES = {name: place for place, name in enumerate(COLUMNS)}


def read_batch(
    connection: "duckdb.DuckDBPyConnection",
    recordings: Sequence[str],
    tasks: Mapping[str, Sequence[tuple[str, float, float]]],
    params: PublishParams,
) -> Batch:
    """Read the frames of some recordings.

    Args:
        connection: to a file that has them.
        recordings: which, sorted; those without frames are left out.
        tasks: name, begin and end of each task, by recording.
        params: of publication.
    """
    columns = ", ".join(("recording", "frame", "timestamp_s", "face_found", *COLUMNS))
    rows = connection.execute(
        f"SELECT {columns}, coalesce({usable_sql(params.usable)}, false) AS usable FROM main.au_frames "  # noqa: S608 - names from schemas/ and numbers
        "WHERE recording BETWEEN ? AND ? AND recording IN (SELECT unnest(?::VARCHAR[]))",
        [min(recordings, default=""), max(recordings, default=""), list(recordings)],
    ).pl()
    there = set(rows["recording"].unique())
    names = [name for name in recordings if name in there]
    numbers = dict(zip(names, range(len(names)), strict=True))
    of_frame = rows["recording"].replace_strict(numbers, return_dtype=pl.Int64).to_numpy()
    frame = rows["frame"].to_numpy()
    follows = (of_frame[1:] > of_frame[:-1]) | ((of_frame[1:] == of_frame[:-1]) & (frame[1:] >= frame[:-1]))
    # A file's rows are in order, and recordings mostly are: to move all columns takes as long as to read them.
    if not follows.all():
        order = np.lexsort((frame, of_frame))
        rows, of_frame = rows[order], of_frame[order]
    usable = rows["usable"].to_numpy()
    matrix = np.empty((len(COLUMNS), rows.height))
    for place, name in enumerate(COLUMNS):
        matrix[place] = rows[name].to_numpy()
    matrix[:, ~usable] = np.nan
    times_s = rows["timestamp_s"].to_numpy()
    bounds = np.searchsorted(of_frame, np.arange(len(names) + 1)).tolist()
    spans = [
        span
        for name, begin, end in zip(names, bounds, bounds[1:], strict=False)
        for span in _spans(name, begin, times_s[begin:end], tasks.get(name, ()))
    ]
    frames = track(of_frame, times_s, params.events.max_gap_s)
    return Batch(names, of_frame, frames, rows["face_found"].cast(pl.Float64).to_numpy(), usable, matrix, spans)


def _spans(name: str, begin: int, times_s: Values, tasks: Sequence[tuple[str, float, float]]) -> Iterator[Span]:
    yield Span(name, WHOLE, begin, begin + len(times_s))
    for task, start_s, end_s in tasks:
        first, end = np.searchsorted(times_s, [start_s, end_s]).tolist()
        yield Span(name, task, begin + first, begin + end)
