"""Publish: the lake as a new DuckDB file, whole and documented, swapped in for the last one."""

import logging
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from expectations.results import CheckResult
from pipelines.derive import derive
from pipelines.duckdb_tables import comment, create_sql, dictionary, insert_frame, qualified
from pipelines.errors import PainLakeError
from pipelines.face_engine import au_support
from pipelines.frame_views import calibrated_view_sql, usable_view_sql
from pipelines.grow import (
    Base,
    clear,
    copy_to_write,
    files_of_others,
    is_whole,
    made_alike,
    publication_sha256,
    recordings_in,
    rows_of,
    still_true,
)
from pipelines.known_tables import KNOWN_TABLES, known_table, rows_by_table
from pipelines.lake import count_rows, files, people, read_table
from pipelines.params_publish import PublishParams
from pipelines.take_in import by_key, take_in, take_in_by_key
from pipelines.vault_records import Tombstone
from pipelines.views import recording_features_sql
from pipelines.warehouse import beside, building, make_current, new_file, open_warehouse, remove_older, warehouse_file
from schemas.aligned import ALIGNED_FRAMES
from schemas.core import Table
from schemas.expressions import DERIVED
from schemas.face import AU_FRAMES
from schemas.features import AU_SUMMARIES
from schemas.meta import DATASET_VERSION, ERASED, PROVENANCE, VALIDATION
from schemas.people import RECORDINGS, TASKS
from schemas.tables import FEATURE_TABLES, LAKE_TABLES, PART_BY_PART, TABLES, VIEWS
from schemas.voice import VOICE_FRAMES

if TYPE_CHECKING:
    import duckdb

log = logging.getLogger("painlake")

_LONG = (AU_FRAMES, VOICE_FRAMES, *PART_BY_PART, ALIGNED_FRAMES)
"""These would fill the memory."""

_KEPT = (*FEATURE_TABLES, *DERIVED, AU_SUMMARIES)
"""What stays in a file that is built upon; all else is small, and written anew."""


@dataclass(frozen=True, slots=True)
class VersionRecord:
    """What a published file says about itself.

    Args:
        number: the dataset version's number, from 1.
        painlake_version: of the code that publishes.
        created_at: when the version was made, UTC, ISO 8601.
        git_commit: of the study's repository.
        code_sha256, params_sha256: of the stages' code and of `params.yaml`.
    """

    number: int
    painlake_version: str
    created_at: str | None = None
    git_commit: str | None = None
    code_sha256: str | None = None
    params_sha256: str | None = None

    @property
    def name(self) -> str:
        """As in `meta.dataset_version`.

        >>> VersionRecord(1, "0.1.0").name
        'v0001'
        """
        return f"v{self.number:04d}"


def publish(  # noqa: PLR0913, PLR0917 - as `build`
    lake: Path,
    warehouse: Path,
    version: VersionRecord,
    results: Sequence[CheckResult],
    params: PublishParams,
    base: Base | None = None,
    store: Path | None = None,
) -> Path:
    """Build a version's DuckDB file and make it the current one; readers keep the file that they have open.

    Args:
        lake: the lake, as it was validated.
        warehouse: the folder of the published files; made if need be.
        version: what the file says about itself.
        results: of the checks on this lake.
        params: of this stage.
        base: the last version's file: it is built upon where that is right.
        store: where what earlier looks at the lake found out is kept (see `pipelines.known`); None reads all anew.

    Returns:
        The new file, `painlake-v<number>.duckdb`.

    Raises:
        PainLakeError: a check holds the publication back, or the built file does not hold what the lake does; the
            last version then stays current.
    """
    held = [result for result in results if result.holds_back]
    if held:
        raise PainLakeError(
            f"{len(held)} critical checks failed, the first: {held[0]}; the last version stays published"
        )
    target = warehouse_file(warehouse, version.number)
    if base is None or not _grow(base, lake, target, version, results, params, store):
        build(lake, target, version, results, params, store=store)
    make_current(target)
    remove_older(warehouse, params.keep_warehouses)
    return target


def build(  # noqa: PLR0913, PLR0917 - what a file says is as much as this
    lake: Path,
    target: Path,
    version: VersionRecord,
    results: Sequence[CheckResult],
    params: PublishParams,
    erased: Sequence[Tombstone] = (),
    store: Path | None = None,
) -> None:
    """Build a DuckDB file of a lake, checked against it, without making it the current one.

    Args:
        lake: the lake, as it was validated.
        target: the file; replaced whole.
        version: what the file says about itself.
        results: of the checks on this lake.
        params: of this stage.
        erased: whom the version had when it was published, and the lake has no more.
        store: as for `publish`.

    Raises:
        PainLakeError: the built file does not hold what the lake does.
    """
    with new_file(target) as temporary:
        with building(temporary, params.memory_limit_mb) as connection:
            expected = _fill(connection, lake, version, results, params, store)
            insert_frame(connection, ERASED, _erased(erased))
            expected = _rows(connection) | expected
        _verify(temporary, expected)


def _fill(  # noqa: PLR0913, PLR0917 - as `build`
    connection: "duckdb.DuckDBPyConnection",
    lake: Path,
    version: VersionRecord,
    results: Sequence[CheckResult],
    params: PublishParams,
    store: Path | None,
) -> dict[str, int]:
    """Make and fill every table and view; gives the rows that each table must have."""
    # What is derived needs the frames of faces alone: all else is taken in meanwhile, by whoever has nothing to do.
    waiting = deque(sorted((t for t in FEATURE_TABLES if t is not AU_FRAMES), key=lambda table: table not in _LONG))

    def take_turns(own: "duckdb.DuckDBPyConnection") -> dict[str, int]:
        taken: dict[str, int] = {}
        with suppress(IndexError):
            while True:
                taken |= _insert_features(own, lake, [waiting.popleft()], params)
        return taken

    with beside(connection) as other, ThreadPoolExecutor(2) as threads:
        reading = threads.submit(_said, lake, store)
        _declare(connection, params, TABLES.values())
        others = threads.submit(take_turns, other)
        try:
            expected = _insert_features(connection, lake, [AU_FRAMES], params)
            said = reading.result()
            expected |= _insert_said(connection, lake, said, version, results, params)
            derive(connection, params, sorted(said[RECORDINGS.name]["recording"]))
            expected |= take_turns(connection)
        finally:
            # After an error the other ends with the table that it is at.
            waiting.clear()
        return expected | others.result()


def _grow(  # noqa: PLR0913, PLR0917 - as `build`
    base: Base,
    lake: Path,
    target: Path,
    version: VersionRecord,
    results: Sequence[CheckResult],
    params: PublishParams,
    store: Path | None,
) -> bool:
    """Build a DuckDB file upon another; False, and nothing is built, where that must not be."""
    if not made_alike(base.file, params):
        return False
    said = _said(lake, store)
    # Asked last, since to read all of a file takes longest.
    if not still_true(base.file, said) or not is_whole(base):
        return False
    try:
        with new_file(target) as temporary:
            copy_to_write(base.file, temporary)
            with building(temporary, params.memory_limit_mb) as connection:
                told, watched = (recordings_in(connection, table) for table in (RECORDINGS, AU_FRAMES))
                timed = said[TASKS.name].join(rows_of(connection, TASKS), on=TASKS.names, how="anti", nulls_equal=True)
                clear(connection, _KEPT)
                _declare(connection, params, [table for table in TABLES.values() if table not in _KEPT])
                expected = _insert_said(connection, lake, said, version, results, params)
                counted = None if store is None else rows_by_table(lake, store)
                expected |= _insert_features(connection, lake, FEATURE_TABLES, params, counted)
                new = recordings_in(connection, RECORDINGS) - told | recordings_in(connection, AU_FRAMES) - watched
                derive(connection, params, sorted(new | {*timed["recording"]}))
                expected = _rows(connection) | expected
            _verify(temporary, expected)
    except PainLakeError as error:
        log.warning("%s is not built upon: %s", base.file.name, error)
        return False
    return True


def _said(lake: Path, store: Path | None) -> dict[str, pl.DataFrame]:
    """What the lake says of persons and recordings, but for their features, by table."""
    said = {}
    for table in LAKE_TABLES:
        if table not in FEATURE_TABLES:
            rows = known_table(lake, table, store) if table in KNOWN_TABLES else read_table(lake, table)
            said[table.name] = table.conform(rows)
    return said


def _insert_said(  # noqa: PLR0913, PLR0917 - as `build`
    connection: "duckdb.DuckDBPyConnection",
    lake: Path,
    said: Mapping[str, pl.DataFrame],
    version: VersionRecord,
    results: Sequence[CheckResult],
    params: PublishParams,
) -> dict[str, int]:
    """Fill the tables that are small, and what is said of the version; gives the rows that each must have."""
    frames = {
        **said,
        "au_support": au_support(),
        "dataset_version": _dataset_version(version, said, len(people(lake)), params),
        "columns": dictionary((*TABLES.values(), *VIEWS.values())),
        "validation": _validation(results),
    }
    for name, rows in frames.items():
        insert_frame(connection, TABLES[name], by_key(TABLES[name], rows))
    return {qualified(TABLES[name]): rows.height for name, rows in frames.items()}


def _insert_features(
    connection: "duckdb.DuckDBPyConnection",
    lake: Path,
    tables: Sequence[Table],
    params: PublishParams,
    counted: Mapping[str, int] | None = None,
) -> dict[str, int]:
    """Take in some tables' files of the recordings that they lack; gives the rows that each must have.

    Args:
        connection: to the file.
        lake: where the files are.
        tables: which.
        params: of this stage.
        counted: how many rows the lake's files of each table have, where that is known.
    """
    expected: dict[str, int] = {}
    for table in tables:
        paths = files(lake, table.name)
        new = files_of_others(paths, recordings_in(connection, table))
        if table in _LONG:
            rows = take_in(connection, table, new, params.presence)
        else:
            rows = take_in_by_key(connection, table, new)
        if counted is None:
            read = {*new}
            # To ask a file how many rows it has takes as long as to read a short one.
            rows += count_rows([path for path in paths if path not in read])
        expected[qualified(table)] = rows if counted is None else counted[table.name]
    return expected


def _declare(connection: "duckdb.DuckDBPyConnection", params: PublishParams, tables: Iterable[Table]) -> None:
    """Make tables and every view, empty, with what they mean; in one transaction, since each is flushed to the disk."""
    connection.begin()
    connection.execute("CREATE SCHEMA meta")
    made = list(tables)
    for table in made:
        connection.execute(create_sql(table, quick=table in _LONG))
    connection.execute(usable_view_sql(params.usable))
    connection.execute(calibrated_view_sql(params.usable, params.neutral.over))
    connection.execute(recording_features_sql(params.nrs_window_h))
    for table in made:
        comment(connection, table, "TABLE")
    for view in VIEWS.values():
        comment(connection, view, "VIEW")
    connection.commit()


def _verify(path: Path, expected: Mapping[str, int]) -> None:
    """Reopen a built file and compare its rows with the lake's, and those of what was derived with what was put in."""
    with open_warehouse(path) as connection:
        found = _rows(connection)
    for name, rows in expected.items():
        if found[name] != rows:
            raise PainLakeError(f"{name} has {found[name]} rows in place of {rows}: nothing was published")


def _rows(connection: "duckdb.DuckDBPyConnection") -> dict[str, int]:
    """How many rows each table has."""
    names = [qualified(table) for table in TABLES.values()]
    counts = ", ".join(f"(SELECT count(*) FROM {name})" for name in names)  # noqa: S608 - names from schemas/
    return dict(zip(names, connection.execute(f"SELECT {counts}").fetchone() or (), strict=True))


def _erased(tombstones: Sequence[Tombstone]) -> pl.DataFrame:
    return ERASED.frame([{"participant": each.pseudonym, "erased_at": each.erased_at} for each in tombstones])


def _validation(results: Sequence[CheckResult]) -> pl.DataFrame:
    rows: list[dict[str, object]] = [{name: getattr(result, name) for name in VALIDATION.names} for result in results]
    return VALIDATION.frame(rows)


def _dataset_version(
    version: VersionRecord, said: Mapping[str, pl.DataFrame], number_of_people: int, params: PublishParams
) -> pl.DataFrame:
    engines = said[PROVENANCE.name].select(pl.concat_str("engine", pl.lit(" "), "engine_version")).unique()
    return DATASET_VERSION.frame(
        [
            {
                "version": version.name,
                "number": version.number,
                "created_at": version.created_at,
                "git_commit": version.git_commit,
                "painlake_version": version.painlake_version,
                "code_sha256": version.code_sha256,
                "params_sha256": version.params_sha256,
                "publication_sha256": publication_sha256(params),
                "engines": "; ".join(sorted(engines.to_series().drop_nulls())),
                "people": number_of_people,
                "recordings": said[RECORDINGS.name].height,
                "nrs_window_h": params.nrs_window_h,
            }
        ]
    )
