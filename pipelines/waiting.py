"""How long something has waited, by clocks that may have been wrong."""

from datetime import datetime, timedelta


def waited(since: str, now: datetime) -> timedelta:
    """How long something has waited.

    A clock that ran ahead when it was entered and was set right since would otherwise have it wait until that future
    has come: so much is as good as waited.

    Args:
        since: when it was entered, ISO 8601 with offset.
        now: the time of this look (aware).

    >>> from datetime import UTC
    >>> now = datetime(2026, 6, 8, tzinfo=UTC)
    >>> waited("2026-06-01T00:00:00+00:00", now).days, waited("2036-06-08T00:00:00+00:00", now).days > 7
    (7, True)
    """
    return abs(now - datetime.fromisoformat(since))
