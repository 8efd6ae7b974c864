"""Verify: what only the vault's key can check: the vault, its backups, the quarantine, the audit log, the receipts."""

import io
from pathlib import Path
from typing import IO, cast

import pyrage

from pipelines import audit
from pipelines.erasure_journal import unfinished
from pipelines.errors import PainLakeError, UserError
from pipelines.findings import Findings
from pipelines.in_parallel import in_parallel
from pipelines.seal import sha256_of
from pipelines.study import Study
from pipelines.tombstone import read_tombstones
from pipelines.vault import Vault
from pipelines.vault_key import key_id, key_place, master_keys
from pipelines.verify_objects import reading_threads

_NAME_BYTES = 8192
_LOCAL_HEADER_BYTES = 30
"""Of a ZIP archive's entry, before its name."""
_UNCHECKED = "the vault, its backups, the audit log, the quarantine and the receipts of erasures were not checked"


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


class _Head(io.RawIOBase):
    """Takes decrypted bytes, keeps the first few, and forgets the rest."""

    def __init__(self) -> None:
        self.kept = b""

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        content = bytes(cast("bytes", piece))
        self.kept += content[: max(0, _NAME_BYTES - len(self.kept))]
        return len(content)


def check_quarantine(findings: Findings, study: Study, vault: Vault) -> None:
    """Authenticate every sealed delivery, piece by piece, and see that it is the one that its name says."""
    paths = sorted(study.quarantine.glob("[!.]*.age"))
    findings.progress.phase("opening the quarantine", len(paths))
    identity = vault.quarantine_identity

    def opened(path: Path) -> bytes | None:
        return _head_of(path, identity)

    remedy = "have it delivered again, or take it from a backup"
    for path, head in in_parallel(opened, paths, reading_threads()):
        findings.progress.advance()
        name = path.relative_to(study.root).as_posix()
        delivered = vault.name_of(path.stem.removesuffix("-rows"))
        if head is None:
            findings.add(name, "is damaged", remedy)
        elif delivered is not None and not _named(head, delivered, rows=path.stem.endswith("-rows")):
            findings.add(name, "holds another delivery than its name says", remedy)


def check_waiting(findings: Findings, study: Study, vault: Vault, dirty: set[str]) -> None:
    """Authenticate the recordings of persons whose data wait for a version: no version knows these files yet."""
    for person in sorted(dirty):
        if not vault.knows(person):
            continue
        identity = vault.of_pseudonym(person).identity
        for path in sorted((study.lake / person / "recordings").glob("*.age")):
            if _head_of(path, identity) is None:
                name = path.relative_to(study.root).as_posix()
                findings.add(name, "is damaged, and in no version yet", "remove it, then run `painlake ingest`", person)


def _head_of(path: Path, identity: str) -> bytes | None:
    """The first decrypted bytes, if the whole is authentic: nothing of it is kept or shown."""
    head = _Head()
    try:
        with path.open("rb") as file:
            pyrage.decrypt_io(
                cast("IO[bytes]", file), cast("IO[bytes]", head), [pyrage.x25519.Identity.from_str(identity)]
            )
    except (OSError, ValueError, pyrage.DecryptError):
        return None
    return head.kept


def _named(head: bytes, delivered: str, *, rows: bool) -> bool:
    """Whether a kept delivery begins with its own name: the archive's first entry, stored as it is."""
    if len(head) < _LOCAL_HEADER_BYTES or not head.startswith(b"PK\x03\x04"):
        return False
    length, extra = int.from_bytes(head[26:28], "little"), int.from_bytes(head[28:30], "little")
    begin = _LOCAL_HEADER_BYTES + length + extra
    wanted = delivered.encode(errors="surrogateescape") + (b": rows" if rows else b"")
    return head[begin : begin + len(wanted)] == wanted or len(head) < _NAME_BYTES <= begin + len(wanted)


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
    """Who was erased, as the last version, the lake and the vault have it: one of them may be damaged.

    Args:
        study: the study.
        committed: the text of the tombstones in the last version.
        vault: if it opened.
    """
    erased = set() if vault is None else {each.pseudonym for each in vault.tombstones}
    erased |= {line.split()[-1] for line in (committed or "").splitlines() if "pseudonym:" in line}
    try:
        erased |= {each.pseudonym for each in read_tombstones(study.lake)}
    except PainLakeError:
        # Git tells that the file is damaged.
        return erased
    return erased
