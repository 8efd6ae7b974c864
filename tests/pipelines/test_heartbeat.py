"""When the last good run was: what a monitor asks."""

from datetime import UTC, datetime, timedelta

from pipelines.heartbeat import Heartbeat, beat, freshness, heartbeat_file, read_heartbeat
from pipelines.night_summary import NightSummary, summarise
from tests.pipelines.landing_factory import LightStudy

NIGHT = datetime(2026, 6, 1, 2, tzinfo=UTC)
LIMIT = timedelta(hours=26)
HOUR = timedelta(hours=1)


def night(outcome: str) -> NightSummary:
    return summarise("night", {"outcome": outcome, "version": None, "failures": []}, None, None)


def beaten(study: LightStudy, outcome: str, at: datetime) -> Heartbeat:
    return beat(study.study, night(outcome), at, at + HOUR)


def test_a_study_without_a_run_has_no_heartbeat(study: LightStudy) -> None:
    assert read_heartbeat(study.study) is None
    assert freshness(None, LIMIT, NIGHT) == (False, "no good run yet")


def test_a_night_with_nothing_new_is_good(study: LightStudy) -> None:
    beaten(study, "nothing new", NIGHT)
    assert freshness(read_heartbeat(study.study), LIMIT, NIGHT + 10 * HOUR)[0]


def test_a_failed_night_leaves_the_last_good_one_as_it_was_and_is_named(study: LightStudy) -> None:
    beaten(study, "published", NIGHT)
    beaten(study, "held back: 1 critical checks failed", NIGHT + 24 * HOUR)
    found = read_heartbeat(study.study)
    assert found is not None
    assert (found.good, found.good_ended_at) == (False, (NIGHT + HOUR).isoformat())
    fresh, line = freshness(found, LIMIT, NIGHT + 27 * HOUR)
    assert fresh
    assert "held back" in line


def test_the_limit_itself_is_still_fresh_and_a_second_more_is_not(study: LightStudy) -> None:
    found = beaten(study, "published", NIGHT)
    end = NIGHT + HOUR
    assert freshness(found, LIMIT, end + LIMIT)[0]
    fresh, line = freshness(found, LIMIT, end + LIMIT + timedelta(seconds=1))
    assert not fresh
    assert line.startswith("TOO OLD")
    assert "\n" not in line


def test_a_clock_that_ran_years_ahead_when_it_was_written_hides_no_silence(study: LightStudy) -> None:
    found = beaten(study, "published", NIGHT + timedelta(days=3650))
    assert not freshness(found, LIMIT, NIGHT)[0]


def test_a_study_whose_runs_left_none_is_known_by_its_ledger(study: LightStudy) -> None:
    run = study.ledger.begin_run(NIGHT.isoformat())
    study.ledger.end_run(run, "published", "of this code", (NIGHT + HOUR).isoformat())
    found = read_heartbeat(study.study)
    assert found is not None
    assert (found.good, found.good_began_at) == (True, NIGHT.isoformat())
    again = study.ledger.begin_run((NIGHT + HOUR).isoformat())
    study.ledger.end_run(again, "failed", None, (NIGHT + 2 * HOUR).isoformat())
    failed = read_heartbeat(study.study)
    assert failed is not None
    assert (failed.good, failed.good_ended_at) == (False, None)


def test_a_torn_file_is_no_heartbeat_and_the_next_night_mends_it(study: LightStudy) -> None:
    heartbeat_file(study.study).write_text('{"ended_at": "20')
    assert read_heartbeat(study.study) is None
    beaten(study, "published", NIGHT)
    assert read_heartbeat(study.study) is not None
