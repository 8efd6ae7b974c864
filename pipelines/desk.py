"""What landing works with: where deliveries come from, where they go, and what they are held against."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pipelines.audit import AuditLog
from pipelines.batch import Batch
from pipelines.deliveries import Delivery
from pipelines.discover import Discovery, Look
from pipelines.kept import KeptLanding
from pipelines.landing_zone import Landing
from pipelines.ledger import Ledger
from pipelines.params import Params
from pipelines.quarantine import Quarantine
from pipelines.vault import Vault
from pipelines.waiting import waited


@dataclass(frozen=True, slots=True)
class Desk:
    """Where deliveries are taken in; `now` is the time of this look at them, `batch` gathers fates and `store` keeps what is known."""

    landing: Landing
    lake: Path
    vault: Vault
    ledger: Ledger
    quarantine: Quarantine
    params: Params
    now: datetime
    audit: AuditLog | None = None
    batch: Batch | None = None
    store: Path | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The hospital's time zone."""
        return ZoneInfo(self.params.study.timezone)

    @property
    def source(self) -> KeptLanding:
        """Where deliveries' bytes are: in the landing zone or, of what has gone from there, in quarantine."""
        return KeptLanding(self.landing, self.vault, self.ledger, self.quarantine)

    def is_stable(self, written: datetime, stamp: str, earlier: Sequence[Delivery]) -> bool:
        """Whether a file has stood unchanged for as long as the parameters ask.

        By its own time or, where a clock that runs ahead gave it that, by when it was first seen as it is.

        Args:
            written: its time of modification.
            stamp: what changes with it.
            earlier: what the ledger has under its name.
        """
        limit = timedelta(seconds=self.params.land.stable_after_s)
        if self.now - written >= limit:
            return True
        seen = [entry for entry in earlier if entry.stamp == stamp]
        # What was read as it is once, stays read.
        return any(
            entry.sha256 is not None or ("NOT_STABLE" in entry.codes and waited(entry.decided_at, self.now) >= limit)
            for entry in seen
        )

    def look(self) -> Discovery:
        """Look into the landing zone and compare it with the ledger.

        Raises:
            UserError: the landing zone is not there.
        """
        look = Look(
            self.ledger.latest_by_name(),
            lambda path: self.vault.digest("name", path),
            self.lake,
            self.now,
            timedelta(days=self.params.land.orphan_after_days),
            self.ledger.waiting(),
        )
        return look.at(self.source.files())
