"""Functions of the execution that renders."""

from __future__ import annotations

from typing import Any

from runner.expressions.errors import ExpressionError, UnknownAttribute
from runner.expressions.frame import Frame
from runner.expressions.registry import FUNCTIONS
from runner.expressions.values import describe, is_list, is_map

function = FUNCTIONS.register
_TASKS = {"tasks": {"a": {"state": "SUCCESS"}, "loop": {"x": {"state": "FAILED"}}}}


@function(
    "currentEachOutput(outputs*)",
    (
        "{{ currentEachOutput(outputs.first).value }}",
        "two",
        {
            "outputs": {"first": {"1": {"value": "one"}, "2": {"value": "two"}}},
            "taskrun": {"value": "2"},
            "parents": [],
        },
    ),
)
def current_each_output(frame: Frame, outputs: Any) -> Any:
    """The outputs of another task in the same iteration of the loops around."""
    if not is_map(outputs):
        raise ExpressionError(f"currentEachOutput needs a map of outputs, not {describe(outputs)}")
    variables = frame.context.variables
    parents = variables.get("parents") or []
    values = [_value(parent) for parent in reversed(parents)]
    current = outputs
    for value in [*values, _value(variables)]:
        if value is None:
            continue
        if not is_map(current) or value not in current:
            raise UnknownAttribute(value, current if is_map(current) else (), "the outputs")
        current = current[value]
    return current


def _value(owner: Any) -> Any:
    return _entry(_entry(owner, "taskrun"), "value")


def _entry(owner: Any, key: Any) -> Any:
    """What a map has under the key, null for anything else."""
    return owner.get(key) if is_map(owner) else None


@function("errorLogs", ("{{ errorLogs()[0].message }}", "no such table"))
def error_logs(frame: Frame) -> list[Any]:
    """The entries of level ERROR in the execution's log."""
    return list(frame.world.error_logs())


@function(
    "tasksWithState(state*)",
    ("{{ tasksWithState('failed') }}", '[{"state":"FAILED","value":"x","taskId":"loop"}]', _TASKS),
    since="1.0",
)
def tasks_with_state(frame: Frame, state: Any) -> list[Any]:
    """The tasks in that state: `taskId`, `state`, and `value` for iterations."""
    if not isinstance(state, str):
        raise ExpressionError(f"a state is a string, not {describe(state)}")
    tasks = frame.context.variables.get("tasks") or {}
    wanted = state.upper()
    found: list[Any] = []
    for task_id, entry in tasks.items():
        if not is_map(entry):
            continue
        if _is_in_state(entry, wanted):
            found.append({"state": wanted, "taskId": task_id})
        found += (
            {"state": wanted, "value": value, "taskId": task_id}
            for value, iteration in entry.items()
            if is_map(iteration) and _is_in_state(iteration, wanted)
        )
    return found


def _is_in_state(entry: Any, wanted: str) -> bool:
    state = entry.get("state")
    return isinstance(state, str) and state.upper() == wanted


@function(
    "loopOutputs(outputs*, name*)",
    (
        "{{ loopOutputs(outputs.each.outputs, 'n') }}",
        "[1,null]",
        {"outputs": {"each": {"outputs": [{"outputs": {"n": 1}}, {"outputs": {}}]}}},
    ),
    since="2.0",
)
def loop_outputs(outputs: Any, name: Any) -> list[Any]:
    """One output of each iteration of a loop, null where there is none."""
    if not is_list(outputs):
        raise ExpressionError(f"loopOutputs needs a list of iterations, not {describe(outputs)}")
    return [_entry(_entry(iteration, "outputs"), name) for iteration in outputs]
