"""Validate: the whole lake against its declarations; a failed critical check holds the publication back."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import polars as pl

from expectations.relations import Limits, check_relations
from expectations.results import CheckResult
from expectations.suites import check_columns, check_parts, check_values
from pipelines.durable import write_durably
from pipelines.errors import PainLakeError
from pipelines.lake import files, read_files, read_table
from pipelines.params import ValidateParams
from schemas.core import Table
from schemas.tables import LAKE_TABLES, PART_BY_PART


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


def validate(lake: Path, report: Path, params: ValidateParams) -> ValidationOutcome:
    """Check every table of the lake and write the report; the same lake gives the same bytes.

    Args:
        lake: the lake.
        report: where the outcome is written, as JSON.
        params: what the rules across tables allow.
    """
    results: list[CheckResult] = []
    related: dict[str, pl.DataFrame] = {}
    for table in LAKE_TABLES:
        found, frame = _check_table(lake, table)
        results.extend(found)
        if frame is not None:
            related[table.name] = frame.select(
                name for name in frame.columns if name in _RELATED or len(table.names) < 20
            )
    limits = Limits(
        params.control_max_nrs, params.control_max_recordings, params.duration_tolerance_s, params.allow_mixed_engines
    )
    results.extend(check_relations(related, LAKE_TABLES, limits))
    outcome = ValidationOutcome(tuple(sorted(results)))
    write_durably(report, report_bytes(outcome))
    return outcome


_RELATED = ("recording", "participant", "task", "frame", "timestamp_s", "t_s")
"""What rules across tables need of the wide tables: the rest is let go, since the long ones fill the memory."""


def _check_table(lake: Path, table: Table) -> tuple[Sequence[CheckResult], pl.DataFrame | None]:
    """Check one table; gives its rows too where its columns are right."""
    if table in PART_BY_PART:
        return _check_long(lake, table)
    try:
        frame = read_table(lake, table)
    except PainLakeError as error:
        return [_unreadable(table, error)], None
    of_columns = check_columns(table, frame)
    if not all(result.success for result in of_columns):
        return of_columns, None
    return [*of_columns, *check_values(table, frame)], frame


def _check_long(lake: Path, table: Table) -> tuple[Sequence[CheckResult], pl.DataFrame | None]:
    """Check a table file by file, one recording each; gives the recordings that have rows."""
    owners: list[str] = []
    differing: list[pl.DataFrame] = []

    def parts() -> Iterator[pl.DataFrame]:
        for path in files(lake, table.name):
            part = read_files([path], table)
            if part.schema != pl.Schema(table.polars_schema()):
                differing.append(part)
                return
            found = part["recording"].unique().to_list()
            if found not in ([], [path.name.partition(".")[0]]):
                # Else two files could share a key, and neither would show it.
                raise PainLakeError(f"{path.parent.name}/{path.name} has rows of another recording")
            owners.extend(found)
            yield part

    try:
        of_values = check_parts(table, parts())
    except PainLakeError as error:
        return [_unreadable(table, error)], None
    of_columns = check_columns(table, differing[0] if differing else table.frame())
    if differing:
        return of_columns, None
    return [*of_columns, *of_values], pl.DataFrame({"recording": owners}, schema={"recording": pl.String})


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
