"""Running one attempt of a task, and posting how it ended.

    ended = run_attempt(runtime, claimed, control)
    finish(runtime, claimed, ended)  # or `runner.executor.go_on`: in one with the fold

`claimed` is the attempt's row as this worker has taken it: its fence tells a late result from a
valid one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from runner.attempt import merging, outcome
from runner.attempt.context import AttemptContext
from runner.attempt.control import AttemptControl, Reason
from runner.attempt.directory import Directory, DirectoryContext, World
from runner.attempt.logs import late_line
from runner.attempt.merging import MergingContext
from runner.attempt.running import run_task
from runner.attempt.subject import Subject
from runner.engine.directories import is_directory
from runner.errors import Conflict, NotFound, Unavailable
from runner.expressions import Context
from runner.model.evolve import replace
from runner.model.execution import Execution
from runner.model.flow import Flow, Task
from runner.model.wake import Wake
from runner.runtime import Runtime
from runner.runtime.context import ExecutionVariables
from runner.runtime.runs import RunView
from runner.runtime.world import FlowWorld
from runner.store.base import AttemptRow, Metric

log = structlog.get_logger(__name__)

__all__ = ["AttemptControl", "AttemptEnd", "Known", "Reason", "broken", "finish", "run_attempt"]


@dataclass(frozen=True, slots=True)
class AttemptEnd:
    """How an attempt ended, and what it measured."""

    event: outcome.End
    metrics: Sequence[Metric] = ()


@dataclass(frozen=True, slots=True)
class Known:
    """An attempt's execution as the fold that claimed it has left it."""

    flow: Flow
    execution: Execution
    runs: RunView
    variables: ExecutionVariables


def run_attempt(
    runtime: Runtime, claimed: AttemptRow, control: AttemptControl, known: Known | None = None
) -> AttemptEnd:
    """Run a claimed attempt to its end, however it ends; nothing is raised for what a task does.

    What is *known* is not loaded.
    """
    span = outcome.Span(
        claimed.task_run_id,
        claimed.attempt,
        claimed.started_at or runtime.clock.now(),
        claimed.worker_id,
    )
    try:
        ctx, subject = _prepared(runtime, claimed, control, known)
    except (Unavailable, Conflict) as exc:
        log.warning("an attempt is sent again", task_run=claimed.task_run_id, reason=exc.message)
        return AttemptEnd(outcome.stopped(span, Reason.SHUTDOWN, runtime.clock.now(), None))
    except Exception as exc:
        log.exception("an attempt cannot begin", task_run=claimed.task_run_id)
        return AttemptEnd(outcome.failed(span, exc, runtime.clock.now(), 0))
    try:
        event = run_task(runtime, ctx, subject, control, span)
        return AttemptEnd(replace(event, log_file=ctx.log_file()), ctx.metrics)
    except Exception as exc:
        log.exception("an attempt broke", task_run=claimed.task_run_id)
        return AttemptEnd(outcome.failed(span, exc, runtime.clock.now(), 0))
    finally:
        ctx.close()


def finish(runtime: Runtime, claimed: AttemptRow, ended: AttemptEnd) -> Wake | None:
    """Post how an attempt ended, in one transaction; None: too late, nothing was changed.

    The wake-up that comes back need not be sent if the caller folds the execution at once.
    """
    with runtime.store.begin() as tx:
        if tx.attempts.end(claimed.task_run_id, claimed.attempt, claimed.fence):
            tx.metrics.add(ended.metrics)
            return tx.events.add(claimed.execution_id, ended.event)
    _record_late(runtime, claimed, ended)
    return None


def broken(runtime: Runtime, claimed: AttemptRow, exc: Exception) -> AttemptEnd:
    """Return the end of an attempt that Headrace itself could not bring to an end."""
    span = outcome.Span(
        claimed.task_run_id,
        claimed.attempt,
        claimed.started_at or runtime.clock.now(),
        claimed.worker_id,
    )
    return AttemptEnd(outcome.failed(span, exc, runtime.clock.now(), 0))


def _prepared(
    runtime: Runtime, claimed: AttemptRow, control: AttemptControl, known: Known | None
) -> tuple[AttemptContext, Subject]:
    known = known or _loaded(runtime, claimed)
    execution = known.execution
    run = known.runs.get(claimed.task_run_id)
    if run is None:
        raise NotFound(f"there is no task run {claimed.task_run_id}")
    before = replace(run, attempts=run.attempts[: claimed.attempt])  # as its expressions see it
    context = Context(known.variables.of(execution, before), _functions(runtime, execution))
    subject = Subject(execution, run, known.flow.task(run.task_id), claimed.attempt)
    ctx = _kind(subject.task)(runtime, subject, claimed, context, control)
    if isinstance(ctx, DirectoryContext):
        world = _directory_world(runtime, claimed, control)
        ctx.directory = Directory(world, subject, ctx)
    return ctx, subject


def _kind(task: Task) -> type[AttemptContext]:
    if is_directory(task):
        return DirectoryContext
    return MergingContext if task.type == merging.TYPE else AttemptContext


def _loaded(runtime: Runtime, claimed: AttemptRow) -> Known:
    with runtime.store.read() as tx:
        execution = tx.executions.get(claimed.execution_id)
        run = tx.task_runs.get(claimed.task_run_id)
        flow = runtime.flows.get(tx, execution.namespace, execution.flow_id, execution.revision)
    runs = RunView(execution.id, flow, runtime.store.read)
    runs.apply([run])
    variables = ExecutionVariables(
        flow, execution, runs, shared=runtime.shared_variables, opened=runtime.opened
    )
    return Known(flow, execution, runs, variables)


def _directory_world(runtime: Runtime, claimed: AttemptRow, control: AttemptControl) -> World:
    """Return what the tasks inside see: loaded anew, since it will put runs of theirs into it."""
    own = _loaded(runtime, claimed)
    functions = _functions(runtime, own.execution)
    return World(
        runtime, claimed, control, own.flow, own.execution, own.runs, own.variables, functions
    )


def _functions(runtime: Runtime, execution: Execution) -> FlowWorld:
    return FlowWorld(
        runtime,
        execution.namespace,
        execution_id=execution.id,
        source=execution.source,
        commit=execution.commit,
    )


def _record_late(runtime: Runtime, claimed: AttemptRow, ended: AttemptEnd) -> None:
    kind = type(ended.event).__name__
    log.warning(
        "a late result changes nothing",
        action="late_result",
        task_run=claimed.task_run_id,
        attempt=claimed.attempt,
        fence=claimed.fence,
        kind=kind,
    )
    with runtime.store.read() as tx:
        execution = tx.executions.find(claimed.execution_id)
        run = tx.task_runs.find(claimed.task_run_id)
        if execution is None or run is None:
            return
        flow = runtime.flows.get(tx, execution.namespace, execution.flow_id, execution.revision)
    subject = Subject(execution, run, flow.task(run.task_id), claimed.attempt)
    message = f"A late result ({kind}) of attempt {claimed.attempt} was ignored: it had been lost."
    runtime.store.logs.write([late_line(subject.line(), runtime.clock.now(), message)])
