"""Verify: what only the vault's key can check: the vault, its backups, the audit log, the receipts of erasures."""

from pathlib import Path

from pipelines import audit
from pipelines.erasure_journal import unfinished
from pipelines.errors import PainLakeError, UserError
from pipelines.findings import Findings
from pipelines.seal import sha256_of
from pipelines.study import Study
from pipelines.tombstone import read_tombstones
from pipelines.vault import Vault
from pipelines.vault_key import key_id, key_place, master_keys

_UNCHECKED = "the vault, its backups, the audit log and the receipts of erasures were not checked"


def open_vault(findings: Findings, study: Study) -> Vault | None:
    """The vault if it can be had: what is damaged is a finding, what is not at hand a note."""
    place = key_place(study.vault)
    if place.file is not None and not place.file.exists():
        findings.note(f"{place.words} is not at hand: {_UNCHECKED}")
        return None
    try:
        keys = master_keys(study.vault)
    except UserError as error:
        findings.add(place.words, f"does not serve ({error})", "restore it from your copy of the key")
        return None
    if place.file is not None and place.file.read_bytes().rstrip(b"\r\n") not in {key.encode() for key in keys}:
        findings.add(place.words, "holds more than a key", "restore it from your copy of the key")
    if not study.vault.is_dir():
        findings.note(f"the vault {study.vault} is not mounted: {_UNCHECKED}")
        return None
    try:
        return Vault.open(study.vault)
    except UserError as error:
        remedy = "restore it from a backup (`painlake vault backup` made it), or see that the key is the right one"
        findings.add(str(study.vault / "vault.age"), f"does not open ({error})", remedy)
        return None


def check_backups(findings: Findings, study: Study, vault: Vault) -> None:
    """Open the backups of the vault that are in reach."""
    for backup in vault.backups:
        file = Path(backup.file)
        if not file.is_file():
            findings.note(f"the vault's backup {file.name} is not in reach")
        elif backup.key_id != key_id(vault.key):
            findings.note(f"the vault's backup {file.name} is encrypted with an earlier key: it was not opened")
        elif Vault.opened(study.vault, file.read_bytes(), vault.key) is None:
            findings.add(str(file), "does not open", "make a new backup with `painlake vault backup`")


def check_audit(findings: Findings, study: Study, vault: Vault) -> bool:
    """Check the audit log's chain; gives whether it holds."""
    verdict = audit.verify(study, vault)
    findings.count("lines of the audit log", verdict.entries)
    if verdict.note is not None:
        findings.note(f"audit log: {verdict.note}")
    if verdict.problem is not None:
        problem = f"is damaged at line {verdict.bad_line} ({verdict.problem})"
        findings.add("state/audit.log", problem, "restore it from a backup; `painlake audit verify` looks again")
    return verdict.problem is None


def check_receipts(findings: Findings, study: Study) -> None:
    """Hold the receipts of erasures against their sums in the audit log, which has been found whole."""
    entered = [entry for entry in audit.read_audit(study) if entry["action"] == "person_erased"]
    sums = {entry["subject"]: entry["detail"] for entry in entered}
    folder = study.state / "receipts"
    for pseudonym, detail in sorted(sums.items()):
        for ending, key in ((".json", "receipt_sha256"), (".md", "page_sha256")):
            path = folder / f"{pseudonym}{ending}"
            name = path.relative_to(study.root).as_posix()
            if key not in detail:
                findings.note(f"{name} was written before the audit log kept its sum")
            elif not path.is_file():
                findings.add(name, "is missing", "take it from a backup")
            elif sha256_of(path) != detail[key]:
                findings.add(name, "is damaged: it is not the receipt that was written", "take it from a backup")
    findings.count("receipts of erasures", len(sums))
    under_way = {journal.pseudonym for journal in unfinished(study)}
    for path in sorted(folder.glob("[!.]*")) if folder.is_dir() else ():
        if path.stem not in sums.keys() | under_way:
            findings.add(f"state/receipts/{path.name}", "is of no erasure in the audit log", "look at it")


def check_erasures(findings: Findings, study: Study) -> set[str]:
    """The pseudonyms of erasures under way, which are notes; a journal that cannot be read is a finding."""
    try:
        journals = {journal.pseudonym for journal in unfinished(study)}
    except PainLakeError as error:
        findings.add("state/erasures", f"holds what is no journal ({error})", "run `painlake erase` again")
        return set()
    for pseudonym in sorted(journals):
        findings.note(f"the erasure of {pseudonym} is under way: `painlake erase --resume` ends it")
    return journals


def erased_people(study: Study, committed: str | None, vault: Vault | None) -> set[str]:
    """Who was erased, as the lake and the vault have it: one of them may be damaged.

    Args:
        study: the study.
        committed: the text of the tombstones in the last version, where those in the lake cannot be believed.
        vault: if it opened.
    """
    erased = set() if vault is None else {each.pseudonym for each in vault.tombstones}
    if committed is not None:
        return erased | {line.split()[-1] for line in committed.splitlines() if "pseudonym:" in line}
    try:
        return erased | {each.pseudonym for each in read_tombstones(study.lake)}
    except PainLakeError:
        # Git tells that the file is damaged.
        return erased
