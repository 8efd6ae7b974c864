"""Study days for dates: when something was, counted from the person's own day zero."""

from datetime import date, datetime, time
from typing import NamedTuple
from zoneinfo import ZoneInfo


class StudyTime(NamedTuple):
    """A moment without its date.

    Args:
        study_day: calendar days since day zero, in the hospital's time zone.
        time_of_day_min: minutes since midnight on the hospital's wall clock.
        study_minute: elapsed minutes since the first midnight of day zero; differences are true lags, also across
            a change of the clocks.
    """

    study_day: int
    time_of_day_min: int
    study_minute: int


def study_time(moment: datetime, day_zero: date, zone: ZoneInfo) -> StudyTime:
    """Turn a moment into study time.

    Args:
        moment: aware.
        day_zero: the person's first day in the study.
        zone: the hospital's time zone.

    >>> study_time(datetime.fromisoformat("2026-03-03T08:30:00+01:00"), date(2026, 3, 1), ZoneInfo("Europe/Amsterdam"))
    StudyTime(study_day=2, time_of_day_min=510, study_minute=3390)
    """
    local = moment.astimezone(zone)
    zero = datetime.combine(day_zero, time(), tzinfo=zone)
    elapsed_s = moment.timestamp() - zero.timestamp()
    return StudyTime((local.date() - day_zero).days, local.hour * 60 + local.minute, int(elapsed_s // 60))


def age_a(birth: date, on: date) -> int:
    """Completed years of age.

    >>> age_a(date(2000, 3, 2), date(2026, 3, 1))
    25
    """
    return on.year - birth.year - ((on.month, on.day) < (birth.month, birth.day))


def age_band(age: int, width: int = 10) -> str:
    """The band of an age; the oldest share one.

    >>> age_band(57), age_band(94)
    ('50-59', '90+')
    """
    if age >= 90:
        return "90+"
    low = age // width * width
    return f"{low:02d}-{min(low + width - 1, 89):02d}"
