"""Time zones by the names that `java.time.ZoneId.of` takes."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from runner.expressions.errors import ExpressionError

_OFFSET = re.compile(r"([+-])(\d{1,2})(?::?(\d{2})(?::?(\d{2}))?)?")
_PREFIXED = re.compile(r"(UTC|GMT|UT)([+-].+)")
_FIRST_SECOND = -62_135_424_000  # 0001-01-03
_LAST_SECOND = 253_370_764_800  # 9999-01-01
_CYCLE = 146_097 * 86_400  # the calendar repeats every 400 years
_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall-clock time, of any zone


@dataclass(frozen=True)
class Zone:
    """A region, or a fixed offset when it has none."""

    name: str
    region: ZoneInfo | None
    fixed: int = 0

    def offset_at(self, second: int) -> int:
        """Seconds east of Greenwich at that second since 1970."""
        if self.region is None:
            return self.fixed
        moment = _EPOCH + timedelta(seconds=_in_range(second))
        return _seconds(self.region.fromutc(moment.replace(tzinfo=self.region)).utcoffset())

    def offset_of_local(self, second: int) -> int:
        """The offset of a wall-clock time; in a gap that before it, in an overlap the earlier."""
        if self.region is None:
            return self.fixed
        local = _EPOCH + timedelta(seconds=_in_range(second))
        return _seconds(local.replace(tzinfo=self.region).utcoffset())

    def short_name(self, second: int) -> str:
        """`CET`, `Z`, `UTC+02:00`."""
        if self.region is None:
            return self.name
        moment = _EPOCH + timedelta(seconds=_in_range(second))
        name = self.region.fromutc(moment.replace(tzinfo=self.region)).tzname() or self.name
        return name if name.isalpha() else self.name


UTC = Zone("UTC", None)
ZULU = Zone("Z", None)


def offset_zone(seconds: int) -> Zone:
    """The zone of a fixed offset."""
    return Zone(offset_text(seconds), None, seconds) if seconds else ZULU


def offset_text(seconds: int) -> str:
    """`+05:30`, or `Z` for none."""
    if not seconds:
        return "Z"
    sign = "-" if seconds < 0 else "+"
    hours, rest = divmod(abs(seconds), 3600)
    text = f"{sign}{hours:02}:{rest // 60:02}"
    return f"{text}:{rest % 60:02}" if rest % 60 else text


@lru_cache(maxsize=256)
def zone_of(name: str) -> Zone:
    """The zone of that name: a region, `UTC`, `Z`, or an offset.

    Raises:
        ExpressionError: there is no such zone.
    """
    if name in ("Z", "z"):
        return ZULU
    if name in ("UTC", "GMT", "UT"):
        return Zone(name, None)
    if match := _OFFSET.fullmatch(name):
        return offset_zone(_offset_seconds(match))
    if match := _PREFIXED.fullmatch(name):
        offset = _OFFSET.fullmatch(match.group(2))
        if offset is None:
            raise _unknown(name)
        seconds = _offset_seconds(offset)
        return Zone(match.group(1) + (offset_text(seconds) if seconds else ""), None, seconds)
    return Zone(name, _region(name))


def zone_of_tzinfo(zone: tzinfo, moment: datetime) -> Zone:
    """The zone of a date that came in from Python."""
    if isinstance(zone, ZoneInfo) and zone.key:
        return zone_of(zone.key)
    return offset_zone(_seconds(moment.utcoffset()))


def _region(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise _unknown(name) from error


def _offset_seconds(match: re.Match[str]) -> int:
    sign, hours, minutes, seconds = match.groups()
    total = int(hours) * 3600 + int(minutes or 0) * 60 + int(seconds or 0)
    if total > 18 * 3600 or int(minutes or 0) > 59:
        raise _unknown(match.group())
    return -total if sign == "-" else total


def _in_range(second: int) -> int:
    """A second that Python's datetime reaches and at which the zone is as at this one."""
    if second < _FIRST_SECOND:
        return _FIRST_SECOND  # long before the first change
    if second > _LAST_SECOND:
        return _LAST_SECOND - _CYCLE + (second - _LAST_SECOND) % _CYCLE
    return second


def _seconds(offset: timedelta | None) -> int:
    return int((offset or timedelta()).total_seconds())


def _unknown(name: str) -> ExpressionError:
    return ExpressionError(f"unknown time zone {name!r}")
