"""What has to be seen before a Flow trigger starts something (core-plugins §11.3)."""

from __future__ import annotations

from datetime import time, timedelta
from typing import Annotated, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator
from pydantic.alias_generators import to_camel

from runner import durations
from runner.model.states import State
from runner.model.windows import WindowRule, WindowType


def _without_offset(value: time) -> time:
    if value.tzinfo is not None:
        raise ValueError("must have no offset: it is a time in the server's zone")
    return value


_Time = Annotated[time, AfterValidator(_without_offset)]
_Duration = Annotated[timedelta, BeforeValidator(durations.parse)]
_ID = r"^[a-zA-Z0-9][a-zA-Z0-9_-]*$"

FilterType = Literal[
    "EQUAL_TO", "NOT_EQUAL_TO", "STARTS_WITH", "ENDS_WITH", "CONTAINS", "REGEX", "IN", "NOT_IN",
    "IS_TRUE", "IS_FALSE", "IS_NULL", "IS_NOT_NULL",
]  # fmt: skip
_WITH_VALUES = ("IN", "NOT_IN")
_PARTS = {
    "window": "a window",
    "advance": "a window advance",
    "start_time": "a start time",
    "end_time": "an end time",
    "deadline": "a deadline",
}
_NEEDED = {
    "DURATION_WINDOW": (),
    "SLIDING_WINDOW": (),
    "DAILY_TIME_WINDOW": ("start_time", "end_time"),
    "DAILY_TIME_DEADLINE": ("deadline",),
}
_ALLOWED = {**_NEEDED, "DURATION_WINDOW": ("window", "advance"), "SLIDING_WINDOW": ("window",)}


class _Section(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


class TimeWindow(_Section):
    """In which time everything has to be seen."""

    type: WindowType = Field(default="DURATION_WINDOW", description="kind of window")
    window: _Duration | None = Field(default=None, description="length; default: a day")
    advance: _Duration | None = Field(
        default=None, alias="windowAdvance", description="shift of a DURATION_WINDOW"
    )
    start_time: _Time | None = Field(default=None, description="of a DAILY_TIME_WINDOW")
    end_time: _Time | None = Field(default=None, description="of a DAILY_TIME_WINDOW")
    deadline: _Time | None = Field(default=None, description="of a DAILY_TIME_DEADLINE")

    @model_validator(mode="after")
    def _fits_its_type(self) -> TimeWindow:
        faults = [fault for name in _PARTS if (fault := self._fault(name))]
        if faults:
            raise ValueError(" ".join(faults))
        return self

    def _fault(self, name: str) -> str | None:
        words, is_given = _PARTS[name], getattr(self, name) is not None
        if is_given and name not in _ALLOWED[self.type]:
            return f"Time window of type `{self.type}` cannot have {words}."
        if not is_given and name in _NEEDED[self.type]:
            return f"Time window of type `{self.type}` must have {words}."
        return None

    def rule(self) -> WindowRule:
        """Return it as a rule."""
        return WindowRule(**{name: getattr(self, name) for name in ("type", *_PARTS)})


class Multiple(_Section):
    """What the deprecated MultipleCondition says beside its conditions."""

    id: str = Field(description="name of the window", pattern=_ID)
    time_window: TimeWindow | None = Field(default=None, description="when; default: each day")
    window: _Duration | None = Field(default=None, description="use timeWindow")
    window_advance: _Duration | None = Field(default=None, description="use timeWindow")
    reset_on_success: bool = Field(default=True, description="begin anew after a start")

    def rule(self) -> WindowRule:
        """Return the window's rule."""
        if self.time_window is not None:
            return self.time_window.rule()
        return WindowRule(window=self.window, advance=self.window_advance)


class UpstreamFlow(_Section):
    """An execution of a flow that has to be seen."""

    namespace: str = Field(description="of the flow")
    flow_id: str | None = Field(default=None, description="the flow; default: any")
    states: list[State] | None = Field(default=None, description="default: any")
    labels: dict[str, str] = Field(default={}, description="what it has to have")


class Filter(_Section):
    """One comparison with an execution."""

    field: Literal["FLOW_ID", "NAMESPACE", "STATE", "EXPRESSION"] = Field(
        description="what is compared"
    )
    type: FilterType = Field(description="how it is compared")
    value: str | None = Field(default=None, description="with what; an expression for EXPRESSION")
    values: list[str] | None = Field(default=None, description="with which, for IN and NOT_IN")

    @model_validator(mode="after")
    def _fits_its_type(self) -> Filter:
        wanted, other = ("values", "value") if self.type in _WITH_VALUES else ("value", "values")
        faults = []
        if getattr(self, other) is not None:
            faults.append(f"`{other}` must be null for type {self.type}")
        if getattr(self, wanted) is None:
            faults.append(f"`{wanted}` cannot be null for type {self.type}")
        if faults:
            raise ValueError(", ".join(faults))
        return self


class Where(_Section):
    """An execution for which some comparisons hold."""

    id: str = Field(description="name", min_length=1)
    operand: Literal["AND", "OR"] = Field(default="AND", description="all of them, or any")
    filters: list[Filter] = Field(description="the comparisons", min_length=1)


class Preconditions(_Section):
    """What has to be seen."""

    id: str = Field(description="name", pattern=_ID)
    time_window: TimeWindow = Field(default=TimeWindow(), description="when")
    reset_on_success: bool = Field(default=True, description="begin anew after a start")
    flows: list[UpstreamFlow] = Field(default=[], description="flows, each of which has to be seen")
    where: list[Where] = Field(default=[], description="comparisons, each of which has to be seen")
