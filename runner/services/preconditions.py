"""Flow triggers that wait for several executions: what was seen is collected in a window (§12.7).

The window is kept with the trigger's state: ``{id, start, end, met, outputs}``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from runner.errors import HeadraceError
from runner.expressions import Context, render
from runner.expressions.javaregex import find
from runner.model.facts import Facts
from runner.model.flow import Trigger
from runner.model.preconditions import Filter, Multiple, Preconditions, UpstreamFlow, Where
from runner.model.scalars import is_true
from runner.model.windows import Window, WindowRule
from runner.runtime import Runtime
from runner.services.conditions import hold
from runner.store.base import TriggerRow

MULTIPLE = "io.kestra.plugin.core.condition.MultipleCondition"

Asked = Callable[[], bool]


@dataclass(frozen=True, slots=True)
class Gathering:
    """What a trigger waits for: conditions by name, each to be met once in the window."""

    id: str
    rule: WindowRule
    reset: bool
    conditions: Mapping[str, Asked]


def without_multiple(trigger: Trigger) -> Sequence[Mapping[str, Any]]:
    """Return the conditions that have to hold at once."""
    return [raw for raw in trigger.conditions if raw.get("type") != MULTIPLE]


def gathering_of(
    runtime: Runtime, trigger: Trigger, context: Context, facts: Facts
) -> Gathering | None:
    """Return what a trigger waits for; None: for nothing more."""
    written = trigger.properties.get("preconditions")
    if written is not None:
        found = Preconditions.model_validate(written)
        return _of_preconditions(found, context, facts)
    several = [
        _of_multiple(runtime, raw, context, facts)
        for raw in trigger.conditions
        if raw.get("type") == MULTIPLE
    ]
    return _all_of(several) if len(several) > 1 else next(iter(several), None)


def gather(
    row: TriggerRow, gathering: Gathering, outputs: Mapping[str, Any] | None, now: datetime
) -> tuple[TriggerRow, Mapping[str, Any] | None]:
    """Take an execution in: the row to save, and all outputs if everything has been seen."""
    seen = _still_open(row, gathering, now) or _opened(gathering, now)
    if seen is None:
        return replace(row, memory=None), None
    is_met = {name for name, asked in gathering.conditions.items() if _answer(asked)}
    if not is_met and gathering.conditions:
        return row, None
    met = {*seen["met"], *is_met}
    collected = merged(seen["outputs"], outputs or {})
    memory = {**seen, "met": sorted(met), "outputs": collected}
    if met < set(gathering.conditions):
        return replace(row, memory=memory), None
    return replace(row, memory=None if gathering.reset else memory), collected


def merged(below: Any, above: Any) -> Any:
    """Return outputs over earlier ones: maps are merged, lists joined."""
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        both = {name: merged(below.get(name), value) for name, value in above.items()}
        return {**below, **both}
    if isinstance(below, list) and isinstance(above, list):
        return [*below, *above]
    return above


def _still_open(row: TriggerRow, gathering: Gathering, now: datetime) -> Mapping[str, Any] | None:
    memory = row.memory
    if memory is None or memory.get("id") != gathering.id:
        return None
    window = Window(datetime.fromisoformat(memory["start"]), datetime.fromisoformat(memory["end"]))
    return memory if window.holds(now) else None


def _opened(gathering: Gathering, now: datetime) -> Mapping[str, Any] | None:
    window = gathering.rule.at(now.astimezone())  # the server's zone
    if not window.holds(now):
        return None
    start, end = window.start.isoformat(), window.end.isoformat()
    return {"id": gathering.id, "start": start, "end": end, "met": [], "outputs": {}}


def _answer(asked: Asked) -> bool:
    try:
        return asked()
    except (HeadraceError, ValueError):
        return False  # what cannot be judged does not hold (§12.6)


# ── preconditions ────────────────────────────────────────────────────────────────────────────────


def _of_preconditions(given: Preconditions, context: Context, facts: Facts) -> Gathering:
    conditions: dict[str, Asked] = {}
    for number, flow in enumerate(given.flows):
        conditions[f"flow_{number}"] = lambda flow=flow: _is_of(flow, facts)  # type: ignore[misc]
    for where in given.where:
        conditions[where.id] = lambda where=where: _fits(where, context, facts)  # type: ignore[misc]
    return Gathering(given.id, given.time_window.rule(), given.reset_on_success, conditions)


def _is_of(flow: UpstreamFlow, facts: Facts) -> bool:
    return (
        facts.namespace == flow.namespace
        and flow.flow_id in (None, facts.flow_id)
        and (flow.states is None or facts.state in flow.states)
        and flow.labels.items() <= facts.labels.items()
    )


def _fits(where: Where, context: Context, facts: Facts) -> bool:
    answers = _answers(where.filters, context, facts)
    return all(answers) if where.operand == "AND" else any(answers)


def _answers(filters: Sequence[Filter], context: Context, facts: Facts) -> Iterator[bool]:
    for each in filters:
        yield compares(each, _compared(each, context, facts))


def _compared(each: Filter, context: Context, facts: Facts) -> str | None:
    match each.field:
        case "FLOW_ID":
            return facts.flow_id
        case "NAMESPACE":
            return facts.namespace
        case "STATE":
            return None if facts.state is None else str(facts.state)
        case "EXPRESSION":
            return str(render(each.value or "", context))


def compares(each: Filter, found: str | None) -> bool:
    """Say whether a comparison with *found* holds."""
    value, values, text = each.value or "", each.values or (), found or ""
    match each.type:
        case "EQUAL_TO":
            return text == value
        case "NOT_EQUAL_TO":
            return text != value
        case "STARTS_WITH":
            return text.startswith(value)
        case "ENDS_WITH":
            return text.endswith(value)
        case "CONTAINS":
            return value in text
        case "REGEX":
            return find(text, rf"\A(?:{value})\z") is not None
        case "IN":
            return text in values
        case "NOT_IN":
            return text not in values
        case "IS_TRUE":
            return is_true(text)
        case "IS_FALSE":
            return not is_true(text)
        case "IS_NULL":
            return found is None
        case "IS_NOT_NULL":
            return found is not None


def _all_of(several: Sequence[Gathering]) -> Gathering:
    """Return several as one, in the window of the first."""
    conditions = {
        f"{each.id}.{name}": asked for each in several for name, asked in each.conditions.items()
    }
    reset = all(each.reset for each in several)
    return Gathering("+".join(each.id for each in several), several[0].rule, reset, conditions)


# ── the deprecated condition ─────────────────────────────────────────────────────────────────────


def _of_multiple(
    runtime: Runtime, raw: Mapping[str, Any], context: Context, facts: Facts
) -> Gathering:
    own = {name: value for name, value in raw.items() if name not in ("type", "conditions")}
    built = Multiple.model_validate(own)
    conditions: dict[str, Asked] = {
        name: lambda one=one: hold(runtime, [one], context, facts)  # type: ignore[misc]
        for name, one in raw["conditions"].items()
    }
    return Gathering(built.id, built.rule(), built.reset_on_success, conditions)


__all__ = ["Gathering", "compares", "gather", "gathering_of", "merged", "without_multiple"]
