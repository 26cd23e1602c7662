"""What expressions see of an execution (execution-semantics §13)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from typing import Any

from runner.clock import iso
from runner.errors import HeadraceError
from runner.expressions import Context, render_value
from runner.model.execution import Execution, Labels, TaskRun
from runner.model.flow import Flow, Input
from runner.model.input_values import read_value
from runner.runtime.runs import RunView

Opened = Callable[[Any], Any]
"""Plain data → the same with what was encrypted in it as text."""


class LazyOutputs(Mapping[str, Any]):
    """``outputs``: one map for each task that has run, loaded when it is looked at."""

    def __init__(self, runs: RunView, opened: Opened | None = None) -> None:
        self._runs = runs
        self._opened = opened

    def __getitem__(self, task_id: str) -> Any:
        outputs = self._runs.outputs(task_id)
        if outputs is None:
            raise KeyError(task_id)
        if self._opened is not None and self._runs.holds_sealed(task_id):
            return self._opened(outputs)
        return outputs

    def __contains__(self, task_id: object) -> bool:
        return isinstance(task_id, str) and self._runs.outputs(task_id) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self._runs.tasks_with_runs())

    def __len__(self) -> int:
        return len(self._runs.tasks_with_runs())


class LazyStates(Mapping[str, Any]):
    """``tasks``: the state of each task that has a run; inside loops by value."""

    def __init__(self, flow: Flow, runs: RunView) -> None:
        self._flow = flow
        self._runs = runs

    def __getitem__(self, task_id: str) -> Any:
        found: dict[str, Any] = {}
        for run in self._runs.of_task(task_id):
            target = found if run.value is None else found.setdefault(run.value, {})
            target["state"] = str(run.state)
        if not found:
            raise KeyError(task_id)
        return found

    def __iter__(self) -> Iterator[str]:
        return (
            task_id
            for task_id in self._flow.places
            if any(True for _ in self._runs.of_task(task_id))
        )

    def __len__(self) -> int:
        return sum(1 for _ in self)


class ExecutionVariables:
    """Builds the variables of expressions; what all task runs of an execution share, once."""

    def __init__(
        self,
        flow: Flow,
        execution: Execution,
        runs: RunView,
        *,
        shared: Mapping[str, Any],
        opened: Opened | None = None,
    ) -> None:
        self._flow = flow
        self._runs = runs
        trigger = dict(execution.trigger.variables) if execution.trigger else None
        self._base: dict[str, Any] = {
            **shared,
            "flow": {
                "id": flow.id,
                "namespace": flow.namespace,
                "revision": execution.revision,
                "tenantId": "main",
            },
            "inputs": _with_defaults(flow, _inputs(flow, execution.inputs, opened)),
            "outputs": LazyOutputs(runs, opened),
            "tasks": LazyStates(flow, runs),
            "vars": execution.variables or flow.variables,
            "labels": nested_labels(execution.labels),
        }
        if trigger is not None:
            self._base["trigger"] = trigger
            if execution.trigger and execution.trigger.type.endswith(".Schedule"):
                self._base["schedule"] = trigger
        self._execution_id = execution.id
        self._start = iso(execution.created_at)
        self._original = execution.original_id or execution.id
        self._commit = execution.commit

    def of(self, execution: Execution, run: TaskRun | None) -> dict[str, Any]:
        """Return the variables for one task run, or for the flow itself."""
        about: dict[str, Any] = {
            "id": self._execution_id,
            "state": str(execution.state),
            "startDate": self._start,
            "originalId": self._original,
        }
        if self._commit:
            about["commit"] = self._commit
        if execution.outputs is not None:
            about["outputs"] = execution.outputs
        variables = {**self._base, "execution": about}
        if run is not None:
            self._add_run(variables, run)
        return variables

    def _add_run(self, variables: dict[str, Any], run: TaskRun) -> None:
        task = self._flow.task(run.task_id)
        taskrun: dict[str, Any] = {
            "id": run.id,
            "startDate": iso(run.history[0][1]),
            "attemptsCount": sum(attempt.state.is_terminal for attempt in run.attempts),
        }
        if run.value is not None:
            taskrun["value"] = run.value
        if run.iteration is not None:
            taskrun["iteration"] = run.iteration
        if run.parent_id is not None:
            taskrun["parentId"] = run.parent_id
            parents = [p for p in map(_parent, self._runs.ancestors(run)) if p]
            if parents:
                variables["parents"] = parents
                variables["parent"] = parents[0]
        variables["task"] = {"id": task.id, "type": task.type}
        variables["taskrun"] = taskrun


def _parent(run: TaskRun) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if run.value is not None:
        found["taskrun"] = {"value": run.value}
    if run.outputs:
        found["outputs"] = run.outputs
    return found


def _inputs(flow: Flow, inputs: Mapping[str, Any], opened: Opened | None) -> Mapping[str, Any]:
    has_secrets = any(declared.type == "SECRET" for declared in flow.inputs)
    found: Mapping[str, Any] = opened(inputs) if has_secrets and opened is not None else inputs
    return found


def _with_defaults(flow: Flow, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
    """Inputs that were not stored show their default, if they have one (flow-language §7.7)."""
    missing = [
        declared
        for declared in flow.inputs
        if declared.defaults is not None
        and "." not in declared.id
        and declared.id not in inputs
        and declared.type != "SECRET"
    ]
    return {**dict(_defaults(flow, missing)), **inputs} if missing else inputs


def _defaults(flow: Flow, missing: Iterable[Input]) -> Iterator[tuple[str, Any]]:
    """Yield those that need nothing but the flow; others are left out, as Kestra does."""
    about = Context({"flow": {"id": flow.id, "namespace": flow.namespace}})
    for declared in missing:
        with suppress(HeadraceError, ValueError, OverflowError):
            value = render_value(declared.defaults, about, typed=False)
            yield declared.id, read_value(declared.type, value, declared.properties, lenient=True)


def nested_labels(labels: Labels) -> dict[str, Any]:
    """Return labels as nested maps: ``a.b`` is found at ``labels.a.b``."""
    nested: dict[str, Any] = {}
    for key, value in labels:
        *around, last = key.split(".")
        target = nested
        for part in around:
            inner = target.get(part)
            if not isinstance(inner, dict):
                inner = target[part] = {}
            target = inner
        if not isinstance(target.get(last), dict):
            target[last] = value
    return nested
