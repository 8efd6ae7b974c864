"""What was set aside: the bytes as delivered, encrypted, until a person decides."""

import io
import zipfile
from dataclasses import dataclass
from pathlib import Path

from pipelines.audit import AuditLog
from pipelines.durable import write_durably
from pipelines.faultpoints import durable
from pipelines.vault import Vault


@dataclass(frozen=True, slots=True)
class Quarantine:
    """The folder of sealed deliveries; names and bytes can be read with the vault alone.

    `audit` is where each reading is entered; what only sets aside needs none.
    """

    folder: Path
    vault: Vault
    audit: AuditLog | None = None

    def path(self, delivery: str) -> Path:
        """Where a delivery is kept."""
        return self.folder / f"{delivery}.age"

    def keep(self, delivery: str, name: str, content: bytes, sidecar: bytes | None = None) -> None:
        """Keep a delivery's bytes and its name."""
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as archive:
            # A name that is no UTF-8 is kept byte for byte.
            archive.writestr("name", name.encode(errors="surrogateescape"))
            archive.writestr("content", content)
            if sidecar is not None:
                archive.writestr("sidecar", sidecar)
        write_durably(self.path(delivery), self.vault.seal(buffer.getvalue()), mode=0o600)

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
        self.path(delivery).unlink(missing_ok=True)
