"""The state of a study in one document, for `painlake status`."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pipelines.audit import open_audit
from pipelines.erasure_journal import unfinished
from pipelines.errors import Reason, UserError
from pipelines.ledger import Ledger
from pipelines.ledger_counts import counts
from pipelines.repository import Repository, tag_name, version_name
from pipelines.study import Study
from pipelines.vault import Vault
from schemas.faults import FAULTS, Fate


def overview(study: Study) -> dict[str, Any]:
    """Counts by fate, whether they add up, the current version and the last run.

    Raises:
        UserError: the ledger cannot be read.
    """
    if not study.ledger.is_file():
        Ledger(study.ledger).close()
    ledger = Ledger(study.ledger, read_only=True)
    try:
        versions = ledger.versions()
        last = ledger.last_run()
        return {
            **counts(ledger),
            "version": version_name(versions[-1]["number"]) if versions else None,
            "backed_up": all(version["pushed_at"] for version in versions),
            "last_run": None
            if last is None
            else {"started_at": last["started_at"], "finished_at": last["finished_at"], "outcome": last["outcome"]},
            "to_erase": ledger.withdrawn(),
            "erasing": [journal.pseudonym for journal in unfinished(study)],
            "warehouse": str(study.warehouse / "current") if versions else None,
        }
    finally:
        ledger.close()


def all_versions(study: Study) -> list[dict[str, Any]]:
    """The versions, oldest first: name, tag, commit, when published, whether the remote has it."""
    ledger = Ledger(study.ledger, read_only=True) if study.ledger.is_file() else None
    known = {} if ledger is None else {row["number"]: row for row in ledger.versions()}
    if ledger is not None:
        ledger.close()
    repository = Repository(study.root)
    return [
        {
            "version": version_name(number),
            "tag": tag_name(number),
            "git_commit": repository.commit_of(number),
            "published_at": known.get(number, {}).get("published_at"),
            "backed_up": bool(known.get(number, {}).get("pushed_at")),
        }
        for number in repository.versions()
    ]


def set_aside(study: Study) -> list[dict[str, Any]]:
    """What is in quarantine, oldest first: by delivery, with its codes, what was found and what to do next."""
    if not study.ledger.is_file():
        return []
    ledger = Ledger(study.ledger, read_only=True)
    try:
        entries = [entry for entry in ledger.deliveries() if entry.fate is Fate.QUARANTINED]
    finally:
        ledger.close()
    return [
        {
            "delivery": entry.delivery,
            "kind": entry.kind,
            "code": entry.codes[0],
            "found": entry.reasons[0].detail,
            "meaning": FAULTS[entry.codes[0]].meaning,
            "next_step": FAULTS[entry.codes[0]].next_step,
            "bytes": entry.bytes,
            "sha256": entry.sha256,
            "participant": entry.participant,
            "since": entry.decided_at,
        }
        for entry in entries
    ]


def release(study: Study, delivery: str, reason: str) -> None:
    """Have the next run try a delivery again.

    Args:
        study: the study.
        delivery: its id.
        reason: why, for ledger and audit log, so without an identity.

    Raises:
        UserError: nothing of that name is in quarantine, the vault does not open, or the reason names a participant.
        RunInProgressError: a run holds the study.
    """
    with study.held():
        vault = Vault.open(study.vault)
        if vault.mentions(reason):
            raise UserError("the reason names a participant: it is kept outside the vault, so leave identities out")
        ledger = Ledger(study.ledger)
        audit = open_audit(study, vault)
        try:
            entry = ledger.find(delivery)
            if entry is None or entry.fate is not Fate.QUARANTINED:
                raise UserError(f"nothing in quarantine is called {delivery}: see `painlake quarantine list`")
            audit.append("quarantine_released", delivery, {"codes": list(entry.codes), "reason": reason})
            at = datetime.now(tz=UTC).isoformat()
            # An empty stamp differs from every file's, so the next look takes it up.
            ledger.enter(
                replace(entry, stamp="", fate=Fate.DEFERRED, reasons=(Reason("RELEASED", reason),), decided_at=at)
            )
        finally:
            ledger.close()
            audit.save_head()
            audit.close()
