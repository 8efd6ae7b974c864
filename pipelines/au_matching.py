"""Coders' labels beside an engine's frames: which label belongs to which frame, and which to none."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from pipelines.au_accuracy import Accuracy, Draws, Estimate, auc, f1, icc_3_1
from pipelines.au_labels import Labels
from pipelines.errors import UserError
from pipelines.params_publish import PresenceParams
from pipelines.warehouse import open_warehouse
from schemas.face import AU_NAMES, PRESENCE_ONLY

_EYES = ("AU43", "AU45")
_UNITS = tuple(
    f"{unit}_{kind}" for unit in AU_NAMES for kind in "rc" if not (kind == "r" and unit in PRESENCE_ONLY)
)  # fmt: skip
_ROUNDING_S = 1e-6


@dataclass(frozen=True, slots=True)
class Predictions:
    """What an engine measured.

    Args:
        frames: columns of `au_frames`, as many as there are, and `person`: whose recording it is, as far as is known.
        engines: which measured them.
    """

    frames: pl.DataFrame
    engines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """An engine's measurements against a coder's labels.

    Args:
        engines: which.
        layout: of the labels.
        labels: how many there were.
        used: how many the statistics rest on.
        left_out: why others are not among them, and how many each.
        action_units: one entry for each that was labelled.
    """

    engines: tuple[str, ...]
    layout: str
    labels: int
    used: int
    left_out: dict[str, int]
    action_units: tuple[Accuracy, ...]


def published(file: Path, recordings: Sequence[str]) -> Predictions:
    """The frames of some recordings in a published version.

    Args:
        file: the DuckDB file, or the link to it.
        recordings: which are labelled; those that it has not are left out.
    """
    columns = ", ".join(f"f.{name}" for name in _UNITS)
    with open_warehouse(file) as warehouse:
        frames = warehouse.execute(
            f"""
            SELECT f.recording, r.participant AS person, f.frame, f.timestamp_s, {columns}
            FROM au_frames AS f JOIN recordings AS r USING (recording)
            WHERE list_contains(?, f.recording) ORDER BY f.recording, f.frame
            """,  # noqa: S608 - names from schemas/ alone
            [sorted(set(recordings))],
        ).pl()
        engines = warehouse.execute(
            "SELECT DISTINCT concat(engine, ' ', engine_version) FROM meta.provenance "
            "WHERE stage = 'face' AND list_contains(?, recording) ORDER BY 1",
            [sorted(set(recordings))],
        ).fetchall()
    return Predictions(frames, tuple(name for (name,) in engines))


def read_predictions(path: Path) -> Predictions:
    """Frames of a parquet or CSV file in the columns of `au_frames`, made by whatever program.

    It needs `recording`, `frame` (from 0) or `timestamp_s`, and some `AUnn_r` or `AUnn_c`; a column `participant` says
    whose recordings belong together.

    Raises:
        UserError: it is not there, or has not these columns.
    """
    try:
        if path.suffix.lower() == ".parquet":
            frames = pl.read_parquet(path)
        else:
            frames = pl.read_csv(path, infer_schema_length=None)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise UserError(f"{path} cannot be read as parquet or CSV ({type(error).__name__})") from error
    frames = frames.rename({name: name.strip() for name in frames.columns})
    units = [name for name in _UNITS if name in frames.columns]
    if "recording" not in frames.columns or not units or not {"frame", "timestamp_s"} & set(frames.columns):
        raise UserError(f"{path} needs the columns recording, frame or timestamp_s, and AUnn_r or AUnn_c")
    person = "participant" if "participant" in frames.columns else "recording"
    try:
        frames = frames.select(
            pl.col("recording").cast(pl.String),
            pl.col(person).cast(pl.String).alias("person"),
            *(pl.col(name).cast(kind) for name, kind in _PLACES.items() if name in frames.columns),
            *(pl.col(name).cast(pl.Float64) for name in units),
        )
    except pl.exceptions.PolarsError as error:
        raise UserError(f"{path} has a column of another type than au_frames: {str(error).splitlines()[0]}") from error
    key = ["recording", "frame" if "frame" in frames.columns else "timestamp_s"]
    if frames.select(pl.struct(key).is_duplicated().any()).item():
        raise UserError(f"{path} has a frame of a recording twice")
    return Predictions(frames.sort(key), (path.name,))


_PLACES = {"frame": pl.Int64, "timestamp_s": pl.Float64}


def compare(labels: Labels, predictions: Predictions, present_from: float, draws: Draws) -> Compared:
    """Match labels and frames, and see how far they agree.

    A label with a frame belongs to the frame of that number; one with a time to the nearest frame, if that is within
    half a frame of it. The engine's presence is `AUnn_c` or, where that is missing, `AUnn_r` from `publish.presence` on.

    Args:
        labels: of a coder.
        predictions: of an engine.
        present_from: from which intensity on the coder's unit counts as present, where no presence is stated.
        draws: for the intervals.

    Raises:
        UserError: no label belongs to any frame.
    """
    frames = predictions.frames.with_row_index("at").with_columns(pl.col("at").cast(pl.Int64))
    found = _matched(labels.rows, frames)
    left_out = dict(labels.left_out)
    known = set(frames["recording"].unique().to_list())
    strange = found.filter(~pl.col("recording").is_in(list(known)))
    _note(
        left_out,
        f"labels of {strange['recording'].n_unique()} recordings that are not among the engine's",
        strange.height,
    )
    here = found.filter(pl.col("recording").is_in(list(known)))
    _note(left_out, "labels at no frame of their recording", here["at"].null_count())
    if here["at"].null_count() == here.height:
        example = found["recording"][0]
        raise UserError(
            f"no label belongs to a frame that was measured: the labels are of {example!r} and the like; name the "
            "recordings so, or say by --mapping which recording each video is"
        )
    persons = frames["person"].rank("dense").cast(pl.Int64).to_numpy() - 1
    rows = []
    for unit in sorted(set(found["action_unit"].to_list())):
        of_unit = found.filter(action_unit=unit)
        rows.append(_accuracy(unit, of_unit, frames, persons, present_from, draws, left_out))
    used = sum(row.n for row in rows)
    return Compared(predictions.engines, labels.layout, labels.rows.height, used, left_out, tuple(rows))


def _note(left_out: dict[str, int], why: str, many: int) -> None:
    if many:
        left_out[why] = left_out.get(why, 0) + many


def _matched(rows: pl.DataFrame, frames: pl.DataFrame) -> pl.DataFrame:
    """Labels with the row `at` of their frame, NULL where they have none."""
    numbered, timed = rows.filter(pl.col("frame").is_not_null()), rows.filter(pl.col("frame").is_null())
    for column, some in (("frame", numbered), ("timestamp_s", timed)):
        if not some.is_empty() and column not in frames.columns:
            raise UserError(f"the labels go by {column}, which the engine's frames have not")
    parts = []
    if not numbered.is_empty():
        parts.append(numbered.join(frames.select("recording", "frame", "at"), on=["recording", "frame"], how="left"))
    if not timed.is_empty():
        parts.append(_nearest(timed, frames))
    return pl.concat([part.select(*rows.columns, "at") for part in parts])


def _nearest(timed: pl.DataFrame, frames: pl.DataFrame) -> pl.DataFrame:
    places = frames.select("recording", "at", pl.col("timestamp_s").alias("frame_s")).sort("recording", "frame_s")
    half = places.group_by("recording").agg((pl.col("frame_s").diff().median() / 2).alias("half_s"))
    found = (
        timed.sort("timestamp_s")
        .join_asof(
            places.sort("frame_s"), left_on="timestamp_s", right_on="frame_s", by="recording", strategy="nearest"
        )
        .join(half, on="recording", how="left")
    )
    near = (pl.col("frame_s") - pl.col("timestamp_s")).abs() <= pl.col("half_s").fill_null(0.0) + _ROUNDING_S
    return found.with_columns(pl.when(near).then(pl.col("at")).alias("at"))


def _accuracy(  # noqa: PLR0913, PLR0917 - all that a comparison rests on
    unit: str,
    of_unit: pl.DataFrame,
    frames: pl.DataFrame,
    persons: "np.ndarray[tuple[int], np.dtype[np.int64]]",
    present_from: float,
    draws: Draws,
    left_out: dict[str, int],
) -> Accuracy:
    matched = of_unit.filter(pl.col("at").is_not_null())
    at = matched["at"].to_numpy()
    graded = _column(frames, f"{unit}_r")[at]
    stated = _column(frames, f"{unit}_c")[at]
    threshold = PresenceParams().eyes_closed_r if unit in _EYES else PresenceParams().present_r
    scores = np.where(np.isnan(graded), stated, graded)
    measured = ~np.isnan(scores)
    columns = {f"{unit}_r", f"{unit}_c"} & set(frames.columns)
    why = (
        "labels of frames without a face, or where the engine could not measure it"
        if columns
        else f"labels of {unit}, which the engine has not"
    )
    _note(left_out, why, int(np.sum(~measured)))
    coder = matched["intensity"].to_numpy().astype(np.float64)
    said = matched["presence"].cast(pl.Float64).to_numpy()
    present = np.where(np.isnan(said), coder >= present_from, said == 1)[measured]
    predicted = np.where(np.isnan(stated), graded >= threshold, stated == 1)[measured]
    whose = _renumbered(persons[at][measured])
    both = measured & ~np.isnan(coder) & ~np.isnan(graded)
    n = int(measured.sum())
    return Accuracy(
        unit,
        of_unit.height,
        matched.height,
        n,
        len(set(whose.tolist())),
        float(present.mean()) if n else None,
        float(predicted.mean()) if n else None,
        f1(present, predicted, whose, draws) if n else Estimate(),
        icc_3_1(coder[both], graded[both], _renumbered(persons[at][both]), draws),
        auc(present, scores[measured], whose, draws) if n else Estimate(),
    )


def _column(frames: pl.DataFrame, name: str) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    if name not in frames.columns:
        return np.full(frames.height, np.nan)
    return frames[name].cast(pl.Float64).fill_null(float("nan")).to_numpy()


def _renumbered(groups: "np.ndarray[tuple[int], np.dtype[np.int64]]") -> "np.ndarray[tuple[int], np.dtype[np.int64]]":
    return np.unique(groups, return_inverse=True)[1].astype(np.int64)
