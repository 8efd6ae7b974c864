"""Where the vault's master key comes from, and how its file is replaced so that a crash never loses the key."""

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

import pyrage

from pipelines.durable import sync, write_durably
from pipelines.errors import UserError
from pipelines.storage import read_secret

KEY_VARIABLE = "PAINLAKE_VAULT_KEY"
KEY_FILE_VARIABLE = "PAINLAKE_VAULT_KEY_FILE"
SECRET_VARIABLE = "PAINLAKE_VAULT_SECRET"  # noqa: S105 - the name of a variable

_BESIDE = "master.key"


@dataclass(frozen=True, slots=True)
class KeyPlace:
    """Where the master key stands.

    Args:
        words: for people.
        file: the key's file, or None where PainLake can only read the key.
    """

    words: str
    file: Path | None = None

    @property
    def next_file(self) -> Path | None:
        """Where a new key stands until the vault is encrypted with it."""
        return None if self.file is None else self.file.with_name(f"{self.file.name}.next")


def key_place(folder: Path) -> KeyPlace:
    """Where the master key of the vault in `folder` stands: the first place that the environment names, or beside it."""
    if os.environ.get(KEY_VARIABLE):
        return KeyPlace(f"the environment variable {KEY_VARIABLE}")
    if path := os.environ.get(KEY_FILE_VARIABLE):
        return KeyPlace(f"the file {path}", Path(path))
    if name := os.environ.get(SECRET_VARIABLE):
        return KeyPlace(f"the secret {name} of AWS Secrets Manager")
    return KeyPlace(f"the file {folder / _BESIDE}", folder / _BESIDE)


def master_keys(folder: Path) -> list[str]:
    """The keys that may open the vault in `folder`: today's, then the one that an unfinished rotation left.

    Raises:
        UserError: there is none, it is no age identity, or its file is open to others.
    """
    place = key_place(folder)
    if key := os.environ.get(KEY_VARIABLE):
        return [_checked_key(key, place.words)]
    if place.file is None:
        return [_checked_key(read_secret(os.environ[SECRET_VARIABLE]), place.words)]
    return [read_key(place.file), *(read_key(path) for path in [place.next_file] if path is not None and path.exists())]


def make_key_beside(folder: Path) -> None:
    """Make a master key beside a new vault, unless the environment names another place or one is there."""
    place = key_place(folder)
    if place.file == folder / _BESIDE and not place.file.exists():
        write_key(place.file, new_key())


def new_key() -> str:
    """A new master key: an age identity (AGE-SECRET-KEY-...)."""
    return str(pyrage.x25519.Identity.generate())


def key_id(key: str) -> str:
    """A short name of a key that tells nothing of it, to see which backup a key opens.

    >>> len(key_id(new_key())), key_id(new_key()) == key_id(new_key())
    (12, False)
    """
    return hashlib.sha256(str(pyrage.x25519.Identity.from_str(key).to_public()).encode()).hexdigest()[:12]


def read_key(path: Path) -> str:
    """The key in a file.

    Raises:
        UserError: the file cannot be read, is open to others, or holds no age identity.
    """
    try:
        check_private(path)
        return _checked_key(path.read_text(encoding="ascii"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(
            f"the vault's master key {path} cannot be read: set {KEY_FILE_VARIABLE}, {KEY_VARIABLE} or {SECRET_VARIABLE}"
        ) from error


def write_key(path: Path, key: str) -> None:
    """Write a key so that it is on the disk before anything is encrypted with it.

    Raises:
        UserError: it cannot be written there.
    """
    try:
        write_durably(path, f"{key}\n".encode(), mode=0o600)
    except OSError as error:
        raise UserError(f"the new key cannot be written to {path}: {error.strerror}") from error


def settle(folder: Path, key: str) -> None:
    """End a rotation that was cut short: the key that opens the vault takes its file, a key never used goes.

    Args:
        folder: the vault's.
        key: the one that opens it.
    """
    place = key_place(folder)
    if place.file is None or place.next_file is None or not place.next_file.exists():
        return
    if read_key(place.next_file) == key:
        place.next_file.replace(place.file)
    else:
        place.next_file.unlink()
    sync(place.file.parent)


def check_private(path: Path) -> None:
    """Refuse a file or folder that others may open.

    Raises:
        UserError: group or others have any right to it.
        OSError: it cannot be looked at.
    """
    mode = path.stat().st_mode & 0o777
    if mode & 0o077:
        wanted = "700" if path.is_dir() else "600"
        raise UserError(f"{path} is open to others (mode {mode:04o}): run `chmod {wanted} {path}`")


def _checked_key(text: str, where: str) -> str:
    try:
        return str(pyrage.x25519.Identity.from_str(text.strip()))
    except pyrage.IdentityError as error:
        raise UserError(f"{where} holds no age identity (AGE-SECRET-KEY-...)") from error
