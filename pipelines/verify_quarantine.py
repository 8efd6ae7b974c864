"""Verify: what was set aside, by its sums in the ledger, or else by its encryption; and recordings of no version yet."""

from pathlib import Path

from pipelines.deliveries import Delivery
from pipelines.findings import Findings
from pipelines.in_parallel import in_parallel
from pipelines.pseudonymise import authentic_head
from pipelines.quarantine import quarantine_sum
from pipelines.seal import sha256_of
from pipelines.study import Study
from pipelines.vault import Vault
from pipelines.verify_ledger import LedgerAsRead
from pipelines.verify_objects import reading_threads
from schemas.faults import Fate

_NAME_BYTES = 8192
_LOCAL_HEADER_BYTES = 30
"""Of a ZIP archive's entry, before its name."""
_REMEDY = "have it delivered again, or take it from a backup"


def check_quarantine(findings: Findings, study: Study, ledger: LedgerAsRead, vault: Vault | None) -> None:
    """Name what was set aside and is missing or damaged, and what is kept of no delivery.

    Args:
        findings: what is found goes there.
        study: the study.
        ledger: from `read_ledger`.
        vault: opens what the ledger has no sum of.
    """
    if not study.quarantine.is_dir():
        return
    paths = sorted(path for path in study.quarantine.iterdir() if path.suffix != ".partial")
    findings.count("files in quarantine", len(paths))
    there = {path.relative_to(study.root).as_posix(): path for path in paths}
    if ledger.sound:
        _check_presence(findings, there, ledger)
    if findings.quick:
        return
    findings.progress.phase("hashing the quarantine", len(there))
    summed = [name for name in there if name in ledger.sums]
    for name, sha256 in in_parallel(lambda name: _sum(there[name]), summed, reading_threads()):
        findings.progress.advance()
        if sha256 != ledger.sums[name]:
            findings.add(name, "is damaged: it is not what was set aside", _REMEDY)
    others = [path for name, path in there.items() if name not in ledger.sums and path.suffix == ".age"]
    if vault is not None:
        _open(findings, study, others, vault)
    elif others:
        findings.note(f"{len(others)} files in quarantine have no sum in the ledger: they were not checked")


def _check_presence(findings: Findings, there: dict[str, Path], ledger: LedgerAsRead) -> None:
    known = {entry.delivery: entry for entry in ledger.deliveries}
    kept = {quarantine_sum(each) for each, entry in known.items() if _is_kept(entry)}
    of_quarantine = {name for name in ledger.sums if name.startswith(quarantine_sum("").removesuffix(".age"))}
    for name in sorted((kept | of_quarantine) - there.keys()):
        findings.add(name, "is missing", _REMEDY)
    for name, path in sorted(there.items()):
        is_known = path.stem.removesuffix("-rows") in known and path.suffix == ".age"
        if not is_known and not ledger.pending:
            findings.add(name, "is of no delivery that the ledger knows", "look at it, then move it away")


def _is_kept(entry: Delivery) -> bool:
    """Whether something must be kept: of an erased person nothing is, nor of what went before it was read whole."""
    may_lack = {"ERASED_SUBJECT", "VANISHED", "REPLACED"} & set(entry.codes)
    return entry.fate is Fate.QUARANTINED and entry.sha256 is not None and not may_lack


def _sum(path: Path) -> str | None:
    try:
        return sha256_of(path)
    except OSError:
        return None


def _open(findings: Findings, study: Study, paths: list[Path], vault: Vault) -> None:
    """Authenticate sealed deliveries, piece by piece, and see that each is the one that its name says."""
    identity = vault.quarantine_identity
    for path, head in in_parallel(lambda path: _head_of(path, identity), paths, reading_threads()):
        findings.progress.advance()
        name = path.relative_to(study.root).as_posix()
        delivered = vault.name_of(path.stem.removesuffix("-rows"))
        if head is None:
            findings.add(name, "is damaged", _REMEDY)
        elif delivered is not None and not _named(head, delivered, rows=path.stem.endswith("-rows")):
            findings.add(name, "holds another delivery than its name says", _REMEDY)


def check_waiting(findings: Findings, study: Study, vault: Vault, dirty: frozenset[str]) -> None:
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
    try:
        return authentic_head(path, identity, _NAME_BYTES)
    except OSError:
        return None


def _named(head: bytes, delivered: str, *, rows: bool) -> bool:
    """Whether a kept delivery begins with its own name: the archive's first entry, stored as it is."""
    if len(head) < _LOCAL_HEADER_BYTES or not head.startswith(b"PK\x03\x04"):
        return False
    length, extra = int.from_bytes(head[26:28], "little"), int.from_bytes(head[28:30], "little")
    begin = _LOCAL_HEADER_BYTES + length + extra
    wanted = delivered.encode(errors="surrogateescape") + (b": rows" if rows else b"")
    # A name that is longer than what was kept of it is not compared.
    return head[begin : begin + len(wanted)] == wanted or len(head) < _NAME_BYTES <= begin + len(wanted)
