"""The night's schedule by Prefect's own reckoning: once a day, whatever the clocks do, and missed ones made up for once."""

import asyncio
from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from prefect.server.schemas.schedules import CronSchedule

from flows.deployments import missed_nights, schedule_of
from pipelines.errors import UserError
from pipelines.heartbeat import beat
from pipelines.night_summary import summarise
from tests.pipelines.landing_factory import LightStudy

AMSTERDAM = ZoneInfo("Europe/Amsterdam")
SPRING, AUTUMN = date(2026, 3, 29), date(2026, 10, 25)
"""02:30 is not there in spring, and twice there in autumn."""


def due(cron: str, start: datetime, days: int) -> list[datetime]:
    schedule = schedule_of(cron, "Europe/Amsterdam")
    assert schedule.cron is not None
    reckoned = CronSchedule(cron=schedule.cron, timezone=schedule.timezone)
    found = asyncio.run(reckoned.get_dates(100, start=start, end=start + timedelta(days=days)))
    return [each.astimezone(AMSTERDAM) for each in found]


@pytest.mark.parametrize("changing", [SPRING, AUTUMN])
@pytest.mark.parametrize("cron", ["30 2 * * *", "0 2 * * *", "0 3 * * *"])
def test_a_night_runs_once_on_each_day_around_a_change_of_the_clocks(cron: str, changing: date) -> None:
    start = datetime(changing.year, changing.month, changing.day, 12, tzinfo=AMSTERDAM) - timedelta(days=3)
    days = [each.date() for each in due(cron, start, 6)]
    assert days == [start.date() + timedelta(days=number) for number in range(1, 7)]


@pytest.mark.parametrize("changing", [SPRING, AUTUMN])
def test_a_schedule_that_is_looked_at_all_night_gives_no_second_one(changing: date) -> None:
    # Prefect's scheduler asks anew every minute, also between the two times that are called 02:30.
    begin = datetime(changing.year, changing.month, changing.day, tzinfo=UTC) - timedelta(hours=6)
    found = {each for number in range(72) for each in due("30 2 * * *", begin + timedelta(minutes=10 * number), 2)}
    assert len([each for each in found if each.date() == changing]) == 1


@pytest.mark.parametrize("changing", [SPRING, AUTUMN])
def test_on_other_days_the_hour_is_the_hospitals(changing: date) -> None:
    start = datetime(changing.year, changing.month, changing.day, 12, tzinfo=AMSTERDAM) - timedelta(days=3)
    assert {(each.hour, each.minute) for each in due("30 2 * * *", start, 6) if each.date() != changing} == {(2, 30)}


def test_no_schedule_is_one_line() -> None:
    with pytest.raises(UserError, match="no schedule of five fields"):
        schedule_of("0 25 * * *", "Europe/Amsterdam")


def missed(study: LightStudy, now: datetime) -> bool:
    return asyncio.run(missed_nights(study.study, "0 2 * * *", now))


def ran(study: LightStudy, at: datetime, outcome: str = "nothing new") -> None:
    result: dict[str, Any] = {"outcome": outcome, "version": None, "failures": []}
    beat(study.study, summarise("night", result, None, None), at, at + timedelta(minutes=5))


NIGHT = datetime(2026, 6, 1, 2, 0, 3, tzinfo=AMSTERDAM)


def test_a_study_that_never_ran_is_due(study: LightStudy) -> None:
    assert missed(study, NIGHT)


@pytest.mark.parametrize(("hours", "is_missed"), [(1, False), (23, False), (24, True), (24 * 9, True)])
def test_a_night_is_missed_once_the_next_was_due(study: LightStudy, hours: int, is_missed: bool) -> None:  # noqa: FBT001 - a column of the table above
    ran(study, NIGHT)
    assert missed(study, NIGHT + timedelta(hours=hours)) is is_missed


def test_a_night_that_failed_is_missed(study: LightStudy) -> None:
    ran(study, NIGHT)
    ran(study, NIGHT + timedelta(days=1), "failed")
    assert missed(study, NIGHT + timedelta(days=1, hours=6))


def test_a_run_between_nights_makes_up_for_the_one_before_it(study: LightStudy) -> None:
    ran(study, NIGHT + timedelta(days=3, hours=7))
    assert not missed(study, NIGHT + timedelta(days=3, hours=8))


def test_a_clock_that_was_set_back_misses_nothing(study: LightStudy) -> None:
    ran(study, NIGHT + timedelta(days=3))
    assert not missed(study, NIGHT)
