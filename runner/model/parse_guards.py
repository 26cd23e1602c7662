"""Reading what watches over executions: SLAs, checks and listeners.

Source: flow-language §13, §14, §16.4.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.model.flow import Check, Listener, Sla
from runner.model.names import SYSTEM_LABEL
from runner.model.parse_tasks import Reading, read_tasks
from runner.model.parse_triggers import read_conditions
from runner.model.section import Section

_SLA_KEYS = ("id", "type", "behavior", "labels")
_SLA_OWN = {"MAX_DURATION": "duration", "EXECUTION_ASSERTION": "assert"}
_STYLES = ("ERROR", "SUCCESS", "WARNING", "INFO")
_CHECK_BEHAVIORS = ("BLOCK_EXECUTION", "FAIL_EXECUTION", "CREATE_EXECUTION")


def read_slas(owner: Section) -> tuple[Sla, ...]:
    """Read the property ``sla``."""
    found = (_sla(section) for section in owner.sections("sla", "an SLA"))
    return tuple(sla for sla in found if sla is not None)


def _sla(section: Section) -> Sla | None:
    if not section.has("type"):
        section.add("type", "Invalid type: null: an SLA needs a type", "required")
        return None
    kind: Any = section.choice("type", tuple(_SLA_OWN))
    if kind is None:
        return None
    own = _SLA_OWN[kind]
    section.refuse_unknown((*_SLA_KEYS, own), f"an SLA of type {kind}")
    section.require("id", "behavior", own)
    section.require_filled("id", "assert")
    behavior: Any = section.choice("behavior", ("FAIL", "CANCEL", "NONE"))
    labels = section.labels("labels", checked=False)
    for key, value in labels:
        if key.startswith(SYSTEM_LABEL):
            section.add(
                "labels",
                f"System labels can only be set by Kestra itself, offending label: {key}={value}",
                "rule",
            )
    return Sla(
        id=section.text("id") or "",
        type=kind,
        behavior=behavior or "FAIL",
        duration=section.duration("duration"),
        assertion=section.text("assert"),
        labels=labels,
    )


def read_checks(owner: Section) -> tuple[Check, ...]:
    """Read the property ``checks``."""
    return tuple(_check(section) for section in owner.sections("checks", "a check"))


def _check(section: Section) -> Check:
    section.refuse_unknown(("condition", "message", "style", "behavior"), "a check")
    section.require("condition", "message")
    section.require_filled("condition", "message")
    style: Any = section.choice("style", _STYLES)
    behavior: Any = section.choice("behavior", _CHECK_BEHAVIORS)
    return Check(
        condition=section.text("condition") or "",
        message=section.text("message") or "",
        style=style or "INFO",
        behavior=behavior or "BLOCK_EXECUTION",
    )


def read_listeners(reading: Reading, owner: Section) -> tuple[Listener, ...]:
    """Read the deprecated property ``listeners``."""
    if owner.has("listeners"):
        owner.add(
            "listeners",
            "write afterExecution, with runIf, instead of listeners",
            "deprecated",
            severity="deprecation",
            of_key=True,
        )
    return tuple(_listeners(reading, owner))


def _listeners(reading: Reading, owner: Section) -> Iterator[Listener]:
    for section in owner.sections("listeners", "a listener"):
        section.refuse_unknown(("description", "conditions", "tasks"), "a listener")
        if section.raw.get("tasks") in (None, []):
            section.add("tasks", "tasks must not be empty", "required")
        conditions = tuple(read_conditions(reading, section, "conditions"))
        yield Listener(conditions, read_tasks(reading, section, "tasks"))
