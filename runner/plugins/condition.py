"""Conditions of triggers: which dates, calls and executions start something."""

from __future__ import annotations

import calendar
import locale
import os
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime, time, timedelta
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from runner.model.facts import Facts
from runner.model.preconditions import Multiple
from runner.model.states import State
from runner.plugin import Condition, Fixed, Read, Span

_OLD = "io.kestra.core.models.conditions.types."
_CORE = "io.kestra.plugin.core.condition."
_TRIGGER_DATE = "{{ trigger.date }}"
_ZONE = re.compile(r"\[[^\]]*\]$")
_TICK = timedelta(microseconds=1)
_AGES = timedelta(days=4000)

Day = Literal["MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY"]
_DAYS = ("MONDAY", "TUESDAY", "WEDNESDAY", "THURSDAY", "FRIDAY", "SATURDAY", "SUNDAY")
_PLACES = ("FIRST", "SECOND", "THIRD", "FOURTH")


def _aliases(name: str) -> tuple[str, str]:
    return f"{_OLD}{name}Condition", f"{_CORE}{name}Condition"


class _OnDate(Condition):
    on_schedule = True

    date: str | None = Field(
        default=_TRIGGER_DATE, description="what is judged; default: the trigger's date"
    )

    def moment(self, facts: Facts) -> datetime:
        """Return the date that is judged."""
        if self._is_written:
            return moment_of(self.date or "")
        if facts.date is None:
            raise ValueError("there is no date to judge")
        return facts.date

    def span(self, facts: Facts) -> Span | None:
        if self._is_written or facts.date is None:
            return None
        return self.span_around(facts.date)

    def span_around(self, date: datetime) -> Span:
        """Return when around *date* the answer is the same: that day, in its own zone."""
        start = datetime.combine(date.date(), time(), date.tzinfo)
        return Span(start, start + timedelta(days=1))

    @property
    def _is_written(self) -> bool:
        """Whether `date` says something else than the trigger's date."""
        return bool(self.date) and self.date != _TRIGGER_DATE


class _OnMoment(_OnDate):
    """One that needs to know when on that day."""

    def moment(self, facts: Facts) -> datetime:
        moment = super().moment(facts)
        if moment.tzinfo is None:
            raise ValueError(
                f"'{self.date}' has no offset: write it like 2025-01-01T08:00:00+01:00"
            )
        return moment


class DateTimeBetween(_OnMoment):
    """The date lies between two others.

    Example:
        - type: io.kestra.plugin.core.condition.DateTimeBetween
          after: "2025-01-01T00:00:00Z"
    """

    aliases = _aliases("DateTimeBetween")
    type: Literal["io.kestra.plugin.core.condition.DateTimeBetween"] = (
        "io.kestra.plugin.core.condition.DateTimeBetween"
    )
    after: str | None = Field(default=None, description="ISO date-time with offset")
    before: str | None = Field(default=None, description="ISO date-time with offset")

    def holds(self, facts: Facts) -> bool:
        moment = self.moment(facts)
        if not self.after and not self.before:
            raise ValueError("DateTimeBetween needs 'after' or 'before'")
        after, before = self._limits()
        return (after is None or moment > after) and (before is None or moment < before)

    def span_around(self, date: datetime) -> Span:
        after, before = self._limits()
        if after is not None and date <= after:
            return Span(date - _AGES, after + _TICK)
        if before is not None and date >= before:
            return Span(before, date + _AGES)
        return Span(after + _TICK if after else date - _AGES, before or date + _AGES)

    def _limits(self) -> tuple[datetime | None, datetime | None]:
        after, before = (moment_of(text) if text else None for text in (self.after, self.before))
        for limit in (after, before):
            if limit is not None and limit.tzinfo is None:
                raise ValueError(
                    f"'{limit.isoformat()}' has no offset: write Z or +01:00 behind it"
                )
        return after, before


class TimeBetween(_OnMoment):
    """The time of day lies between two others; over midnight if the first is the later one.

    Example:
        - type: io.kestra.plugin.core.condition.TimeBetween
          after: "08:00:00+02:00"
          before: "18:00:00+02:00"
    """

    aliases = _aliases("TimeBetween")
    type: Literal["io.kestra.plugin.core.condition.TimeBetween"] = (
        "io.kestra.plugin.core.condition.TimeBetween"
    )
    after: str | None = Field(default=None, description="time with offset")
    before: str | None = Field(default=None, description="time with offset")

    def holds(self, facts: Facts) -> bool:
        moment = self.moment(facts)
        after, before = (_time(text) if text else None for text in (self.after, self.before))
        if after is None and before is None:
            raise ValueError("TimeBetween needs 'after' or 'before'")
        is_after = after is None or _seconds(moment, after) > 0
        is_before = before is None or _seconds(moment, before) < 0
        if after is not None and before is not None and after > before:
            return is_after or is_before
        return is_after and is_before

    def span_around(self, date: datetime) -> Span:
        limits = [_time(text) for text in (self.after, self.before) if text]
        edges = sorted(edge for limit in limits for edge in _edges(date, limit))
        index = bisect_right(edges, date)
        return Span(edges[index - 1], edges[index])


class DayWeek(_OnDate):
    """It is a certain day of the week.

    Example:
        - type: io.kestra.plugin.core.condition.DayWeek
          dayOfWeek: MONDAY
    """

    aliases = _aliases("DayWeek")
    type: Literal["io.kestra.plugin.core.condition.DayWeek"] = (
        "io.kestra.plugin.core.condition.DayWeek"
    )
    day_of_week: Day = Field(description="MONDAY, TUESDAY …")

    def holds(self, facts: Facts) -> bool:
        return _DAYS[self.moment(facts).weekday()] == self.day_of_week


class DayWeekInMonth(_OnDate):
    """It is the first, second … of a day of the week in its month.

    Example:
        - type: io.kestra.plugin.core.condition.DayWeekInMonth
          dayOfWeek: MONDAY
          dayInMonth: FIRST
    """

    aliases = _aliases("DayWeekInMonth")
    type: Literal["io.kestra.plugin.core.condition.DayWeekInMonth"] = (
        "io.kestra.plugin.core.condition.DayWeekInMonth"
    )
    day_of_week: Day = Field(description="MONDAY, TUESDAY …")
    day_in_month: Literal["FIRST", "SECOND", "THIRD", "FOURTH", "LAST"] = Field(
        description="which of them"
    )

    def holds(self, facts: Facts) -> bool:
        moment = self.moment(facts)
        if _DAYS[moment.weekday()] != self.day_of_week:
            return False
        if self.day_in_month == "LAST":
            return moment.day + 7 > _days_in_month(moment)
        return (moment.day - 1) // 7 == _PLACES.index(self.day_in_month)


class Weekend(_OnDate):
    """It is Saturday or Sunday.

    Example:
        - type: io.kestra.plugin.core.condition.Weekend
    """

    aliases = _aliases("Weekend")
    type: Literal["io.kestra.plugin.core.condition.Weekend"] = (
        "io.kestra.plugin.core.condition.Weekend"
    )

    def holds(self, facts: Facts) -> bool:
        return self.moment(facts).weekday() >= 5


class PublicHoliday(_OnDate):
    """It is a public holiday.

    Example:
        - type: io.kestra.plugin.core.condition.PublicHoliday
          country: DE
          subDivision: BE
    """

    aliases = _aliases("PublicHoliday")
    type: Literal["io.kestra.plugin.core.condition.PublicHoliday"] = (
        "io.kestra.plugin.core.condition.PublicHoliday"
    )
    country: str | None = Field(
        default=None, description="ISO code; default: of the server's locale"
    )
    sub_division: str | None = Field(default=None, description="ISO code of a part of the country")

    def holds(self, facts: Facts) -> bool:
        import holidays

        country = (self.country or _country_of_locale()).upper()
        part = self.sub_division.upper() if self.sub_division else None
        day = self.moment(facts).date()
        known = holidays.list_supported_countries(include_aliases=True).get(country)
        if known is None:
            raise ValueError(f"there is no calendar of holidays for '{country}'")
        part = part if part in known else None  # an unknown part has the country's holidays
        return day in holidays.country_holidays(country, subdiv=part, years=day.year)


def _country_of_locale() -> str:
    language = locale.getlocale(locale.LC_TIME)[0] or os.environ.get("LANG", "")
    return language.partition(".")[0].partition("_")[2] or "US"


class Not(Condition):
    """None of its conditions holds.

    Example:
        - type: io.kestra.plugin.core.condition.Not
          conditions:
            - type: io.kestra.plugin.core.condition.Weekend
    """

    aliases = _aliases("Not")
    on_schedule = True
    is_combined = True
    type: Literal["io.kestra.plugin.core.condition.Not"] = "io.kestra.plugin.core.condition.Not"
    conditions: Annotated[list[Condition], Fixed()] = Field(min_length=1, description="conditions")

    @staticmethod
    def combine(answers: Iterable[bool]) -> bool:
        return not any(answers)

    def holds(self, facts: Facts) -> bool:
        return self.combine(condition.holds(facts) for condition in self.conditions)


class Or(Condition):
    """Any of its conditions holds.

    Example:
        - type: io.kestra.plugin.core.condition.Or
          conditions:
            - type: io.kestra.plugin.core.condition.Weekend
    """

    aliases = _aliases("Or")
    on_schedule = True
    is_combined = True
    type: Literal["io.kestra.plugin.core.condition.Or"] = "io.kestra.plugin.core.condition.Or"
    conditions: Annotated[list[Condition], Fixed()] = Field(min_length=1, description="conditions")

    @staticmethod
    def combine(answers: Iterable[bool]) -> bool:
        return any(answers)

    def holds(self, facts: Facts) -> bool:
        return self.combine(condition.holds(facts) for condition in self.conditions)


class Expression(Condition):
    """An expression gives something else than nothing and ``false``.

    Example:
        - type: io.kestra.plugin.core.condition.Expression
          expression: "{{ trigger.date | date('e') == '1' }}"
    """

    aliases = (_OLD + "VariableCondition", _CORE + "ExpressionCondition")
    type: Literal["io.kestra.plugin.core.condition.Expression"] = (
        "io.kestra.plugin.core.condition.Expression"
    )
    expression: str = Field(description="the expression")

    def holds(self, facts: Facts) -> bool:
        return self.expression.strip() not in ("", "false")


class _OnExecution(Condition):
    def holds(self, facts: Facts) -> bool:
        if facts.state is None:
            raise ValueError(f"{type(self).__name__} judges executions, and there is none")
        return self.suits(facts)

    def suits(self, facts: Facts) -> bool:
        """Say whether it holds for the execution that there is."""
        raise NotImplementedError


class ExecutionFlow(_OnExecution):
    """The execution is one of a certain flow.

    Example:
        - type: io.kestra.plugin.core.condition.ExecutionFlow
          namespace: company.team
          flowId: import
    """

    aliases = _aliases("ExecutionFlow")
    type: Literal["io.kestra.plugin.core.condition.ExecutionFlow"] = (
        "io.kestra.plugin.core.condition.ExecutionFlow"
    )
    namespace: str = Field(description="its namespace")
    flow_id: str = Field(description="its id")

    def suits(self, facts: Facts) -> bool:
        return (facts.namespace, facts.flow_id) == (self.namespace, self.flow_id)


class ExecutionNamespace(_OnExecution):
    """The execution is of a flow of certain namespaces.

    Example:
        - type: io.kestra.plugin.core.condition.ExecutionNamespace
          namespace: company
          comparison: PREFIX
    """

    aliases = _aliases("ExecutionNamespace")
    type: Literal["io.kestra.plugin.core.condition.ExecutionNamespace"] = (
        "io.kestra.plugin.core.condition.ExecutionNamespace"
    )
    namespace: str = Field(description="the namespace, or a part of it")
    comparison: Literal["EQUALS", "PREFIX", "SUFFIX"] | None = Field(
        default=None, description="default: EQUALS"
    )
    prefix: bool = Field(default=False, description="the same as comparison: PREFIX")

    def suits(self, facts: Facts) -> bool:
        actual = facts.namespace or ""
        match self.comparison or ("PREFIX" if self.prefix else "EQUALS"):
            case "PREFIX":
                return actual.startswith(self.namespace)
            case "SUFFIX":
                return actual.endswith(self.namespace)
            case _:
                return actual == self.namespace


class ExecutionStatus(_OnExecution):
    """The execution is in one of some states.

    Example:
        - type: io.kestra.plugin.core.condition.ExecutionStatus
          in: [FAILED, WARNING]
    """

    aliases = _aliases("ExecutionStatus")
    type: Literal["io.kestra.plugin.core.condition.ExecutionStatus"] = (
        "io.kestra.plugin.core.condition.ExecutionStatus"
    )
    among: list[State] | None = Field(default=None, alias="in", description="one of these")
    not_in: list[State] | None = Field(default=None, description="none of these")

    def suits(self, facts: Facts) -> bool:
        if self.among is not None and facts.state not in self.among:
            return False
        return facts.state not in (self.not_in or ())


class ExecutionLabels(_OnExecution):
    """The execution has some labels.

    Example:
        - type: io.kestra.plugin.core.condition.ExecutionLabels
          labels:
            team: data
    """

    aliases = _aliases("ExecutionLabels")
    type: Literal["io.kestra.plugin.core.condition.ExecutionLabels"] = (
        "io.kestra.plugin.core.condition.ExecutionLabels"
    )
    labels: Annotated[dict[str, str] | list[dict[str, str]], Read.STATIC] = Field(
        description="a map, or a list of {key, value}"
    )

    def suits(self, facts: Facts) -> bool:
        return all(facts.labels.get(key) == value for key, value in self._pairs().items())

    def _pairs(self) -> Mapping[str, str]:
        if isinstance(self.labels, dict):
            return self.labels
        return {pair["key"]: pair["value"] for pair in self.labels}


class ExecutionOutputs(_OnExecution):
    """An expression about the execution's flow outputs holds; false if it has none.

    Example:
        - type: io.kestra.plugin.core.condition.ExecutionOutputs
          expression: "{{ trigger.outputs.rows > 0 }}"
    """

    aliases = _aliases("ExecutionOutputs")
    type: Literal["io.kestra.plugin.core.condition.ExecutionOutputs"] = (
        "io.kestra.plugin.core.condition.ExecutionOutputs"
    )
    expression: Annotated[str, Read.ASKED] = Field(
        description="sees trigger.outputs; holds if it gives true"
    )

    def suits(self, facts: Facts) -> bool:
        return bool(facts.outputs) and facts.render(self.expression).strip().lower() == "true"


class HasRetryAttempt(_OnExecution):
    """A task of the execution was tried more than once, with attempts that ended in some states.

    Example:
        - type: io.kestra.plugin.core.condition.HasRetryAttempt
          in: [FAILED]
    """

    aliases = _aliases("HasRetryAttempt")
    type: Literal["io.kestra.plugin.core.condition.HasRetryAttempt"] = (
        "io.kestra.plugin.core.condition.HasRetryAttempt"
    )
    among: list[State] | None = Field(default=None, alias="in", description="one of these")
    not_in: list[State] | None = Field(default=None, description="none of these")

    def suits(self, facts: Facts) -> bool:
        return any(
            (self.among is None or state in self.among) and state not in (self.not_in or ())
            for state in facts.retried
        )


class MultipleCondition(Multiple, Condition):
    """Several conditions, each of which holds once in a window (deprecated: use preconditions).

    Example:
        - type: io.kestra.plugin.core.condition.MultipleCondition
          id: both
          conditions:
            first:
              type: io.kestra.plugin.core.condition.ExecutionFlow
              namespace: company.team
              flowId: first
            second:
              type: io.kestra.plugin.core.condition.ExecutionFlow
              namespace: company.team
              flowId: second
    """

    superseded = "MultipleCondition is deprecated: write preconditions"

    aliases = (f"{_OLD}MultipleCondition",)
    read: ClassVar[Read] = Read.STATIC
    deprecated = {
        "window": "'window' is deprecated: use 'timeWindow'",
        "windowAdvance": "'windowAdvance' is deprecated: use 'timeWindow'",
    }
    type: Literal["io.kestra.plugin.core.condition.MultipleCondition"] = (
        "io.kestra.plugin.core.condition.MultipleCondition"
    )
    conditions: Annotated[dict[str, Condition], Fixed()] = Field(
        min_length=1, description="name to condition"
    )

    def holds(self, facts: Facts) -> bool:
        raise ValueError("MultipleCondition is for Flow triggers alone")


class FlowCondition(Condition):
    """The listening flow is a certain one (deprecated).

    Example:
        - type: io.kestra.plugin.core.condition.FlowCondition
          namespace: company.team
          flowId: report
    """

    superseded = "FlowCondition is deprecated: it judges the flow that it stands in"

    aliases = (_OLD + "FlowCondition",)
    type: Literal["io.kestra.plugin.core.condition.FlowCondition"] = (
        "io.kestra.plugin.core.condition.FlowCondition"
    )
    namespace: Annotated[str, Read.STATIC] = Field(description="its namespace")
    flow_id: Annotated[str, Read.STATIC] = Field(description="its id")

    def holds(self, facts: Facts) -> bool:
        return (facts.listener_namespace, facts.listener_flow_id) == (self.namespace, self.flow_id)


class FlowNamespaceCondition(Condition):
    """The listening flow is of a certain namespace (deprecated).

    Example:
        - type: io.kestra.plugin.core.condition.FlowNamespaceCondition
          namespace: company
          prefix: true
    """

    superseded = "FlowNamespaceCondition is deprecated: it judges the flow that it stands in"

    aliases = (_OLD + "FlowNamespaceCondition",)
    type: Literal["io.kestra.plugin.core.condition.FlowNamespaceCondition"] = (
        "io.kestra.plugin.core.condition.FlowNamespaceCondition"
    )
    namespace: Annotated[str, Read.STATIC] = Field(description="the namespace")
    prefix: Annotated[bool, Read.STATIC] = Field(default=False, description="or one below it")

    def holds(self, facts: Facts) -> bool:
        actual = facts.listener_namespace or ""
        return actual.startswith(self.namespace) if self.prefix else actual == self.namespace


def moment_of(text: str) -> datetime:
    """Return a date, or date and time, as Java writes it: a zone may follow in brackets.

    Raises:
        ValueError: it is none.
    """
    return datetime.fromisoformat(_ZONE.sub("", text.strip()))


def _edges(date: datetime, limit: time) -> Iterator[datetime]:
    """Yield when around *date* the answer may change: at *limit*, behind it, and at midnight."""
    day = date.astimezone(limit.tzinfo).date()
    for days in (-1, 0, 1):
        edge = datetime.combine(day + timedelta(days=days), limit)
        yield datetime.combine(edge.date(), time(), limit.tzinfo)
        yield edge
        yield edge + _TICK


def _time(text: str) -> time:
    moment = time.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"'{text}' has no offset: write it like 08:00:00+02:00")
    return moment


def _seconds(moment: datetime, limit: time) -> float:
    """Return by how much *moment* is later in the day of *limit*'s zone than *limit*."""
    local = moment.astimezone(limit.tzinfo)
    return (local - datetime.combine(local.date(), limit)).total_seconds()


def _days_in_month(moment: datetime) -> int:
    return calendar.monthrange(moment.year, moment.month)[1]
