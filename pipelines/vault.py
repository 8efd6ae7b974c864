"""The vault: the one place that knows who is who.

One file, `vault/vault.age`, encrypted to the master key and replaced atomically. It holds, for each person, the
hospital's ID, the random pseudonym, the day zero that study days count from, the person's own age identity (what
the person's recordings are encrypted with), the registered facts and the consent given. A pseudonym is random, not a
keyed digest of the ID: whoever holds such a key could try all IDs.
"""

import hashlib
import hmac
import json
import re
import secrets
from collections.abc import Iterable
from dataclasses import asdict, replace
from datetime import date
from pathlib import Path
from typing import Any

import pyrage

from pipelines.durable import write_durably
from pipelines.errors import UserError
from pipelines.vault_key import check_private, make_key_beside, master_keys, settle
from pipelines.vault_records import AuditHead, Backup, ConsentEvent, Person, ReleaseRecord, Tombstone

FOLDER_VARIABLE = "PAINLAKE_VAULT"

_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # Crockford's base 32: no I, L, O or U to misread
_FILE = "vault.age"


class Vault:
    """An opened vault; `save` writes what changed.

    Args:
        folder: where `vault.age` stands.
        key: the master identity (AGE-SECRET-KEY-...).
        content: the decrypted content.
    """

    def __init__(self, folder: Path, key: str, content: dict[str, Any]) -> None:
        self._folder = folder
        self._key = key
        self._index_key = bytes.fromhex(content["index_key"])
        self._quarantine_identity: str = content["quarantine_identity"]
        self._names: dict[str, str] = content["names"]
        self._people = {
            row["participant_id"]: Person(**{**row, "consent": [ConsentEvent(**event) for event in row["consent"]]})
            for row in content["people"]
        }
        self._by_pseudonym = {person.pseudonym: person for person in self._people.values()}
        self._releases = [
            ReleaseRecord(**{**row, "people": tuple(row["people"])}) for row in content.get("releases", [])
        ]
        # A vault of before there were backups and an audit log has neither.
        self.backups = [Backup(**row) for row in content.get("backups", [])]
        self.audit_head = AuditHead(**content["audit_head"]) if content.get("audit_head") else None
        # A vault of before the first erasure has none.
        self._tombstones = {row["digest"]: Tombstone(**row) for row in content.get("tombstones", [])}
        self._saved = self._content()

    @classmethod
    def create(cls, folder: Path) -> "Vault":
        """Make a new vault, and a master key beside it unless the environment names one.

        Raises:
            UserError: there is one already.
        """
        if (folder / _FILE).exists():
            raise UserError(f"{folder} holds a vault already")
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)
        make_key_beside(folder)
        vault = cls(
            folder,
            master_keys(folder)[0],
            {
                "index_key": secrets.token_hex(32),
                "quarantine_identity": str(pyrage.x25519.Identity.generate()),
                "names": {},
                "people": [],
            },
        )
        vault._write(vault._saved)
        return vault

    @classmethod
    def open(cls, folder: Path) -> "Vault":
        """Open the vault with the master key from the environment or from beside it.

        Raises:
            UserError: the vault or its key is missing or open to others, or the key is not this vault's.
        """
        # Twice, since a rotation may end between a look at the keys and one at the vault.
        for _ in range(2):
            sealed = _sealed(folder)
            for key in master_keys(folder):
                vault = cls.opened(folder, sealed, key)
                if vault is not None:
                    return vault
        raise UserError(f"the master key does not open {folder / _FILE}")

    @classmethod
    def opened(cls, folder: Path, sealed: bytes, key: str) -> "Vault | None":
        """The vault in some bytes if a key opens them, else None.

        Args:
            folder: where it will be saved.
            sealed: a vault's file, or a backup's.
            key: a master key.
        """
        try:
            return cls(folder, key, json.loads(pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(key)])))
        except (pyrage.DecryptError, ValueError):
            return None

    @property
    def key(self) -> str:
        """The master key that opened it."""
        return self._key

    @property
    def quarantine_identity(self) -> str:
        """The key to what is in quarantine."""
        return self._quarantine_identity

    def rekey(self, key: str) -> None:
        """Encrypt the vault with another master key, which must be on the disk already: the old one opens it no more."""
        self._key = key
        self._saved = self._content()
        self._write(self._saved)

    def settle_key(self) -> None:
        """End a rotation of the master key that was cut short; the caller holds the study."""
        settle(self._folder, self._key)

    def sealed(self) -> bytes:
        """The vault's file as it stands, encrypted."""
        return _sealed(self._folder)

    def person(self, participant_id: str) -> Person | None:
        """The person of a hospital ID, if known."""
        return self._people.get(participant_id)

    def of_pseudonym(self, pseudonym: str) -> Person:
        """The person of a pseudonym.

        Raises:
            UserError: the vault knows no such pseudonym.
        """
        if pseudonym not in self._by_pseudonym:
            raise UserError(f"the vault knows no {pseudonym}: it belongs to another study, or the person was erased")
        return self._by_pseudonym[pseudonym]

    def knows(self, pseudonym: str) -> bool:
        """Whether there is a person of a pseudonym."""
        return pseudonym in self._by_pseudonym

    @property
    def people(self) -> list[Person]:
        """Everyone, in the order of enrolment into the vault."""
        return list(self._people.values())

    def enrol(self, participant_id: str, day_zero: date, register: dict[str, str | None]) -> Person:
        """Enter a person, or renew the registered facts of one; day zero and pseudonym never change."""
        person = self._people.get(participant_id)
        if person is None:
            person = Person(
                participant_id,
                self._new_pseudonym(),
                str(pyrage.x25519.Identity.generate()),
                day_zero.isoformat(),
                register,
            )
            self._people[participant_id] = person
            self._by_pseudonym[person.pseudonym] = person
        else:
            person.register = register
        return person

    @property
    def tombstones(self) -> list[Tombstone]:
        """Of everyone who was erased, in that order."""
        return list(self._tombstones.values())

    def tombstone_of(self, participant_id: str) -> Tombstone | None:
        """The tombstone of a hospital ID, if that person was erased."""
        return self._tombstones.get(self.digest("erased", participant_id)) if self._tombstones else None

    def bury(self, pseudonym: str, erased_at: str) -> Tombstone:
        """Note that a person is erased; who it is, is still known until `destroy`.

        Raises:
            UserError: the vault knows no such pseudonym.
        """
        digest = self.digest("erased", self.of_pseudonym(pseudonym).participant_id)
        return self._tombstones.setdefault(digest, Tombstone(pseudonym, digest, erased_at))

    def keep_tombstone(self, tombstone: Tombstone) -> None:
        """Take up a tombstone that stands elsewhere: this vault may have been restored from before it."""
        self._tombstones.setdefault(tombstone.digest, tombstone)

    def destroy(self, pseudonym: str, deliveries: Iterable[str]) -> None:
        """Forget a person: ID, key, registered facts, consent, which releases have them, and their deliveries' names."""
        person = self._by_pseudonym.pop(pseudonym, None)
        if person is not None:
            del self._people[person.participant_id]
        self.forget_in_releases(pseudonym)
        for delivery in deliveries:
            self._names.pop(delivery, None)

    @property
    def names(self) -> dict[str, str]:
        """The hospital's name of each delivery."""
        return dict(self._names)

    def remember_name(self, delivery: str, name: str) -> None:
        """Keep the hospital's name of a delivery; outside the vault the delivery has only its own random one."""
        self._names[delivery] = name

    def name_of(self, delivery: str) -> str | None:
        """The hospital's name of a delivery."""
        return self._names.get(delivery)

    def note_release(self, record: ReleaseRecord) -> None:
        """Keep who is in a release, before it is handed out."""
        self._releases.append(record)

    def made_release(self, release: str) -> bool:
        """Whether a release of that name was made, or begun, from this study."""
        return any(record.release == release for record in self._releases)

    def releases_with(self, pseudonym: str) -> list[ReleaseRecord]:
        """The releases that a person is in, oldest first: where erasure cannot reach."""
        return [record for record in self._releases if pseudonym in record.people]

    def forget_in_releases(self, pseudonym: str) -> None:
        """Take an erased person's pseudonym out of the record; that there were these releases stays."""
        self._releases = [
            replace(record, people=tuple(each for each in record.people if each != pseudonym))
            for record in self._releases
        ]

    def digest(self, *parts: str) -> str:
        """A keyed digest (HMAC-SHA-256, hexadecimal): names can be compared, not guessed, without the vault."""
        return hmac.new(
            self._index_key, "\x1f".join(parts).encode(errors="surrogateescape"), hashlib.sha256
        ).hexdigest()

    def audit_mac(self, line: bytes) -> str:
        """What a line of the audit log ends with: nobody without the vault can make it (HMAC-SHA-256, hexadecimal)."""
        key = hmac.new(self._index_key, b"audit log", hashlib.sha256).digest()
        return hmac.new(key, line, hashlib.sha256).hexdigest()

    def mentions(self, text: str) -> bool:
        """Whether a text that is to be kept outside the vault names a participant's ID.

        IDs of one or two characters are in too many texts to tell anything.
        """
        words = text.casefold()
        return any(
            len(each) >= 3
            and each.casefold() in words
            and re.search(rf"(?<![^\W_]){re.escape(each.casefold())}(?![^\W_])", words) is not None
            for each in self._people
        )

    def label(self, *parts: str, length: int = 8) -> str:
        """Up to 24 characters that look random and are always the same for the same parts."""
        number = int(self.digest("label", *parts)[:32], 16)
        return "".join(_ALPHABET[(number >> (5 * place)) & 31] for place in range(length))

    def seal(self, content: bytes) -> bytes:
        """Encrypt for the quarantine."""
        return pyrage.encrypt(content, [pyrage.x25519.Identity.from_str(self._quarantine_identity).to_public()])  # type: ignore[no-any-return]

    def unseal(self, sealed: bytes) -> bytes:
        """Decrypt from the quarantine."""
        return pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(self._quarantine_identity)])  # type: ignore[no-any-return]

    def save(self) -> None:
        """Write the vault if anything changed."""
        content = self._content()
        if content != self._saved:
            self._write(content)
            self._saved = content

    def _new_pseudonym(self) -> str:
        while True:
            body = "".join(secrets.choice(_ALPHABET) for _ in range(8))
            pseudonym = f"P{body}{check_character(body)}"
            erased = {tombstone.pseudonym for tombstone in self._tombstones.values()}
            if pseudonym not in self._by_pseudonym and pseudonym not in erased:
                return pseudonym

    def _content(self) -> dict[str, Any]:
        return {
            "index_key": self._index_key.hex(),
            "quarantine_identity": self._quarantine_identity,
            "names": dict(self._names),
            "people": [person.record for person in self._people.values()],
            "tombstones": [asdict(tombstone) for tombstone in self._tombstones.values()],
            # As lists, since that is what is read back and compared.
            "releases": [{**asdict(record), "people": list(record.people)} for record in self._releases],
            "backups": [asdict(backup) for backup in self.backups],
            "audit_head": None if self.audit_head is None else asdict(self.audit_head),
        }

    def _write(self, content: dict[str, Any]) -> None:
        recipient = pyrage.x25519.Identity.from_str(self._key).to_public()
        write_durably(
            self._folder / _FILE, pyrage.encrypt(json.dumps(content).encode(), [recipient]), 0o600, "vault.save"
        )


def _sealed(folder: Path) -> bytes:
    """The vault's file.

    Raises:
        UserError: it is missing, cannot be read, or is open to others.
    """
    path = folder / _FILE
    try:
        # The file first: of a volume that is not mounted, its missing is what there is to say.
        check_private(path)
        check_private(folder)
        return path.read_bytes()
    except FileNotFoundError as error:
        raise UserError(f"the vault {path} is missing: mount it, or name its folder in {FOLDER_VARIABLE}") from error
    except OSError as error:
        raise UserError(f"the vault {path} cannot be read: {error.strerror}") from error


def check_character(body: str) -> str:
    """The check character of a pseudonym's body: catches every single wrong character and most swaps.

    Luhn's algorithm modulo 32 over Crockford's alphabet.

    >>> check_character("7K3M9QXA") == check_character("7K3M9QXB")
    False
    """
    total = 0
    for place, character in enumerate(reversed(body)):
        doubled = _ALPHABET.index(character) * (2 if place % 2 == 0 else 1)
        total += doubled // 32 + doubled % 32
    return _ALPHABET[-total % 32]
