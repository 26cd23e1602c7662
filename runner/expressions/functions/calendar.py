"""Functions of the calendar. Dates are ISO texts and taken as written, whatever their zone."""

from __future__ import annotations

import re
from datetime import date, datetime, timedelta
from typing import Any

from runner.expressions.errors import ExpressionError
from runner.expressions.javatime.names import WEEKDAYS
from runner.expressions.registry import FUNCTIONS
from runner.expressions.values import describe

function = FUNCTIONS.register
_DATE = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)(?:T(\d\d):(\d\d)(?::\d\d(?:\.\d{1,9})?)?(?:Z|[+-]\d\d:\d\d)?(?:\[.+\])?)?",
    re.ASCII,
)
_DAYS = [name.upper() for name in WEEKDAYS]
_POSITIONS = ("FIRST", "SECOND", "THIRD", "FOURTH", "LAST")
_WORKING_DAYS = ",".join(_DAYS[:5])


@function("isWeekend(date*)", ("{{ isWeekend('2024-03-16') }}", "true"), since="2.0")
def is_weekend(date: Any) -> bool:
    """Whether it is Saturday or Sunday."""
    return _day(date).weekday() >= 5


@function("dayOfWeek(date*)", ("{{ dayOfWeek('2024-03-15') }}", "FRIDAY"), since="2.0")
def day_of_week(date: Any) -> str:
    """The name of the day."""
    return _DAYS[_day(date).weekday()]


@function("dayOfMonth(date*)", ("{{ dayOfMonth('2024-03-15') }}", "15"), since="2.0")
def day_of_month(date: Any) -> int:
    """The day in its month."""
    return _day(date).day


@function("monthOfYear(date*)", ("{{ monthOfYear('2024-03-15') }}", "3"), since="2.0")
def month_of_year(date: Any) -> int:
    """The month in its year."""
    return _day(date).month


@function("hourOfDay(date*)", ("{{ hourOfDay('2024-03-15T14:30:00+02:00') }}", "14"), since="2.0")
def hour_of_day(date: Any) -> int:
    """The hour; the date must have a time."""
    hour = _match(date).group(4)
    if hour is None:
        raise ExpressionError(f"hourOfDay: {date!r} has no time")
    return int(hour)


@function(
    "isDayWeekInMonth(date*, dayOfWeek*, position*)",
    ("{{ isDayWeekInMonth('2024-03-15', 'FRIDAY', 'THIRD') }}", "true"),
    since="2.0",
)
def is_day_week_in_month(date: Any, day_of_week: Any, position: Any) -> bool:
    """Whether it is, say, the third Friday of its month: FIRST to FOURTH, or LAST."""
    day = _day(date)
    wanted = _one_of(day_of_week, _DAYS, "a day of the week")
    place = _one_of(position, _POSITIONS, "a position")
    if _DAYS[day.weekday()] != wanted:
        return False
    if place == "LAST":
        return (day + timedelta(days=7)).month != day.month
    return (day.day - 1) // 7 == _POSITIONS.index(place)


@function(
    "isPublicHoliday(date*, countryCode*, subDivision)",
    ("{{ isPublicHoliday('2024-07-14', 'FR') }}", "true"),
    since="2.0",
)
def is_public_holiday(date: Any, country_code: Any, sub_division: Any) -> bool:
    """Whether the country, or a part of it, has a public holiday."""
    import holidays

    day = _day(date)
    if not isinstance(country_code, str):
        raise ExpressionError(f"a country is a string, not {describe(country_code)}")
    try:
        calendar = holidays.country_holidays(
            country_code.upper(), subdiv=sub_division, years=day.year
        )
    except (NotImplementedError, KeyError) as error:
        raise ExpressionError(f"no holidays are known for {country_code!r}") from error
    return day in calendar


@function(
    "isLastWorkingDay(date*, workingDays)",
    ("{{ isLastWorkingDay('2024-03-29') }}", "true"),
    since="2.0",
)
def is_last_working_day(date: Any, working_days: Any) -> bool:
    """Whether it is the last of the working days of its month, by default Monday to Friday."""
    day = _day(date)
    text = _WORKING_DAYS if working_days is None else working_days
    if not isinstance(text, str):
        raise ExpressionError(f"the working days are a string, not {describe(text)}")
    working = {_one_of(name.strip(), _DAYS, "a day of the week") for name in text.split(",")}
    following = day + timedelta(days=1)
    while following.month == day.month:
        if _DAYS[following.weekday()] in working:
            return False
        following += timedelta(days=1)
    return _DAYS[day.weekday()] in working


def _match(value: Any) -> re.Match[str]:
    if isinstance(value, datetime | date):
        value = value.isoformat()
    match = _DATE.fullmatch(value) if isinstance(value, str) else None
    if match is None:
        raise ExpressionError(f"{value!r} is no ISO date")
    return match


def _day(value: Any) -> date:
    year, month, day = _match(value).group(1, 2, 3)
    try:
        return date(int(year), int(month), int(day))
    except ValueError as error:
        raise ExpressionError(f"{value!r} is no ISO date") from error


def _one_of(value: Any, known: Any, what: str) -> str:
    text = value.upper() if isinstance(value, str) else ""
    if text not in known:
        raise ExpressionError(f"{value!r} is not {what}: {', '.join(known)}")
    return text
