"""Verify: the published DuckDB files against their sums in the ledger, and the current one against the lake."""

import re
from collections.abc import Mapping
from pathlib import Path

from pipelines.errors import UserError
from pipelines.findings import Findings
from pipelines.in_parallel import in_parallel
from pipelines.lake import people
from pipelines.recording import Recording
from pipelines.repository import version_name
from pipelines.seal import sha256_of
from pipelines.study import Study
from pipelines.verify_ledger import LedgerAsRead
from pipelines.verify_objects import reading_threads
from pipelines.warehouse import CURRENT, open_warehouse, warehouse_file

_FILE = re.compile(r"painlake-v(\d{4,})\.duckdb")
_WORKING = "painlake-working.duckdb"


def check_warehouse(
    findings: Findings, study: Study, ledger: LedgerAsRead, found: Mapping[str, Recording], *, spoilt: bool
) -> None:
    """Hash every DuckDB file, look where `current` leads, and hold that file's rows against the lake.

    Args:
        findings: what is found goes there.
        study: the study.
        ledger: from `read_ledger`.
        found: the recordings in the lake.
        spoilt: whether the lake has findings of its own, so that its counts tell nothing.
    """
    if not ledger.versions:
        return
    bad = _check_files(findings, study, ledger)
    link = study.warehouse / CURRENT
    number = int(ledger.versions[-1]["number"])
    wanted = warehouse_file(study.warehouse, number)
    link_again = f"run `ln -sfn {wanted.name} warehouse/{CURRENT}`, and `painlake checkout {version_name(number)}`"
    if not link.is_symlink():
        findings.add("warehouse/current", "is no link to a published file", link_again)
    elif not link.exists():
        findings.add(f"warehouse/{link.readlink()}", "is missing, and warehouse/current leads to it", link_again)
    elif link.resolve() != wanted.resolve():
        problem = f"is {link.readlink()}, the ledger's last version is {version_name(number)}"
        _later(findings, ledger, "warehouse/current", problem, link_again)
    elif wanted.name not in bad:
        _check_rows(findings, wanted, ledger, _registered(study), found, spoilt=spoilt)


def _later(findings: Findings, ledger: LedgerAsRead, name: str, problem: str, remedy: str) -> None:
    """A finding, or a note where a killed run may have left it so."""
    if ledger.pending:
        findings.note(f"{name} {problem}; a run was killed or data wait, and the next run settles it")
    else:
        findings.add(name, problem, remedy)


def _check_files(findings: Findings, study: Study, ledger: LedgerAsRead) -> set[str]:
    """Name files that are not as they were built; gives all that need not be opened."""
    files = [path for path in sorted(study.warehouse.iterdir()) if path.name != CURRENT and path.suffix != ".partial"]
    findings.count("files in the warehouse", len(files))
    findings.progress.phase("hashing the warehouse", len(files))
    entered = {int(version["number"]) for version in ledger.versions}
    bad = set()
    hashed = ((path, None) for path in files) if findings.quick else in_parallel(_sum, files, reading_threads())
    for path, sha256 in hashed:
        findings.progress.advance()
        name = path.relative_to(study.root).as_posix()
        match = _FILE.fullmatch(path.name)
        if match is None and path.name != _WORKING:
            findings.add(name, "is no published file", "look at it, then move it away")
            bad.add(path.name)
            continue
        remedy = f"remove it, then run `painlake checkout {version_name(int(match[1]))}`" if match else "remove it"
        known = ledger.sums.get(name)
        if match is not None and int(match[1]) not in entered:
            _later(findings, ledger, name, "is of no version that the ledger knows", remedy)
            bad.add(path.name)
        elif known is None:
            findings.add(name, "was built before the ledger kept sums, so its bytes cannot be checked", remedy)
        elif sha256 != known and not findings.quick:
            findings.add(name, "is damaged: it is not what was built", remedy)
            bad.add(path.name)
    return bad


def _sum(path: Path) -> str | None:
    try:
        return sha256_of(path)
    except OSError:
        return None


def _registered(study: Study) -> set[str]:
    """Persons with a row in the table of participants."""
    return {each for each in people(study.lake) if (study.lake / each / "clinical" / "participants.parquet").is_file()}


def _check_rows(  # noqa: PLR0913 - what the file is held against
    findings: Findings,
    file: Path,
    ledger: LedgerAsRead,
    registered: set[str],
    found: Mapping[str, Recording],
    *,
    spoilt: bool,
) -> None:
    """What a file says of itself against the ledger and, where nothing waits, the lake."""
    name = f"warehouse/{file.name}"
    rebuild = f"remove it, then run `painlake checkout {version_name(int(ledger.versions[-1]['number']))}`"
    try:
        with open_warehouse(file) as connection:
            said = connection.execute("SELECT number, git_commit FROM meta.dataset_version").fetchall()
            recordings = {row[0] for row in connection.execute("SELECT recording FROM recordings").fetchall()}
            participants = {row[0] for row in connection.execute("SELECT participant FROM participants").fetchall()}
    except UserError as error:
        findings.add(name, f"cannot be read ({error})", rebuild)
        return
    findings.count("recordings in the warehouse", len(recordings))
    last = ledger.versions[-1]
    if said != [(last["number"], last["git_commit"])]:
        findings.add(name, f"says that it is another version than {version_name(int(last['number']))}", rebuild)
    if ledger.pending or spoilt:
        return
    for table, there, expected in (("participants", participants, registered), ("recordings", recordings, {*found})):
        for each in sorted(there ^ expected):
            where = "in the lake and not in" if each in expected else "not in the lake and in"
            findings.add(each, f"is {where} {name}'s {table}", "run `painlake ingest`")
