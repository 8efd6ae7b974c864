"""What landing works with: where deliveries come from, where they go, and what they are held against."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from pipelines.audit import AuditLog
from pipelines.discover import Discovery, Look
from pipelines.kept import KeptLanding
from pipelines.ledger import Ledger
from pipelines.params import Params
from pipelines.quarantine import Quarantine
from pipelines.storage import Landing
from pipelines.vault import Vault


@dataclass(frozen=True, slots=True)
class Desk:
    """Where deliveries are taken in; `now` is the time of this look at them."""

    landing: Landing
    lake: Path
    vault: Vault
    ledger: Ledger
    quarantine: Quarantine
    params: Params
    now: datetime
    audit: AuditLog | None = None

    @property
    def zone(self) -> ZoneInfo:
        """The hospital's time zone."""
        return ZoneInfo(self.params.study.timezone)

    @property
    def source(self) -> KeptLanding:
        """Where deliveries' bytes are: in the landing zone or, of what has gone from there, in quarantine."""
        return KeptLanding(self.landing, self.vault, self.ledger, self.quarantine)

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
