from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.calendar import age_a, age_band, study_time

ZONE = ZoneInfo("Europe/Amsterdam")
MOMENTS = st.datetimes(datetime(2025, 1, 1), datetime(2028, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - the bounds are naive by contract


def test_the_same_day_is_day_zero() -> None:
    assert study_time(datetime(2026, 3, 1, 23, 30, tzinfo=ZONE), date(2026, 3, 1), ZONE) == (0, 1410, 1410)


def test_a_moment_before_enrolment_counts_down() -> None:
    assert study_time(datetime(2026, 2, 28, 23, 59, tzinfo=ZONE), date(2026, 3, 1), ZONE) == (-1, 1439, -1)


def test_the_day_is_the_hospitals_whatever_the_offset_of_the_device() -> None:
    assert study_time(datetime(2026, 3, 1, 23, 30, tzinfo=UTC), date(2026, 3, 1), ZONE).study_day == 1


def test_a_spring_day_has_23_hours() -> None:
    noon = datetime(2026, 3, 29, 12, tzinfo=ZONE)
    assert study_time(noon, date(2026, 3, 29), ZONE) == (0, 720, 660)
    assert study_time(noon + timedelta(days=1), date(2026, 3, 29), ZONE).study_minute == 23 * 60 + 720


def test_the_two_hours_of_the_same_name_in_autumn_are_told_apart() -> None:
    first, second = (datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1))
    before, after = (study_time(moment, date(2026, 10, 25), ZONE) for moment in (first, second))
    assert before.time_of_day_min == after.time_of_day_min == 150
    assert after.study_minute - before.study_minute == 60


@given(MOMENTS, MOMENTS, st.dates(date(2025, 1, 1), date(2027, 12, 31)))
def test_differences_of_study_minutes_are_true_lags(one: datetime, other: datetime, zero: date) -> None:
    lag = study_time(other, zero, ZONE).study_minute - study_time(one, zero, ZONE).study_minute
    assert abs(lag * 60 - (other - one).total_seconds()) < 60


@given(MOMENTS, st.dates(date(2025, 1, 1), date(2027, 12, 31)))
def test_study_day_and_time_of_day_are_the_wall_clock(moment: datetime, zero: date) -> None:
    day, minute, _ = study_time(moment, zero, ZONE)
    local = moment.astimezone(ZONE)
    assert zero + timedelta(days=day) == local.date()
    assert divmod(minute, 60) == (local.hour, local.minute)


@pytest.mark.parametrize(("on", "age"), [(date(2018, 2, 28), 17), (date(2018, 3, 1), 18), (date(2020, 2, 29), 20)])
def test_who_was_born_on_a_leap_day_has_a_birthday_in_march(on: date, age: int) -> None:
    assert age_a(date(2000, 2, 29), on) == age


@pytest.mark.parametrize(
    ("age", "width", "band"),
    [(18, 10, "10-19"), (20, 10, "20-29"), (89, 10, "80-89"), (90, 10, "90+"), (104, 10, "90+"), (88, 20, "80-89"), (7, 5, "05-09")],
)  # fmt: skip
def test_ages_are_banded_and_the_oldest_share_one(age: int, width: int, band: str) -> None:
    assert age_band(age, width) == band
