"""Steering the execution."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from runner.errors import HeadraceError
from runner.model.directives import Directives
from runner.model.flow import TaskKind
from runner.model.scalars import text_of
from runner.model.states import State
from runner.plugin import Read, RunContext, Task, TaskError

_FALSY = frozenset({"", "false", "0", "-0"})
_SYSTEM = "system."


class Fail(Task):
    """Fail, always or on a condition.

    Example:
        - id: stop_here
          type: io.kestra.plugin.core.execution.Fail
          condition: "{{ inputs.amount > 100 }}"
          errorMessage: The amount is too high
    """

    kind = TaskKind.INLINE
    aliases = ("io.kestra.core.tasks.executions.Fail",)

    type: Literal["io.kestra.plugin.core.execution.Fail"] = "io.kestra.plugin.core.execution.Fail"
    condition: str | None = Field(
        default=None,
        description="fails when this is neither empty, false, 0 nor -0; without it: always",
    )
    error_message: str = Field(default="Task failure", description="the text of the failure")

    def run(self, ctx: RunContext) -> None:
        if self.condition is None:
            raise TaskError(self.error_message)
        if self.condition.strip() not in _FALSY:
            ctx.log.error(self.error_message)
            raise TaskError("Fail on a condition")


class Assert(Task):
    """Fail unless all conditions hold.

    Example:
        - id: check
          type: io.kestra.plugin.core.execution.Assert
          conditions:
            - "{{ inputs.amount < 100 }}"
          errorMessage: The amount is too high
    """

    kind = TaskKind.INLINE

    type: Literal["io.kestra.plugin.core.execution.Assert"] = (
        "io.kestra.plugin.core.execution.Assert"
    )
    conditions: Annotated[str | list[Any], Read.ASKED] = Field(
        description="each must be rendered to something else than nothing, false, 0 or -0"
    )
    error_message: str | None = Field(default=None, description="added to the failure")

    def run(self, ctx: RunContext) -> None:
        conditions = _listed(self.conditions, ctx)
        failed = [condition for condition in conditions if not _holds(condition, ctx)]
        ctx.metric("failed", "counter", len(failed))
        ctx.metric("success", "counter", len(conditions) - len(failed))
        if failed:
            message = f"{len(failed)} assertion(s) failed!"
            raise TaskError(f"{message}\n{self.error_message}" if self.error_message else message)


def _listed(conditions: str | list[Any], ctx: RunContext) -> list[Any]:
    """Return the conditions as written, or those of a list that a whole expression gives."""
    if isinstance(conditions, list):
        return conditions
    try:
        found = json.loads(ctx.render(conditions))
    except ValueError as exc:
        raise TaskError("'conditions' must be a list") from exc
    if not isinstance(found, list):
        raise TaskError("'conditions' must be a list")
    return found


def _holds(condition: Any, ctx: RunContext) -> bool:
    try:
        holds = text_of(ctx.render(condition)).strip() not in _FALSY
    except HeadraceError as exc:
        ctx.log.error(exc.message)
        holds = False
    if not holds:
        ctx.log.error(f"Assertion `{text_of(condition)}` failed!")
    return holds


class Exit(Task):
    """End the execution at once, in a given state.

    Example:
        - id: nothing_to_do
          type: io.kestra.plugin.core.execution.Exit
          runIf: "{{ inputs.items | length == 0 }}"
          state: SUCCESS
    """

    kind = TaskKind.INLINE

    type: Literal["io.kestra.plugin.core.execution.Exit"] = "io.kestra.plugin.core.execution.Exit"
    state: Literal["SUCCESS", "WARNING", "FAILED", "CANCELLED", "CANCELED", "KILLED"] = Field(
        default="SUCCESS", description="how the execution ends (CANCELED: old for CANCELLED)"
    )

    def run(self, ctx: RunContext) -> Directives:
        name = "CANCELLED" if self.state == "CANCELED" else self.state
        return Directives(exit=State(name))


class Labels(Task):
    """Add labels to the execution, or replace them.

    Example:
        - id: mark
          type: io.kestra.plugin.core.execution.Labels
          labels:
            customer: "{{ inputs.customer }}"
    """

    kind = TaskKind.INLINE
    aliases = ("io.kestra.core.tasks.executions.Labels",)

    type: Literal["io.kestra.plugin.core.execution.Labels"] = (
        "io.kestra.plugin.core.execution.Labels"
    )
    labels: Annotated[str | dict[str, Any] | list[Any], Read.ASKED] = Field(
        description="a map, a list of {key, value}, or a text that is a JSON map"
    )

    def run(self, ctx: RunContext) -> Directives:
        labels = tuple(_pairs(ctx.render(self.labels)))
        for key, value in labels:
            if key.startswith(_SYSTEM):
                raise TaskError(
                    "System labels can only be set by Kestra itself, "
                    f"offending label: {key}={value}"
                )
            if not value:
                raise TaskError(f"Label values cannot be empty, offending label: {key}")
        return Directives(labels=labels)


def _pairs(rendered: Any) -> list[tuple[str, str]]:
    if isinstance(rendered, str):
        try:
            rendered = json.loads(rendered)
        except ValueError as exc:
            raise TaskError(f"'labels' is no JSON map: {rendered[:200]}") from exc
    if isinstance(rendered, Mapping):
        return [(str(key), _label_text(value)) for key, value in rendered.items()]
    if isinstance(rendered, list) and all(isinstance(item, Mapping) for item in rendered):
        return [(str(item.get("key", "")), _label_text(item.get("value"))) for item in rendered]
    raise TaskError("'labels' must be a map, or a list of {key, value}")


def _label_text(value: Any) -> str:
    return "" if value is None else text_of(value)


class SetVariables(Task):
    """Set variables of this execution: `{{ vars.NAME }}` of later tasks.

    Example:
        - id: remember
          type: io.kestra.plugin.core.execution.SetVariables
          variables:
            region: "{{ inputs.region }}"
    """

    kind = TaskKind.INLINE

    type: Literal["io.kestra.plugin.core.execution.SetVariables"] = (
        "io.kestra.plugin.core.execution.SetVariables"
    )
    variables: dict[str, Any] = Field(description="merged into those that there are")
    overwrite: bool = Field(default=True, description="false: fail if one exists already")

    def run(self, ctx: RunContext) -> Directives:
        before = _variables(ctx)
        doubles = [name for name in self.variables if name in before]
        if doubles and not self.overwrite:
            raise TaskError(
                "`overwrite` is set to false and the following variables already exist: "
                + ",".join(doubles)
            )
        return Directives(variables=_merged(before, self.variables))


class UnsetVariables(Task):
    """Remove variables of this execution.

    Example:
        - id: forget
          type: io.kestra.plugin.core.execution.UnsetVariables
          variables: [region, customer.name]
    """

    kind = TaskKind.INLINE

    type: Literal["io.kestra.plugin.core.execution.UnsetVariables"] = (
        "io.kestra.plugin.core.execution.UnsetVariables"
    )
    variables: list[str] = Field(description="names; dots go into maps")
    ignore_missing: bool = Field(default=False, description="whether one that is not there is fine")

    def run(self, ctx: RunContext) -> Directives:
        variables = _variables(ctx)
        for name in self.variables:
            left = _without(variables, name.split("."))
            if left is None and not self.ignore_missing:
                raise TaskError(f"there is no variable '{name}'")
            variables = variables if left is None else left
        return Directives(variables=variables)


def _variables(ctx: RunContext) -> Mapping[str, Any]:
    found = ctx.variables.get("vars")
    return found if isinstance(found, Mapping) else {}


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for name, value in above.items():
        old = merged.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[name] = _merged(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            merged[name] = [*old, *value]
        else:
            merged[name] = value
    return merged


def _without(variables: Mapping[str, Any], path: list[str]) -> dict[str, Any] | None:
    """Return the map without what *path* leads to; None: there is no such thing."""
    name, *rest = path
    if name not in variables:
        return None
    others = {key: value for key, value in variables.items() if key != name}
    if not rest:
        return others
    inner = variables[name]
    left = _without(inner, rest) if isinstance(inner, Mapping) else None
    return None if left is None else {**variables, name: left}
