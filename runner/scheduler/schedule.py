"""When a Schedule trigger runs: its dates, shaped by conditions, and what to do about missed ones.

Rules: execution-semantics §12.2–12.4.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from runner.expressions import Context
from runner.model.cron import CronDates, dates_of, zone_of
from runner.model.facts import Facts
from runner.model.flow import Flow, Trigger
from runner.model.listed_dates import ListedDates
from runner.plugin import Condition, TaskError
from runner.plugins.trigger import Schedule, ScheduleOnDates
from runner.runtime import Runtime
from runner.services.conditions import hold

Conditions = Sequence[Mapping[str, Any]]

_FAR = timedelta(days=3653)
_MOST_CANDIDATES = 20_000
_KEEP_DATE = ("DayWeek", "Weekend")
_MISSED = timedelta(seconds=30)
"""A date found later than this was missed; one found sooner is only late."""


@dataclass(frozen=True, slots=True)
class Due:
    """What a look at a trigger says: the date to start, if any, and the next one to look at."""

    date: datetime | None
    next_at: datetime | None


class Dates:
    """The dates of one trigger of one flow."""

    def __init__(self, runtime: Runtime, flow: Flow, trigger: Trigger) -> None:
        self._runtime = runtime
        self._flow = flow
        self._trigger = trigger
        raw = {"type": trigger.type, **trigger.properties}
        built = runtime.registry.build_plugin(raw, lambda value, typed: value)
        if not isinstance(built, Schedule | ScheduleOnDates):
            raise TaskError(f"{trigger.type} has no dates")
        self.schedule = built
        self._calendar = _calendar(built)
        self._conditions = [raw for raw in trigger.conditions if self._is_on_dates(raw)]

    def is_date(self, moment: datetime) -> bool:
        """Say whether it is one of them, conditions apart."""
        return self._calendar.is_date(moment)

    def after(self, moment: datetime) -> datetime | None:
        """Return the next date whose conditions hold."""
        return self._search(moment, self._conditions, forward=True)

    def before(self, moment: datetime) -> datetime | None:
        """Return the last date before whose conditions held."""
        return self._search(moment, self._conditions, forward=False)

    def following(self, moment: datetime) -> datetime | None:
        """Return the next date, conditions apart."""
        return self._calendar.after(moment)

    def variables(self, date: datetime) -> dict[str, Any]:
        """Return what expressions see as ``trigger``."""
        if isinstance(self.schedule, ScheduleOnDates):
            return {}
        conditions = [_with_date_kept(raw, date) for raw in self._conditions]
        found = {
            "date": date,
            "next": self._search(date, conditions, forward=True),
            "previous": self._search(date, conditions, forward=False),
        }
        return {name: _text(moment) for name, moment in found.items() if moment is not None}

    def shown(self, date: datetime) -> datetime:
        """Return a date with the offset of the trigger's zone."""
        return self._calendar.shown(date)

    def _search(
        self, moment: datetime, conditions: Conditions, *, forward: bool
    ) -> datetime | None:
        step = self._calendar.after if forward else self._calendar.before
        found = step(moment)
        for _ in range(_MOST_CANDIDATES):
            if found is None or abs(found - moment) > _FAR:
                return None
            if not conditions or self._suits(conditions, found):
                return found
            found = step(found)
        return None

    def _suits(self, conditions: Conditions, date: datetime) -> bool:
        context = Context({"trigger": {"date": _text(date)}})
        return hold(self._runtime, conditions, context, Facts(date=date))

    def _is_on_dates(self, raw: Mapping[str, Any]) -> bool:
        found = self._runtime.registry.find(str(raw.get("type")))
        return found is not None and issubclass(found, Condition) and found.on_schedule


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


def recovery(schedule: Schedule | ScheduleOnDates, *, is_from_git: bool) -> str:
    """Return which missed dates are made up for: the last one, for flows from Git; else all."""
    return schedule.recover_missed_schedules or ("LAST" if is_from_git else "ALL")


def _with_date_kept(raw: Mapping[str, Any], date: datetime) -> Mapping[str, Any]:
    """Return a condition as Kestra asks it about the dates before and after: a DayWeek or Weekend
    whose `date` is written out goes on judging the trigger's own date.
    """
    made = (
        {**raw, "conditions": [_with_date_kept(one, date) for one in raw["conditions"]]}
        if "conditions" in raw
        else raw
    )
    name = str(raw.get("type")).rpartition(".")[2].removesuffix("Condition")
    if name not in _KEEP_DATE or "".join(str(raw.get("date")).split()) != "{{trigger.date}}":
        return made
    return {**made, "date": _text(date)}


def _calendar(built: Schedule | ScheduleOnDates) -> CronDates | ListedDates:
    if isinstance(built, ScheduleOnDates):
        return ListedDates(built.dates, zone_of(built.timezone))
    return dates_of(built.cron, built.timezone, with_seconds=built.with_seconds)


def _not_too_late(dates: Dates, next_at: datetime, now: datetime) -> datetime:
    delay = dates.schedule.late_maximum_delay
    if delay is None or next_at >= now - delay:
        return next_at
    return now - delay - timedelta(microseconds=1)


def _latest(dates: Dates, now: datetime) -> datetime | None:
    return dates.before(now + timedelta(microseconds=1))


def _text(moment: datetime) -> str:
    """Return a moment as Java writes it: ISO with offset, ``Z`` for UTC."""
    return moment.isoformat().replace("+00:00", "Z")


def next_dates(dates: Dates, after: datetime, count: int) -> Sequence[datetime]:
    """Return the next few dates, for people."""
    found: list[datetime] = []
    while len(found) < count:
        moment = dates.after(found[-1] if found else after)
        if moment is None:
            break
        found.append(moment)
    return found
