"""Moments as text: by pattern letters, or by one of the named formats."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from runner.expressions.errors import ExpressionError

from . import names
from .moments import (
    DAY,
    NANOS,
    Local,
    Moment,
    civil_from_days,
    days_from_civil,
    is_leap,
    weekday,
)
from .patterns import OPTIONAL_BEGIN, OPTIONAL_END, Element, elements
from .zones import offset_text

PATTERNS = {
    "iso": "yyyy-MM-dd'T'HH:mm:ss.SSSSSSXXX",
    "iso_milli": "yyyy-MM-dd'T'HH:mm:ss.SSSXXX",
    "iso_sec": "yyyy-MM-dd'T'HH:mm:ssXXX",
    "sql": "yyyy-MM-dd HH:mm:ss.SSSSSS",
    "sql_milli": "yyyy-MM-dd HH:mm:ss.SSS",
    "sql_sec": "yyyy-MM-dd HH:mm:ss",
}
STYLES = ("full", "long", "medium", "short")
_WEEKDAYS = names.WEEKDAYS
_MONTHS = names.MONTHS


def format_moment(moment: Moment, pattern: str, locale: str) -> str:
    """The moment by a pattern or a named format.

    Raises:
        ExpressionError: it is neither.
    """
    if pattern in _NAMED:
        return _NAMED[pattern](moment)
    if pattern in STYLES:
        return _localized(moment, pattern, locale)
    writer = _Writer(moment, locale)
    return writer.write(elements(PATTERNS.get(pattern, pattern)))


class _Writer:
    def __init__(self, moment: Moment, locale: str) -> None:
        self.moment = moment
        self.locale = locale
        self.local: Local = moment.local
        self.year, self.month, self.day = civil_from_days(self.local.day)
        self.hour, rest = divmod(self.local.second, 3600)
        self.minute, self.second = divmod(rest, 60)

    def write(self, parts: tuple[Element, ...]) -> str:
        return "".join(
            self.element(part)
            for part in parts
            if part.letter not in (OPTIONAL_BEGIN, OPTIONAL_END)
        )

    def element(self, part: Element) -> str:
        if part.letter == "'":
            return part.text
        text = self.letter(part.letter, part.count)
        if part.pad and len(text) > part.pad:
            raise ExpressionError(f"the text {text!r} is wider than its pad")
        return text.rjust(part.pad)

    def letter(self, letter: str, count: int) -> str:
        match letter:
            case "y":
                return _year(self.year if self.year > 0 else 1 - self.year, count)
            case "u":
                return _year(self.year, count)
            case "Y":
                return _year(self.week_of_year()[0], count)
            case "M" | "L":
                return self.named(names.month, self.month, letter, count)
            case "Q" | "q":
                return self.quarter(count)
            case "E":
                return names.weekday(weekday(self.local.day), _width(count), self.locale)
            case "e" | "c":
                return self.weekday_number(letter, count)
            case "G":
                return names.era(self.year, _width(count), self.locale)
            case "a":
                return names.half_day(self.hour, self.locale)
            case "S":
                return f"{self.local.nano:09}"[:count]
            case "X" | "x" | "Z" | "O":
                return _offset(self.moment.offset, letter, count)
            case "z" | "v":
                return self.zone_name(count)
            case "V":
                return self.moment.zone.name
            case _:
                return f"{self.number(letter):0{count}}"

    def number(self, letter: str) -> int:
        match letter:
            case "d":
                return self.day
            case "D":
                return self.local.day - days_from_civil(self.year, 1, 1) + 1
            case "H":
                return self.hour
            case "k":
                return self.hour or 24
            case "h":
                return self.hour % 12 or 12
            case "K":
                return self.hour % 12
            case "m":
                return self.minute
            case "s":
                return self.second
            case "n":
                return self.local.nano
            case "N":
                return self.local.second * NANOS + self.local.nano
            case "A":
                return self.local.second * 1000 + self.local.nano // 1_000_000
            case "w":
                return self.week_of_year()[1]
            case "W":
                return self.week_of_month()
            case "F":
                return (self.day - 1) // 7 + 1
            case "g":
                return self.local.day + 40_587
        raise ExpressionError(f"the letter {letter!r} means nothing")

    def named(self, name: Callable[..., str], number: int, letter: str, count: int) -> str:
        if count <= 2:
            return f"{number:0{count}}"
        return name(number, _width(count), self.locale, alone=letter in "Lqc")

    def quarter(self, count: int) -> str:
        number = (self.month - 1) // 3 + 1
        if count <= 2:
            return f"{number:0{count}}"
        return names.quarter(number, _width(count), self.locale)

    def weekday_number(self, letter: str, count: int) -> str:
        day = weekday(self.local.day)
        if count >= 3:
            return names.weekday(day, _width(count), self.locale, alone=letter == "c")
        first, _ = names.week_rule(self.locale)
        return f"{(day - first) % 7 + 1:0{count}}"

    def week_of_month(self) -> int:
        first, least = names.week_rule(self.locale)
        return _week(weekday(self.local.day), self.day, first, least)

    def week_of_year(self) -> tuple[int, int]:
        """The week-based year and the week in it."""
        first, least = names.week_rule(self.locale)
        day = weekday(self.local.day)
        day_of_year = self.number("D")
        week = _week(day, day_of_year, first, least)
        if week == 0:
            before = day_of_year + (366 if is_leap(self.year - 1) else 365)
            return self.year - 1, _week(day, before, first, least)
        length = 366 if is_leap(self.year) else 365
        next_new_year = weekday(self.local.day - day_of_year + 1 + length)
        days_before = (next_new_year - first) % 7
        if 7 - days_before >= least and day_of_year > length - days_before:
            return self.year + 1, 1
        return self.year, week

    def zone_name(self, count: int) -> str:
        zone = self.moment.zone
        if count < 4 or (zone.region is None and zone.name not in ("UTC", "GMT", "UT")):
            return zone.short_name(self.moment.second)
        aware = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=self.moment.second)
        return names.zone_name(zone.name, aware, self.locale)


def _week(day: int, position: int, first: int, least: int) -> int:
    """The week of a day at that position in its month or year, 0 being the one before."""
    begin = (day - first) % 7
    offset = (position - 1 - begin) % 7
    started = 7 if offset >= least else 0
    return (started + 7 - offset % 7 + position - 1) // 7 if offset else (position - 1) // 7 + 1


def _year(year: int, count: int) -> str:
    if count == 2:
        return f"{year % 100:02}"
    text = f"{abs(year):0{count}}"
    if year < 0:
        return f"-{text}"
    return f"+{text}" if count >= 4 and len(text) > count else text


def _width(count: int) -> str:
    return {4: "wide", 5: "narrow"}.get(count, "abbreviated")


def _offset(seconds: int, letter: str, count: int) -> str:
    sign = "-" if seconds < 0 else "+"
    hours, rest = divmod(abs(seconds), 3600)
    minutes, seconds_left = divmod(rest, 60)
    if letter == "O" or (letter == "Z" and count == 4):
        return _gmt(sign, hours, minutes, seconds_left, short=letter == "O" and count == 1)
    if not seconds and (letter == "X" or (letter == "Z" and count == 5)):
        return "Z"
    if letter == "Z":
        count = 2 if count < 4 else 5
    colon = ":" if count in (3, 5) else ""
    text = f"{sign}{hours:02}"
    if count > 1 or minutes:
        text += f"{colon}{minutes:02}"
    return f"{text}{colon}{seconds_left:02}" if count > 3 and seconds_left else text


def _gmt(sign: str, hours: int, minutes: int, seconds: int, *, short: bool) -> str:
    if not (hours or minutes or seconds):
        return "GMT"
    if not short:
        return f"GMT{sign}{hours:02}:{minutes:02}" + (f":{seconds:02}" if seconds else "")
    return f"GMT{sign}{hours}" + (f":{minutes:02}" if minutes else "")


# ---- named formats


def _date(moment: Moment) -> str:
    year, month, day = civil_from_days(moment.local.day)
    return f"{_year(year, 4)}-{month:02}-{day:02}"


def _time(moment: Moment) -> str:
    local = moment.local
    hour, rest = divmod(local.second, 3600)
    return f"{hour:02}:{rest // 60:02}:{rest % 60:02}{_fraction(local.nano)}"


def _fraction(nano: int) -> str:
    return f".{nano:09}".rstrip("0") if nano else ""


def _zoned(moment: Moment) -> str:
    text = f"{_date(moment)}T{_time(moment)}{offset_text(moment.offset)}"
    zone = moment.zone
    is_offset = zone.name == "Z" or zone.name[0] in "+-"
    return text if is_offset else f"{text}[{zone.name}]"


def _instant(moment: Moment) -> str:
    from .zones import UTC as ZONE

    utc = moment.within(ZONE)
    digits = next((d for d in (0, 3, 6, 9) if moment.nano % 10 ** (9 - d) == 0), 9)
    fraction = f".{moment.nano:09}"[: digits + 1] if digits else ""
    return f"{_date(utc)}T{_time(utc)[:8]}{fraction}Z"


def _ordinal(moment: Moment) -> str:
    day = moment.local.day
    year, _, _ = civil_from_days(day)
    return (
        f"{_year(year, 4)}-{day - days_from_civil(year, 1, 1) + 1:03}{offset_text(moment.offset)}"
    )


def _week_date(moment: Moment) -> str:
    day = moment.local.day
    thursday = day - weekday(day) + 4
    year, _, _ = civil_from_days(thursday)
    week = (thursday - days_from_civil(year, 1, 1)) // 7 + 1
    return f"{_year(year, 4)}-W{week:02}-{weekday(day)}{offset_text(moment.offset)}"


def _rfc_1123(moment: Moment) -> str:
    local = moment.local
    year, month, day = civil_from_days(local.day)
    offset = offset_text(moment.offset).replace(":", "") if moment.offset else "GMT"
    name = _WEEKDAYS[weekday(local.day) - 1][:3]
    return f"{name}, {day} {_MONTHS[month - 1][:3]} {year:04} {_time(moment)[:8]} {offset}"


_NAMED: dict[str, Callable[[Moment], str]] = {
    "iso_date_time": _zoned,
    "iso_zoned_date_time": _zoned,
    "iso_offset_date_time": lambda m: f"{_date(m)}T{_time(m)}{offset_text(m.offset)}",
    "iso_local_date_time": lambda moment: f"{_date(moment)}T{_time(moment)}",
    "iso_date": lambda moment: f"{_date(moment)}{offset_text(moment.offset)}",
    "iso_offset_date": lambda moment: f"{_date(moment)}{offset_text(moment.offset)}",
    "iso_local_date": _date,
    "iso_time": lambda moment: f"{_time(moment)}{offset_text(moment.offset)}",
    "iso_offset_time": lambda moment: f"{_time(moment)}{offset_text(moment.offset)}",
    "iso_local_time": _time,
    "iso_instant": _instant,
    "iso_ordinal_date": _ordinal,
    "iso_week_date": _week_date,
    "basic_iso_date": lambda m: _date(m).replace("-", "") + offset_text(m.offset).replace(":", ""),
    "rfc_1123_date_time": _rfc_1123,
}


def _localized(moment: Moment, width: str, locale: str) -> str:
    writer = _Writer(moment, locale)
    date_pattern = names.style("date", width, locale)
    time_pattern = names.style("time", width, locale)
    date_text = writer.write(elements(date_pattern))
    time_text = writer.write(elements(time_pattern))
    return f"{date_text}, {time_text}"


__all__ = ["DAY", "PATTERNS", "format_moment"]
