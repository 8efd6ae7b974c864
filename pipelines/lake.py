"""Reading the lake: one folder a person, as tables whose rows always come in the same order."""

import json
import os
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import polars as pl

from pipelines.errors import PainLakeError
from pipelines.parquet import read_provenance as read_provenance_of
from pipelines.recording import Recording
from schemas.core import Table
from schemas.faults import FAULTS, Effect
from schemas.meta import PROVENANCE
from schemas.people import RECORDINGS, TASKS
from schemas.tables import CLINICAL_TABLES, FEATURE_TABLES, VOICE_TABLES

_FOLDERS = {
    "quality_measures": "quality",
    "au_frames": "face",
    **{table.name: "voice" for table in VOICE_TABLES},
    "aligned_frames": "aligned",
    "av_offsets": "aligned",
}
_ENDINGS = {
    "voice_functionals": "functionals",
    "voice_functionals_speech": "functionals_speech",
    "speech_segments": "speech_segments",
    "speech_timing": "speech_timing",
    "voice_features_long": "features_long",
    "voice_series": "series",
    "voice_cross_check": "cross_check",
    "av_offsets": "av_offset",
}
"""What stands between a recording's name and `.parquet`, where a stage makes several tables."""
_FLAGGING = ("quality", "face")

_FROM_MEASURES = {
    "duration_s": "duration_s",
    "video_start_s": "video_start_s",
    "audio_start_s": "audio_start_s",
    "fps": "fps",
    "width": "width_px",
    "height": "height_px",
    "sample_rate_hz": "sample_rate_hz",
}
"""Columns of `recordings` and the quality measures that they are."""


FEATURE_FOLDERS = tuple(sorted({*_FOLDERS.values()}))
"""Of a person: where the stages leave their tables."""


def people(lake: Path) -> list[str]:
    """The pseudonyms of everyone in the lake, sorted."""
    with os.scandir(lake) as entries:
        return sorted(entry.name for entry in entries if not entry.name.startswith(".") and entry.is_dir())


def recordings(lake: Path, of: Sequence[str] | None = None) -> list[Recording]:
    """The sidecars of all recordings, or of some persons' `of` them, sorted by recording.

    Raises:
        PainLakeError: one cannot be read.
    """
    return [
        _sidecar(path) for person in _these(lake, of) for path in sorted((lake / person / "recordings").glob("*.json"))
    ]


def _these(lake: Path, of: Sequence[str] | None) -> Sequence[str]:
    return people(lake) if of is None else of


def with_recordings(lake: Path) -> list[str]:
    """The pseudonyms of everyone who has a recording, sorted."""
    return [person for person in people(lake) if any((lake / person / "recordings").glob("*.json"))]


def recording_names(lake: Path, of: Sequence[str] | None = None) -> list[str]:
    """The names of all recordings, or of some persons' `of` them, sorted, from those of their sidecars."""
    return [path.stem for person in _these(lake, of) for path in sorted((lake / person / "recordings").glob("*.json"))]


def feature_files(lake: Path, participant: str) -> set[str]:
    """A person's parquet files of recordings, as `folder/name`: listed, since to ask for each takes ten times as long."""
    found: set[str] = set()
    for folder in FEATURE_FOLDERS:
        with suppress(FileNotFoundError), os.scandir(lake / participant / folder) as entries:
            found.update(f"{folder}/{entry.name}" for entry in entries if entry.is_file())
    return found


def _sidecar(path: Path) -> Recording:
    try:
        return Recording.read(path)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PainLakeError(f"{path.name} is no sidecar of a recording ({type(error).__name__})") from error


def files(lake: Path, table: str, of: Sequence[str] | None = None) -> list[Path]:
    """The parquet files of a table, or of some persons' `of` it, in the order of its rows.

    Raises:
        KeyError: no table of that name stands in files of its own.
    """
    if table == "participants" or any(table == clinical.name for clinical in CLINICAL_TABLES):
        places = (lake / person / "clinical" / f"{table}.parquet" for person in _these(lake, of))
        return [path for path in places if path.is_file()]
    folder = _FOLDERS[table]
    ending = f".{_ENDINGS[table]}.parquet" if table in _ENDINGS else ".parquet"
    found: list[Path] = []
    for person in _these(lake, of):
        place = lake / person / folder
        with suppress(FileNotFoundError), os.scandir(place) as entries:
            # What stands before the first point is the recording's name.
            names = [each.name for each in entries if each.name.endswith(ending)]
            found += [place / name for name in sorted(names) if name.find(".") == len(name) - len(ending)]
    return found


def read_files(paths: Sequence[Path], table: Table) -> pl.DataFrame:
    """The rows of a table's files, one file after the other.

    Where files have other columns or types than declared, the first of them alone is given, so that a check of the
    columns speaks of it.

    Raises:
        PainLakeError: a file cannot be read.
    """
    declared = pl.Schema(table.polars_schema())
    frames = []
    for frame in read_in_turn(paths):
        if frame.schema != declared:
            return frame
        frames.append(frame)
    return pl.concat(frames) if frames else table.frame()


def read_in_turn(paths: Sequence[Path], at_once: int = 64) -> Iterator[pl.DataFrame]:
    """The rows of files, one file after the other, some files at a time.

    Args:
        paths: the files.
        at_once: how many: polars takes a third of the time for many together.

    Raises:
        PainLakeError: a file cannot be read.
    """
    for begin in range(0, len(paths), at_once):
        yield from _frames(paths[begin : begin + at_once])


def _frames(paths: Sequence[Path]) -> Iterator[pl.DataFrame]:
    """The rows of some files together, or of each by itself where they cannot be read together."""
    try:
        yield pl.read_parquet(list(paths), glob=False)
    except (pl.exceptions.PolarsError, OSError):
        for path in paths:
            yield _frame(path)


def _frame(path: Path) -> pl.DataFrame:
    try:
        return pl.read_parquet(path, glob=False)
    except (pl.exceptions.PolarsError, OSError) as error:
        raise PainLakeError(
            f"{path.parent.name}/{path.name} cannot be read as parquet ({type(error).__name__}): remove it, and the next run makes it again"
        ) from error


def count_rows(paths: Sequence[Path]) -> int:
    """How many rows parquet files have, from their footers alone."""
    return int(pl.scan_parquet(list(paths)).select(pl.len()).collect().item()) if paths else 0


def read_recordings(lake: Path, quality_measures: pl.DataFrame, of: Sequence[str] | None = None) -> pl.DataFrame:
    """The table `recordings`: the sidecars, with what the quality stage measured.

    Args:
        lake: the lake.
        quality_measures: the table of that name.
        of: some persons alone.
    """
    measured = {
        measure: dict(quality_measures.filter(measure=measure).select("recording", "value").iter_rows())
        for measure in _FROM_MEASURES.values()
    }
    rows: list[dict[str, object]] = [
        {
            "recording": one.recording,
            "participant": one.participant,
            "visit": one.visit,
            "study_day": one.study_day,
            "time_of_day_min": one.time_of_day_min,
            "study_minute": one.study_minute,
            "device": one.device,
            "language": one.language,
            "status": "superseded" if one.superseded else "current",
            "flags": " ".join(sorted({*one.flags, *_flags_of_measures(lake, one)})),
            "provenance": one.media_sha256,
            **{column: measured[measure].get(one.recording) for column, measure in _FROM_MEASURES.items()},
        }
        for one in recordings(lake, of)
    ]
    loose = RECORDINGS.polars_schema() | dict.fromkeys(_FROM_MEASURES, pl.Float64)
    return RECORDINGS.conform(pl.DataFrame(rows, schema=loose).with_columns(pl.col("width", "height").round()))


def _flags_of_measures(lake: Path, one: Recording) -> list[str]:
    """The flags that its quality and its face measurements call for, as their files state them."""
    stated = (read_provenance_of(lake / one.participant / name / f"{one.recording}.parquet") for name in _FLAGGING)
    codes = [code for each in stated for code, _ in (each or {}).get("reasons", ())]
    return [code for code in codes if FAULTS[code].effect is Effect.FLAG]


def read_tasks(lake: Path, of: Sequence[str] | None = None) -> pl.DataFrame:
    """The table `tasks`, or of some persons' `of` it, by recording and start."""
    return TASKS.frame(
        [
            {"recording": one.recording, "task": task.name, "start_s": task.start_s, "end_s": task.end_s}
            for one in recordings(lake, of)
            for task in sorted(one.tasks, key=lambda task: (task.start_s, task.name))
        ]
    )


def read_provenance(lake: Path, of: Sequence[str] | None = None) -> pl.DataFrame:
    """The table `meta.provenance`, or of some persons' `of` it, from the metadata of the feature files; what a file does not state is missing."""
    stated = {}
    for table in FEATURE_TABLES:
        for path in files(lake, table.name, of):
            recording = path.name.partition(".")[0]
            metadata = read_provenance_of(path) or {}
            row = {name: metadata.get(name) for name in PROVENANCE.names} | {"recording": recording}
            stated[json.dumps(row, sort_keys=True)] = row
    return PROVENANCE.frame(list(stated.values())).sort("recording", "stage")


def read_table(lake: Path, table: Table, of: Sequence[str] | None = None) -> pl.DataFrame:
    """One table of the lake, or of some persons' `of` it.

    Raises:
        PainLakeError: a file cannot be read.
    """
    if table.name == RECORDINGS.name:
        measures = next(feature for feature in FEATURE_TABLES if feature.name == "quality_measures")
        read = read_files(files(lake, measures.name, of), measures)
        measured = read if read.schema == pl.Schema(measures.polars_schema()) else measures.frame()
        return read_recordings(lake, measured, of)
    if table.name == TASKS.name:
        return read_tasks(lake, of)
    if table.name == PROVENANCE.name:
        return read_provenance(lake, of)
    return read_files(files(lake, table.name, of), table)
