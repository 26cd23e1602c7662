"""Cron dates around changes of the clock, held against a reading of their own.

The reading walks every real second or minute of some days and asks `zoneinfo` for the clock face;
it knows nothing of `runner.model.cron` or croniter.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from runner.model.cron import CronDates

_MINUTE, _SECOND, _DAY = timedelta(minutes=1), timedelta(seconds=1), timedelta(days=1)

CHANGES = {
    "Europe/Paris": ("2024-03-31T01:00", "2024-10-27T01:00"),
    "America/New_York": ("2024-03-10T07:00", "2024-11-03T06:00"),
    "Australia/Lord_Howe": ("2024-04-06T15:00", "2024-10-05T15:30"),  # by half an hour
    "America/Sao_Paulo": ("2018-11-04T03:00", "2018-02-18T02:00"),  # at midnight
    "America/St_Johns": ("2010-03-14T03:31", "2010-11-07T02:31"),  # a minute past it
    "Pacific/Apia": ("2011-12-30T10:00",),  # a whole day is left out
    "Asia/Kolkata": ("2024-03-31T01:00",),  # none
}
PLACES = [(zone, at) for zone, changes in CHANGES.items() for at in changes]


@dataclass(frozen=True)
class Pattern:
    """A cron expression and what its fields allow. *hours* None: any."""

    text: str
    seconds: frozenset[int]
    minutes: frozenset[int]
    hours: frozenset[int] | None
    days: frozenset[int] | None = None
    weekdays: frozenset[int] | None = None  # Monday is 0

    def fits(self, face: datetime) -> bool:
        at_time = (
            face.second in self.seconds
            and face.minute in self.minutes
            and (self.hours is None or face.hour in self.hours)
        )
        return at_time and self._is_day(face)

    def _is_day(self, face: datetime) -> bool:
        asked = [
            number in wanted
            for number, wanted in ((face.day, self.days), (face.weekday(), self.weekdays))
            if wanted is not None
        ]
        return not asked or any(asked)


def listed(numbers: frozenset[int]) -> str:
    return ",".join(map(str, sorted(numbers)))


@st.composite
def patterns(draw: st.DrawFn) -> Pattern:
    some = lambda most: st.frozensets(st.integers(0, most), min_size=1, max_size=3)  # noqa: E731
    minutes = draw(some(59))
    hours = draw(st.none() | some(6) | some(23))
    days = draw(st.none() | st.frozensets(st.integers(1, 31), min_size=8, max_size=20))
    weekdays = draw(st.none() | some(6))
    text = " ".join(
        [
            listed(minutes),
            "*" if hours is None else listed(hours),
            "*" if days is None else listed(days),
            "*",
            "*" if weekdays is None else listed(frozenset((day + 1) % 7 for day in weekdays)),
        ]
    )
    return Pattern(text, frozenset({0}), minutes, hours, days, weekdays)


@cache
def walked(
    zone: str, change: str, step: timedelta, around: timedelta
) -> list[tuple[datetime, datetime]]:
    """Return each real moment around a change with its clock face."""
    middle = datetime.fromisoformat(change).replace(tzinfo=UTC)
    count = 2 * around // step
    moments = (middle - around + index * step for index in range(count))
    return [(at, at.astimezone(ZoneInfo(zone)).replace(tzinfo=None)) for at in moments]


def read(
    pattern: Pattern, zone: str, change: str, step: timedelta, around: timedelta
) -> list[datetime]:
    """Return the dates around a change, as §12.3 has them."""
    if pattern.hours is None:
        return [at for at, face in walked(zone, change, step, around) if pattern.fits(face)]
    found, known = [], None
    steps = walked(zone, change, step, around)
    is_hourly = _is_hourly_where_it_repeats(pattern, [face for _, face in steps], step)
    for at, face in steps:
        if known is not None and face <= known:  # a face that comes again
            if is_hourly and pattern.fits(face):
                found.append(at)
            continue
        skipped = _faces_between(known, face, step) if known is not None else ()
        if pattern.fits(face) or any(pattern.fits(each) for each in skipped):
            found.append(at)
        known = face
    return found


def _is_hourly_where_it_repeats(pattern: Pattern, faces: list[datetime], step: timedelta) -> bool:
    """Say whether what fits in the hour that comes twice is followed within an hour by more."""
    again = next((i for i in range(1, len(faces)) if faces[i] <= faces[i - 1]), None)
    if again is None:
        return False
    start, end = faces[again], faces[again - 1] + step
    first = next((f for f in _faces_between(start - step, end, step) if pattern.fits(f)), None)
    if first is None:
        return False
    hour = _faces_between(first, first + timedelta(hours=1) + step, step)
    return any(pattern.fits(each) for each in hour)


def _faces_between(first: datetime, last: datetime, step: timedelta) -> list[datetime]:
    return [first + index * step for index in range(1, (last - first) // step)]


def check(pattern: Pattern, zone: str, change: str, offset: timedelta, *, seconds: bool) -> None:
    step, around = (_SECOND, timedelta(hours=2)) if seconds else (_MINUTE, 2 * _DAY)
    dates = CronDates(pattern.text, ZoneInfo(zone), with_seconds=seconds)
    expected = read(pattern, zone, change, step, around)
    asked = datetime.fromisoformat(change).replace(tzinfo=UTC) + offset
    _agree(dates.after, asked, next((at for at in expected if at > asked), None))
    _agree(dates.before, asked, next((at for at in reversed(expected) if at < asked), None))


def _agree(
    ask: Callable[[datetime], datetime | None], asked: datetime, expected: datetime | None
) -> None:
    """Dates beyond what was walked are not compared."""
    if expected is not None:
        assert ask(asked) == expected


@settings(max_examples=150, deadline=None)
@given(patterns(), st.sampled_from(PLACES), st.integers(-24 * 60, 24 * 60))
def test_dates_around_a_change_are_those_of_the_clock_on_the_wall(pattern, place, minutes):
    check(pattern, *place, timedelta(minutes=minutes), seconds=False)


@settings(max_examples=50, deadline=None)
@given(
    st.frozensets(st.integers(0, 59), min_size=1, max_size=3),
    st.none() | st.frozensets(st.integers(0, 4), min_size=1, max_size=3),
    st.sampled_from(PLACES),
    st.integers(-3600, 3600),
)
def test_seconds_around_a_change_are_those_of_the_clock_on_the_wall(seconds, hours, place, offset):
    text = f"{listed(seconds)} */10 {'*' if hours is None else listed(hours)} * * *"
    pattern = Pattern(text, seconds, frozenset(range(0, 60, 10)), hours)
    check(pattern, *place, timedelta(seconds=offset), seconds=True)
