"""What was set aside: the bytes as delivered, encrypted, until a person decides."""

import hashlib
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from pipelines.audit import AuditLog
from pipelines.deliveries import Delivery
from pipelines.durable import write_durably
from pipelines.durable_steps import durable
from pipelines.ledger import Ledger
from pipelines.vault import Vault

_SHA256_OF_NOTHING = hashlib.sha256(b"").hexdigest()


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The folder of sealed deliveries; names and bytes can be read with the vault alone.

    `audit` is where each reading is entered; what only sets aside needs none. `ledger` keeps the sum of each file.
    """

    folder: Path
    vault: Vault
    audit: AuditLog | None = None
    ledger: Ledger | None = None

    def path(self, delivery: str) -> Path:
        """Where a delivery is kept."""
        return self.folder / f"{delivery}.age"

    def is_whole(self, entry: Delivery) -> bool:
        """Whether a delivery's bytes are kept: of what was never read, name and sidecar alone are."""
        unread = entry.bytes > 0 and entry.sha256 == _SHA256_OF_NOTHING
        return entry.sha256 is not None and not unread and self.path(entry.delivery).is_file()

    def keep(self, delivery: str, name: str, content: bytes, sidecar: bytes | None = None) -> None:
        """Keep a delivery's bytes and its name."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            # A name that is no UTF-8 is kept byte for byte.
            archive.writestr("name", name.encode(errors="surrogateescape"))
            archive.writestr("content", content)
            if sidecar is not None:
                archive.writestr("sidecar", sidecar)
        sealed = self.vault.seal(buffer.getvalue())
        # No sum while the file changes: a run that is killed here leaves a file without one, not one that looks damaged.
        self._forget_sum(delivery)
        write_durably(self.path(delivery), sealed, mode=0o600)
        if self.ledger is not None:
            self.ledger.note_sum(quarantine_sum(delivery), hashlib.sha256(sealed).hexdigest())

    def fetch(self, delivery: str) -> tuple[str, bytes, bytes | None] | None:
        """A kept delivery's name, bytes and sidecar, or None where nothing is kept."""
        try:
            sealed = self.path(delivery).read_bytes()
        except FileNotFoundError:
            return None
        if self.audit is not None:
            self.audit.append("quarantine_read", delivery)
        with zipfile.ZipFile(io.BytesIO(self.vault.unseal(sealed))) as archive:
            sidecar = archive.read("sidecar") if "sidecar" in archive.namelist() else None
            return archive.read("name").decode(errors="surrogateescape"), archive.read("content"), sidecar

    @durable("quarantine")
    def drop(self, delivery: str) -> None:
        """Forget a kept delivery once it is accepted."""
        self._forget_sum(delivery)
        self.path(delivery).unlink(missing_ok=True)

    def _forget_sum(self, delivery: str) -> None:
        if self.ledger is not None:
            self.ledger.forget_sum(quarantine_sum(delivery))


def quarantine_sum(delivery: str) -> str:
    """Under what the ledger keeps the sum of a kept delivery: its path in the study.

    >>> quarantine_sum("7RH9MXJE4146")
    'state/quarantine/7RH9MXJE4146.age'
    """
    return f"state/quarantine/{delivery}.age"
