"""The key of worker machines, and what is handed over under it: one person's key, for one unit of work.

A worker of a cluster neither opens the vault nor is sent a key. Whoever orders a unit of work leaves the person's key in
a file of the study, encrypted for the workers; it is gone when the unit is done. So a worker machine comes by the keys
of those recordings that it measures, one at a time, and never by a name.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyrage

from pipelines.durable import write_durably
from pipelines.errors import PainLakeError, UserError
from pipelines.handover import held
from pipelines.vault_key import check_private, new_key, write_key

VARIABLE = "PAINLAKE_WORKER_KEY_FILE"

_FOLDER = "handover"


def make_worker_key(path: Path) -> None:
    """Make a key for worker machines in a new file.

    Raises:
        UserError: there is a file already, or none can be written.
    """
    if path.exists():
        raise UserError(f"{path} exists: name a new file")
    write_key(path, new_key())


def worker_key() -> str:
    """The key of the worker machines, from the file that the environment names.

    Raises:
        UserError: none is named, or it cannot be read, is open to others, or holds no age identity.
    """
    name = os.environ.get(VARIABLE)
    if not name:
        raise UserError(f"set {VARIABLE} here and for the workers: `painlake vault worker-key FILE` makes one")
    try:
        check_private(Path(name))
        return str(pyrage.x25519.Identity.from_str(Path(name).read_text(encoding="ascii").strip()))
    except (OSError, UnicodeDecodeError, pyrage.IdentityError) as error:
        raise UserError(f"{VARIABLE}: {name} cannot be read as an age identity (AGE-SECRET-KEY-...)") from error


@contextmanager
def key_of_own_workers() -> Iterator[None]:
    """A key for workers on this machine, unless the environment names one; in memory, until the block ends."""
    if os.environ.get(VARIABLE):
        yield
        return
    with held() as memory:
        os.fchmod(memory.descriptor, 0o600)
        memory.path.write_text(new_key(), encoding="ascii")
        os.environ[VARIABLE] = str(memory.path)
        try:
            yield
        finally:
            os.environ.pop(VARIABLE, None)


def lease_of(state: Path, stage: str, recording: str, key: str) -> Path:
    """Where the key for a unit of work is left.

    >>> lease_of(Path("state"), "face", "P3K8XATSV4-0001", "0123456789abcdef").name
    'face.P3K8XATSV4-0001.0123456789ab.age'
    """
    return state / _FOLDER / f"{stage}.{recording}.{key[:12]}.age"


@contextmanager
def handed_over(lease: Path, identity: str, key: str) -> Iterator[None]:
    """Leave a person's key for a worker; it is gone when the block ends.

    Args:
        lease: the file.
        identity: the person's key; empty where the unit needs none.
        key: of the workers.
    """
    lease.parent.mkdir(mode=0o700, exist_ok=True)
    write_durably(lease, pyrage.encrypt(identity.encode(), [_recipient(key)]), mode=0o600)
    try:
        yield
    finally:
        lease.unlink(missing_ok=True)
        answer_of(lease).unlink(missing_ok=True)


def answer_of(lease: Path) -> Path:
    """Where a worker leaves what it found in a recording that cannot be measured.

    >>> answer_of(Path("face.P3K8XATSV4-0001.0123456789ab.age")).name
    'face.P3K8XATSV4-0001.0123456789ab.answer.age'
    """
    return lease.with_suffix(".answer.age")


def write_answer(answer: Path, detail: str, key: str) -> None:
    """Leave what was found in a recording: no measurement is sent.

    Args:
        answer: the file.
        detail: measured values in words.
        key: of the workers.
    """
    write_durably(answer, pyrage.encrypt(detail.encode(), [_recipient(key)]), mode=0o600)


def read_answer(answer: Path, key: str) -> str | None:
    """What a worker found; None where it is not seen yet."""
    try:
        return bytes(pyrage.decrypt(answer.read_bytes(), [pyrage.x25519.Identity.from_str(key)])).decode()
    except FileNotFoundError:
        return None


def taken_over(lease: Path, key: str) -> str:
    """The person's key that was left for a worker.

    Raises:
        PainLakeError: it is there no more, so nobody waits for the work; or it is for the holder of another key.
    """
    still_wanted(lease)
    try:
        return bytes(pyrage.decrypt(lease.read_bytes(), [pyrage.x25519.Identity.from_str(key)])).decode()
    except pyrage.DecryptError as error:
        raise PainLakeError(f"this worker's {VARIABLE} is not that of the run") from error


def still_wanted(lease: Path) -> None:
    """See that the run which ordered a unit still waits for it: nothing is written for one that is over.

    Raises:
        PainLakeError: it does not.
    """
    try:
        # Opened, and not only looked for: a network file system may remember for a while what was there.
        lease.open("rb").close()
    except FileNotFoundError as error:
        raise PainLakeError("the run that ordered this is over") from error


def drop_leases(state: Path) -> int:
    """Remove what a killed run left for its workers, who then write nothing more; returns how many."""
    left = list((state / _FOLDER).glob("*.age"))
    for lease in left:
        lease.unlink(missing_ok=True)
    return len(left)


def _recipient(key: str) -> pyrage.x25519.Recipient:
    return pyrage.x25519.Identity.from_str(key).to_public()
