"""The landing zone, and behind it what has gone from there and is kept in quarantine until it is tried again.

Hospitals empty their landing zones. What was set aside and then released is judged again from the copy in quarantine,
by the same judge and the same workers, where its file is no longer there; a file of its name that is there goes first.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath

from pipelines.deliveries import Delivery
from pipelines.errors import Rejection
from pipelines.landing_zone import LandedFile, Landing
from pipelines.ledger import Ledger
from pipelines.quarantine import Quarantine
from pipelines.vault import Vault

_LONG_AGO = datetime.fromtimestamp(0, tz=UTC)
"""What is kept changes no more: nobody need wait and see."""


@dataclass(frozen=True, slots=True)
class KeptFile:
    """A landing zone of one file, in memory: what a worker is handed of a kept delivery."""

    path: str
    content: bytes = field(repr=False)

    def files(self) -> list[LandedFile]:
        """The one file."""
        return [LandedFile(self.path, len(self.content), "held", _LONG_AGO)]

    def read(self, path: str) -> bytes:
        """Its bytes."""
        if path != self.path:
            raise Rejection("UNREADABLE", "it is not held")
        return self.content

    def stamp(self, path: str) -> str | None:
        """Always the same."""
        return "held" if path == self.path else None


@dataclass(frozen=True, slots=True)
class KeptLanding:
    """A landing zone that still has what waits for another try, wherever its bytes are.

    Args:
        landing: what the hospital delivers to.
        vault: knows the names.
        ledger: knows what waits.
        quarantine: has the bytes.
    """

    landing: Landing
    vault: Vault
    ledger: Ledger
    quarantine: Quarantine

    def files(self) -> list[LandedFile]:
        """What lies in the landing zone and, of what waits and has gone from there, the kept copies.

        Raises:
            UserError: the landing zone is not there.
        """
        found = {file.path: file for file in self.landing.files()}
        for entry in self.ledger.waiting():
            name = self.vault.name_of(entry.delivery)
            if entry.kind == "table" or name is None or name in found:
                continue
            for file in self._kept_files(entry, name):
                found.setdefault(file.path, file)
        return sorted(found.values(), key=lambda file: file.path)

    def read(self, path: str) -> bytes:
        """A file's bytes, from the landing zone or else from the quarantine.

        Raises:
            Rejection: `UNREADABLE`.
        """
        try:
            return self.landing.read(path)
        except Rejection:
            kept = None if self.landing.stamp(path) is not None else self._content(path)
            if kept is None:
                raise
            return kept

    def stamp(self, path: str) -> str | None:
        """A file's stamp as of now, or None where it is gone and not kept."""
        stamp = self.landing.stamp(path)
        if stamp is not None:
            return stamp
        place = self._place(path)
        return None if place is None else _stamp(place[0])

    def holder(self, path: str) -> Landing:
        """What a worker is to read a file from: it can be handed to another process.

        Raises:
            Rejection: `UNREADABLE`, where it is in neither place.
        """
        return self.landing if self.landing.stamp(path) is not None else KeptFile(path, self.read(path))

    def _kept_files(self, entry: Delivery, name: str) -> list[LandedFile]:
        kept = self.quarantine.fetch(entry.delivery) if self.quarantine.is_whole(entry) else None
        if kept is None:
            return []
        _, content, sidecar = kept
        stamp = _stamp(entry)
        files = [LandedFile(name, len(content), stamp, _LONG_AGO)]
        if sidecar is not None:
            files.append(LandedFile(_sidecar_of(name), len(sidecar), stamp, _LONG_AGO))
        return files

    def _content(self, path: str) -> bytes | None:
        place = self._place(path)
        if place is None:
            return None
        entry, is_sidecar = place
        kept = self.quarantine.fetch(entry.delivery)
        return None if kept is None else kept[2] if is_sidecar else kept[1]

    def _place(self, path: str) -> tuple[Delivery, bool] | None:
        """The waiting delivery that has a path as its name or as its sidecar's, if it is kept; which of the two."""
        for entry in self.ledger.waiting():
            name = self.vault.name_of(entry.delivery)
            if name is not None and path in {name, _sidecar_of(name)} and self.quarantine.is_whole(entry):
                return entry, path != name
        return None


def _stamp(entry: Delivery) -> str:
    return f"kept:{entry.delivery}"


def _sidecar_of(name: str) -> str:
    return str(PurePosixPath(name).with_suffix(".json"))
