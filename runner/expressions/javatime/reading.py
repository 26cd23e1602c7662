"""Texts as moments: ISO-8601 as Java reads it, or by a pattern."""

from __future__ import annotations

import re
from collections.abc import Callable

from runner.expressions.errors import ExpressionError

from . import names
from .formatting import PATTERNS, STYLES
from .moments import (
    DAY,
    NANOS,
    Local,
    Moment,
    at,
    days_from_civil,
    days_in_month,
    is_leap,
    weekday,
)
from .patterns import Element, elements
from .zones import ZULU, Zone, offset_zone, zone_of

_ISO = re.compile(
    r"([+-]?\d{4,10})-(\d\d)-(\d\d)"
    r"(?:T(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{0,9}))?)?"
    r"(Z|[+-]\d\d(?::\d\d(?::\d\d)?)?)?(?:\[([^\]]+)\])?)?",
    re.IGNORECASE | re.ASCII,
)
_LENGTH = 200
_NAMED = {
    "iso_date_time",
    "iso_zoned_date_time",
    "iso_offset_date_time",
    "iso_local_date_time",
    "iso_local_date",
}
_DAYS = {
    "iso_date": re.compile(r"(?P<year>\d{4})-(?P<month>\d\d)-(?P<day>\d\d)(?:Z|[+-]\d\d:\d\d)?"),
    "iso_ordinal_date": re.compile(r"(?P<year>\d{4})-(?P<ordinal>\d{3})(?:Z|[+-]\d\d:\d\d)?"),
    "iso_week_date": re.compile(
        r"(?P<year>\d{4})-W(?P<week>\d\d)-(?P<weekday>[1-7])(?:Z|[+-]\d\d:\d\d)?"
    ),
}


class _Unreadable(ExpressionError):
    """The text does not fit."""


def read_moment(text: str, zone: Zone, pattern: str | None, locale: str) -> Moment:
    """The moment that a text means; one without a zone of its own is in the given one.

    Raises:
        ExpressionError: it cannot be read so.
    """
    try:
        if len(text) > _LENGTH:
            raise _Unreadable()
        if pattern is None or pattern in _NAMED:
            return _read_iso(text, zone)
        if pattern in _DAYS:
            return at(Local(_read_day(text, pattern)), zone)
        if pattern in STYLES or (pattern.startswith("iso_") and pattern not in PATTERNS):
            raise ExpressionError(f"dates cannot be read by the format {pattern!r}")
        return _Reader(text, locale).moment(_pattern(pattern), zone)
    except _Unreadable as error:
        how = f"by {pattern!r}" if pattern else "as an ISO date"
        raise ExpressionError(f"{text[:60]!r} cannot be read {how}") from error


def _pattern(pattern: str) -> tuple[Element, ...]:
    if pattern == "rfc_1123_date_time":
        return elements("EEE, d MMM yyyy HH:mm:ss Z")
    return elements(PATTERNS.get(pattern, pattern))


def _read_iso(text: str, zone: Zone) -> Moment:
    match = _ISO.fullmatch(text)
    if match is None:
        raise _Unreadable()
    year, month, day, hour, minute, second, fraction, offset, region = match.groups()
    if year[0] == "+" and len(year) == 5:
        raise _Unreadable()
    if (year[0] not in "+-" and len(year) > 4) or (region and not offset):
        raise _Unreadable()
    date = _date(int(year), int(month), int(day))
    if hour is None:
        return at(Local(date), zone)
    clock = _clock(int(hour), int(minute), int(second or 0))
    local = Local(date, clock, int((fraction or "").ljust(9, "0")))
    if offset is None:
        return at(local, zone)
    return _with_offset(local, zone_of(offset.upper()).fixed, region)


def _read_day(text: str, pattern: str) -> int:
    """The day of a date as some ISO formats write it; an offset behind it says nothing."""
    match = _DAYS[pattern].fullmatch(text)
    if match is None:
        raise _Unreadable()
    found = {name: int(digits) for name, digits in match.groupdict().items()}
    year = found["year"]
    if "month" in found:
        return _date(year, found["month"], found["day"])
    if "ordinal" in found:
        return _ordinal(year, found["ordinal"])
    first = days_from_civil(year, 1, 4)
    monday = first - weekday(first) + 1
    return monday + 7 * (found["week"] - 1) + found["weekday"] - 1


def _ordinal(year: int, ordinal: int) -> int:
    if not 1 <= ordinal <= (366 if is_leap(year) else 365):
        raise _Unreadable()
    return days_from_civil(year, 1, 1) + ordinal - 1


def _with_offset(local: Local, offset: int, region: str | None) -> Moment:
    own = zone_of(region) if region else offset_zone(offset)
    return Moment(local.seconds - offset, local.nano, own)


def _date(year: int, month: int, day: int) -> int:
    if not 1 <= month <= 12 or not 1 <= day <= days_in_month(year, month):
        raise _Unreadable()
    return days_from_civil(year, month, day)


def _clock(hour: int, minute: int, second: int) -> int:
    if hour > 23 or minute > 59 or second > 59:
        raise _Unreadable()
    return hour * 3600 + minute * 60 + second


class _Reader:
    """Reads a text by the elements of a pattern into fields, then makes a date of them."""

    def __init__(self, text: str, locale: str) -> None:
        self.text = text
        self.locale = locale
        self.index = 0
        self.fields: dict[str, int] = {}
        self.zone: Zone | None = None
        self.offset: int | None = None

    def moment(self, parts: tuple[Element, ...], zone: Zone) -> Moment:
        self.sequence(parts)
        if self.index != len(self.text):
            raise _Unreadable()
        local = self.resolve()
        if self.offset is not None:
            own = self.zone or offset_zone(self.offset)
            return Moment(local.seconds - self.offset, local.nano, own)
        return at(local, self.zone or zone)

    # ---- fields

    def sequence(self, parts: tuple[Element, ...]) -> None:
        position = 0
        while position < len(parts):
            part = parts[position]
            if part.letter == "[":
                end = _closing(parts, position)
                self.optional(parts[position + 1 : end])
                position = end
            elif part.letter != "]":
                self.element(part, _adjacent(parts, position))
            position += 1

    def optional(self, parts: tuple[Element, ...]) -> None:
        before = (self.index, dict(self.fields), self.zone, self.offset)
        try:
            self.sequence(parts)
        except _Unreadable:
            self.index, self.fields, self.zone, self.offset = before

    def element(self, part: Element, reserved: int) -> None:
        letter, count = part.letter, part.count
        if letter == "'":
            self.literal(part.text)
        elif letter in "yuY":
            self.year(letter, count, reserved)
        elif letter == "S":
            self.put("S", int(self.digits(count, count).ljust(9, "0")))
        elif letter in "ML" and count >= 3:
            self.name(letter, names.month, 12, count, "M")
        elif letter in "Eec" and (letter == "E" or count >= 3):
            self.name(letter, names.weekday, 7, count, "E")
        elif letter in "Qq" and count >= 3:
            self.choice({names.quarter(n, _width(count), self.locale): n for n in range(1, 5)}, "Q")
        elif letter == "a":
            self.choice({names.half_day(h, self.locale): h // 12 for h in (0, 12)}, "a")
        elif letter == "G":
            self.choice({names.era(y, _width(count), self.locale): y for y in (0, 1)}, "G")
        elif letter in "XxZO":
            self.read_offset(letter, count)
        elif letter in "Vzv":
            self.region()
        else:
            self.number(letter, count, reserved)

    def literal(self, text: str) -> None:
        if not self.text.startswith(text, self.index):
            raise _Unreadable()
        self.index += len(text)

    def digits(self, least: int, most: int) -> str:
        match = re.compile(rf"[0-9]{{{least},{most}}}").match(self.text, self.index)
        if match is None:
            raise _Unreadable()
        self.index = match.end()
        return match.group()

    def year(self, letter: str, count: int, reserved: int) -> None:
        if count == 2:
            self.put(letter, 2000 + int(self.digits(2, 2)))
            return
        sign = 1
        if self.text[self.index : self.index + 1] in ("+", "-"):
            sign = -1 if self.text[self.index] == "-" else 1
            self.index += 1
        most = 19
        if reserved:
            run = re.compile(r"[0-9]*").match(self.text, self.index)
            most = max(count, len(run.group() if run else "") - reserved)
        least = count if count != 1 else 1
        text = self.digits(least, most)
        if (
            count >= 4
            and sign == 1
            and len(text) > count
            and self.text[self.index - len(text) - 1 : self.index - len(text)] != "+"
        ):
            raise _Unreadable()
        self.put(letter, sign * int(text))

    def number(self, letter: str, count: int, reserved: int) -> None:
        if count == 1:
            most = 19
            if reserved:
                run = re.compile(r"[0-9]*").match(self.text, self.index)
                most = max(1, len(run.group() if run else "") - reserved)
            self.put(letter, int(self.digits(1, most)))
        elif letter in "nNA":
            self.put(letter, int(self.digits(count, 19)))
        else:
            self.put(letter, int(self.digits(count, 3 if letter == "D" else count)))

    def name(
        self, letter: str, name: Callable[..., str], last: int, count: int, field: str
    ) -> None:
        alone = letter in "Lc"
        width = _width(count)
        known = {name(n, width, self.locale, alone=alone): n for n in range(1, last + 1)}
        self.choice(known, field)

    def choice(self, known: dict[str, int], field: str) -> None:
        for text in sorted(known, key=len, reverse=True):
            if self.text.startswith(text, self.index):
                self.index += len(text)
                self.put(field, known[text])
                return
        raise _Unreadable()

    def read_offset(self, letter: str, count: int) -> None:
        prefix = "GMT" if letter == "O" or (letter == "Z" and count == 4) else ""
        if letter == "Z" and self.text.startswith("GMT", self.index):
            prefix = "GMT"
        self.literal(prefix)
        is_zulu = letter == "X" or (letter == "Z" and count == 5)
        if is_zulu and self.text.startswith("Z", self.index):
            self.index += 1
            self.offset = 0
            return
        pattern = r"([+-])(\d\d?):?(\d\d)?(?::?(\d\d))?"
        match = re.compile(pattern, re.ASCII).match(self.text, self.index)
        if match is None:
            if prefix:
                self.offset = 0
                return
            raise _Unreadable()
        self.index = match.end()
        sign, hours, minutes, seconds = match.groups()
        total = int(hours) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
        self.offset = -total if sign == "-" else total

    def region(self) -> None:
        match = re.compile(r"[A-Za-z][A-Za-z0-9~/._+-]*|[+-][0-9:]+").match(self.text, self.index)
        if match is None:
            raise _Unreadable()
        self.index = match.end()
        self.zone = zone_of(match.group())

    def put(self, field: str, value: int) -> None:
        if self.fields.setdefault(field, value) != value:
            raise _Unreadable()

    # ---- the date they make

    def resolve(self) -> Local:
        day = self.resolve_date()
        second, nano = self.resolve_time()
        if second == DAY:
            day, second = day + 1, 0
        expected = self.fields.get("E")
        if expected is not None and weekday(day) != expected:
            raise _Unreadable()
        return Local(day, second, nano)

    def resolve_date(self) -> int:
        fields = self.fields
        year = fields.get("u", fields.get("y"))
        if year is None or ("u" not in fields and year < 1):
            raise _Unreadable()
        if fields.get("G") == 0 and "u" not in fields:
            year = 1 - year
        if "D" in fields:
            return _ordinal(year, fields["D"])
        month = fields.get("M", fields.get("L"))
        day = fields.get("d")
        if month is None or day is None or not 1 <= month <= 12 or not 1 <= day <= 31:
            raise _Unreadable()
        return days_from_civil(year, month, min(day, days_in_month(year, month)))

    def resolve_time(self) -> tuple[int, int]:
        fields = self.fields
        if "N" in fields:
            return divmod(fields["N"], NANOS)
        if "A" in fields:
            second, milli = divmod(fields["A"], 1000)
            return second, milli * 1_000_000
        hour = self.resolve_hour()
        if hour is None:
            return 0, 0
        minute, second = fields.get("m", 0), fields.get("s", 0)
        nano = fields.get("S", fields.get("n", 0))
        if hour == 24 and not (minute or second or nano):
            return DAY, 0
        return _clock(hour, minute, second), nano

    def resolve_hour(self) -> int | None:
        fields = self.fields
        if "H" in fields:
            return fields["H"]
        if "k" in fields:
            return fields["k"] % 24
        twelve = fields.get("K", fields["h"] % 12 if "h" in fields else None)
        if twelve is None or "a" not in fields:
            if {"m", "s", "S", "h", "K"} & set(fields):
                return None
            return None
        if twelve > 11:
            raise _Unreadable()
        return twelve + 12 * fields["a"]


def _closing(parts: tuple[Element, ...], begin: int) -> int:
    depth = 0
    for position in range(begin, len(parts)):
        depth += {"[": 1, "]": -1}.get(parts[position].letter, 0)
        if not depth:
            return position
    return len(parts)


def _adjacent(parts: tuple[Element, ...], position: int) -> int:
    """How many digits the fixed-width numbers right after this one need."""
    width = 0
    for part in parts[position + 1 :]:
        if (
            part.letter not in "MLdHhKkmsDS"
            or part.count < 2
            or (part.letter in "ML" and part.count > 2)
        ):
            break
        width += part.count
    return width


def _width(count: int) -> str:
    return {4: "wide", 5: "narrow"}.get(count, "abbreviated")


__all__ = ["ZULU", "read_moment"]
