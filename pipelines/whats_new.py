"""Whether something new stands whole in the landing zone: a look between nights that writes nothing and holds nothing."""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from pipelines.discover import Discovery, Look
from pipelines.landing_zone import LandedFile, open_landing
from pipelines.ledger import Ledger
from pipelines.study import Study
from pipelines.vault import Vault


@dataclass(slots=True)
class Watcher:
    """Looks now and then, and remembers what it saw and what it has said.

    A recording counts once it stands with its sidecar, both as at the look before and as old as `land.stable_after_s`
    asks; so what is being uploaded starts no run. What it has told of once it tells of no more, so that a delivery that
    stays deferred starts one run and not one at every look: the night looks at it again.

    Args:
        study: the study.
    """

    study: Study
    _seen: set[str] = field(default_factory=set)
    _told: set[str] = field(default_factory=set)

    def look(self, now: datetime | None = None) -> int:
        """Look once; returns how many new deliveries and changed tables stand whole, or 0 while a run is at work.

        Args:
            now: the time of the look.

        Raises:
            UserError: landing zone, vault or parameters are missing or wrong.
        """
        if not self.study.ledger.is_file():
            # Made by the first run: nothing is known, so whatever is there is new.
            Ledger(self.study.ledger).close()
        if self.study.is_held():
            return 0
        ledger = Ledger(self.study.ledger, read_only=True)
        try:
            due = set(self._due(ledger, now or datetime.now(tz=UTC)))
        finally:
            ledger.close()
        new = (due & self._seen) - self._told
        self._seen = due
        self._told = (self._told & due) | new
        return len(new)

    def forget(self) -> None:
        """What was told came to nothing: tell it again."""
        self._told.clear()

    def _due(self, ledger: Ledger, now: datetime) -> Iterator[str]:
        """What there is to do, each by a digest of its name and state."""
        params = self.study.params()
        vault = Vault.open(self.study.vault)
        files = open_landing(params.study.landing, self.study.root).files()
        look = Look(
            ledger.latest_by_name(),
            lambda path: vault.digest("name", path),
            self.study.lake,
            now,
            timedelta(days=params.land.orphan_after_days),
            ledger.waiting(),
        )
        stable_since = now - timedelta(seconds=params.land.stable_after_s)
        for landed in _whole(look.at(files)):
            if all(file.modified_at <= stable_since for file in landed):
                yield hashlib.sha256("\0".join(f"{file.path}\0{file.stamp}" for file in landed).encode()).hexdigest()


def _whole(found: Discovery) -> Iterator[tuple[LandedFile, ...]]:
    """Recordings with their sidecars, and the tables if any of them changed."""
    for candidate in found.candidates:
        if candidate.kind == "media" and candidate.sidecar is not None:
            yield candidate.file, candidate.sidecar
    if found.tables_changed and found.tables:
        yield tuple(found.tables.values())
