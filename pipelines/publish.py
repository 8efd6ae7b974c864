"""Publish: the lake as a new DuckDB file, whole and documented, swapped in for the last one."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from expectations.results import CheckResult
from pipelines.derive import derive, recordings_of
from pipelines.duckdb_tables import comment, create_sql, dictionary, insert_frame, qualified, selected
from pipelines.errors import PainLakeError
from pipelines.face_engine import au_support
from pipelines.frame_views import calibrated_view_sql, presence_sql, usable_view_sql
from pipelines.lake import count_rows, files, people, read_table
from pipelines.params_publish import PublishParams
from pipelines.vault_records import Tombstone
from pipelines.views import recording_features_sql
from pipelines.warehouse import beside, building, make_current, new_file, open_warehouse, remove_older, warehouse_file
from schemas.aligned import ALIGNED_FRAMES
from schemas.core import Table
from schemas.expressions import DERIVED
from schemas.face import AU_FRAMES
from schemas.features import AU_SUMMARIES
from schemas.meta import DATASET_VERSION, ERASED, PROVENANCE, VALIDATION
from schemas.tables import LAKE_TABLES, PART_BY_PART, TABLES, VIEWS
from schemas.voice import VOICE_FRAMES

if TYPE_CHECKING:
    import duckdb

_LONG = (AU_FRAMES, VOICE_FRAMES, *PART_BY_PART, ALIGNED_FRAMES)
"""DuckDB reads these itself; they would fill the memory."""


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


def publish(
    lake: Path, warehouse: Path, version: VersionRecord, results: Sequence[CheckResult], params: PublishParams
) -> Path:
    """Build a version's DuckDB file and make it the current one; readers keep the file that they have open.

    Args:
        lake: the lake, as it was validated.
        warehouse: the folder of the published files; made if need be.
        version: what the file says about itself.
        results: of the checks on this lake.
        params: of this stage.

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
    build(lake, target, version, results, params)
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
) -> None:
    """Build a DuckDB file of a lake, checked against it, without making it the current one.

    Args:
        lake: the lake, as it was validated.
        target: the file; replaced whole.
        version: what the file says about itself.
        results: of the checks on this lake.
        params: of this stage.
        erased: whom the version had when it was published, and the lake has no more.

    Raises:
        PainLakeError: the built file does not hold what the lake does.
    """
    with new_file(target) as temporary:
        with building(temporary, params.memory_limit_mb) as connection:
            expected = _fill(connection, lake, version, results, params)
            insert_frame(connection, ERASED, _erased(erased))
        _verify(temporary, expected)


def _fill(
    connection: "duckdb.DuckDBPyConnection",
    lake: Path,
    version: VersionRecord,
    results: Sequence[CheckResult],
    params: PublishParams,
) -> dict[str, int]:
    """Make and fill every table and view; gives the rows that each table must have."""
    _declare(connection, params)
    # What is derived needs the frames of faces alone: it is made while DuckDB takes in the other long tables.
    with beside(connection) as other, ThreadPoolExecutor(1) as thread:
        others = thread.submit(_insert_long, other, lake, [t for t in _LONG if t is not AU_FRAMES], params)
        expected = _insert_short(connection, lake, version, results, params)
        expected |= _insert_long(connection, lake, [AU_FRAMES], params)
        derive(connection, params, recordings_of(connection))
        return expected | others.result()


def _insert_short(
    connection: "duckdb.DuckDBPyConnection",
    lake: Path,
    version: VersionRecord,
    results: Sequence[CheckResult],
    params: PublishParams,
) -> dict[str, int]:
    """Fill the tables that fit into memory; gives the rows that each must have."""
    frames = {table.name: read_table(lake, table) for table in LAKE_TABLES if table not in _LONG}
    frames |= {
        "au_support": au_support(),
        "dataset_version": _dataset_version(version, frames, len(people(lake)), params),
        "columns": dictionary((*TABLES.values(), *VIEWS.values())),
        "validation": _validation(results),
    }
    expected: dict[str, int] = {}
    for table in TABLES.values():
        if table not in {*_LONG, *DERIVED, AU_SUMMARIES, ERASED}:
            frame = table.conform(frames[table.name])
            insert_frame(connection, table, frame.sort(table.key, maintain_order=True, nulls_last=True))
            expected[qualified(table)] = frame.height
    return expected


def _insert_long(
    connection: "duckdb.DuckDBPyConnection", lake: Path, tables: Sequence[Table], params: PublishParams
) -> dict[str, int]:
    """Have DuckDB read some tables' files; gives the rows that each must have."""
    expected: dict[str, int] = {}
    for table in tables:
        paths = files(lake, table.name)
        _insert_files(connection, table, paths, params)
        expected[qualified(table)] = count_rows(paths)
    return expected


def _declare(connection: "duckdb.DuckDBPyConnection", params: PublishParams) -> None:
    """Make every table and view, empty, with what they mean; in one transaction, since each is flushed to the disk."""
    connection.begin()
    connection.execute("CREATE SCHEMA meta")
    for table in TABLES.values():
        connection.execute(create_sql(table))
    connection.execute(usable_view_sql(params.usable))
    connection.execute(calibrated_view_sql(params.usable, params.neutral.over))
    connection.execute(recording_features_sql(params.nrs_window_h))
    for table in TABLES.values():
        comment(connection, table, "TABLE")
    for view in VIEWS.values():
        comment(connection, view, "VIEW")
    connection.commit()


def _verify(path: Path, expected: dict[str, int]) -> None:
    """Reopen a built file and compare its rows with the lake's."""
    with open_warehouse(path) as connection:
        for name, rows in expected.items():
            (found,) = connection.execute(f"SELECT count(*) FROM {name}").fetchone() or (0,)  # noqa: S608 - names from schemas/
            if found != rows:
                raise PainLakeError(f"{name} has {found} rows where the lake has {rows}: nothing was published")


def _insert_files(
    connection: "duckdb.DuckDBPyConnection", table: Table, paths: Sequence[Path], params: PublishParams
) -> None:
    if paths:
        # Both tables of frames have the presence of action units, and decide it alike.
        present = {name: made for name, made in presence_sql(params.presence).items() if name in table.names}
        connection.execute(
            f"INSERT INTO {qualified(table)} SELECT {selected(table, present)} FROM read_parquet(?)",  # noqa: S608 - names from schemas/
            [[str(path) for path in paths]],
        )


def _erased(tombstones: Sequence[Tombstone]) -> pl.DataFrame:
    return ERASED.frame([{"participant": each.pseudonym, "erased_at": each.erased_at} for each in tombstones])


def _validation(results: Sequence[CheckResult]) -> pl.DataFrame:
    rows: list[dict[str, object]] = [{name: getattr(result, name) for name in VALIDATION.names} for result in results]
    return VALIDATION.frame(rows)


def _dataset_version(
    version: VersionRecord, frames: dict[str, pl.DataFrame], number_of_people: int, params: PublishParams
) -> pl.DataFrame:
    engines = frames[PROVENANCE.name].select(pl.concat_str("engine", pl.lit(" "), "engine_version")).unique()
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
                "engines": "; ".join(sorted(engines.to_series().drop_nulls())),
                "people": number_of_people,
                "recordings": frames["recordings"].height,
                "nrs_window_h": params.nrs_window_h,
            }
        ]
    )
