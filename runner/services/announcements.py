"""What the end (or another change of state) of one execution causes elsewhere.

A fold leaves a row for each change that somebody waits for; `settle` works the rows off: it starts
flows with a Flow trigger, tells the parent's Subflow, gives the concurrency slot to the next in
line and unlocks the trigger. Whoever folded calls it at once; the scheduler what was left.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from typing import Any

import structlog

from runner.engine.creation import CORRELATION_ID, Beginning
from runner.engine.events import ChildEnded, Started
from runner.errors import HeadraceError
from runner.expressions import Context, ExpressionError, render_value
from runner.model.execution import Execution, StartedBy, TaskRun
from runner.model.facts import Facts
from runner.model.flow import Flow, Trigger
from runner.model.states import State
from runner.model.wake import Wake
from runner.runtime import Runtime
from runner.runtime.context import ExecutionVariables, nested_labels
from runner.runtime.runs import RunView
from runner.runtime.world import FlowWorld
from runner.services import firing
from runner.services.conditions import hold
from runner.services.inputs import Inputs
from runner.services.preconditions import gather, gathering_of, without_multiple
from runner.services.principal import SYSTEM
from runner.services.trigger_context import rendered_labels, with_trigger
from runner.services.triggers import is_dated
from runner.store.base import Announcement, TriggerRow, Tx

log = structlog.get_logger(__name__)

FLOW_TRIGGER = "io.kestra.plugin.core.trigger.Flow"
_DEFAULT_STATES = frozenset(
    {State.SUCCESS, State.WARNING, State.FAILED, State.KILLED, State.CANCELLED, State.RETRIED}
    | {State.SKIPPED, State.PAUSED}
)


def settle(runtime: Runtime, limit: int = 100) -> int:
    """Work off up to *limit* announcements, the oldest first; returns how many there were."""
    for count in range(limit):
        with runtime.store.begin() as tx:
            found = tx.announcements.take(1)
            if not found:
                return count
            wakes = _handled(runtime, tx, found[0])
            tx.announcements.remove([found[0].id])
        firing.send_wakes(runtime, wakes)
    return limit


def _handled(runtime: Runtime, tx: Tx, announcement: Announcement) -> Sequence[Wake | None]:
    execution = tx.executions.find(announcement.execution_id)
    if execution is None:
        return ()
    if announcement.fully:
        return [
            *_free_slot(runtime, tx, execution),
            *_tell_parent(tx, execution),
            *_unlock(runtime, tx, execution),
        ]
    return _start_followers(runtime, tx, execution, announcement)


# ── the end ──────────────────────────────────────────────────────────────────────────────────────


def _free_slot(runtime: Runtime, tx: Tx, execution: Execution) -> Sequence[Wake | None]:
    """Give back the slot, and let those who waited longest have what is free."""
    if not tx.executions.drop_slot(execution.id):
        return ()
    tx.flows.give_slot(execution.namespace, execution.flow_id)
    return admit_queued(runtime, tx, execution.namespace, execution.flow_id)


def admit_queued(runtime: Runtime, tx: Tx, namespace: str, flow_id: str) -> Sequence[Wake | None]:
    """Start queued executions of a flow while there are free slots."""
    wakes: list[Wake | None] = []
    while queued := tx.executions.oldest_queued(namespace, flow_id):
        waiting = tx.executions.lock(queued)
        if not tx.flows.take_slot(namespace, flow_id, _limit(runtime, tx, waiting)):
            break
        if tx.executions.take_slot(queued):
            wakes.append(tx.events.add(queued, Started()))
        else:  # admitted already, and not folded yet
            tx.flows.give_slot(namespace, flow_id)
            break
    return wakes


def _limit(runtime: Runtime, tx: Tx, execution: Execution) -> int:
    """The limit of the active revision: a change of it holds for those that wait too."""
    try:
        row = tx.flows.get(execution.namespace, execution.flow_id)
        flow = runtime.flows.get(tx, execution.namespace, execution.flow_id, row.revision)
    except HeadraceError:
        return 1
    return flow.concurrency.limit if flow.concurrency else 1_000_000


def _tell_parent(tx: Tx, execution: Execution) -> Sequence[Wake | None]:
    parent_id, task_run_id = tx.executions.upstream(execution.id)
    if parent_id is None or task_run_id is None:
        return ()
    parent = tx.executions.find(parent_id)
    if parent is None:
        return ()
    number = execution.trigger.variables.get("taskRunIteration") if execution.trigger else None
    ended = ChildEnded(task_run_id, execution.id, execution.state, execution.outputs or {}, number)
    return [tx.events.add(parent_id, ended)]


def _unlock(runtime: Runtime, tx: Tx, execution: Execution) -> Sequence[Wake | None]:
    """Let the trigger look at its next date; ``stopAfter`` may switch it off instead (§12.2, 6)."""
    row = tx.triggers.locked_by(execution.id)
    ended_at = execution.history[-1][1]
    if row is not None:
        tx.triggers.save(row := replace(row, execution_id=None, updated_at=ended_at))
    row = row or _started_by(runtime, tx, execution)
    if row is not None and not row.disabled and execution.state in _stop_after(runtime, tx, row):
        tx.triggers.save(replace(row, disabled=True, next_at=None, updated_at=ended_at))
    return ()


def _started_by(runtime: Runtime, tx: Tx, execution: Execution) -> TriggerRow | None:
    """Return the trigger that started an execution without waiting for it, if it is still there."""
    if execution.trigger is None or not is_dated(runtime, execution.trigger.type):
        return None
    row = tx.triggers.find(execution.namespace, execution.flow_id, execution.trigger.id)
    return row if row is not None and row.type == execution.trigger.type else None


def _stop_after(runtime: Runtime, tx: Tx, row: TriggerRow) -> tuple[str, ...]:
    try:
        flow_row = tx.flows.get(row.namespace, row.flow_id)
        flow = runtime.flows.get(tx, row.namespace, row.flow_id, flow_row.revision)
    except HeadraceError:
        return ()
    declared = next((each for each in flow.triggers if each.id == row.trigger_id), None)
    return declared.stop_after if declared else ()


# ── flow triggers ────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class _Upstream:
    """The execution that changed, with what expressions and conditions ask of it."""

    execution: Execution
    flow: Flow
    runs: RunView
    all_runs: Sequence[TaskRun]
    state: State

    @property
    def facts(self) -> Facts:
        execution = self.execution
        return Facts(
            namespace=execution.namespace,
            flow_id=execution.flow_id,
            state=self.state,
            labels=dict(execution.labels),
            outputs=execution.outputs,
            retried=tuple(
                attempt.state
                for run in self.all_runs
                if len(run.attempts) > 1
                for attempt in run.attempts
            ),
        )


def _start_followers(
    runtime: Runtime, tx: Tx, execution: Execution, announcement: Announcement
) -> Sequence[Wake | None]:
    state = State(announcement.state)
    rows = [row for row in tx.triggers.of_type(FLOW_TRIGGER) if _listens(row, execution)]
    if not rows:
        return ()
    flow = runtime.flows.get(tx, execution.namespace, execution.flow_id, execution.revision)
    runs = RunView(execution.id, flow, lambda: nullcontext(tx))
    upstream = _Upstream(execution, flow, runs, tx.task_runs.of_execution(execution.id), state)
    wakes = []
    for row in rows:
        try:
            wakes.append(_start_follower(runtime, tx, row, upstream, announcement))
        except HeadraceError as exc:
            log.warning(
                "a Flow trigger could not be evaluated",
                action="flow_trigger_failed",
                trigger=f"{row.namespace}/{row.flow_id}/{row.trigger_id}",
                execution=execution.id,
                error=exc.message,
            )
    return wakes


def _listens(row: TriggerRow, execution: Execution) -> bool:
    is_own = (row.namespace, row.flow_id) == (execution.namespace, execution.flow_id)
    return not row.disabled and not is_own


def _start_follower(
    runtime: Runtime, tx: Tx, row: TriggerRow, upstream: _Upstream, announcement: Announcement
) -> Wake | None:
    flow_row = tx.flows.find(row.namespace, row.flow_id)
    if flow_row is None or not flow_row.is_active:
        return None
    flow = firing.active_flow(runtime, tx, flow_row)
    trigger = next((t for t in flow.triggers if t.id == row.trigger_id), None)
    if trigger is None or trigger.disabled or upstream.state not in _states(trigger):
        return None
    context = _context(runtime, tx, flow, upstream)
    facts = replace(upstream.facts, listener_namespace=flow.namespace, listener_flow_id=flow.id)
    try:
        if not hold(runtime, without_multiple(trigger), context, facts):
            return None
    except (ExpressionError, ValueError):
        return None  # a condition that cannot be judged does not hold (§12.6)
    gathering = gathering_of(runtime, trigger, context, facts)
    outputs = upstream.execution.outputs
    if gathering is not None:
        current = tx.triggers.lock(row.namespace, row.flow_id, row.trigger_id) or row
        changed, outputs = gather(current, gathering, outputs, runtime.clock.now())
        tx.triggers.save(changed)
        if outputs is None:
            return None
        context = with_trigger(context, {"outputs": outputs} if outputs else {})
    key = (
        f"flow:{flow.namespace}/{flow.id}/{trigger.id}/{upstream.execution.id}/{announcement.entry}"
    )
    beginning = _beginning(runtime, flow, trigger, upstream, context, outputs or {})
    return firing.create(runtime, tx, flow, flow_row, beginning, by=SYSTEM, key=key).wake


def _states(trigger: Trigger) -> frozenset[State]:
    written = trigger.properties.get("states")
    return frozenset(State(state) for state in written) if written else _DEFAULT_STATES


def _context(runtime: Runtime, tx: Tx, flow: Flow, upstream: _Upstream) -> Context:
    """Everything of the upstream, with the listening flow as ``flow`` (§12.6)."""
    execution = upstream.execution
    shared = runtime.shared_variables
    variables = ExecutionVariables(
        upstream.flow, execution, upstream.runs, shared=shared, opened=runtime.opened
    ).of(execution, None)
    variables["flow"] = {"id": flow.id, "namespace": flow.namespace, "revision": flow.revision}
    variables["trigger"] = {"outputs": execution.outputs} if execution.outputs else {}
    world = FlowWorld(
        runtime, flow.namespace, execution_id=execution.id, reader=lambda: nullcontext(tx)
    )
    return Context(variables, world)


def _beginning(
    runtime: Runtime,
    flow: Flow,
    trigger: Trigger,
    upstream: _Upstream,
    context: Context,
    outputs: Mapping[str, Any],
) -> Beginning:
    execution = upstream.execution
    correlation = dict(execution.labels).get(CORRELATION_ID)
    others = tuple(label for label in execution.labels if label[0] != CORRELATION_ID)
    variables: Mapping[str, Any] = {
        "executionId": execution.id,
        "executionLabels": nested_labels(others),
        "state": str(upstream.state),
        "namespace": execution.namespace,
        "flowId": execution.flow_id,
        "flowRevision": execution.revision,
        **({"outputs": outputs} if outputs else {}),
    }
    given = render_value(dict(trigger.inputs), context)
    assert isinstance(given, dict)
    return Beginning(
        inputs=_inputs(runtime, flow, trigger, given),
        labels=rendered_labels(trigger, context),
        trigger=StartedBy(trigger.id, trigger.type, variables),
        correlation_id=correlation,
        upstream_id=execution.id,
    )


def _inputs(
    runtime: Runtime, flow: Flow, trigger: Trigger, given: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Resolve like any inputs; what does not fit is given as it is, with a warning (§12.6)."""
    try:
        return Inputs(runtime).resolve(flow, given, execution_id="")
    except HeadraceError as exc:
        log.warning(
            "inputs of a Flow trigger do not fit and are given as they are",
            action="flow_trigger_inputs",
            flow=f"{flow.namespace}/{flow.id}",
            trigger=trigger.id,
            error=exc.message,
        )
        return given
