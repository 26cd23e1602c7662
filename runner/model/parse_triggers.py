"""Reading triggers and their conditions (flow-language §6)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from runner.model.catalogue import Category, TypeInfo
from runner.model.flow import JsonMap, Trigger
from runner.model.logs import Level
from runner.model.names import TRIGGER_ID
from runner.model.parse_tasks import Reading, check, read_type, read_worker_group
from runner.model.section import Section
from runner.model.states import State

COMMON = (
    "id", "type", "description", "disabled", "conditions", "labels", "logLevel", "minLogLevel",
    "logToFile", "stopAfter", "failOnTriggerError", "allowConcurrent", "workerGroup", "version",
    "assets", "pluginDefaultsRef", "inputs",
)  # fmt: skip
"""Properties that every trigger may have (``inputs``: those that start executions with inputs)."""

_SCHEDULE = "io.kestra.plugin.core.trigger.Schedule"
_WEBHOOK = "io.kestra.plugin.core.trigger.Webhook"
_MULTIPLE = "io.kestra.plugin.core.condition.MultipleCondition"


def read_triggers(reading: Reading, owner: Section) -> tuple[Trigger, ...]:
    """Read the triggers of a flow."""
    found = (_trigger(reading, section) for section in owner.sections("triggers", "a trigger"))
    return tuple(trigger for trigger in found if trigger is not None)


def _trigger(reading: Reading, section: Section) -> Trigger | None:
    trigger_id = section.name("id", TRIGGER_ID)
    info = read_type(reading, section, Category.TRIGGER)
    common = COMMON if _takes_inputs(info) else tuple(key for key in COMMON if key != "inputs")
    own = {key: value for key, value in section.raw.items() if key not in common}
    properties = {key: value for key, value in own.items() if key != "scheduleConditions"}
    if info is not None and info.available:
        check(reading, info, section, properties)
    worker_group = read_worker_group(section)
    conditions = (
        *read_conditions(reading, section, "conditions"),
        *read_conditions(reading, section, "scheduleConditions"),
    )
    _check_conditions(section, info, conditions)
    if trigger_id is None or info is None:
        return None
    return Trigger(
        id=trigger_id,
        type=info.name,
        properties=properties,
        description=section.text("description"),
        disabled=section.boolean("disabled"),
        conditions=conditions,
        labels=section.labels("labels", checked=False),
        inputs=section.mapping("inputs") if info.available else {},
        stop_after=_states(section),
        allow_concurrent=section.boolean("allowConcurrent"),
        fail_on_trigger_error=section.boolean("failOnTriggerError"),
        log_level=section.choice(
            "logLevel" if section.has("logLevel") else "minLogLevel", tuple(Level)
        )
        or "TRACE",
        log_to_file=section.boolean("logToFile"),
        worker_group=worker_group,
    )


def _takes_inputs(info: TypeInfo | None) -> bool:
    """Say whether a trigger gives inputs: those of Kestra's core that poll do not."""
    return info is None or not info.available or info.takes_inputs


def _check_conditions(
    section: Section, info: TypeInfo | None, conditions: Sequence[JsonMap]
) -> None:
    if section.has("scheduleConditions"):
        if info is not None and info.name != _SCHEDULE:
            section.add(
                "scheduleConditions", 'Unrecognized field "scheduleConditions"', of_key=True
            )
        section.add(
            "scheduleConditions",
            "'scheduleConditions' is deprecated: use 'conditions'",
            "deprecated",
            severity="deprecation",
            of_key=True,
        )
    has_multiple = any(raw["type"] == _MULTIPLE for raw in conditions)
    if info is not None and info.name == _WEBHOOK and has_multiple:
        message = "invalid webhook: conditions of type MultipleCondition are not supported"
        section.add("conditions", message)


def read_conditions(reading: Reading, owner: Section, key: str) -> Iterator[JsonMap]:
    """Yield the conditions of a list, with full type names."""
    for section in owner.sections(key, "a condition"):
        info = read_type(reading, section, Category.CONDITION)
        if info is None:
            continue
        properties = {name: value for name, value in section.raw.items() if name != "type"}
        if info.available:
            check(reading, info, section, properties)
        yield {**properties, "type": info.name}


def _states(section: Section) -> tuple[str, ...]:
    states = section.texts("stopAfter")
    for index, state in enumerate(states):
        if state not in State.__members__:
            path = (*section.path, "stopAfter", index)
            section.report.add(path, f"'{state}' is no state: use {', '.join(State)}")
    return states
