"""May anything of this person be used? Asked before a row is kept and before a byte of media is decoded."""

from datetime import date, datetime

from pipelines.calendar import age_a
from pipelines.errors import Rejection
from pipelines.params import LandParams, ProtocolParams
from pipelines.vault_records import Person


def check_person(person: Person, land: LandParams, protocol: ProtocolParams, at: datetime, now: datetime) -> None:
    """Check a person against consent and protocol at a moment.

    Args:
        person: as the vault knows them.
        land: which scopes of consent are needed.
        protocol: age and exclusion.
        at: when the recording or observation was made (aware).
        now: when this is asked (aware): a later withdrawal counts.

    Raises:
        Rejection: `NO_CONSENT`, `PROTOCOL_UNDERAGE` or `PROTOCOL_EXCLUDED`.
    """
    missing = person.consented(land.consent_scopes, at, now)
    if missing is not None:
        raise Rejection("NO_CONSENT", missing)
    birth = person.register.get("birth_date")
    if birth is not None and age_a(date.fromisoformat(birth), at.date()) < protocol.min_age_a:
        raise Rejection("PROTOCOL_UNDERAGE", f"under {protocol.min_age_a} years")
    if person.register.get("exclusion"):
        raise Rejection("PROTOCOL_EXCLUDED", "an exclusion criterion is registered")
