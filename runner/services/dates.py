"""The dates of a Schedule or ScheduleOnDates trigger, shaped by its conditions (§12.3)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from runner.errors import HeadraceError
from runner.expressions import is_template, render_value
from runner.model.cron import CronDates, dates_of, zone_of
from runner.model.facts import Facts
from runner.model.flow import Flow, Trigger
from runner.model.listed_dates import ListedDates
from runner.plugin import Condition, Span, TaskError
from runner.plugins.trigger import Schedule, ScheduleOnDates
from runner.runtime import Runtime
from runner.services.backfills import Backfill
from runner.services.conditions import Asked, asked
from runner.services.trigger_context import context_of, with_trigger
from runner.store.base import TriggerRow

DATED = (
    "io.kestra.plugin.core.trigger.Schedule",
    "io.kestra.plugin.core.trigger.ScheduleOnDates",
)
"""The types of trigger that have dates."""

Scheduled = Schedule | ScheduleOnDates

_Asked = Callable[[Mapping[str, Any]], Asked]
"""A condition for what ``trigger`` is in expressions."""

_FAR = timedelta(days=3653)
_MOST_CANDIDATES = 5_000
_TICK = timedelta(microseconds=1)
_LONGEST_CHANGE = timedelta(hours=3)
_KEEP_DATE = ("DayWeek", "Weekend")
_SHOWN = 3


class Dates:
    """The dates of one trigger of one flow."""

    def __init__(self, runtime: Runtime, flow: Flow, trigger: Trigger) -> None:
        self._runtime = runtime
        self._flow = flow
        self._trigger = trigger
        self._context = context_of(runtime, flow, {"id": trigger.id, "type": trigger.type})
        built = runtime.registry.build_plugin(
            {"type": trigger.type, **trigger.properties},
            lambda value, typed: render_value(value, self._context, typed=typed),
        )
        if not isinstance(built, Scheduled):
            raise TaskError(f"{trigger.type} has no dates")
        self.schedule = built
        self._calendar = _calendar(built)
        self._raw_conditions = [raw for raw in trigger.conditions if self._is_on_dates(raw)]
        self._conditions = [self._asked(_with_date_left_out(raw)) for raw in self._raw_conditions]

    def is_date(self, moment: datetime) -> bool:
        """Say whether it is one of them, conditions apart."""
        return self._calendar.is_date(moment)

    def after(self, moment: datetime) -> datetime | None:
        """Return the next date whose conditions hold.

        Where that takes too long to find, a date comes back that is only nearer to it: conditions
        are asked once more when it has come.
        """
        found, is_it = self._search(moment, self._conditions, forward=True)
        return found if is_it or found is None else self._calendar.shown(found)

    def before(self, moment: datetime) -> datetime | None:
        """Return the last date before whose conditions held."""
        found, is_it = self._search(moment, self._conditions, forward=False)
        return found if is_it else None

    def following(self, moment: datetime) -> datetime | None:
        """Return the next date, conditions apart."""
        return self._calendar.after(moment)

    def variables(self, date: datetime) -> dict[str, Any]:
        """Return what expressions see as ``trigger``."""
        if isinstance(self.schedule, ScheduleOnDates):
            return {}
        conditions = [self._asked(_with_date_kept(raw, date)) for raw in self._raw_conditions]
        found = {"date": date}
        for name, forward in (("next", True), ("previous", False)):
            moment, is_it = self._search(date, conditions, forward=forward)
            if moment is not None and is_it:
                found[name] = moment
        return {name: text_of(moment) for name, moment in found.items()}

    def shown(self, date: datetime) -> datetime:
        """Return a date with the offset of the trigger's zone."""
        return self._calendar.shown(date)

    def _search(
        self, moment: datetime, conditions: Sequence[_Asked], *, forward: bool
    ) -> tuple[datetime | None, bool]:
        """Return the first date that suits, and True; or how far the search has come, and False."""
        step = self._calendar.after if forward else self._calendar.before
        found = step(moment)
        for _ in range(_MOST_CANDIDATES):
            if found is None or abs(found - moment) > _FAR:
                return None, False
            beyond = self._unsuited(conditions, found, forward=forward)
            if beyond is None:
                return found, True
            found = step(beyond)
        return found, False

    def _unsuited(
        self, conditions: Sequence[_Asked], date: datetime, *, forward: bool
    ) -> datetime | None:
        """Return from when on to look further; None: all conditions hold on that date."""
        facts = Facts(date=date)
        about = {"date": text_of(date), "id": self._trigger.id, "type": self._trigger.type}
        for each in conditions:
            condition = each(about)
            if not condition.holds(facts):
                return self._beyond(condition.span(facts), date, forward=forward)
        return None

    def _beyond(self, span: Span | None, date: datetime, *, forward: bool) -> datetime:
        """Return the end of the time in which an answer stays the same."""
        if span is None:
            return date
        edge = span.end - _TICK if forward else span.start
        if self._calendar.shown(edge).utcoffset() != date.utcoffset():  # it is on another clock
            edge += -_LONGEST_CHANGE if forward else _LONGEST_CHANGE
        return max(date, edge) if forward else min(date, edge)

    def _asked(self, raw: Mapping[str, Any]) -> _Asked:
        """Return how to get a condition for what ``trigger`` is; built once where it can be."""
        if not _has_template(raw):
            build = cache(lambda: asked(self._runtime, raw, self._context))
            return lambda about: build()
        return lambda about: asked(self._runtime, raw, with_trigger(self._context, about))

    def _is_on_dates(self, raw: Mapping[str, Any]) -> bool:
        found = self._runtime.registry.find(str(raw.get("type")))
        return found is not None and issubclass(found, Condition) and found.on_schedule


def text_of(moment: datetime) -> str:
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


def upcoming(
    runtime: Runtime, flow: Flow | None, rows: Sequence[TriggerRow], now: datetime
) -> Sequence[datetime]:
    """Return the dates to come of a flow's triggers that are on, as the scheduler has them."""
    declared = {each.id: each for each in flow.triggers if not each.disabled} if flow else {}
    found: set[datetime] = set()
    for row in rows:
        trigger = declared.get(row.trigger_id)
        if flow and trigger and row.type in DATED and not row.disabled:
            found.update(_to_come(runtime, flow, trigger, row, now))
    return sorted(found)[:_SHOWN]


def _to_come(
    runtime: Runtime, flow: Flow, trigger: Trigger, row: TriggerRow, now: datetime
) -> Sequence[datetime]:
    stored = row.next_at
    if row.backfill is not None:  # the date that waits behind it
        stored = Backfill.read(row.backfill).previous
    if stored is None:
        return ()
    try:
        return next_dates(Dates(runtime, flow, trigger), max(now, stored - _TICK), _SHOWN)
    except (HeadraceError, ValueError):  # the scheduler tells of it when the date has come
        return (stored,)


def _is_trigger_date(date: object) -> bool:
    return "".join(str(date).split()) == "{{trigger.date}}"


def _with_date_left_out(raw: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a condition without a `date` that says what is the case without it."""
    made = {
        name: value for name, value in raw.items() if name != "date" or not _is_trigger_date(value)
    }
    if isinstance(nested := raw.get("conditions"), list):
        made["conditions"] = [_with_date_left_out(one) for one in nested]
    return made


def _has_template(value: object) -> bool:
    if isinstance(value, Mapping):
        return any(map(_has_template, value.values()))
    if isinstance(value, list):
        return any(map(_has_template, value))
    return isinstance(value, str) and is_template(value)


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
    if name not in _KEEP_DATE or not _is_trigger_date(raw.get("date")):
        return made
    return {**made, "date": text_of(date)}


def _calendar(built: Scheduled) -> CronDates | ListedDates:
    if isinstance(built, ScheduleOnDates):
        return ListedDates(built.dates, zone_of(built.timezone))
    return dates_of(built.cron, built.timezone, with_seconds=built.with_seconds)
