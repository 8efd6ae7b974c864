"""When the last good run was: one small file that a monitor's question reads in no time.

The ledger enters runs that had something to do; a night with nothing new is good too, and leaves its trace here alone.
"""

import json
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

from pipelines.durable import write_durably
from pipelines.ledger import Ledger
from pipelines.night_summary import NightSummary, is_good
from pipelines.study import Study
from pipelines.waiting import waited


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """The last run's end, and the last good one's; times are ISO 8601 in UTC.

    Args:
        ended_at, began_at: of the last run.
        outcome: in words.
        good: whether nothing failed.
        failures: how many things could not be done.
        good_began_at, good_ended_at: of the last good run; None where there was none.
        attention: what needs a person, by code.
    """

    ended_at: str
    began_at: str
    outcome: str
    good: bool
    failures: int
    good_began_at: str | None
    good_ended_at: str | None
    attention: dict[str, int] = field(default_factory=dict)


def heartbeat_file(study: Study) -> Path:
    """Where it stands."""
    return study.state / "heartbeat.json"


def read_heartbeat(study: Study) -> Heartbeat | None:
    """The last heartbeat; of a study whose runs left none, what the ledger knows of its last run; None before the first."""
    try:
        return Heartbeat(**json.loads(heartbeat_file(study).read_bytes()))
    except (OSError, ValueError, TypeError):
        # None yet, or torn by hand: the ledger has the runs that had something to do.
        return _of_ledger(study)


def beat(study: Study, summary: NightSummary, began_at: datetime, ended_at: datetime) -> Heartbeat:
    """Write down that a run ended; returns what was written."""
    before = read_heartbeat(study)
    began, ended = began_at.isoformat(timespec="seconds"), ended_at.isoformat(timespec="seconds")
    good = (began, ended) if summary.good else (before.good_began_at, before.good_ended_at) if before else (None, None)
    needed = {each.code: each.count for each in summary.attention}
    now = Heartbeat(ended, began, summary.outcome, summary.good, summary.failures, *good, needed)
    write_durably(heartbeat_file(study), (json.dumps(asdict(now), indent=1) + "\n").encode(), 0o600)
    return now


def freshness(heartbeat: Heartbeat | None, max_age: timedelta, now: datetime) -> tuple[bool, str]:
    """Whether the last good run is no older than it may be, and one line that says so.

    >>> from datetime import UTC
    >>> freshness(None, timedelta(hours=26), datetime(2026, 6, 8, tzinfo=UTC))
    (False, 'no good run yet')
    """
    if heartbeat is None or heartbeat.good_ended_at is None:
        return False, "no good run yet"
    age = waited(heartbeat.good_ended_at, now)
    fresh = age <= max_age
    what = f"the last good run ended {_hours(age)} h ago, {heartbeat.good_ended_at}"
    last = "" if heartbeat.good else f"; the last run, {heartbeat.ended_at}: {heartbeat.outcome}"
    return fresh, f"{'ok' if fresh else 'TOO OLD'}: {what} (limit {_hours(max_age)} h){last}"


def _hours(age: timedelta) -> str:
    return f"{age.total_seconds() / 3600:.1f}"


def _of_ledger(study: Study) -> Heartbeat | None:
    if not study.ledger.is_file():
        return None
    ledger = Ledger(study.ledger, read_only=True)
    try:
        last = ledger.last_run()
    finally:
        ledger.close()
    if last is None:
        return None
    # Only a run that left nothing undone keeps a fingerprint.
    good = last["fingerprint"] is not None and is_good(last["outcome"], 0)
    began, ended = last["started_at"], last["finished_at"]
    return Heartbeat(
        ended, began, last["outcome"], good, int(not good), began if good else None, ended if good else None
    )
