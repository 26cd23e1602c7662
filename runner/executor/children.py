"""Executions that an execution brings about: those of Subflows, and replays by retry."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from runner import ids
from runner.engine import restart as restarting
from runner.engine.commands import Tell
from runner.engine.creation import CORRELATION_ID, Beginning, begin
from runner.engine.events import ChildRefused, ChildStarted, Event, Restarted
from runner.engine.flowables.base import flag
from runner.engine.restart import replay_whole
from runner.errors import HeadraceError, NotFound, Refused
from runner.executor.values import labels_from
from runner.expressions import Context, render_value
from runner.model.evolve import replace
from runner.model.execution import Execution, StartedBy, TaskRun
from runner.model.flow import Flow
from runner.model.inputs import resolve_inputs, undeclared
from runner.model.logs import Level, LogLine
from runner.model.states import State
from runner.model.wake import Wake
from runner.runtime import Runtime
from runner.runtime.context import ExecutionVariables, nested_labels
from runner.runtime.pinning import head_of, source_of
from runner.runtime.runs import RunView
from runner.runtime.world import FlowWorld
from runner.storage.base import SCHEME, task_path
from runner.store.base import FlowRow, Fold, Tx

_SYSTEM = "system."
_MANY = 1_000_000


@dataclass(frozen=True, slots=True)
class Birth:
    """An execution to be written with the fold that brings it about."""

    execution: Execution
    by: str
    upstream_id: str | None = None
    upstream_task_run_id: str | None = None
    undeclared: Sequence[str] = ()  # names of given inputs that its flow does not ask for


def told(birth: Birth) -> Iterator[Tell]:
    """Yield what the log of the task run says about a child that it has started."""
    run_id, child = birth.upstream_task_run_id, birth.execution
    place = f"{child.namespace}.{child.flow_id}"
    yield Tell(Level.INFO, f"Created new execution {child.id} of {place}", run_id)
    for name in birth.undeclared:
        text = (
            f"Input {name} was provided by parent execution {birth.upstream_id} for subflow "
            f"{place} but isn't declared at the subflow inputs"
        )
        yield Tell(Level.WARN, text, run_id)


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


@dataclass(frozen=True, slots=True)
class Batch:
    """Which batch of a ForEachItem a subflow is for: its number, and the URI of its items."""

    number: int
    uri: str


def subflow(
    runtime: Runtime,
    flow: Flow,
    execution: Execution,
    run: TaskRun,
    context: Context,
    batch: Batch | None = None,
) -> tuple[Birth | None, Event]:
    """Make the child that a Subflow's rendered fields describe, or say why not."""
    number = batch.number if batch else None
    try:
        if batch is not None:
            run = _of_batch(flow, run, context, batch)
        child, unknown = _child(runtime, flow, execution, run, context)
    except HeadraceError as exc:
        return None, ChildRefused(run.id, exc.message, number)
    birth = Birth(
        child,
        by=f"execution {execution.id}",
        upstream_id=execution.id,
        upstream_task_run_id=run.id,
        undeclared=() if number else unknown,  # once for all batches
    )
    return birth, ChildStarted(run.id, child.id, number)


def _of_batch(flow: Flow, run: TaskRun, context: Context, batch: Batch) -> TaskRun:
    """Return the run as its inputs see it: ``taskrun`` tells of the batch alone (§7.8)."""
    about = {"items": batch.uri, "iteration": batch.number}
    seen = Context({**context.variables, "taskrun": about}, context.world, context.settings)
    properties = flow.task(run.task_id).properties
    written = {name: properties[name] for name in ("inputs", "labels") if properties.get(name)}
    rendered = {name: render_value(value, seen) for name, value in written.items()}
    return replace(run, iteration=batch.number, evaluated={**run.evaluated, **rendered})


def batch_fields(runtime: Runtime, flow: Flow, runs: RunView, run: TaskRun) -> Mapping[str, Any]:
    """Return what a ForEachItem's subflows need besides its fields: the list of its batches."""
    split = flow.places[run.task_id].index - 1
    parent = flow.places[run.task_id].parent
    assert parent is not None
    sibling = parent.enabled("tasks")[split].id
    made = next(one for one in runs.of_task(sibling) if one.parent_id == run.parent_id)
    uri = str((made.outputs or {})["splits"])
    base = task_path(flow.namespace, flow.id, run.execution_id, run.task_id, run.id)
    return {
        "splits": uri,
        "count": len(batch_uris(runtime, uri)),
        "base": base.rstrip("/"),
    }


def batch_uris(runtime: Runtime, splits: str) -> list[str]:
    """Read the list of batches: one URI a line."""
    with runtime.storage.open(splits.removeprefix(SCHEME)) as stream:
        return stream.read().decode().split()


def earlier(tx: Tx, execution_id: str, run: TaskRun, number: int | None) -> Execution | None:
    """Return the newest execution that a run has started (for a batch), if there is one."""
    found = [
        child
        for child in tx.executions.children(execution_id, limit=_MANY)
        if child.trigger is not None
        and child.trigger.variables.get("taskRunId") == run.id
        and (number is None or child.trigger.variables.get("taskRunIteration") == number)
    ]
    return found[-1] if found else None


def of_runs(tx: Tx, execution_id: str, run_ids: Sequence[str]) -> Iterator[Execution]:
    """Yield the executions that some runs have started and that have not ended."""
    if not run_ids:
        return
    for child in tx.executions.children(execution_id, limit=_MANY):
        started_by = child.trigger.variables.get("taskRunId") if child.trigger else None
        if started_by in run_ids and not child.state.is_terminal:
            yield child


def context_of(runtime: Runtime, execution_id: str) -> Context:
    """Return what expressions of a whole execution see."""
    with runtime.store.read() as tx:
        execution = tx.executions.get(execution_id)
        flow = runtime.flows.get(tx, execution.namespace, execution.flow_id, execution.revision)
    runs = RunView(execution.id, flow, runtime.store.read)
    variables = ExecutionVariables(
        flow, execution, runs, shared=runtime.shared_variables, opened=runtime.opened
    )
    world = FlowWorld(runtime, execution.namespace, execution_id=execution.id)
    return Context(variables.of(execution, None), world)


def restart(runtime: Runtime, tx: Tx, execution_id: str) -> Wake | None:
    """Let a FAILED child go on from where it failed."""
    child = tx.executions.lock(execution_id)
    if child.state is not State.FAILED:
        return None
    flow = runtime.flows.get(tx, child.namespace, child.flow_id, child.revision)
    runs = tx.task_runs.of_execution(execution_id)
    again = restarting.restart(flow, child, runs, None, runtime.clock.now())
    fold = Fold(again.execution, changes=again.changed, removed=again.removed)
    if not tx.executions.save(fold):
        return None
    return tx.events.add(execution_id, Restarted(again.restarted))


def _child(
    runtime: Runtime, flow: Flow, execution: Execution, run: TaskRun, context: Context
) -> tuple[Execution, Sequence[str]]:
    """Return the child, and the names of the inputs that it does not ask for."""
    fields = run.evaluated
    namespace, flow_id = str(fields.get("namespace")), str(fields.get("flowId"))
    with runtime.store.read() as tx:
        row = tx.flows.find(namespace, flow_id)
        revision = _revision(fields, row)
        child_flow = _runnable(runtime, tx, row, namespace, flow_id, revision)
        source, commit = (source_of(row), head_of(tx, row)) if row else (None, None)
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
    child = begin(
        child_flow,
        beginning,
        execution_id=child_id,
        source=source,
        commit=commit,
        now=runtime.clock.now(),
    )
    return child, undeclared(child_flow.inputs, fields.get("inputs") or {})


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

    return resolve_inputs(child, given, rendered, runtime.seal.close)


def _inherited(
    execution: Execution, child: Flow, fields: Mapping[str, Any]
) -> list[tuple[str, str]]:
    """All labels with ``inheritLabels`` (but those that the child sets itself), else the system's
    alone.
    """
    if not flag(fields.get("inheritLabels")):
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
    if run.outputs:
        variables["taskRunOutputs"] = run.outputs
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
