"""What the vault writes down: persons with their consent, backups, the audit log's end, tombstones and releases."""

from dataclasses import dataclass, field
from datetime import date, datetime

import pyrage


@dataclass(frozen=True, slots=True)
class ConsentEvent:
    """What a person consented to, or took back, and when (ISO 8601, UTC)."""

    at: str
    status: str
    scope: str


@dataclass(slots=True)
class Person:
    """All that the vault knows of a person."""

    participant_id: str
    pseudonym: str
    identity: str
    day_zero: str
    register: dict[str, str | None]
    consent: list[ConsentEvent] = field(default_factory=list)

    @property
    def record(self) -> dict[str, object]:
        """As the vault's file has it: a copy, which later changes leave as it is."""
        return {
            "participant_id": self.participant_id,
            "pseudonym": self.pseudonym,
            "identity": self.identity,
            "day_zero": self.day_zero,
            "register": dict(self.register),
            "consent": [{"at": each.at, "status": each.status, "scope": each.scope} for each in self.consent],
        }

    @property
    def recipient(self) -> str:
        """The public half of the person's key: enough to encrypt."""
        return str(pyrage.x25519.Identity.from_str(self.identity).to_public())

    @property
    def day_zero_date(self) -> date:
        """The day that study days count from."""
        return date.fromisoformat(self.day_zero)

    def consented(self, scopes: tuple[str, ...], at: datetime, now: datetime) -> str | None:
        """Whether all scopes stood at a time and still stand; returns None, or what is missing in words.

        Args:
            scopes: the scopes needed.
            at: when the recording was made (aware).
            now: the time of the decision (aware); a later withdrawal counts.
        """
        for scope in scopes:
            events = sorted((e for e in self.consent if e.scope == scope), key=lambda event: event.at)
            before = [e for e in events if datetime.fromisoformat(e.at) <= at]
            until_now = [e for e in events if _is_heard(e, now)]
            if not before:
                return f"no consent of scope {scope} before the recording"
            if before[-1].status != "given":
                return f"consent of scope {scope} was {before[-1].status} before the recording"
            if until_now[-1].status == "withdrawn":
                return f"consent of scope {scope} has been withdrawn since"
        return None

    def withdrawn(self, scopes: tuple[str, ...], now: datetime) -> bool:
        """Whether the person has taken back any of the scopes: nothing more may be made of their recordings.

        Args:
            scopes: the scopes needed.
            now: the time of the decision (aware).
        """
        heard = sorted((e for e in self.consent if _is_heard(e, now)), key=lambda event: event.at)
        latest = {event.scope: event.status for event in heard}
        return any(latest.get(scope) == "withdrawn" for scope in scopes)


def _is_heard(event: ConsentEvent, now: datetime) -> bool:
    """Whether an event counts now. A withdrawal does from when it is known, whatever its time says.

    A clock of ours that went backwards must not give back what a person has taken.
    """
    return event.status == "withdrawn" or datetime.fromisoformat(event.at) <= now


@dataclass(frozen=True, slots=True)
class Backup:
    """A copy of the vault that PainLake made: where, when (ISO 8601, UTC), until when it is kept, and to which key."""

    file: str
    made_at: str
    keep_until: str
    key_id: str


@dataclass(frozen=True, slots=True)
class AuditHead:
    """The end of the audit log as the vault last knew it: `log` is what its first line follows on."""

    log: str
    seq: int
    hash: str


@dataclass(frozen=True, slots=True)
class Tombstone:
    """That a person was erased, without who: a keyed digest of the ID, to know them by if they are delivered again."""

    pseudonym: str
    digest: str
    erased_at: str


@dataclass(frozen=True, slots=True)
class ReleaseRecord:
    """Who was in a release, by the study's pseudonyms; what they are called there stands nowhere."""

    release: str
    profile: str
    version: str
    at: str
    people: tuple[str, ...]
