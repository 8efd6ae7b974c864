"""Verify: every object and file hashed, and ledger, lake, DVC, git, vault and warehouse held against each other.

What is looked at, and what knows how it should be:

| what | known from |
|---|---|
| objects in cache and remotes | their names: MD5 of the bytes |
| files of the lake | the last version's lists; the ledger's units; the person's key, for what waits for a version |
| files that git tracks, git's objects and references | git's own hashes, and the ledger's versions |
| `state/ledger.sqlite` | its seal, `state/ledger.seal` |
| DuckDB files | their sums in the ledger |
| quarantine | the files' sums in the ledger, or else their encryption, with the vault's key |
| the vault and its backups | their encryption authenticates them, with the vault's key |
| `state/audit.log`, receipts of erasures | the log's chain of seals, with the vault's key |

Not looked at: logs, locks, what is known of files (`state/checked.sqlite`), `.dvc/tmp`, git's settings, hooks and
reflogs, and DVC's private settings (`.dvc/config.local`): nothing knows how these should be. A file that is missing
because its person was erased is fine, and only the bytes count, not times or modes.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pipelines.erase_objects import Output, outputs_at, owners
from pipelines.errors import PainLakeError
from pipelines.findings import Finding, Findings, Progress, Unshown
from pipelines.repository import Repository, tag_name
from pipelines.stores import Stores, stores_of
from pipelines.study import Study
from pipelines.vault import Vault
from pipelines.verify_git import History, check_tags, check_tracked, read_history
from pipelines.verify_lake import LakeAsFound, LakeAsKnown, check_lake
from pipelines.verify_ledger import LedgerAsRead, check_deliveries, read_ledger
from pipelines.verify_objects import Wanted, check_objects, check_runs
from pipelines.verify_quarantine import check_quarantine, check_waiting
from pipelines.verify_sealed import (
    check_audit,
    check_backups,
    check_erasures,
    check_receipts,
    erased_people,
    open_vault,
)
from pipelines.verify_warehouse import check_warehouse

_TOMBSTONES = "lake/tombstones.yaml"
_SETTINGS = ".dvc/config"


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at, what was wrong, and what else there is to know."""

    checked: dict[str, int]
    findings: tuple[Finding, ...]
    notes: tuple[str, ...]

    @property
    def wrong(self) -> tuple[str, ...]:
        """What was wrong, one line each."""
        return tuple(finding.line for finding in self.findings)

    @property
    def document(self) -> dict[str, Any]:
        """For `painlake verify --json`."""
        return {
            "ok": not self.findings,
            "checked": self.checked,
            "wrong": list(self.wrong),
            "findings": [finding.document for finding in self.findings],
            "notes": list(self.notes),
        }


def verify(study: Study, progress: Progress | None = None, *, quick: bool = False) -> Verified:
    """Hash every durable byte of a study, each object once, and reconcile what its parts say.

    The study is held meanwhile, so that nothing which is under way looks like damage: a run that begins then ends with
    `RUN_IN_PROGRESS`.

    Args:
        study: the study.
        progress: where to show it.
        quick: look at presence and at what the parts say, and read no object's bytes.

    Raises:
        RunInProgressError: another run holds the study.
    """
    findings = Findings(progress or Unshown(), quick)
    with study.held():
        _look(findings, study)
    return Verified(findings.checked, tuple(findings.wrong), tuple(findings.notes))


def _look(findings: Findings, study: Study) -> None:
    repository = Repository(study.root)
    ledger = read_ledger(findings, study)
    vault = open_vault(findings, study)
    history = read_history(findings, study, repository)
    findings.count("versions", len(history.versions))
    erased = check_erasures(findings, study)
    erased |= erased_people(study, None if erased else _as_committed(repository, history, _TOMBSTONES), vault)
    stores = stores_of(study, _as_committed(repository, history, _SETTINGS))
    found = _lake(findings, study, stores, history, ledger, erased)
    check_quarantine(findings, study, ledger, vault)
    if vault is not None:
        _sealed(findings, study, vault, ledger)
    check_tracked(findings, study, history, pending=ledger.pending)
    check_objects(findings, stores, _wanted(repository, stores, history, ledger, found, erased))
    if not findings.quick:
        check_runs(findings, stores.cache)
    if ledger.sound:
        check_tags(findings, repository, history, list(ledger.versions), pending=ledger.pending)
        check_deliveries(findings, ledger, found.recordings, spoilt=found.spoilt)
        check_warehouse(findings, study, ledger, found.recordings, spoilt=found.spoilt)


def _as_committed(repository: Repository, history: History, name: str) -> str | None:
    """The text of a file in the last version, where it is another one now: that is a finding, and not to be believed."""
    return repository.git("show", f"HEAD:{name}") if name in history.changed else None


def _lake(  # noqa: PLR0913, PLR0917 - what the lake is held against
    findings: Findings, study: Study, stores: Stores, history: History, ledger: LedgerAsRead, erased: set[str]
) -> LakeAsFound:
    known = LakeAsKnown(history.at_head, set(ledger.dirty), erased, set(history.tracked), history.changed, ledger.units)
    return check_lake(findings, study, stores, known)


def _sealed(findings: Findings, study: Study, vault: Vault, ledger: LedgerAsRead) -> None:
    check_backups(findings, study, vault)
    if check_audit(findings, study, vault):
        check_receipts(findings, study)
    if not findings.quick:
        check_waiting(findings, study, vault, ledger.dirty)


def _wanted(  # noqa: PLR0913, PLR0917 - who says what there should be
    repository: Repository,
    stores: Stores,
    history: History,
    ledger: LedgerAsRead,
    found: LakeAsFound,
    erased: set[str],
) -> Wanted:
    """What should be in the stores: all versions' objects in the cache, and those of pushed versions at the remotes."""
    owned, _ = owners(_without(history.outputs, erased), stores)
    pushed: dict[str, int] = {}
    if history.sound:
        copied = {int(version["number"]) for version in ledger.versions if version["pushed_at"] is not None}
        for number in sorted(copied & set(history.versions)):
            try:
                outputs = outputs_at(repository, tag_name(number))
            except PainLakeError:
                continue
            for oid in owners(_without(outputs, erased), stores)[0]:
                pushed.setdefault(oid, number)
    return Wanted(owned, pushed, found.whole)


def _without(outputs: Iterable[Output], erased: set[str]) -> set[Output]:
    return {output for output in outputs if output.person not in erased}
