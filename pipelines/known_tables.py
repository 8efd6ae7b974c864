"""The tables that are put together from many small files, and the dataset's counts, from what is known of each person.

A person's files are read where any of them changed; of everybody else, `pipelines.known` has what they say. So a table
here has the same rows as `pipelines.lake` reads, whatever was known.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq

from pipelines.errors import PainLakeError
from pipelines.known import Known, digest_of, facts_by_person
from pipelines.lake import FEATURE_FOLDERS, files, people, read_files, read_recordings, read_table, recording_names
from schemas.core import Table
from schemas.meta import PROVENANCE
from schemas.people import PARTICIPANTS, RECORDINGS, TASKS
from schemas.quality import QUALITY_MEASURES
from schemas.tables import LAKE_TABLES

_FOLDERS = {
    RECORDINGS.name: ("recordings", "quality", "face"),
    TASKS.name: ("recordings",),
    PROVENANCE.name: FEATURE_FOLDERS,
}
"""Where a table's rows come from."""

KNOWN_TABLES = (RECORDINGS, TASKS, PROVENANCE)
"""Those that no file holds as such."""

_IN_FILES = tuple(table for table in LAKE_TABLES if table not in KNOWN_TABLES)
_CODE = (
    "pipelines.known", "pipelines.known_tables", "pipelines.lake", "pipelines.parquet", "pipelines.recording",
    "schemas.core", "schemas.faults",
)  # fmt: skip
_LIBRARIES = ("polars", "pyarrow")
_ROWS_AT_ONCE = 50_000


def known_table(lake: Path, table: Table, store: Path | None = None) -> pl.DataFrame:
    """One of `KNOWN_TABLES`, with the rows and in the order of `pipelines.lake.read_table`.

    Args:
        lake: the lake.
        table: which.
        store: where what is known is kept; None reads all.

    Raises:
        PainLakeError: a file cannot be read.
    """
    frames = [table.frame()]
    rows: list[Any] = []
    for of_person in _rows_by_person(lake, table, store):
        rows += of_person
        if len(rows) > _ROWS_AT_ONCE:
            frames.append(_frame(table, rows))
            rows = []
    found = pl.concat([*frames, _frame(table, rows)])
    return found.sort("recording", "stage") if table.name == PROVENANCE.name else found


def _frame(table: Table, rows: list[Any]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=table.polars_schema(), orient="row")


def _rows_by_person(lake: Path, table: Table, store: Path | None) -> Iterator[Any]:
    known = Known(store, table.name, digest_of(_CODE, _LIBRARIES, repr(LAKE_TABLES)))

    everyone = people(lake)
    return (
        facts for _, facts in facts_by_person(known, lake, everyone, _FOLDERS[table.name], partial(_rows, lake, table))
    )


def _rows(lake: Path, table: Table, some: Sequence[str]) -> list[Any]:
    """Each person's rows of a table."""
    if table is RECORDINGS:
        measures = read_files(files(lake, QUALITY_MEASURES.name, some), QUALITY_MEASURES)
        if measures.schema == pl.Schema(QUALITY_MEASURES.polars_schema()):
            # Together, since polars takes as long for the measures of one person as for those of fifty.
            rows = iter(read_recordings(lake, measures, some).rows())
            return [list(islice(rows, len(recording_names(lake, [person])))) for person in some]
    return [read_table(lake, table, [person]).rows() for person in some]


def dataset_summary(lake: Path, store: Path | None = None) -> dict[str, object]:
    """Counts of what the lake holds, for DVC's metrics: the same lake gives the same, whatever was known of it.

    Args:
        lake: the lake.
        store: where what is known is kept; None reads all.

    Raises:
        PainLakeError: a file cannot be read.
    """
    recordings = known_table(lake, RECORDINGS, store)
    current = recordings.filter(status="current")
    groups: Counter[str | None] = Counter()
    rows = _no_rows()
    for of_groups, of_tables in _counts_by_person(lake, store):
        groups.update(of_groups)
        rows.update(of_tables)
    tasks = sum(len(of_person) for of_person in _rows_by_person(lake, TASKS, store))
    return {
        "people": len(people(lake)),
        "groups": dict(sorted(groups.items(), key=lambda item: (item[0] is not None, item[0]))),
        "recordings": current.height,
        "recordings_superseded": recordings.height - current.height,
        "hours": round(float(current["duration_s"].sum()) / 3600, 4),
        "tables": {"recordings": recordings.height, "tasks": tasks, **dict(sorted(rows.items()))},
    }


def rows_by_table(lake: Path, store: Path | None = None) -> dict[str, int]:
    """How many rows the files of each table have together, of all tables that stand in files.

    Args:
        lake: the lake.
        store: where what is known is kept; None asks all files.

    Raises:
        PainLakeError: a file cannot be read.
    """
    rows = _no_rows()
    for _, of_tables in _counts_by_person(lake, store):
        rows.update(of_tables)
    return dict(rows)


def _no_rows() -> "Counter[str]":
    return Counter(dict.fromkeys((table.name for table in _IN_FILES), 0))


def _counts_by_person(lake: Path, store: Path | None) -> Iterator[Any]:
    known = Known(store, "rows", digest_of(_CODE, _LIBRARIES, repr(LAKE_TABLES)))
    folders = ("clinical", *FEATURE_FOLDERS)
    return (facts for _, facts in facts_by_person(known, lake, people(lake), folders, partial(_counted, lake)))


def _counted(lake: Path, some: Sequence[str]) -> list[tuple[list[str | None], dict[str, int]]]:
    """The groups that each person is in, and how many rows each has in the tables that stand in files."""
    rows: dict[str, Counter[str]] = {person: Counter() for person in some}
    for table in _IN_FILES:
        paths = files(lake, table.name, some)
        for path, count in zip(paths, _heights(paths), strict=True):
            rows[path.parent.parent.name][table.name] += count
    return [
        (read_files(files(lake, PARTICIPANTS.name, [person]), PARTICIPANTS)["group"].to_list(), rows[person])
        for person in some
    ]


_PLACE = "place of the file"


def _heights(paths: Sequence[Path]) -> list[int]:
    """How many rows each parquet file has, from the footers alone."""
    try:
        counted = pl.scan_parquet(list(paths), glob=False, include_file_paths=_PLACE).group_by(_PLACE).len().collect()
    except (pl.exceptions.PolarsError, OSError):
        return [_height(path) for path in paths]
    found = dict(counted.iter_rows())
    return [found.get(str(path), 0) for path in paths]


def _height(path: Path) -> int:
    try:
        return int(pq.read_metadata(path).num_rows)
    except (OSError, ValueError) as error:
        raise PainLakeError(
            f"{path.parent.name}/{path.name} cannot be read as parquet ({type(error).__name__})"
        ) from error
