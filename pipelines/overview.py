"""The state of a study in one document, for `painlake status`."""

from typing import Any

from pipelines.erasure_journal import unfinished
from pipelines.ledger import Ledger
from pipelines.ledger_counts import counts
from pipelines.repository import Repository, tag_name, version_name
from pipelines.study import Study


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
