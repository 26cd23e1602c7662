"""The dates of a cron expression in a time zone (execution-semantics §12.3). Pure.

croniter counts on clock faces; what a clock face means in a zone is decided here. Where the
clock jumps forward, a date inside the gap falls directly behind it. Where an hour occurs twice,
a date counts once, at the first; dates that follow one another at least hourly have each real hour.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from croniter import CroniterBadDateError, croniter

_OFFSET = re.compile(r"(?:UTC|GMT|UT)?([+-])(\d{1,2})(?::?(\d{2}))?(?::?(\d{2}))?")
_SAME = re.compile(r"(?<![\w-])(\w+)-\1(?:/\d+)?(?![\w-])")
_ALL = re.compile(r"(?<![\w*])\*/1(?!\d)")
_EVERY = re.compile(r"(^|[\s,])/(?=\d)")
_NAMES_OF_UTC = frozenset({"Z", "UTC", "GMT", "UT"})
_TICK = timedelta(microseconds=1)
_KEPT = 64
_LONGEST_GAP = timedelta(hours=25)
_HOUR = timedelta(hours=1)
_HOURS_OF_DAY = 24


@dataclass(frozen=True, slots=True)
class _Overlap:
    """The clock faces that come twice, from *first* until *last*, and the offsets of both times."""

    first: datetime
    last: datetime
    before: timedelta
    behind: timedelta


def _is_past(found: datetime, moment: datetime, forward: bool) -> bool:
    return found > moment if forward else found < moment


def zone_of(name: str | None) -> tzinfo:
    """Return a zone by Java's rules: a region, or an offset such as ``+02:00``; None is UTC."""
    if name is None or name in _NAMES_OF_UTC:
        return UTC
    if match := _OFFSET.fullmatch(name):
        sign, hours, minutes, seconds = match.groups()
        offset = timedelta(hours=int(hours), minutes=int(minutes or 0), seconds=int(seconds or 0))
        return timezone(-offset if sign == "-" else offset)
    return ZoneInfo(name)


def spelled_out(cron: str) -> str:
    """Return an expression without what croniter reads in its own way: 5-5, /5, and */1."""
    return _ALL.sub("*", _EVERY.sub(r"\1*/", _SAME.sub(r"\1", cron.strip())))


@lru_cache(maxsize=2_000)
def dates_of(cron: str, zone: str | None = None, *, with_seconds: bool = False) -> CronDates:
    """Return the dates of an expression; schedules that are alike share what was found."""
    return CronDates(cron, zone_of(zone), with_seconds=with_seconds)


class CronDates:
    """The dates of one expression, as moments with its zone's offset. Safe for many threads."""

    def __init__(self, cron: str, zone: tzinfo = UTC, *, with_seconds: bool = False) -> None:
        self._cron = spelled_out(cron)
        self._zone = zone
        self._with_seconds = with_seconds
        hours = croniter(self._cron, second_at_beginning=with_seconds).expanded[1]
        self._is_each_hour = hours == ["*"] or len(set(hours)) == _HOURS_OF_DAY
        self._overlaps: dict[_Overlap, tuple[datetime, ...]] = {}
        self._known: dict[tuple[datetime, bool], datetime | None] = {}

    def is_date(self, moment: datetime) -> bool:
        """Say whether *moment* is one of them."""
        moment = moment.astimezone(UTC)
        found = self._next(moment - _TICK, forward=True)
        return found == moment

    def after(self, moment: datetime) -> datetime | None:
        """Return the first date behind *moment*; None: there is none."""
        return self._shown_or_none(self._next(moment.astimezone(UTC), forward=True))

    def before(self, moment: datetime) -> datetime | None:
        """Return the last date before *moment*; None: there is none."""
        return self._shown_or_none(self._next(moment.astimezone(UTC), forward=False))

    # Inside, moments are in UTC: Python compares and adds within a zone by clock faces.

    def shown(self, moment: datetime) -> datetime:
        """Return a moment with the zone's offset at that time."""
        return moment.astimezone(timezone(self._offset(moment)))

    def _shown_or_none(self, moment: datetime | None) -> datetime | None:
        return None if moment is None else self.shown(moment)

    def _next(self, moment: datetime, *, forward: bool) -> datetime | None:
        key = (moment, forward)
        if key not in self._known:
            if len(self._known) >= _KEPT:
                self._known.clear()
            find = self._real if self._is_each_hour else self._once
            self._known[key] = find(moment, forward=forward)
        return self._known[key]

    def _once(self, moment: datetime, *, forward: bool) -> datetime | None:
        """Each clock face counts once, at its first moment; see `_in_overlap` for more."""
        face: datetime | None = moment.astimezone(self._zone).replace(tzinfo=None)
        if (overlap := self._overlap(moment)) is not None:
            inside = [each for each in self._in_overlap(overlap) if _is_past(each, moment, forward)]
            if inside:
                return inside[0] if forward else inside[-1]
            face = overlap.last - _TICK if forward else overlap.first
        while (face := self._face(face, forward=forward)) is not None:
            found = self._moment(face, forward=forward)
            if _is_past(found, moment, forward):
                return found
        return None

    def _overlap(self, moment: datetime) -> _Overlap | None:
        """Return the time of day around *moment* that comes twice; None: it comes once."""
        here = moment.astimezone(self._zone)
        before = here.replace(fold=0).utcoffset() or timedelta()
        behind = here.replace(fold=1).utcoffset() or timedelta()
        if before == behind:
            return None
        face = here.replace(tzinfo=UTC)
        change = self._change(face - before, face - behind, before).replace(tzinfo=None)
        return _Overlap(change + behind, change + before, before, behind)

    def _in_overlap(self, overlap: _Overlap) -> tuple[datetime, ...]:
        """Return the dates in an hour that comes twice.

        They count once; twice if they follow one another at least hourly.
        """
        if overlap not in self._overlaps:
            faces = self._faces(overlap)
            following = self._face(faces[0], forward=True) if faces else None
            is_hourly = following is not None and following - faces[0] <= _HOUR
            offsets = (overlap.before, overlap.behind) if is_hourly else (overlap.before,)
            self._overlaps[overlap] = tuple(
                face.replace(tzinfo=UTC) - offset for offset in offsets for face in faces
            )
        return self._overlaps[overlap]

    def _faces(self, overlap: _Overlap) -> list[datetime]:
        faces: list[datetime] = []
        face = self._face(overlap.first - _TICK, forward=True)
        while face is not None and face < overlap.last:
            faces.append(face)
            face = self._face(face, forward=True)
        return faces

    def _real(self, moment: datetime, *, forward: bool) -> datetime | None:
        """Each real hour has its own: from one change of the clock to the next."""
        inside = moment if forward else moment - _TICK
        offset = self._offset(inside)
        while (
            face := self._face((moment + offset).replace(tzinfo=None), forward=forward)
        ) is not None:
            found = face.replace(tzinfo=UTC) - offset
            if self._offset(found) == offset:
                return found
            moment = self._change(inside, found, offset)
            inside = moment if forward else moment - _TICK
            offset = self._offset(inside)
            if forward:  # the date at the change itself counts
                moment -= _TICK
        return None

    def _face(self, face: datetime | None, *, forward: bool) -> datetime | None:
        dates = croniter(self._cron, face, second_at_beginning=self._with_seconds)
        try:
            found: datetime = dates.get_next(datetime) if forward else dates.get_prev(datetime)
        except CroniterBadDateError:
            return None
        return found

    def _moment(self, face: datetime, *, forward: bool) -> datetime:
        """Return when a clock face counts first, or last; directly behind the gap if in one."""
        there = face.replace(tzinfo=self._zone).astimezone(UTC)
        if there.astimezone(self._zone).replace(tzinfo=None) == face:
            overlap = None if forward else self._overlap(there)
            return there if overlap is None else self._in_overlap(overlap)[-1]
        before = there - _LONGEST_GAP
        return self._change(before, there, self._offset(before))

    def _offset(self, moment: datetime) -> timedelta:
        return moment.astimezone(self._zone).utcoffset() or timedelta()

    def _change(self, inside: datetime, outside: datetime, offset: timedelta) -> datetime:
        """Return when the clock changes between two moments, the first of which has *offset*."""
        while abs(outside - inside) > _TICK:
            middle = inside + (outside - inside) / 2
            if self._offset(middle) == offset:
                inside = middle
            else:
                outside = middle
        return max(inside, outside)
