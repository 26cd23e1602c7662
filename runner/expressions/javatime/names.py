"""Names of months, weekdays and so on; English is built in, other languages come from Babel."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_FIXED_ZONES = {
    "UTC": "Coordinated Universal Time",
    "GMT": "Greenwich Mean Time",
    "UT": "Coordinated Universal Time",
}
_QUARTERS = ("1st quarter", "2nd quarter", "3rd quarter", "4th quarter")


def is_english(locale: str) -> bool:
    """Whether the built-in names serve."""
    return locale in ("en", "en_US", "en-US")


def month(number: int, width: str, locale: str, *, alone: bool = False) -> str:
    """The month's name: `wide`, `abbreviated` or `narrow`."""
    if is_english(locale):
        return _cut(MONTHS[number - 1], width)
    return str(_babel(locale).months[_form(alone)][width][number])


def weekday(number: int, width: str, locale: str, *, alone: bool = False) -> str:
    """The name of the day, 1 being Monday."""
    if is_english(locale):
        return _cut(WEEKDAYS[number - 1], width)
    return str(_babel(locale).days[_form(alone)][width][number - 1])


def quarter(number: int, width: str, locale: str) -> str:
    """`1st quarter`, `Q1`, `1`."""
    if not is_english(locale):
        return str(_babel(locale).quarters["format"][width][number])
    if width == "wide":
        return _QUARTERS[number - 1]
    return f"Q{number}" if width == "abbreviated" else str(number)


def half_day(hour: int, locale: str) -> str:
    """AM or PM."""
    if is_english(locale):
        return "AM" if hour < 12 else "PM"
    return str(_babel(locale).day_periods["format"]["abbreviated"]["am" if hour < 12 else "pm"])


def era(year: int, width: str, locale: str) -> str:
    """BC or AD."""
    if not is_english(locale):
        return str(_babel(locale).eras[width][int(year > 0)])
    if width == "wide":
        return "Anno Domini" if year > 0 else "Before Christ"
    name = "AD" if year > 0 else "BC"
    return name[0] if width == "narrow" else name


def week_rule(locale: str) -> tuple[int, int]:
    """The first day of a week (1 is Monday) and how many days the first week needs."""
    if is_english(locale):
        return (7, 1) if locale != "en" else (1, 1)
    if "_" not in locale and "-" not in locale:
        return 1, 1
    babel = _babel(locale)
    return babel.first_week_day + 1, babel.min_week_days


def zone_name(zone: str, moment: Any, locale: str) -> str:
    """`Central European Standard Time`."""
    if zone in _FIXED_ZONES:
        return _FIXED_ZONES[zone]
    from babel.dates import get_timezone as babel_zone
    from babel.dates import get_timezone_name

    aware = moment.astimezone(babel_zone(zone))
    return str(get_timezone_name(aware, width="long", locale=_babel(locale)))


def style(kind: str, width: str, locale: str) -> str:
    """The locale's own pattern of a date or a time."""
    babel = _babel(locale)
    formats = babel.date_formats if kind == "date" else babel.time_formats
    return str(formats[width].pattern)


@lru_cache(maxsize=32)
def _babel(locale: str) -> Any:
    from babel import Locale, UnknownLocaleError

    try:
        return Locale.parse(locale.replace("-", "_"))
    except (UnknownLocaleError, ValueError):
        return Locale.parse("en_US")


def _form(alone: bool) -> str:
    return "stand-alone" if alone else "format"


def _cut(name: str, width: str) -> str:
    if width == "wide":
        return name
    return name[0] if width == "narrow" else name[:3]
