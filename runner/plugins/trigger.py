"""What starts executions: dates, calls over HTTP, ends of other executions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from functools import lru_cache
from typing import Annotated, Any, ClassVar, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from croniter import CroniterError, croniter
from pydantic import AwareDatetime, Field, ValidationInfo, field_validator

from runner.errors import NotFound
from runner.model.cron import spelled_out
from runner.model.cronfields import field_fault
from runner.model.names import nearest
from runner.model.preconditions import Preconditions
from runner.model.quartz import unix_of
from runner.model.states import State
from runner.plugin import Fixed, Read, RunContext, Task, TaskError, TriggerType

_OLD = "io.kestra.core.models.triggers.types."
_REGION = re.compile(r"[A-Za-z][A-Za-z0-9~/._+-]+")
_OFFSET = re.compile(
    r"(?:UTC|GMT|UT)?[+-](\d{1,2}|\d{2}:?(\d{2})|\d{2}:\d{2}:\d{2}|\d{6})|Z|UTC|GMT|UT"
)
_FURTHEST_HOURS = 18
_NOT_OF_JAVA = frozenset({"EST", "MST", "HST", "ROC", "Factory", "localtime", "posixrules"})
_NICKNAMES = frozenset(
    {"@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly"}
)
_QUARTZ = re.compile(r"[?#LW]", re.IGNORECASE)
_RANDOM = re.compile(r"(?<![A-Z])R(?![A-Z])", re.IGNORECASE)
_WORDS = re.compile(r"[A-Za-z]{3,}")
_NO_QUARTZ = (
    "L, W, # and ? belong to Quartz and are not understood: write * for ?, and for the others "
    "more dates than are wanted, with a condition such as DayWeekInMonth"
)


class Schedule(TriggerType):
    """Start an execution at the dates of a cron expression.

    Example:
        - id: every_morning
          type: io.kestra.plugin.core.trigger.Schedule
          cron: "0 7 * * *"
          timezone: Europe/Paris
    """

    aliases = (_OLD + "Schedule",)
    evaluated_by = "scheduler"
    deprecated: ClassVar[Mapping[str, str]] = {"backfill": "backfills are made through the API"}

    type: Literal["io.kestra.plugin.core.trigger.Schedule"] = (
        "io.kestra.plugin.core.trigger.Schedule"
    )
    with_seconds: Annotated[bool, Read.STATIC] = Field(default=False, description="six fields")
    cron: Annotated[str, Read.STATIC] = Field(description="five fields, or six with seconds first")
    timezone: Annotated[str | None, Read.STATIC] = Field(
        default=None, description="zone of the dates; default: the server's"
    )
    late_maximum_delay: Annotated[timedelta | None, Read.STATIC] = Field(
        default=None, description="skip dates that are older"
    )
    recover_missed_schedules: Annotated[Literal["ALL", "LAST", "NONE"] | None, Read.STATIC] = Field(
        default=None, description="which missed dates are made up for"
    )
    backfill: Annotated[dict[str, Any] | None, Read.STATIC] = Field(
        default=None, description="ignored"
    )

    interval: Annotated[Any, Read.STATIC] = Field(default=None, description="must be absent")

    @field_validator("interval")
    @classmethod
    def _no_interval(cls, interval: object) -> None:
        raise ValueError("must be null")

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, zone: str | None) -> str | None:
        return checked_zone(zone)

    @field_validator("cron")
    @classmethod
    def _good_cron(cls, cron: str, info: ValidationInfo) -> str:
        fault = cron_fault(cron, with_seconds=info.data.get("with_seconds", False))
        if fault:
            raise ValueError(f"invalid cron expression '{cron}': {fault}")
        return cron


class ScheduleOnDates(TriggerType):
    """Start an execution at some dates.

    Example:
        - id: releases
          type: io.kestra.plugin.core.trigger.ScheduleOnDates
          timezone: Europe/Berlin
          dates:
            - "2026-04-01T09:00:00+02:00"
            - "2026-10-01T09:00:00+02:00"
    """

    evaluated_by = "scheduler"

    type: Literal["io.kestra.plugin.core.trigger.ScheduleOnDates"] = (
        "io.kestra.plugin.core.trigger.ScheduleOnDates"
    )
    dates: list[AwareDatetime] = Field(description="dates and times with their offsets")
    timezone: Annotated[str | None, Read.STATIC] = Field(
        default=None, description="zone in which they are shown; default: the server's"
    )
    recover_missed_schedules: Annotated[Literal["ALL", "LAST", "NONE"] | None, Read.STATIC] = Field(
        default=None, description="which missed dates are made up for"
    )

    late_maximum_delay: ClassVar[timedelta | None] = None

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, zone: str | None) -> str | None:
        return checked_zone(zone)


class Toggle(Task):
    """Switch a trigger on or off (deprecated).

    Example:
        - id: stop_polling
          type: io.kestra.plugin.core.trigger.Toggle
          trigger: poll
          enabled: false
    """

    superseded = "Toggle is deprecated: let the API switch triggers"

    aliases = ("io.kestra.core.tasks.trigger.Toggle",)

    type: Literal["io.kestra.plugin.core.trigger.Toggle"] = "io.kestra.plugin.core.trigger.Toggle"
    trigger: Annotated[str, Fixed()] = Field(description="id of the trigger")
    namespace: str | None = Field(default=None, description="default: the flow's")
    flow_id: str | None = Field(default=None, description="default: this flow")
    enabled: Annotated[bool, Read.STATIC] = Field(default=False, description="on or off")

    def run(self, ctx: RunContext) -> None:
        namespace = self.namespace or ctx.identity.namespace
        flow_id = self.flow_id or ctx.identity.flow_id
        try:
            ctx.server.toggle_trigger(namespace, flow_id, self.trigger, enabled=self.enabled)
        except NotFound as exc:
            raise TaskError(
                f"Unable to find trigger {self.trigger} for the flow {namespace}.{flow_id}"
            ) from exc


class Webhook(TriggerType):
    """Start an execution by an HTTP call to ``…/executions/webhook/NAMESPACE/FLOW/KEY``.

    Example:
        - id: called
          type: io.kestra.plugin.core.trigger.Webhook
          key: "{{ secret('WEBHOOK_KEY') }}"
    """

    aliases = (_OLD + "Webhook",)
    evaluated_by = "webhook"

    type: Literal["io.kestra.plugin.core.trigger.Webhook"] = "io.kestra.plugin.core.trigger.Webhook"
    key: Annotated[str, Fixed()] = Field(
        max_length=256, description="last part of the address; hard to guess"
    )
    wait: Annotated[bool, Read.STATIC] = Field(default=False, description="answer at the end")
    return_outputs: Annotated[bool, Read.STATIC] = Field(
        default=False, description="with wait: answer with the flow's outputs"
    )
    response_content_type: Annotated[str | None, Read.STATIC] = Field(
        default=None, description="application/json or text/plain"
    )
    response_code: int | None = Field(default=None, description="with wait: status of the answer")

    @field_validator("response_content_type")
    @classmethod
    def _known_content_type(cls, value: str | None) -> str | None:
        if value not in (None, "application/json", "text/plain"):
            raise ValueError(
                "invalid webhook: responseContentType must be either "
                "'application/json' or 'text/plain'"
            )
        return value


class Flow(TriggerType):
    """Start an execution when executions of other flows reach a state.

    Example:
        - id: after_import
          type: io.kestra.plugin.core.trigger.Flow
          conditions:
            - type: io.kestra.plugin.core.condition.ExecutionFlow
              namespace: company.team
              flowId: import
          states: [SUCCESS]
    """

    aliases = (_OLD + "Flow",)
    evaluated_by = "flow"

    type: Literal["io.kestra.plugin.core.trigger.Flow"] = "io.kestra.plugin.core.trigger.Flow"
    states: Annotated[list[State] | None, Read.STATIC] = Field(
        default=None, description="default: all terminal states and PAUSED"
    )
    preconditions: Annotated[Preconditions | None, Read.STATIC] = Field(
        default=None, description="what else has to be seen, in some window of time"
    )


def checked_zone(zone: str | None) -> str | None:
    """Return a zone as it is. Raises ValueError: there is none of that name."""
    if zone is not None and (fault := zone_fault(zone)):
        raise ValueError(f"timezone '({zone})' is not a valid time-zone ID: {fault}")
    return zone


def zone_fault(name: str) -> str | None:
    """Say why *name* is no zone by Java's rules: a region, or an offset as ``+02:00``."""
    if offset := _OFFSET.fullmatch(name):
        return _offset_fault(offset.group(1))
    if name in _NOT_OF_JAVA:
        return "write a region such as America/New_York, or an offset such as -05:00"
    if not _REGION.fullmatch(name):
        return "write a region such as Europe/Paris, or an offset such as +02:00"
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        near = nearest(name, available_timezones())
        return f"Unknown time-zone ID: {name}" + (f", did you mean {near}?" if near else "")
    return None


def _offset_fault(digits: str | None) -> str | None:
    hours, *rest = re.findall(r"\d{1,2}", digits or "0")
    is_far = int(hours) > _FURTHEST_HOURS or (int(hours) == _FURTHEST_HOURS and any(map(int, rest)))
    return f"offsets go to {_FURTHEST_HOURS}:00 at most" if is_far else None


@lru_cache(maxsize=2_000)
def cron_fault(cron: str, *, with_seconds: bool) -> str | None:
    """Say what is wrong with a cron expression, and how to mend it; None if nothing is."""
    text = cron.strip()
    if text.startswith("@"):
        known = ", ".join(sorted(_NICKNAMES))
        return None if cron in _NICKNAMES else f"known nicknames are {known}"
    if "{{" in text or "{%" in text:
        return "expressions are not evaluated here: write the dates out"
    fields = text.split()
    wanted = 6 if with_seconds else 5
    if len(fields) != wanted:
        return _wrong_count(fields, wanted)
    if _QUARTZ.search(_WORDS.sub("", text)):
        return _NO_QUARTZ
    if _RANDOM.search(text):
        return "R is no part of a cron expression: write the dates out"
    text = spelled_out(text)
    return _croniter_fault(text, with_seconds) or field_fault(text)


def _wrong_count(fields: list[str], wanted: int) -> str:
    if len(fields) in (6, 7) and wanted == 5:
        told = f"it has {len(fields)} fields, 5 are needed (minute hour day month weekday)"
        if unix := unix_of(" ".join(fields)):
            return f"{told}: write '{unix}'"
        if _QUARTZ.search(_WORDS.sub("", " ".join(fields))):
            return f"{told}; {_NO_QUARTZ}"
        return f"{told}: set withSeconds: true if the first field is the seconds"
    return f"it has {len(fields)} fields, {wanted} are needed"


def _croniter_fault(text: str, with_seconds: bool) -> str | None:
    try:
        croniter(text, second_at_beginning=with_seconds)
    except (CroniterError, ValueError, KeyError, OverflowError) as exc:
        return str(exc)
    return None
