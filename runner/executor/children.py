"""Executions that an execution brings about: those of Subflows, and replays by retry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from runner import ids
from runner.engine.creation import CORRELATION_ID, Beginning, begin
from runner.engine.events import ChildRefused, ChildStarted, Event
from runner.engine.restart import replay_whole
from runner.errors import HeadraceError, NotFound, Refused
from runner.executor.values import labels_from
from runner.expressions import Context, is_truthy, render_value
from runner.model.evolve import replace
from runner.model.execution import Execution, StartedBy, TaskRun
from runner.model.flow import Flow
from runner.model.inputs import resolve_inputs
from runner.model.logs import Level, LogLine
from runner.model.states import State
from runner.model.wake import Wake
from runner.runtime import Runtime
from runner.runtime.context import nested_labels
from runner.runtime.world import FlowWorld
from runner.store.base import FlowRow, Tx

_SYSTEM = "system."


@dataclass(frozen=True, slots=True)
class Birth:
    """An execution to be written with the fold that brings it about."""

    execution: Execution
    by: str
    upstream_id: str | None = None
    upstream_task_run_id: str | None = None


def write(tx: Tx, birth: Birth) -> Sequence[Wake]:
    """Write a birth and its wake-up."""
    tx.executions.add(
        birth.execution,
        by=birth.by,
        upstream_id=birth.upstream_id,
        upstream_task_run_id=birth.upstream_task_run_id,
    )
    return [tx.wakes.new_drive(birth.execution.id)]


def replay(runtime: Runtime, flow: Flow, execution: Execution, at: datetime) -> Birth:
    """Return the replay that a retry with CREATE_NEW_EXECUTION asks for."""
    again = replay_whole(flow, execution, new_id=ids.new(), now=runtime.clock.now())
    return Birth(replace(again, schedule_at=at), by="retry")


def subflow(
    runtime: Runtime, flow: Flow, execution: Execution, run: TaskRun, context: Context
) -> tuple[Birth | None, Event]:
    """Make the child that a Subflow's rendered fields describe, or say why not."""
    try:
        child = _child(runtime, flow, execution, run, context)
    except HeadraceError as exc:
        return None, ChildRefused(run.id, exc.message)
    birth = Birth(
        child,
        by=f"execution {execution.id}",
        upstream_id=execution.id,
        upstream_task_run_id=run.id,
    )
    return birth, ChildStarted(run.id, child.id)


def _child(
    runtime: Runtime, flow: Flow, execution: Execution, run: TaskRun, context: Context
) -> Execution:
    fields = run.evaluated
    namespace, flow_id = str(fields.get("namespace")), str(fields.get("flowId"))
    with runtime.store.read() as tx:
        row = tx.flows.find(namespace, flow_id)
        revision = _revision(fields, row)
        child_flow = _runnable(runtime, tx, row, namespace, flow_id, revision)
        source, commit = _pin(tx, row)
    child_id = ids.new()
    inputs = _inputs(runtime, child_flow, child_id, fields, context)
    beginning = Beginning(
        inputs=inputs,
        labels=(*_inherited(execution, child_flow, fields), *labels_from(fields.get("labels"))),
        trigger=_started_by(flow, execution, run),
        schedule_at=_date(fields.get("scheduleDate")),
        kind=execution.kind,
        correlation_id=dict(execution.labels).get(CORRELATION_ID),
    )
    return begin(
        child_flow,
        beginning,
        execution_id=child_id,
        source=source,
        commit=commit,
        now=runtime.clock.now(),
    )


def _revision(fields: Mapping[str, Any], row: FlowRow | None) -> int:
    wanted = fields.get("revision")
    if wanted not in (None, ""):
        return int(str(wanted))
    return row.revision if row else 0


def _runnable(
    runtime: Runtime, tx: Tx, row: FlowRow | None, namespace: str, flow_id: str, revision: int
) -> Flow:
    unknown = (
        f"Unable to find flow '{namespace}'.'{flow_id}' with revision '{revision or 'latest'}'"
    )
    if row is None or row.deleted:
        raise NotFound(unknown)
    if row.disabled or row.absent:
        raise Refused("Cannot execute a flow which is disabled")
    if row.blocked:
        raise Refused("Cannot execute a flow that uses what is not available yet")
    try:
        return runtime.flows.get(tx, namespace, flow_id, revision)
    except NotFound as exc:
        raise NotFound(unknown) from exc


def _pin(tx: Tx, row: FlowRow | None) -> tuple[str | None, str | None]:
    if row is None or not row.owner.startswith("git:"):
        return None, None
    name = row.owner.removeprefix("git:")
    source = tx.sources.find(name)
    return name, (source.head if source else None) or row.commit


def _inputs(
    runtime: Runtime, child: Flow, child_id: str, fields: Mapping[str, Any], context: Context
) -> Mapping[str, Any]:
    given = fields.get("inputs") or {}
    if not isinstance(given, Mapping):
        raise Refused("the inputs of a Subflow must be a map")
    world = FlowWorld(runtime, child.namespace)
    about = {
        **runtime.shared_variables,
        "flow": {"id": child.id, "namespace": child.namespace, "revision": child.revision},
        "execution": {"id": child_id},
        "labels": nested_labels(child.labels),
        "vars": child.variables,
    }

    def rendered(value: Any, variables: Mapping[str, Any], typed: bool) -> Any:
        return render_value(value, Context({**about, **variables}, world), typed=typed)

    return resolve_inputs(child, given, rendered)


def _inherited(
    execution: Execution, child: Flow, fields: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """All labels with ``inheritLabels`` (but those that the child sets itself), else the system's
    alone.
    """
    if not is_truthy(str(fields.get("inheritLabels", "false"))):
        return [label for label in execution.labels if label[0].startswith(_SYSTEM)]
    own = {key for key, _ in child.labels}
    return [label for label in execution.labels if label[0] not in own]


def _started_by(flow: Flow, execution: Execution, run: TaskRun) -> StartedBy:
    variables: dict[str, Any] = {
        "executionId": execution.id,
        "namespace": execution.namespace,
        "flowId": execution.flow_id,
        "flowRevision": execution.revision,
        "taskRunId": run.id,
        "taskId": run.task_id,
    }
    if run.value is not None:
        variables["taskRunValue"] = run.value
    if run.iteration is not None:
        variables["taskRunIteration"] = run.iteration
    return StartedBy(run.task_id, flow.task(run.task_id).type, variables)


def _date(text: Any) -> datetime | None:
    if not text:
        return None
    moment = datetime.fromisoformat(str(text))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def limit_line(runtime: Runtime, execution: Execution, admitted: State, limit: int) -> LogLine:
    """Say in the log why the execution does not run now."""
    texts = {
        State.QUEUED: f"Execution is queued due to concurrency limit exceeded, {limit} running(s)",
        State.CANCELLED: "Execution is CANCELLED due to concurrency limit exceeded",
        State.FAILED: "Execution is FAILED due to concurrency limit exceeded",
    }
    return LogLine(
        namespace=execution.namespace,
        flow_id=execution.flow_id,
        at=runtime.clock.now(),
        level=Level.ERROR if admitted is State.FAILED else Level.INFO,
        message=texts[admitted],
        number=0,
        execution_id=execution.id,
    )
