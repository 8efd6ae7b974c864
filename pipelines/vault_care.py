"""Looking after the vault: making one, checking it, changing its master key, keeping copies of it."""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pipelines.audit import AuditLog, open_audit
from pipelines.durable import remove_partials, write_durably
from pipelines.errors import PainLakeError, UserError
from pipelines.study import Study
from pipelines.vault import Vault, check_character
from pipelines.vault_key import key_id, key_place, new_key, read_key, write_key
from pipelines.vault_records import Backup
from schemas.people import PARTICIPANT


@dataclass(frozen=True, slots=True)
class Rotation:
    """A changed master key: where the new one stands, and how many copies of the vault only the old one opens."""

    key_place: str
    old_backups: int
    to_name: bool
    """Whether the environment has to be told of the new place."""


def make_vault(study: Study) -> str:
    """Make a vault for a study that has none.

    Returns:
        Where its master key stands, in words.

    Raises:
        UserError: there is one, or the lake holds people whom another vault knows.
    """
    with study.held():
        if any(study.lake.glob(f"{_PSEUDONYM_GLOB}")):
            raise UserError(f"{study.lake} holds people: a new vault would not know them, so mount the one that does")
        vault = Vault.create(study.vault)
        with _auditing(study, vault) as audit:
            audit.append("vault_made", "vault")
        return key_place(study.vault).words


def check_vault(study: Study) -> dict[str, Any]:
    """Open the vault and look at all it holds.

    Returns:
        Counts, where the key stands, the backups; `problems` (something is wrong) and `advice` (something could be
        better), neither with an identity.

    Raises:
        UserError: it does not open, or it or its key is open to others.
    """
    with study.held():
        vault = Vault.open(study.vault)
        place = key_place(study.vault)
        backups = [_looked_at(backup, vault, study.vault) for backup in vault.backups]
        beside = place.file is not None and place.file.parent.resolve() == study.vault.resolve()
        unfinished = place.next_file is not None and place.next_file.exists()
        advice = []
        if beside:
            advice.append("the master key lies beside the vault: whoever copies the folder has both")
        if unfinished:
            advice.append("a change of the master key was cut short: `painlake vault rotate` ends it")
        if not any(backup["opens"] for backup in backups):
            advice.append("no backup that today's key opens is in reach: `painlake vault backup DEST` makes one")
        overdue = sum(backup["overdue"] for backup in backups)
        if overdue:
            advice.append(f"{overdue} backups are kept longer than was said when they were made: delete them")
        return {
            "opens": True,
            "people": len(vault.people),
            "pseudonyms": len({person.pseudonym for person in vault.people}),
            "key": place.words,
            "key_id": key_id(vault.key),
            "key_beside_vault": beside,
            "rotation_unfinished": unfinished,
            "backups": backups,
            "problems": _problems(vault),
            "advice": advice,
        }


def rotate_key(study: Study, new_key_file: Path | None) -> Rotation:
    """Encrypt the vault with a new master key.

    The new key is on the disk before the vault is encrypted with it, under a name where `Vault.open` looks too
    (`master.key.next`) or where the caller said; so whenever this is killed, the vault opens with one of the two.

    Args:
        study: the study.
        new_key_file: where to write the new key; None replaces the file that the old one stands in.

    Raises:
        UserError: the vault does not open, or the key's place cannot be written and no file was named.
    """
    with study.held():
        place = key_place(study.vault)
        if new_key_file is not None:
            _refuse_if_rotated(study, new_key_file)
        vault = Vault.open(study.vault)
        if place.file is None and new_key_file is None:
            raise UserError(f"PainLake cannot write to {place.words}: name a file for the new key with --new-key-file")
        vault.settle_key()
        remove_partials(study.vault)
        old = key_id(vault.key)
        with _auditing(study, vault) as audit:
            if new_key_file is not None and new_key_file.exists():
                # A rotation that was killed before the vault changed left it; any other key of the user's will do too.
                key = read_key(new_key_file)
            else:
                key = new_key()
                write_key(new_key_file or place.next_file or study.vault, key)
            audit.append("vault_rotating", "vault", {"old_key": old, "new_key": key_id(key)})
            vault.rekey(key)
            if new_key_file is None:
                vault.settle_key()
            audit.append("vault_rotated", "vault", {"old_key": old, "new_key": key_id(key)})
        words = place.words if new_key_file is None else f"the file {new_key_file}"
        old_backups = sum(backup.key_id != key_id(key) for backup in vault.backups)
        to_name = new_key_file is not None and new_key_file != place.file
        return Rotation(words, old_backups, to_name)


def back_up(study: Study, dest: Path, keep_days: int) -> Backup:
    """Copy the encrypted vault, never its key; the vault knows of the copy before it is made.

    Args:
        study: the study.
        dest: a folder, or a new file's path.
        keep_days: after how many days you will have deleted the copy; a receipt of erasure says until when a person
            may still be in it.

    Returns:
        The copy, read back and opened.

    Raises:
        UserError: it cannot be written there, or `dest` is inside the study.
    """
    with study.held():
        vault = Vault.open(study.vault)
        vault.settle_key()
        now = datetime.now(tz=UTC)
        file = (dest / f"vault-{now:%Y%m%dT%H%M%SZ}.age" if dest.is_dir() else dest).absolute()
        if file.exists():
            raise UserError(f"{file} exists already: name a folder or a new file")
        if not file.parent.is_dir():
            raise UserError(f"{file.parent} is no folder")
        if any(file.resolve().is_relative_to(inside.resolve()) for inside in (study.root, study.vault)):
            raise UserError(f"{file} is inside the study: a backup there is lost with it")
        until = (now + timedelta(days=keep_days)).isoformat(timespec="seconds")
        backup = Backup(str(file), now.isoformat(timespec="seconds"), until, key_id(vault.key))
        vault.backups.append(backup)
        with _auditing(study, vault) as audit:
            audit.append("vault_backed_up", file.name, {"key": backup.key_id, "keep_days": keep_days})
            vault.save()
            sealed = vault.sealed()
            try:
                write_durably(file, sealed, mode=0o600)
            except OSError as error:
                vault.backups.remove(backup)
                audit.append("vault_not_backed_up", file.name)
                raise UserError(f"{file} cannot be written: {error.strerror}") from error
        if hashlib.sha256(file.read_bytes()).digest() != hashlib.sha256(sealed).digest():
            raise PainLakeError(f"{file} does not hold what was written to it")
        return backup


_PSEUDONYM_GLOB = "P" + "[0-9A-Z]" * 9


@contextmanager
def _auditing(study: Study, vault: Vault) -> Iterator[AuditLog]:
    """The log for what is done to the vault, which keeps the log's end."""
    audit = open_audit(study, vault)
    try:
        yield audit
    finally:
        audit.save_head()
        audit.close()


def _refuse_if_rotated(study: Study, new_key_file: Path) -> None:
    """Say so where a rotation that was killed had only its last word left to say."""
    if not new_key_file.exists():
        return
    sealed = (study.vault / "vault.age").read_bytes() if (study.vault / "vault.age").is_file() else b""
    if Vault.opened(study.vault, sealed, read_key(new_key_file)) is not None:
        raise UserError(f"the vault is encrypted with the key in {new_key_file} already: have the environment name it")


def _problems(vault: Vault) -> list[str]:
    found = []
    for person in vault.people:
        name = person.pseudonym
        if not re.fullmatch(PARTICIPANT.pattern or "", name) or check_character(name[1:-1]) != name[-1]:
            found.append(f"the pseudonym {name} has a wrong check character")
        try:
            _ = person.recipient, person.day_zero_date
        except Exception as error:  # noqa: BLE001 - pyrage's own error, or a date's: either way the entry is spoilt
            found.append(f"the entry of {name} is spoilt: {type(error).__name__}")
    if len({person.pseudonym for person in vault.people}) < len(vault.people):
        found.append("two people share a pseudonym")
    return found


def _looked_at(backup: Backup, vault: Vault, folder: Path) -> dict[str, Any]:
    """A backup as the vault knows it, and whether it is there, opens, and should be gone by now."""
    file = Path(backup.file)
    try:
        sealed = file.read_bytes()
    except OSError:
        sealed = None
    return {
        **asdict(backup),
        "found": sealed is not None,
        "opens": sealed is not None and Vault.opened(folder, sealed, vault.key) is not None,
        "overdue": sealed is not None and datetime.fromisoformat(backup.keep_until) < datetime.now(tz=UTC),
    }
