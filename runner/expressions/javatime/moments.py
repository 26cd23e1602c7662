"""Moments with nanoseconds, in years that Python's datetime does not reach."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any

from runner.expressions.errors import ExpressionError
from runner.expressions.values import describe, is_integer

from . import zones
from .zones import Zone

NANOS = 1_000_000_000
DAY = 86_400
MAX_YEAR = 999_999_999
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Local:
    """A calendar date and a time of day, of no zone. Days count from 1970."""

    day: int
    second: int = 0
    nano: int = 0

    @property
    def seconds(self) -> int:
        """Seconds since 1970 of the same wall clock in UTC."""
        return self.day * DAY + self.second


@dataclass(frozen=True)
class Moment:
    """A second since 1970 with nanoseconds, seen in a zone."""

    second: int
    nano: int
    zone: Zone

    @property
    def offset(self) -> int:
        """Seconds east of Greenwich."""
        return self.zone.offset_at(self.second)

    @property
    def local(self) -> Local:
        """What calendar and clock show there."""
        day, second = divmod(self.second + self.offset, DAY)
        return Local(day, second, self.nano)

    def within(self, zone: Zone) -> Moment:
        """The same moment seen in another zone."""
        return Moment(self.second, self.nano, zone)


def at(local: Local, zone: Zone) -> Moment:
    """The moment when the clocks of the zone show this."""
    return Moment(local.seconds - zone.offset_of_local(local.seconds), local.nano, zone)


def moment_of(value: Any, zone: Zone) -> Moment | None:
    """The moment that a date or an integer stands for, None for any other value.

    Raises:
        ExpressionError: the integer is out of range.
    """
    if isinstance(value, datetime):
        return _of_datetime(value, zone)
    if isinstance(value, date):
        return at(Local(days_from_civil(value.year, value.month, value.day), DAY // 2), zone)
    if is_integer(value):
        if 10**12 <= abs(value) < 10**13:
            second, milli = divmod(value, 1000)
            return Moment(second, milli * 1_000_000, zone)
        if abs(value) > 31_556_889_864_403_199:
            raise ExpressionError(f"{value} is no number of seconds since 1970")
        return Moment(int(value), 0, zone)
    if isinstance(value, str):
        return None
    raise ExpressionError(f"{describe(value)} is no date")


def _of_datetime(value: datetime, zone: Zone) -> Moment:
    if value.tzinfo is None:
        day = days_from_civil(value.year, value.month, value.day)
        second = value.hour * 3600 + value.minute * 60 + value.second
        return at(Local(day, second, value.microsecond * 1000), zone)
    since = value - _EPOCH
    second = since.days * DAY + since.seconds
    own = zones.UTC if value.tzinfo is UTC else zones.zone_of_tzinfo(value.tzinfo, value)
    return Moment(second, since.microseconds * 1000, own)


def plus_nanos(moment: Moment, nanos: int) -> Moment:
    """The moment that much later."""
    seconds, nano = divmod(moment.nano + nanos, NANOS)
    return Moment(moment.second + seconds, nano, moment.zone)


def plus_days(moment: Moment, days: int) -> Moment:
    """The same wall-clock time that many days later."""
    local = moment.local
    return at(Local(local.day + days, local.second, local.nano), moment.zone)


def plus_months(moment: Moment, months: int) -> Moment:
    """The same day of a later month, or its last day."""
    local = moment.local
    year, month, day = civil_from_days(local.day)
    years, month0 = divmod(month - 1 + months, 12)
    year += years
    if abs(year) > MAX_YEAR:
        raise ExpressionError(f"the year {year} is out of range")
    clipped = min(day, days_in_month(year, month0 + 1))
    shifted = Local(days_from_civil(year, month0 + 1, clipped), local.second, local.nano)
    return at(shifted, moment.zone)


# ---- the calendar (http://howardhinnant.github.io/date_algorithms.html)


def days_from_civil(year: int, month: int, day: int) -> int:
    """Days since 1970 of a date."""
    year -= month <= 2
    era, year_of_era = divmod(year, 400)
    day_of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    day_of_era = year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year
    return era * 146_097 + day_of_era - 719_468


def civil_from_days(days: int) -> tuple[int, int, int]:
    """Year, month and day."""
    era, day_of_era = divmod(days + 719_468, 146_097)
    year_of_era = (
        day_of_era - day_of_era // 1460 + day_of_era // 36_524 - day_of_era // 146_096
    ) // 365
    day_of_year = day_of_era - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    month_of_era = (5 * day_of_year + 2) // 153
    day = day_of_year - (153 * month_of_era + 2) // 5 + 1
    month = month_of_era + (3 if month_of_era < 10 else -9)
    return year_of_era + era * 400 + (month <= 2), month, day


def is_leap(year: int) -> bool:
    """Whether the year has a 29th of February."""
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def days_in_month(year: int, month: int) -> int:
    """How many days the month has."""
    if month == 2:
        return 29 if is_leap(year) else 28
    return 30 if month in (4, 6, 9, 11) else 31


def weekday(days: int) -> int:
    """1 for Monday to 7 for Sunday."""
    return (days + 3) % 7 + 1
