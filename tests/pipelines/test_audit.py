"""The audit log: what it takes in, and that every way of tampering shows."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from pipelines.audit import AuditLog, Entry, Event, open_audit, read_audit, verify
from pipelines.deliveries import Delivery
from pipelines.durable import sync
from pipelines.vault import Vault
from pipelines.vault_records import AuditHead
from schemas.faults import Fate
from tests.pipelines.landing_factory import ID, LightStudy

ENTRIES = 6


def landed(study: LightStudy) -> None:
    """One delivery: with it, a study is no clone."""
    study.ledger.enter(Delivery("D1", "media", "n", "", "s", 1, None, None, Fate.QUARANTINED, (), "", ""))


@pytest.fixture
def log(study: LightStudy) -> Path:
    """Six entries, of which the vault knows the last."""
    landed(study)
    audit = open_audit(study.study, study.vault)
    for number in range(1, ENTRIES + 1):
        audit.append("recording_decrypted", f"P7K3M9QXA0-{number:08d}", {"stage": "face"})
    audit.save_head()
    audit.close()
    return study.study.audit


def found(study: LightStudy) -> tuple[int | None, str | None]:
    """Number and fault of the first bad line, as a vault opened anew sees it."""
    verdict = verify(study.study, Vault.open(study.study.vault))
    return verdict.bad_line, verdict.problem


def write_on(study: LightStudy, action: str = "vault_opened") -> None:
    vault = Vault.open(study.study.vault)
    audit = open_audit(study.study, vault)
    audit.append(action, "ingest")
    audit.save_head()
    audit.close()


# --- what it holds ---


def test_an_entry_says_who_did_what_to_what_and_when(study: LightStudy, log: Path) -> None:
    first, *_, last = read_audit(study.study)
    assert (first["seq"], last["seq"]) == (1, ENTRIES)
    assert (last["action"], last["subject"], last["detail"]) == (
        "recording_decrypted",
        "P7K3M9QXA0-00000006",
        {"stage": "face"},
    )
    assert last["at"].endswith("+00:00")
    assert last["by"]
    assert log.stat().st_mode & 0o777 == 0o600
    assert found(study) == (None, None)


def test_it_goes_on_where_it_ended(study: LightStudy, log: Path) -> None:
    before = log.read_bytes()
    write_on(study)
    assert log.read_bytes().startswith(before)
    assert [entry["seq"] for entry in read_audit(study.study)] == [*range(1, ENTRIES + 2)]
    assert found(study) == (None, None)


@pytest.mark.parametrize("subject", [ID, f"recordings/{ID}/V1/a.mp4"])
def test_it_takes_neither_an_id_nor_a_path(study: LightStudy, log: Path, subject: str) -> None:
    study.vault.enrol(ID, study.now.date(), {})
    before = log.read_bytes()
    with pytest.raises(ValueError, match="neither paths nor identities") as refused:
        open_audit(study.study, study.vault).append("quarantine_read", subject)
    assert ID not in str(refused.value)
    assert log.read_bytes() == before


def test_an_event_is_on_the_disk_when_append_returns(
    study: LightStudy, log: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synced: list[bytes] = []
    audit = open_audit(study.study, study.vault)
    monkeypatch.setattr("os.fsync", lambda _: synced.append(log.read_bytes()))
    audit.append("vault_opened", "ingest")
    assert b"vault_opened" in synced[0]


def test_threads_share_it(study: LightStudy) -> None:
    audit = open_audit(study.study, study.vault)

    def work(name: str) -> None:
        for _ in range(10):
            audit.append("recording_decrypted", name)

    threads = [threading.Thread(target=work, args=[f"thread {number}"]) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    audit.save_head()
    assert len(read_audit(study.study)) == 50
    assert found(study) == (None, None)


def test_several_events_are_one_write(study: LightStudy, log: Path) -> None:
    audit = open_audit(study.study, study.vault)
    audit.append_all(Event("consent_noted", name, {}) for name in ("a", "b", "c"))
    assert [entry["subject"] for entry in read_audit(study.study)[-3:]] == ["a", "b", "c"]
    assert verify(study.study, study.vault).problem is None


def test_a_full_disk_leaves_no_half_line(study: LightStudy, log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    audit = open_audit(study.study, study.vault)
    before = log.read_bytes()

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        audit.append("vault_opened", "ingest")
    assert log.read_bytes() == before
    monkeypatch.undo()
    audit.append("vault_opened", "ingest")
    audit.save_head()
    assert found(study) == (None, None)


# --- tampering ---


def changed(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b'"face"', b'"none"'), *lines[3:]]


def respelt(lines: list[bytes]) -> list[bytes]:
    return [*lines[:2], lines[2].replace(b'"seq":3', b'"seq": 3'), *lines[3:]]


def forged(lines: list[bytes]) -> list[bytes]:
    """Changed, and sealed anew, as well as one can without the vault."""
    entry = Entry.parse(lines[2])
    assert entry is not None
    return [*lines[:2], replace(entry, subject="P0000000000", hash="0" * 64).line, *lines[3:]]


TAMPERED: dict[str, tuple[Callable[[list[bytes]], list[bytes]], int, str]] = {
    "changed": (changed, 3, "has been changed"),
    "respelt": (respelt, 3, "no line of this log"),
    "forged": (forged, 3, "made without the vault"),
    "no JSON": (lambda lines: [*lines[:2], b"nonsense", *lines[3:]], 3, "no line of this log"),
    "other types": (lambda lines: [*lines[:2], b'{"seq":[]}', *lines[3:]], 3, "no line of this log"),
    "an empty line": (lambda lines: [*lines[:2], b"", *lines[2:]], 3, "no line of this log"),
    "first missing": (lambda lines: lines[1:], 1, "entry 2 stands where 1 should"),
    "one missing": (lambda lines: lines[:2] + lines[3:], 3, "entry 4 stands where 3 should: lines are missing"),
    "two missing": (lambda lines: lines[:2] + lines[4:], 3, "entry 5 stands where 3 to 4 should"),
    "swapped": (lambda lines: [*lines[:2], lines[3], lines[2], *lines[4:]], 3, "missing or out of order"),
    "reversed": (lambda lines: lines[::-1], 1, "missing or out of order"),
    "repeated": (lambda lines: [*lines[:3], lines[0], *lines[3:]], 4, "out of order or repeated"),
    "cut by one": (lambda lines: lines[:-1], 6, "entries 6 to 6 were cut off the end"),
    "cut by more": (lambda lines: lines[:2], 3, "entries 3 to 6 were cut off the end"),
    "emptied": (lambda _: [], 1, "entries 1 to 6 were cut off the end"),
}


@pytest.mark.parametrize("how", TAMPERED)
def test_tampering_shows_and_the_first_bad_line_is_named(study: LightStudy, log: Path, how: str) -> None:
    change, line, fault = TAMPERED[how]
    lines = change(log.read_bytes().splitlines())
    log.write_bytes(b"".join(each + b"\n" for each in lines))
    bad_line, problem = found(study)
    assert (bad_line, fault in (problem or "")) == (line, True), problem


@pytest.mark.parametrize("how", TAMPERED)
def test_it_still_shows_after_the_next_run_has_written_on(study: LightStudy, log: Path, how: str) -> None:
    change, line, _ = TAMPERED[how]
    lines = change(log.read_bytes().splitlines())
    log.write_bytes(b"".join(each + b"\n" for each in lines))
    write_on(study)
    write_on(study)
    assert found(study)[0] == line
    assert len(read_audit(study.study)) >= 2


def test_a_log_that_was_deleted_shows_and_goes_on_showing(study: LightStudy, log: Path) -> None:
    log.unlink()
    assert found(study) == (1, "entries 1 to 6 were cut off the end")
    write_on(study)
    assert found(study) == (1, "entry 7 stands where 1 to 6 should: lines are missing or out of order")


def test_the_log_of_another_study_is_no_replacement(study: LightStudy, log: Path, tmp_path: Path) -> None:
    other = Vault.create(tmp_path / "other")
    foreign = AuditLog(tmp_path / "foreign.log", other)
    for _ in range(ENTRIES):
        foreign.append("vault_opened", "ingest")
    log.write_bytes((tmp_path / "foreign.log").read_bytes())
    assert found(study) == (1, "entry 1 has been changed, or was made without the vault")


def test_a_line_of_the_right_number_from_another_chain_shows(study: LightStudy, log: Path) -> None:
    vault = Vault.open(study.study.vault)
    assert vault.audit_head is not None
    vault.audit_head = AuditHead(vault.audit_head.log, 4, "0" * 64)
    vault.save()
    assert found(study) == (4, "it is not the line that the vault knows under this number")


# --- runs that were killed ---


def test_lines_that_the_vault_did_not_live_to_note_are_sound(study: LightStudy, log: Path) -> None:
    vault = Vault.open(study.study.vault)
    open_audit(study.study, vault).append("vault_opened", "ingest")
    assert found(study) == (None, None)
    write_on(study)
    assert [entry["seq"] for entry in read_audit(study.study)] == [*range(1, ENTRIES + 3)]
    assert found(study) == (None, None)


@pytest.mark.parametrize("length", [1, 40, -1])
def test_half_a_line_of_a_killed_run_is_removed_and_noted(study: LightStudy, log: Path, length: int) -> None:
    whole = log.read_bytes()
    open_audit(study.study, Vault.open(study.study.vault)).append("vault_opened", "ingest")
    line = log.read_bytes()[len(whole) :]
    log.write_bytes(whole + line[:length])
    sync(log)
    verdict = verify(study.study, Vault.open(study.study.vault))
    assert (verdict.problem, "half a line" in (verdict.note or "")) == (None, True)
    write_on(study)
    *_, mended, opened = read_audit(study.study)
    assert (mended["action"], opened["action"]) == ("audit_mended", "vault_opened")
    assert mended["detail"] == {"torn_bytes": len(line[:length])}
    assert found(study) == (None, None)


def test_half_a_line_that_the_vault_knew_whole_was_cut(study: LightStudy, log: Path) -> None:
    log.write_bytes(log.read_bytes()[:-1])
    assert found(study)[0] == ENTRIES
    write_on(study)
    assert found(study)[0] == ENTRIES


# --- clones ---


def test_a_clone_keeps_a_log_of_its_own_and_leaves_the_vault_as_it_is(
    study: LightStudy, log: Path, tmp_path: Path
) -> None:
    clone = replace(study.study, root=tmp_path / "clone")
    clone.root.mkdir()
    vault = Vault.open(study.study.vault)
    before = vault.audit_head
    for _ in range(2):
        audit = open_audit(clone, vault)
        audit.append("recording_decrypted", "P7K3M9QXA0-00000001")
        audit.save_head()
        audit.close()
    assert vault.audit_head == before
    verdict = verify(clone, vault)
    assert (verdict.entries, verdict.problem, "clone" in (verdict.note or "")) == (2, None, True)
    assert found(study) == (None, None)
    log.write_bytes(clone.audit.read_bytes())
    assert found(study) == (1, "entry 1 follows on another line than the one before it")


def test_lines_that_cannot_be_read_are_left_out_of_what_is_shown(study: LightStudy, log: Path) -> None:
    log.write_bytes(b"nonsense\n" + log.read_bytes())
    assert len(read_audit(study.study)) == ENTRIES
    assert json.dumps(read_audit(study.study))
