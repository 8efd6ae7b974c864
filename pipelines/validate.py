"""Validate: the whole lake against its declarations; a failed critical check holds the publication back."""

import json
import logging
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import polars as pl

from expectations.relations import DECODED, DISORDERED, LAST_S, ROWS, Limits, check_relations, times_out_of_order
from expectations.results import CheckResult
from expectations.suites import ALL_ROWS_UP_TO, check_columns, check_parts, check_values, is_sound, rows_to_show
from pipelines.checked import Checked, FileFacts
from pipelines.durable import write_durably
from pipelines.errors import PainLakeError
from pipelines.known_tables import KNOWN_TABLES, known_table
from pipelines.lake import files, read_files, read_table
from pipelines.params import ValidateParams
from schemas.core import Table
from schemas.quality import QUALITY_MEASURES
from schemas.tables import FEATURE_TABLES, LAKE_TABLES, PART_BY_PART

log = logging.getLogger("painlake")


@dataclass(frozen=True, slots=True)
class ValidationOutcome:
    """What the checks found."""

    results: tuple[CheckResult, ...]

    @property
    def passed(self) -> bool:
        """Whether the dataset may be published."""
        return not self.holding_back

    @property
    def holding_back(self) -> tuple[CheckResult, ...]:
        """The failed checks that hold the publication back."""
        return tuple(result for result in self.results if result.holds_back)

    @property
    def warnings(self) -> tuple[CheckResult, ...]:
        """The failed checks that do not."""
        return tuple(result for result in self.results if not result.success and not result.holds_back)


def validate(lake: Path, report: Path, params: ValidateParams, store: Path | None = None) -> ValidationOutcome:
    """Check every table of the lake and write the report; the same lake gives the same bytes, whatever is known of it.

    Args:
        lake: the lake.
        report: where the outcome is written, as JSON.
        params: what the rules across tables allow.
        store: where what is known of feature files is kept (see `pipelines.known`); without one all are read.
    """
    results: list[CheckResult] = []
    related: dict[str, pl.DataFrame] = {}
    looked_at = 0
    for table in LAKE_TABLES:
        if table in FEATURE_TABLES:
            checked = Checked(store, table.name)
            found, frame = _check_files(lake, table, checked)
            looked_at += checked.looked_at
        else:
            found, frame = _check_table(lake, table, store)
        results.extend(found)
        if frame is not None:
            related[table.name] = frame
    limits = Limits(
        params.control_max_nrs, params.control_max_recordings, params.duration_tolerance_s, params.allow_mixed_engines
    )
    results.extend(check_relations(related, LAKE_TABLES, limits))
    outcome = ValidationOutcome(tuple(sorted(results)))
    write_durably(report, report_bytes(outcome))
    log.info("validated: %d feature files were new or had changed", looked_at)
    return outcome


_WHOLE_UP_TO_FILES = 1_000
"""A short table of more files is checked as a long one is: by the files that are not known to be sound."""


def _check_table(
    lake: Path, table: Table, store: Path | None = None
) -> tuple[Sequence[CheckResult], pl.DataFrame | None]:
    """Check one table whole; gives its rows too where its columns are right."""
    try:
        frame = known_table(lake, table, store) if table in KNOWN_TABLES else read_table(lake, table)
    except PainLakeError as error:
        return [_unreadable(table, error)], None
    of_columns = check_columns(table, frame)
    if not all(result.success for result in of_columns):
        return of_columns, None
    return [*of_columns, *check_values(table, frame)], frame


def _check_files(lake: Path, table: Table, checked: Checked) -> tuple[Sequence[CheckResult], pl.DataFrame | None]:
    """Check a table of a file a recording; gives, in place of its rows, what rules across tables need of each file.

    A file is kept as known only where Great Expectations found nothing that `is_sound` had not: so rows of every file
    are judged by it, in the night in which the file is new.
    """
    paths = files(lake, table.name)
    shown: list[pl.DataFrame] = []
    try:
        facts = checked.facts(paths, partial(_facts, table, shown))
        names = [path.name.partition(".")[0] for path in paths]
        rows = sum(each.rows for each in facts)
        few = rows <= ALL_ROWS_UP_TO and len(paths) <= _WHOLE_UP_TO_FILES
        if table not in PART_BY_PART and (few or len(set(names)) < len(names)):
            return _check_whole(lake, table, checked)
        unsound = [path for path, each in zip(paths, facts, strict=True) if not each.sound]
        differing = next((part for path in unsound if not _as_declared(part := read_files([path], table), table)), None)
        if differing is not None:
            return check_columns(table, differing), None
        if table not in PART_BY_PART and not all(_is_own(path, read_files([path], table)) for path in unsound):
            # Rows of one key may then stand in two files: only the whole shows it.
            return _check_whole(lake, table, checked)
        of_values = check_parts(table, (_own(path, table) for path in unsound), shown)
        if _passed(of_values) or of_values == check_parts(table, (_own(path, table) for path in unsound)):
            checked.keep()
    except PainLakeError as error:
        return [_unreadable(table, error)], None
    found = pl.DataFrame(
        {
            "recording": names,
            ROWS: [each.rows for each in facts],
            LAST_S: [each.last_s for each in facts],
            DISORDERED: [each.disordered for each in facts],
            DECODED: [each.decoded for each in facts],
        },
        schema={"recording": pl.String, ROWS: pl.Int64, LAST_S: pl.Float64, DISORDERED: pl.Int64, DECODED: pl.Float64},
    )
    return [*check_columns(table, table.frame()), *of_values], found.filter(pl.col(ROWS) > 0)


def _check_whole(lake: Path, table: Table, checked: Checked) -> tuple[Sequence[CheckResult], pl.DataFrame | None]:
    results, frame = _check_table(lake, table)
    if _passed(results):
        checked.keep()
    return results, frame


def _passed(results: Sequence[CheckResult]) -> bool:
    return all(result.success for result in results)


def _facts(table: Table, shown: list[pl.DataFrame], paths: Sequence[Path]) -> list[FileFacts]:
    """Read files and find out what is to be known of each; one by one where together they are not all sound.

    Of those that are sound, the rows that tell so are added to `shown`.
    """
    together = _facts_of_sound(table, shown, paths)
    return [_facts_of(table, shown, path) for path in paths] if together is None else together


_PLACE = "place of the file"


def _facts_of_sound(table: Table, shown: list[pl.DataFrame], paths: Sequence[Path]) -> list[FileFacts] | None:
    """The facts of files that are all sound, or None."""
    try:
        if any(tuple(pl.read_parquet_schema(path)) != table.names for path in paths):
            return None
        frame = pl.scan_parquet(list(paths), glob=False, include_file_paths=_PLACE).collect()
    except (pl.exceptions.PolarsError, OSError):
        return None
    rows = frame.drop(_PLACE)
    if not _as_declared(rows, table) or not is_sound(table, rows):
        return None
    time = _time_of(table)
    by_file = frame.group_by(_PLACE).agg(
        pl.len().alias(ROWS),
        pl.col("recording").n_unique().alias("recordings"),
        pl.col("recording").first(),
        (pl.lit(None, pl.Float64) if time is None else pl.col(time).fill_nan(None).max()).alias(LAST_S),
        _decoded(table).alias(DECODED),
    )
    found = {Path(row[_PLACE]): row for row in by_file.iter_rows(named=True)}
    if any(row["recordings"] > 1 or path.name.partition(".")[0] != row["recording"] for path, row in found.items()):
        return None
    if len(found.keys() - set(paths)) > 0 or (_has_order(table) and times_out_of_order(rows)):
        return None
    shown.append(rows_to_show(table, rows))
    empty = {ROWS: 0, LAST_S: None, DECODED: None}
    each = (found.get(path, empty) for path in paths)
    return [FileFacts(row[ROWS], sound=True, last_s=row[LAST_S], decoded=row[DECODED]) for row in each]


def _decoded(table: Table) -> pl.Expr:
    """How many frames were decoded; None in a table that does not say."""
    if table is not QUALITY_MEASURES:
        return pl.lit(None, pl.Float64)
    return pl.col("value").filter(pl.col("measure") == "frames").first()


def _time_of(table: Table) -> str | None:
    return next((name for name in ("timestamp_s", "t_s") if name in table.names), None)


def _has_order(table: Table) -> bool:
    return {"frame", "timestamp_s"} <= set(table.names)


def _facts_of(table: Table, shown: list[pl.DataFrame], path: Path) -> FileFacts:
    frame = read_files([path], table)
    if not _as_declared(frame, table) or not _is_own(path, frame):
        return FileFacts(frame.height, sound=False)
    time = _time_of(table)
    sound = is_sound(table, frame)
    if sound:
        shown.append(rows_to_show(table, frame))
    return FileFacts(
        frame.height,
        sound,
        None if time is None else frame.select(pl.col(time).fill_nan(None).max()).item(),
        times_out_of_order(frame) if _has_order(table) else 0,
        frame.select(_decoded(table)).item() if frame.height else None,
    )


def _as_declared(frame: pl.DataFrame, table: Table) -> bool:
    return frame.schema == pl.Schema(table.polars_schema())


def _is_own(path: Path, frame: pl.DataFrame) -> bool:
    """Whether a file has rows of the recording alone that it is named after."""
    return frame["recording"].unique().to_list() in ([], [path.name.partition(".")[0]])


def _own(path: Path, table: Table) -> pl.DataFrame:
    frame = read_files([path], table)
    if not _is_own(path, frame):
        # Else two files could share a key, and neither would show it.
        raise PainLakeError(f"{path.parent.name}/{path.name} has rows of another recording")
    return frame


def _unreadable(table: Table, error: PainLakeError) -> CheckResult:
    return CheckResult("columns", table.name, "readable", "", "critical", success=False, detail=str(error))


def report_bytes(outcome: ValidationOutcome) -> bytes:
    """The report: counts and every check's result, sorted; no times, paths or values."""
    failed = [result for result in outcome.results if not result.success]
    document = {
        "passed": outcome.passed,
        "checks": len(outcome.results),
        "failed_critical": len(outcome.holding_back),
        "failed_warning": len(outcome.warnings),
        "failed": [str(result) for result in failed],
        "results": [asdict(result) for result in outcome.results],
    }
    return (json.dumps(document, indent=1, ensure_ascii=False) + "\n").encode()


def read_report(report: Path) -> ValidationOutcome:
    """Read a report back.

    Raises:
        PainLakeError: there is none, or it is no report.
    """
    try:
        document = json.loads(report.read_bytes())
        return ValidationOutcome(tuple(CheckResult(**result) for result in document["results"]))
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise PainLakeError(
            f"{report.name} is no validation report ({type(error).__name__}): validate first"
        ) from error
