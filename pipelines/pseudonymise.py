"""From an accepted delivery to a recording in the lake: stripped, encrypted for its person, under its pseudonym."""

import hashlib
import io
from dataclasses import dataclass, replace
from pathlib import Path
from typing import IO, cast

import pyrage

from pipelines.durable import write_durably
from pipelines.errors import Rejection
from pipelines.faultpoints import fault_point
from pipelines.landing_zone import Readable
from pipelines.recording import Recording
from pipelines.strip import strip
from pipelines.wholeness import declared_duration_s


@dataclass(frozen=True, slots=True)
class Source:
    """Where a worker finds a delivery's bytes. The path is the hospital's: it is handed over, never written down."""

    landing: Readable
    path: str
    suffix: str
    sha256: str


def recordings_folder(lake: Path, participant: str) -> Path:
    """Where a person's encrypted recordings and their sidecars stand."""
    return lake / participant / "recordings"


def pseudonymise(source: Source, recording: Recording, recipient: str, lake: Path) -> Recording:
    """Strip a delivery and put it into the lake, encrypted; plaintext stays in memory.

    Args:
        source: the delivery.
        recording: its pseudonymised facts, still without those of the media.
        recipient: the person's public key (age1...).
        lake: the study's lake.

    Returns:
        The recording as its sidecar has it. If the lake holds the same one already, nothing is written.

    Raises:
        Rejection: the delivery changed since it was judged, is not whole, or cannot be stripped.
    """
    media = source.landing.read(source.path)
    if hashlib.sha256(media).hexdigest() != source.sha256:
        raise Rejection("NOT_STABLE", "it changed after it was judged")
    fault_point(f"unit.pseudonymise.{recording.recording}")
    declared_s = declared_duration_s(media)
    stripped = strip(media, source.suffix)
    done = replace(recording, media_sha256=hashlib.sha256(stripped.media).hexdigest(), declared_duration_s=declared_s)
    folder = recordings_folder(lake, recording.participant)
    sealed, sidecar = folder / f"{done.recording}.age", folder / f"{done.recording}.json"
    if not (sealed.is_file() and sidecar.is_file() and Recording.read(sidecar) == done):
        sealed_for_person = pyrage.encrypt(stripped.media, [pyrage.x25519.Recipient.from_str(recipient)])
        write_durably(sealed, sealed_for_person, step="lake.recording")
        # The sidecar comes last: what has one is whole.
        write_durably(sidecar, done.to_json(), step="lake.sidecar")
    return done


def mark_superseded(lake: Path, participant: str, recording: str, *, superseded: bool = True) -> None:
    """Note in a recording's sidecar whether a later delivery came under its name."""
    path = recordings_folder(lake, participant) / f"{recording}.json"
    if path.is_file():
        write_durably(path, replace(Recording.read(path), superseded=superseded).to_json())


def open_recording(lake: Path, recording: Recording, identity: str) -> bytes:
    """Decrypt a recording into memory.

    Raises:
        pyrage.DecryptError: the file is damaged or another person's.
        MemoryError: there is none for it.
    """
    sealed = (recordings_folder(lake, recording.participant) / f"{recording.recording}.age").read_bytes()
    try:
        media: bytes = pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(identity)])
    except pyrage.DecryptError as error:
        # The same error stands for all that can go wrong, and this is not the file's fault.
        if "out of memory" in str(error):
            raise MemoryError(str(error)) from error
        raise
    return media


def recording_or_none(lake: Path, participant: str, recording: str, identity: str) -> bytes | None:
    """A recording decrypted into memory, or None where it is not there or damaged."""
    try:
        sealed = (recordings_folder(lake, participant) / f"{recording}.age").read_bytes()
        media: bytes = pyrage.decrypt(sealed, [pyrage.x25519.Identity.from_str(identity)])
    except (OSError, pyrage.DecryptError):
        return None
    return media


class _Head(io.RawIOBase):
    """Takes decrypted bytes, keeps the first few, and forgets the rest."""

    def __init__(self, wanted: int) -> None:
        self._wanted = wanted
        self.kept = b""

    def writable(self) -> bool:
        return True

    def write(self, piece: object) -> int:
        content = bytes(cast("bytes", piece))
        self.kept += content[: max(0, self._wanted - len(self.kept))]
        return len(content)


def authentic_head(path: Path, identity: str, wanted: int) -> bytes | None:
    """The first decrypted bytes of a file if the whole is as it was encrypted, else None; read piece by piece.

    Args:
        path: an encrypted file.
        identity: the key.
        wanted: how many bytes.

    Raises:
        OSError: it cannot be read.
    """
    head = _Head(wanted)
    with path.open("rb") as file:
        try:
            key = pyrage.x25519.Identity.from_str(identity)
            pyrage.decrypt_io(cast("IO[bytes]", file), cast("IO[bytes]", head), [key])
        except (OSError, ValueError, pyrage.DecryptError):
            # Damage in the middle comes as an OSError too.
            return None
    return head.kept
