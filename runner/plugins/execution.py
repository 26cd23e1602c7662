"""Steering the execution."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from runner.errors import HeadraceError
from runner.model.directives import Directives
from runner.model.flow import TaskKind
from runner.model.logs import Level
from runner.model.scalars import text_of
from runner.model.states import State
from runner.plugin import Fixed, Purge, Read, RunContext, Task, TaskError
from runner.plugins._dates import moment

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
    conditions: Annotated[list[Any], Read.ASKED, Fixed()] = Field(
        description="each must be rendered to something else than nothing, false, 0 or -0"
    )
    error_message: str | None = Field(default=None, description="added to the failure")

    def run(self, ctx: RunContext) -> None:
        failed = [condition for condition in self.conditions if not _holds(condition, ctx)]
        ctx.metric("failed", "counter", len(failed))
        ctx.metric("success", "counter", len(self.conditions) - len(failed))
        if failed:
            noun = "assertion" if len(failed) == 1 else "assertions"
            message = f"{len(failed)} {noun} failed!"
            raise TaskError(f"{message}\n{self.error_message}" if self.error_message else message)


def _holds(condition: Any, ctx: RunContext) -> bool:
    told = f"Assertion `{text_of(condition)}` failed"
    try:
        holds = text_of(ctx.render(condition)).strip() not in _FALSY
    except HeadraceError as exc:
        ctx.log.write(Level.ERROR, f"{told}, failed to render `{exc.message}`")
        return False
    if not holds:
        ctx.log.write(Level.ERROR, f"{told}!")
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
    runnable: ClassVar = False

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
    runnable: ClassVar = False
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
    if isinstance(value, Mapping | list):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
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
    runnable: ClassVar = False

    type: Literal["io.kestra.plugin.core.execution.SetVariables"] = (
        "io.kestra.plugin.core.execution.SetVariables"
    )
    variables: dict[str, Any] = Field(
        description="merged into those that there are; entries that are null are left out"
    )
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
    runnable: ClassVar = False

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
        if value is None:
            continue
        old = merged.get(name)
        if isinstance(old, Mapping) and isinstance(value, Mapping):
            merged[name] = _merged(old, value)
        elif isinstance(old, list) and isinstance(value, list):
            known = [json.dumps(item, sort_keys=True) for item in old]
            new = (item for item in value if json.dumps(item, sort_keys=True) not in known)
            merged[name] = [*old, *new]
        else:
            merged[name] = _merged({}, value) if isinstance(value, Mapping) else value
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


class Resume(Task):
    """Let a paused execution go on (deprecated).

    Example:
        - id: go_on
          type: io.kestra.plugin.core.execution.Resume
          executionId: "{{ trigger.executionId }}"
    """

    superseded = "Resume is deprecated: let the API, or a Pause with pauseDuration, do it"

    type: Literal["io.kestra.plugin.core.execution.Resume"] = (
        "io.kestra.plugin.core.execution.Resume"
    )
    execution_id: str | None = Field(default=None, description="default: this execution")
    namespace: str | None = Field(default=None, description="of the execution's flow")
    flow_id: str | None = Field(default=None, description="of the execution's flow")
    inputs: dict[str, Any] = Field(default={}, description="what the Pause asks for")

    def run(self, ctx: RunContext) -> None:
        if (self.namespace is None) is not (self.flow_id is None):
            raise TaskError("'namespace' and 'flowId' must be given together")
        execution_id = self.execution_id or ctx.identity.execution_id
        ctx.server.resume(execution_id, self.inputs, by=f"execution {ctx.identity.execution_id}")


class Count(Task):
    """Count executions by flow (deprecated).

    Example:
        - id: count
          type: io.kestra.plugin.core.execution.Count
          namespaces: [company.team]
          expression: "{{ count > 0 }}"
          startDate: "{{ now() | dateAdd(-1, 'DAYS') }}"
    """

    superseded = "Count is deprecated: ask the API"

    aliases = ("io.kestra.core.tasks.executions.Counts",)

    type: Literal["io.kestra.plugin.core.execution.Count"] = "io.kestra.plugin.core.execution.Count"
    expression: Annotated[str, Read.ASKED, Fixed()] = Field(
        description="sees count; kept when it is true"
    )
    start_date: str = Field(description="executions from this date and time on")
    end_date: str | None = Field(default=None, description="executions before this date and time")
    states: list[State] = Field(default=[], description="only in these states; none: all")
    flows: Annotated[list[dict[str, str]], Fixed()] = Field(
        default=[], description="list of {namespace, flowId}"
    )
    namespaces: list[str] = Field(default=[], description="namespaces")

    class Outputs(Task.Outputs):
        results: list[dict[str, Any]] = Field(description="{namespace, flowId, count} of each")
        total: int = Field(description="sum of the counts")

    def run(self, ctx: RunContext) -> Outputs:
        if not self.flows and not self.namespaces:
            raise TaskError("either 'flows' or 'namespaces' must be given")
        found: dict[tuple[str, str], int] = {}
        for namespace, flow_id in self._places():
            counts = self._counted(ctx, namespace, flow_id)
            found |= {(namespace, each): count for each, count in sorted(counts.items())}
        kept = {place: count for place, count in found.items() if self._keeps(ctx, count)}
        results = [
            {"namespace": namespace, "flowId": flow_id, "count": count}
            for (namespace, flow_id), count in kept.items()
        ]
        return self.Outputs(results=results, total=sum(kept.values()))

    def _places(self) -> Iterator[tuple[str, str | None]]:
        for each in self.flows:
            yield each.get("namespace", ""), each.get("flowId")
        for namespace in self.namespaces:
            yield namespace, None

    def _counted(self, ctx: RunContext, namespace: str, flow_id: str | None) -> Mapping[str, int]:
        return ctx.server.count_executions(
            namespace,
            flow_id,
            since=moment("startDate", self.start_date),
            until=moment("endDate", self.end_date) if self.end_date else None,
            states=self.states,
        )

    def _keeps(self, ctx: RunContext, count: int) -> bool:
        return str(ctx.render(self.expression, extra={"count": count})).strip() == "true"


class PurgeExecutions(Task):
    """Remove old executions, with what belongs to them.

    Example:
        - id: tidy_up
          type: io.kestra.plugin.core.execution.PurgeExecutions
          endDate: "{{ now() | dateAdd(-1, 'MONTHS') }}"
          states: [KILLED, FAILED, WARNING, SUCCESS]
    """

    aliases = (
        "io.kestra.core.tasks.storages.Purge",
        "io.kestra.plugin.core.storage.Purge",
    )

    type: Literal["io.kestra.plugin.core.execution.PurgeExecutions"] = (
        "io.kestra.plugin.core.execution.PurgeExecutions"
    )
    end_date: str = Field(description="executions that ended until this date and time")
    start_date: str | None = Field(default=None, description="executions from this one on")
    namespace: str | None = Field(default=None, description="only of it and those below it")
    flow_id: str | None = Field(default=None, description="only of this flow")
    states: list[State] = Field(default=[], description="only in these states; none: all")
    purge_execution: bool = Field(default=True, description="remove the executions themselves")
    purge_log: bool = Field(default=True, description="remove their logs")
    purge_metric: bool = Field(default=True, description="with the executions")
    purge_storage: bool = Field(default=True, description="remove their files")
    batch_size: int = Field(default=100, ge=1, description="has no effect")

    class Outputs(Task.Outputs):
        executions_count: int = Field(description="removed executions")
        logs_count: int = Field(description="removed log lines")
        metrics_count: int = Field(description="removed metrics")
        storages_count: int = Field(description="removed files")

    def run(self, ctx: RunContext) -> Outputs:
        wanted = Purge(
            until=moment("endDate", self.end_date),
            since=moment("startDate", self.start_date) if self.start_date else None,
            namespace=self.namespace,
            flow_id=self.flow_id,
            states=self.states,
            executions=self.purge_execution,
            logs=self.purge_log,
            storage=self.purge_storage,
        )
        purged = ctx.server.purge_executions(wanted)
        return self.Outputs(
            executions_count=purged.executions,
            logs_count=purged.logs,
            metrics_count=purged.metrics,
            storages_count=purged.files,
        )
