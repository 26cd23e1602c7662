"""Rendering and converting a flow's outputs (flow-language §8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from runner.engine.commands import Evaluate
from runner.engine.events import Evaluated
from runner.errors import HeadraceError
from runner.expressions import Context, ExpressionError, render_value
from runner.model.flow import Flow, Output
from runner.model.inputs import convert_output


def flow_outputs(
    flow: Flow, context: Context, command: Evaluate, seal: Callable[[str], Any]
) -> Evaluated:
    """Return the event with all outputs, or with the first error."""
    values: dict[str, Any] = {}
    for output in flow.outputs:
        try:
            values |= _value(output, context, seal)
        except HeadraceError as exc:
            message = f"Invalid value for output `{output.id}`. Cause: {exc.message}"
            return Evaluated(command.task_run_id, command.purpose, error=message)
    return Evaluated(command.task_run_id, command.purpose, values)


def _value(output: Output, context: Context, seal: Callable[[str], Any]) -> dict[str, Any]:
    """Return the output by its id; nothing if it cannot be rendered and need not be there."""
    try:
        rendered = render_value(output.value, context)
    except ExpressionError:
        if output.required:
            raise
        return {}
    return {output.id: convert_output(output, rendered, seal)}
