"""What publication derives from published frames, recording by recording: events, co-occurrence and summaries of time."""

from collections.abc import Sequence
from itertools import groupby
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from pipelines.au_batch import POSE, PRESENT, Batch
from pipelines.au_events import events
from pipelines.face_series import Presence, extent, head_speed, pairs, share_and_area, spread, together
from pipelines.params_publish import EventParams
from schemas.expressions import AU_COOCCURRENCE, AU_EVENTS, GRADED
from schemas.face import AU_NAMES
from schemas.features import AU_SUMMARIES, DYNAMICS
from schemas.people import WHOLE

_PAIRS, _WHERE = pairs(tuple(AU_NAMES))


def found_events(batch: Batch, params: EventParams) -> pl.DataFrame:
    """The rows of `au_events`, in the order of their key.

    Args:
        batch: the frames.
        params: thresholds.
    """
    task_of = _task_of_frame(batch)
    columns: dict[str, list[NDArray[Any]]] = {name: [] for name in ("who", "unit", *_OF_EVENTS)}
    for place, unit in enumerate(GRADED):
        kept, frames = batch.told(f"{unit}_r", params.max_gap_s)
        values = batch.values(f"{unit}_r")
        if len(kept) < len(values):
            values = values[kept]
        found = events(unit, values, frames, params)
        onset_s = frames.times_s[found.first]
        told: dict[str, NDArray[Any]] = {
            "who": batch.of_frame[kept[found.first]],
            "unit": np.full(len(onset_s), place),
            "task": task_of[kept[found.apex]],
            "onset_s": onset_s,
            "apex_s": frames.times_s[found.apex],
            "offset_s": onset_s + found.durations_s,
            "duration_s": found.durations_s,
            "peak_r": values[found.apex],
            "censored": found.censored,
        }
        for name, part in told.items():
            columns[name].append(part)
    whole = {name: np.concatenate(parts) for name, parts in columns.items()}
    # Each unit's events come in the order of its frames; names and units are numbered in theirs.
    order = np.argsort(whole["who"] * len(GRADED) + whole["unit"], kind="stable")
    whole = {name: part[order] for name, part in whole.items()}
    return AU_EVENTS.conform(
        pl.DataFrame(
            {
                "recording": _named(batch.recordings, whole["who"]),
                "task": _named(_tasks(batch), whole["task"]),
                "action_unit": _named(GRADED, whole["unit"]),
                **{name: whole[name] for name in _OF_EVENTS if name != "task"},
            }
        )
    )


_OF_EVENTS = ("task", "onset_s", "apex_s", "offset_s", "duration_s", "peak_r", "censored")


def _tasks(batch: Batch) -> list[str]:
    return sorted({span.task for span in batch.spans} - {WHOLE})


def _task_of_frame(batch: Batch) -> NDArray[np.int64]:
    """Of each frame, the number of its task among `_tasks`; as many as there are where it is in none."""
    tasks = _tasks(batch)
    numbers = {task: number for number, task in enumerate(tasks)}
    of_frame = np.full(len(batch.of_frame), len(tasks), dtype=np.int64)
    for span in batch.spans:
        if span.task != WHOLE:
            of_frame[span.first : span.end] = numbers[span.task]
    return of_frame


def _named(names: Sequence[str], numbers: NDArray[np.int64]) -> pl.Series:
    """Names for their numbers; missing for the number after the last."""
    return pl.Series([*names, None], dtype=pl.String).gather(numbers)


def cooccurrence(batch: Batch) -> pl.DataFrame:
    """The rows of `au_cooccurrence`, in the order of their key."""
    spans = sorted(
        (span for span in batch.spans if span.end > span.first), key=lambda span: (span.recording, span.task)
    )
    shares, jaccards = [], []
    for _, of_recording in groupby(spans, key=lambda span: span.recording):
        some = list(of_recording)
        part = slice(min(span.first for span in some), max(span.end for span in some))
        present = np.stack([batch.values(name)[part] for name in PRESENT])
        presence = Presence.of(present, batch.frames.durations_s[part])
        for span in some:
            share, jaccard = together(presence, span.first - part.start, span.end - part.start)
            shares.append(share[_WHERE])
            jaccards.append(jaccard[_WHERE])
    of_span = np.repeat(np.arange(len(spans)), len(_PAIRS))
    of_pair = np.tile(np.arange(len(_PAIRS)), len(spans))
    return AU_COOCCURRENCE.conform(
        pl.DataFrame(
            {
                "recording": _named([span.recording for span in spans], of_span),
                "task": _named([span.task for span in spans], of_span),
                "action_unit_a": _named([one for one, _ in _PAIRS], of_pair),
                "action_unit_b": _named([other for _, other in _PAIRS], of_pair),
                "both_share": pl.Series(np.concatenate([*shares, np.empty(0)]), nan_to_null=True),
                "jaccard": pl.Series(np.concatenate([*jaccards, np.empty(0)]), nan_to_null=True),
            }
        )
    )


def dynamics(batch: Batch, found: pl.DataFrame, params: EventParams) -> pl.DataFrame:
    """Of `au_summaries`, the key and the columns in `DYNAMICS`.

    Args:
        batch: the frames.
        found: from `found_events`.
        params: thresholds.
    """
    speeds = head_speed(np.stack([batch.values(name) for name in POSE], axis=1), batch.frames)
    blinks = found.filter(action_unit="AU45")
    counts = {(name, task): n for name, task, n in blinks.group_by("recording", "task").len().iter_rows()}
    counts |= {(name, WHOLE): n for name, n in blinks.group_by("recording").len().iter_rows()}
    standing_s = {name: batch.durations_s(name, params.max_gap_s) for name in ("pspi", "AU45_r")}
    rows: list[dict[str, object]] = []
    for span in batch.spans:
        if span.end <= span.first:
            continue
        part = slice(span.first, span.end)
        values = {name: batch.values(name)[part] for name in (*POSE, "pspi", "AU45_r", "mouth_open")}
        watched_s = float(standing_s["AU45_r"][part][~np.isnan(values["AU45_r"])].sum())
        blinked = counts.get((span.recording, span.task), 0)
        row: dict[str, object] = {"recording": span.recording, "task": span.task}
        row |= {f"pspi_{name}": value for name, value in share_and_area(values["pspi"], standing_s["pspi"][part], params.pspi_threshold).items()}  # fmt: skip
        row["blinks_per_min"] = 60 * blinked / watched_s if watched_s > 0 else None
        row |= {f"head_speed_{name}": value for name, value in spread(speeds[part]).items()}
        row |= {f"{name}_range": extent(values[name]) for name in POSE}
        row |= {f"mouth_open_{name}": value for name, value in spread(values["mouth_open"]).items()}
        rows.append(row)
    return pl.DataFrame(
        rows, schema={name: AU_SUMMARIES.polars_schema()[name] for name in ("recording", "task", *DYNAMICS)}
    )
