"""The audit log: who opened, decrypted, released, published or erased what, and when.

`state/audit.log` has one JSON object a line: its number, the time (UTC), the account of the operating system, the
action, its subject (a pseudonym, a recording, a delivery's id, a version: never an identity), codes and counts, the
seal of the line before, and its own seal. A seal is an HMAC-SHA-256 with a key of the vault, so a changed, missing,
reordered or inserted line shows, and nobody without the vault can mend the chain. The vault also keeps number and seal
of the last line as of its last saving, so a cut end shows too; what was written since then by a run that was killed
before it saved the vault is sealed, yet its cutting off would not show.

Every line is on the disk before what it tells of begins. Writing goes on after damage, leaving its mark in the chain.
"""

import json
import os
import pwd
import secrets
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from pipelines.durable import sync
from pipelines.durable_steps import durable
from pipelines.ledger import Ledger
from pipelines.study import Study
from pipelines.vault import Vault
from pipelines.vault_records import AuditHead

Detail = Mapping[str, str | int | list[str] | None]

_TAIL_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Event:
    """Something that is to be entered.

    Args:
        action: what was done, such as `recording_decrypted`.
        subject: to what or whom: a pseudonym, recording, delivery, version or plain file name.
        detail: codes and counts.
    """

    action: str
    subject: str
    detail: Detail


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the log; `prev` is the seal of the line before, `hash` its own."""

    seq: int
    at: str
    by: str
    action: str
    subject: str
    detail: dict[str, Any]
    prev: str
    hash: str = ""

    @property
    def sealed_part(self) -> bytes:
        """What the seal is made of: everything but the seal, in one spelling."""
        values = asdict(self)
        del values["hash"]
        return json.dumps(values, separators=(",", ":")).encode()

    @property
    def line(self) -> bytes:
        """The entry as it stands in the file, without the end of the line."""
        return json.dumps(asdict(self), separators=(",", ":")).encode()

    @classmethod
    def parse(cls, line: bytes) -> Self | None:
        """The entry of a line, or None where it is none, letter by letter."""
        try:
            entry = cls(**json.loads(line))
            same = entry.line == line
        except (ValueError, TypeError, RecursionError):
            return None
        return entry if same else None

    def is_sealed(self, vault: Vault) -> bool:
        """Whether the seal is this vault's for just this line."""
        return secrets.compare_digest(str(self.hash).encode(), vault.audit_mac(self.sealed_part).encode())


class AuditLog:
    """The log, open for writing by the run that holds the study; threads may share it.

    Args:
        path: the file; made if missing.
        vault: seals the lines and keeps the end.
        clone: whether the study is a clone, whose log is its own: the vault keeps the end of the study's log alone.
    """

    def __init__(self, path: Path, vault: Vault, *, clone: bool = False) -> None:
        self._path = path
        self._vault = vault
        self._lock = threading.Lock()
        self._by = _account()
        path.parent.mkdir(mode=0o700, exist_ok=True)
        is_new = not path.exists()
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        if is_new:
            sync(path.parent)
        torn = self._drop_torn_line()
        head = vault.audit_head
        first, last = self._first(), self._last()
        is_own = not clone or head is None or (first is not None and first.prev == head.log)
        self._log = (head.log if head is not None and is_own else None) or secrets.token_hex(32)
        # Where lines are missing the chain goes on from the vault's end of it, so the gap stays to be seen.
        ends = [(0, self._log)]
        ends += [(head.seq, head.hash)] if head is not None and is_own else []
        ends += [(last.seq, last.hash)] if last is not None else []
        self._seq, self._prev = max(ends, key=lambda end: end[0])
        self._keeps_head = is_own
        if head is None and first is not None:
            self._log = first.prev
        if torn:
            self.append("audit_mended", path.name, {"torn_bytes": torn})

    def append(self, action: str, subject: str, detail: Detail | None = None) -> None:
        """Enter an event; when this returns, it is on the disk.

        Args:
            action: what is about to be done, or was.
            subject: a pseudonym, recording, delivery, version or plain file name.
            detail: codes and counts.

        Raises:
            ValueError: the subject is a path or somebody's ID.
            OSError: it cannot be written; nothing of it stays.
        """
        self.append_all([Event(action, subject, detail or {})])

    @durable("audit")
    def append_all(self, events: Iterable[Event]) -> None:
        """Enter several events at once, in their order."""
        with self._lock:
            seq, prev = self._seq, self._prev
            lines = []
            for event in events:
                if "/" in event.subject or self._vault.person(event.subject) is not None:
                    raise ValueError(f"{event.action}: the audit log takes neither paths nor identities")
                seq += 1
                at = datetime.now(tz=UTC).isoformat(timespec="milliseconds")
                entry = Entry(seq, at, self._by, event.action, event.subject, dict(event.detail), prev)
                prev = self._vault.audit_mac(entry.sealed_part)
                lines.append(replace(entry, hash=prev).line + b"\n")
            self._write(b"".join(lines))
            self._seq, self._prev = seq, prev
            if self._keeps_head:
                self._vault.audit_head = AuditHead(self._log, seq, prev)

    def save_head(self) -> None:
        """Have the vault keep the end of the log; a clone's own log leaves the vault as it is."""
        if self._keeps_head:
            self._vault.save()

    def close(self) -> None:
        """Close the file."""
        os.close(self._file)

    def _write(self, lines: bytes) -> None:
        before = os.fstat(self._file).st_size
        try:
            rest = memoryview(lines)
            while rest:
                rest = rest[os.write(self._file, rest) :]
            os.fsync(self._file)
        except OSError:
            os.ftruncate(self._file, before)
            raise

    def _drop_torn_line(self) -> int:
        """Remove what a killed run left of a line; returns how many bytes."""
        size = os.fstat(self._file).st_size
        tail = os.pread(self._file, _TAIL_BYTES, max(size - _TAIL_BYTES, 0))
        torn = len(tail) - (tail.rfind(b"\n") + 1)
        if torn:
            os.ftruncate(self._file, size - torn)
            os.fsync(self._file)
        return torn

    def _first(self) -> Entry | None:
        entry = Entry.parse(os.pread(self._file, _TAIL_BYTES, 0).partition(b"\n")[0])
        return entry if entry is not None and entry.is_sealed(self._vault) else None

    def _last(self) -> Entry | None:
        """The last line that is as it was written."""
        size = os.fstat(self._file).st_size
        lines = os.pread(self._file, _TAIL_BYTES, max(size - _TAIL_BYTES, 0)).splitlines()
        entries = (Entry.parse(line) for line in reversed(lines))
        return next((entry for entry in entries if entry is not None and entry.is_sealed(self._vault)), None)


def open_audit(study: Study, vault: Vault) -> AuditLog:
    """Open a study's log for writing; the caller holds the study.

    Example:
        audit = open_audit(study, vault)
        audit.append("vault_opened", "ingest")
        audit.save_head()
    """
    return AuditLog(study.audit, vault, clone=_is_clone(study))


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a check of the log found.

    Args:
        entries: how many lines there are.
        bad_line: the first one that is not as it was written, from 1; one past the end where lines are missing there.
        problem: what is wrong with it, or None.
        note: what else there is to know.
    """

    entries: int
    bad_line: int | None = None
    problem: str | None = None
    note: str | None = None


def verify(study: Study, vault: Vault) -> Verdict:
    """Check every line of a study's log and its end; the caller holds the study."""
    content = study.audit.read_bytes() if study.audit.is_file() else b""
    *lines, torn = content.split(b"\n")
    head = vault.audit_head
    entries = [Entry.parse(line) for line in lines]
    first = entries[0] if entries else None
    is_clones = head is not None and first is not None and first.seq == 1 and first.prev != head.log
    if is_clones and _is_clone(study):
        head = None
    expected = (1, head.log if head is not None else first.prev if first is not None else "")
    for number, entry in enumerate(entries, 1):
        problem = _problem(entry, expected, vault)
        if problem is not None or entry is None:
            return Verdict(len(lines), number, problem)
        if head is not None and entry.seq == head.seq and entry.hash != head.hash:
            return Verdict(len(lines), number, "it is not the line that the vault knows under this number")
        expected = (entry.seq + 1, entry.hash)
    if head is not None and expected[0] <= head.seq:
        return Verdict(len(lines), len(lines) + 1, f"entries {expected[0]} to {head.seq} were cut off the end")
    note = "a clone's own log: the vault does not know its end" if is_clones else None
    return Verdict(len(lines), note="a killed run left half a line; the next one removes it" if torn else note)


def _problem(entry: Entry | None, expected: tuple[int, str], vault: Vault) -> str | None:
    """What is wrong with a line that is to have a number and to follow on a seal."""
    if entry is None:
        return "it is no line of this log"
    if not entry.is_sealed(vault):
        return f"entry {entry.seq} has been changed, or was made without the vault"
    if entry.seq > expected[0]:
        missing = expected[0] if entry.seq == expected[0] + 1 else f"{expected[0]} to {entry.seq - 1}"
        return f"entry {entry.seq} stands where {missing} should: lines are missing or out of order"
    if entry.seq < expected[0]:
        return f"entry {entry.seq} stands where {expected[0]} should: it is out of order or repeated"
    if entry.prev != expected[1]:
        return f"entry {entry.seq} follows on another line than the one before it"
    return None


def read_audit(study: Study) -> list[dict[str, Any]]:
    """The entries of a study's log that can be read, oldest first; `verify` says whether they are sound."""
    lines = study.audit.read_bytes().splitlines() if study.audit.is_file() else []
    return [asdict(entry) for line in lines if (entry := Entry.parse(line)) is not None]


def _is_clone(study: Study) -> bool:
    """Whether the study has taken nothing in itself: a clone makes features again, and its vault is another's."""
    if not study.ledger.is_file():
        return True
    ledger = Ledger(study.ledger, read_only=True)
    try:
        return not ledger.has_deliveries()
    finally:
        ledger.close()


def _account() -> str:
    """Who runs this, as the operating system knows them."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"
