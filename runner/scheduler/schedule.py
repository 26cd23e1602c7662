"""What to start at a date of a Schedule trigger, and what about missed ones (§12.2–12.4)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.services.dates import Dates, Scheduled

_TICK = timedelta(microseconds=1)
_MISSED = timedelta(seconds=30)
"""A date found later than this was missed; one found sooner is only late."""


@dataclass(frozen=True, slots=True)
class Due:
    """What a look at a trigger says: the date to start, if any, and the next one to look at."""

    date: datetime | None
    next_at: datetime | None


def look(dates: Dates, next_at: datetime, now: datetime, *, recover: str, was_held_up: bool) -> Due:
    """Say which date to start now, and when to look next.

    *next_at* is the date that was waited for; after a change of the trigger just a moment to count
    from. *was_held_up*: the trigger was locked when it came.
    """
    next_at = _not_too_late(dates, next_at, now)
    if not dates.is_date(next_at):
        following = dates.after(next_at)
        if following is None or following > now:
            return Due(None, following)
        next_at = following
    following = dates.after(next_at)
    has_more = following is not None and following <= now
    is_missed = has_more or was_held_up or now - next_at > _MISSED
    if not is_missed or recover == "ALL":
        return Due(dates.shown(next_at), following)
    latest = _latest(dates, now)
    if recover == "NONE" or latest is None:
        return Due(None, dates.after(now))
    return Due(latest, dates.after(now))


def recovery(schedule: Scheduled, *, is_from_git: bool) -> str:
    """Return which missed dates are made up for: the last one, for flows from Git; else all."""
    return schedule.recover_missed_schedules or ("LAST" if is_from_git else "ALL")


def _not_too_late(dates: Dates, next_at: datetime, now: datetime) -> datetime:
    delay = dates.schedule.late_maximum_delay
    if delay is None or next_at >= now - delay:
        return next_at
    return now - delay - _TICK


def _latest(dates: Dates, now: datetime) -> datetime | None:
    return dates.before(now + _TICK)
