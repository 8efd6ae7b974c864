"""Consent and protocol, for one person at one moment; which fault a delivery gets stands in test_land.py."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.consent import check_person
from pipelines.errors import Rejection
from pipelines.params import LandParams, ProtocolParams
from pipelines.vault_records import ConsentEvent, Person

SCOPES = ("recording", "ai_research")
AT, NOW = datetime(2026, 3, 15, tzinfo=UTC), datetime(2026, 6, 1, tzinfo=UTC)
BEFORE, SINCE, TO_COME = "2026-03-01T00:00:00+00:00", "2026-04-01T00:00:00+00:00", "2026-09-01T00:00:00+00:00"


def person(*events: tuple[str, str], birth_date: str | None = "1961-05-04", exclusion: str | None = None) -> Person:
    consent = [ConsentEvent(at, status, scope) for at, status in events for scope in SCOPES]
    return Person("x", "P", "", "2026-03-01", {"birth_date": birth_date, "exclusion": exclusion}, consent)


def verdict(who: Person) -> str | None:
    try:
        check_person(who, LandParams(), ProtocolParams(), AT, NOW)
    except Rejection as error:
        return f"{error.code}: {error.detail}"
    return None


@pytest.mark.parametrize(
    ("events", "found"),
    [
        ([(BEFORE, "given")], None),
        ([], "NO_CONSENT: no consent of scope recording before the recording"),
        ([(SINCE, "given")], "NO_CONSENT: no consent of scope recording before the recording"),
        ([(BEFORE, "given"), (AT.isoformat(), "withdrawn")], "NO_CONSENT: consent of scope recording was withdrawn before the recording"),
        ([(BEFORE, "given"), (SINCE, "withdrawn")], "NO_CONSENT: consent of scope recording has been withdrawn since"),
        ([(SINCE, "withdrawn"), (BEFORE, "given")], "NO_CONSENT: consent of scope recording has been withdrawn since"),
        ([(BEFORE, "given"), (SINCE, "expired")], None),
        ([(BEFORE, "given"), (TO_COME, "withdrawn")], "NO_CONSENT: consent of scope recording has been withdrawn since"),
        ([(BEFORE, "given"), (TO_COME, "expired")], None),
        ([(BEFORE, "expired"), (SINCE, "given")], "NO_CONSENT: consent of scope recording was expired before the recording"),
    ],
)  # fmt: skip
def test_consent_must_stand_at_the_recording_and_not_be_taken_back(
    events: list[tuple[str, str]], found: str | None
) -> None:
    assert verdict(person(*events)) == found


def test_every_scope_is_needed() -> None:
    one = person((BEFORE, "given"))
    one.consent = one.consent[:1]
    assert verdict(one) == "NO_CONSENT: no consent of scope ai_research before the recording"


def test_age_is_taken_at_the_recording() -> None:
    assert verdict(person((BEFORE, "given"), birth_date="2008-03-16")) == "PROTOCOL_UNDERAGE: under 18 years"
    assert verdict(person((BEFORE, "given"), birth_date="2008-03-15")) is None


def test_an_exclusion_is_never_repeated_in_words() -> None:
    found = verdict(person((BEFORE, "given"), exclusion="delirium"))
    assert found == "PROTOCOL_EXCLUDED: an exclusion criterion is registered"


@given(st.permutations([(BEFORE, "given"), (SINCE, "withdrawn"), (TO_COME, "given")]))
def test_the_order_of_events_on_paper_does_not_matter(events: list[tuple[str, str]]) -> None:
    assert verdict(person(*events)) == verdict(person(*sorted(events)))
