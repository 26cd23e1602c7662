"""What a trigger's expressions see while there is no execution yet, and its rendered labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import structlog

from runner.expressions import Context, ExpressionError, render
from runner.model.execution import Labels
from runner.model.flow import Flow, Trigger
from runner.runtime import Runtime
from runner.runtime.context import nested_labels
from runner.runtime.world import FlowWorld

log = structlog.get_logger(__name__)


def context_of(runtime: Runtime, flow: Flow, trigger: Mapping[str, Any] | None) -> Context:
    """Return the context of a flow's trigger; *trigger* is what is called so in expressions."""
    variables: dict[str, Any] = {
        **runtime.shared_variables,
        "flow": {
            "id": flow.id,
            "namespace": flow.namespace,
            "revision": flow.revision,
            "tenantId": "main",
        },
        "labels": nested_labels(flow.labels),
        "vars": flow.variables,
    }
    if trigger is not None:
        variables["trigger"] = trigger
    return Context(variables, FlowWorld(runtime, flow.namespace))


def with_trigger(context: Context, trigger: Mapping[str, Any]) -> Context:
    """Return the same context with another ``trigger``."""
    return Context({**context.variables, "trigger": trigger}, context.world, context.settings)


def rendered_labels(trigger: Trigger, context: Context) -> Labels:
    """Return the labels of a trigger; one that cannot be rendered is left out (§12.2, 3)."""
    labels = []
    for key, text in trigger.labels:
        try:
            labels.append((key, str(render(text, context))))
        except ExpressionError as exc:
            log.warning(
                "a label is left out", action="label", trigger=trigger.id, label=key, error=str(exc)
            )
    return tuple(labels)
