"""Some files in one, encrypted for whoever is to have them: how a unit of work and its result lie where others may look."""

import io
import zipfile
from collections.abc import Mapping

import pyrage

from pipelines.errors import PainLakeError


def seal(files: Mapping[str, bytes], recipient: str) -> bytes:
    """Put files into one and encrypt it.

    Args:
        files: name -> content.
        recipient: an age recipient, age1...
    """
    packed = io.BytesIO()
    # Parquet and media are compressed already.
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return bytes(pyrage.encrypt(packed.getvalue(), [pyrage.x25519.Recipient.from_str(recipient)]))


def unseal(sealed: bytes, identity: str) -> dict[str, bytes]:
    """The files that were sealed.

    Args:
        sealed: as `seal` gave it.
        identity: an age identity, AGE-SECRET-KEY-...

    Raises:
        PainLakeError: it is for the holder of another key, or damaged.

    >>> mine = pyrage.x25519.Identity.generate()
    >>> unseal(seal({"a": b"1"}, str(mine.to_public())), str(mine))
    {'a': b'1'}
    """
    try:
        packed = bytes(pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(identity)]))
    except pyrage.DecryptError as error:
        raise PainLakeError("it is for the holder of another key, or damaged") from error
    with zipfile.ZipFile(io.BytesIO(packed)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def recipient_of(identity: str) -> str:
    """For whom to encrypt what an identity is to open."""
    return str(pyrage.x25519.Identity.from_str(identity).to_public())
