"""Executions and task runs as rows. Written out, because they are on the hot path."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from runner.clock import from_micros, to_micros
from runner.engine.codec import from_text, to_text
from runner.model.execution import (
    Attempt,
    Breakpoint,
    Execution,
    History,
    Labels,
    Scope,
    StartedBy,
    TaskRun,
)
from runner.model.states import State
from runner.store.sql import micros, moment

_STATES = {state.value: state for state in State}
_EMPTY = "{}"
_NONE = "[]"
_START = Scope()
_SCOPE = tuple((field.name, getattr(_START, field.name)) for field in fields(Scope))
_SCOPE_TUPLES = frozenset(name for name, default in _SCOPE if isinstance(default, tuple))


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


def map_text(value: Any) -> str:
    """Return a map as JSON."""
    return to_text(value) if value else _EMPTY


def list_text(value: Sequence[Any]) -> str:
    """Return a tuple as a JSON list."""
    return to_text(value) if value else _NONE


def history_text(history: History) -> str:
    """Return ``[[state, micros], …]``."""
    return "[" + ",".join(f'["{state}",{to_micros(at)}]' for state, at in history) + "]"


def _history(pairs: list[Any]) -> History:
    return tuple((_STATES[state], from_micros(at)) for state, at in pairs)


def scope_text(scope: Scope) -> str:
    """Return the fields of a scope that differ from their defaults, as JSON."""
    if scope == _START:
        return _EMPTY
    values = ((name, getattr(scope, name), default) for name, default in _SCOPE)
    return to_text({name: value for name, value, default in values if value != default})


def _scope(text: str) -> Scope:
    if text == _EMPTY:
        return _START
    values = from_text(text)
    for name in _SCOPE_TUPLES & values.keys():
        values[name] = tuple(values[name])
    return Scope(**values)


def _labels(text: str) -> Labels:
    return () if text == _NONE else tuple((key, value) for key, value in from_text(text))


def attempts_text(attempts: Sequence[Attempt]) -> str:
    """Return ``[[state, history, worker], …]``, and the log's file where there is one."""
    return list_text(
        [
            [
                attempt.state,
                [[state, to_micros(at)] for state, at in attempt.history],
                attempt.worker_id,
                *([attempt.log_file] if attempt.log_file else ()),
            ]
            for attempt in attempts
        ]
    )


def _attempts(text: str) -> tuple[Attempt, ...]:
    if text == _NONE:
        return ()
    return tuple(
        Attempt(_STATES[s], _history(history), *rest) for s, history, *rest in from_text(text)
    )


def started_by_text(trigger: StartedBy | None) -> str | None:
    """Return what started an execution as a JSON list."""
    if trigger is None:
        return None
    file = [trigger.log_file] if trigger.log_file else []
    return to_text([trigger.id, trigger.type, trigger.variables, *file])


def breakpoints_text(breakpoints: Sequence[Breakpoint]) -> str:
    """Return ``["task", "task.value", …]``."""
    return list_text([str(each) for each in breakpoints])


def _breakpoints(text: str) -> tuple[Breakpoint, ...]:
    return () if text == _NONE else tuple(Breakpoint.of(each) for each in from_text(text))


# ── executions ───────────────────────────────────────────────────────────────────────────────────

EXECUTION = (
    "id, namespace, flow_id, revision, state, version, folded, sequence, history, labels, inputs, "
    "variables, outputs, trigger, parent_id, original_id, attempt_number, original_created_at, "
    'schedule_at, kind, source_name, "commit", scope, deferred, fully_ended, '
    "unfinished, breakpoints"
)


def execution_of(row: Sequence[Any]) -> Execution:
    """Return the execution of a row with the columns of `EXECUTION`."""
    (
        execution_id, namespace, flow_id, revision, state, version, folded, sequence, history,
        labels, inputs, variables, outputs, trigger, parent_id, original_id, attempt_number,
        original_created_at, schedule_at, kind, source, commit, scope, deferred, fully_ended,
        unfinished, breakpoints,
    ) = row  # fmt: skip
    return Execution(
        execution_id,
        namespace,
        flow_id,
        revision,
        _STATES[state],
        _history(from_text(history)),
        version,
        folded,
        sequence,
        _labels(labels),
        {} if inputs == _EMPTY else from_text(inputs),
        {} if variables == _EMPTY else from_text(variables),
        None if outputs is None else from_text(outputs),
        None if trigger is None else StartedBy(*from_text(trigger)),
        parent_id,
        original_id,
        attempt_number,
        moment(original_created_at),
        moment(schedule_at),
        kind,
        source,
        commit,
        _scope(scope),
        () if deferred == _NONE else tuple(from_text(deferred)),
        bool(fully_ended),
        bool(unfinished),
        _breakpoints(breakpoints),
    )


def started_at(history: History) -> int | None:
    """Return when it was RUNNING first."""
    return next((to_micros(at) for state, at in history if state is State.RUNNING), None)


def ended_at(state: State, history: History) -> int | None:
    """Return when it ended, if it has."""
    return to_micros(history[-1][1]) if state.is_terminal else None


def queued_at(state: State, history: History) -> int | None:
    """Return since when it waits for a concurrency slot, if it does."""
    return to_micros(history[-1][1]) if state is State.QUEUED else None


# ── task runs ────────────────────────────────────────────────────────────────────────────────────

TASK_RUN_COLUMNS = (
    "id", "execution_id", "sequence", "task_id", "parent_id", "value", "iteration", "state", "live",
    "history", "attempts", "outputs", "evaluated", "scope",
)  # fmt: skip
TASK_RUN = (
    "id, execution_id, sequence, task_id, state, history, parent_id, value, iteration, attempts, "
    "outputs, evaluated, scope"
)


def task_run_row(run: TaskRun) -> tuple[Any, ...]:
    """Return the values of `TASK_RUN_COLUMNS`."""
    return (
        run.id,
        run.execution_id,
        run.sequence,
        run.task_id,
        run.parent_id,
        run.value,
        run.iteration,
        run.state.value,
        not run.state.is_terminal,
        history_text(run.history),
        attempts_text(run.attempts) if run.attempts else _NONE,
        None if run.outputs is None else to_text(run.outputs),
        to_text(run.evaluated) if run.evaluated else None,
        None if run.scope is None else scope_text(run.scope),
    )


def task_run_of(row: Sequence[Any]) -> TaskRun:
    """Return the task run of a row with the columns of `TASK_RUN`."""
    run_id, execution_id, sequence, task_id, state, history, parent_id, value, iteration = row[:9]
    attempts, outputs, evaluated, scope = row[9:]
    return TaskRun(
        run_id,
        execution_id,
        sequence,
        task_id,
        _STATES[state],
        _history(from_text(history)),
        parent_id,
        value,
        iteration,
        _attempts(attempts),
        None if outputs is None else from_text(outputs),
        {} if evaluated is None else from_text(evaluated),
        None if scope is None else _scope(scope),
    )


def execution_row(
    execution: Execution, *, by: str, upstream_id: str | None, upstream_task_run_id: str | None
) -> tuple[Any, ...]:
    """Return the values of `NEW_EXECUTION_COLUMNS`."""
    trigger, history = execution.trigger, execution.history
    return (
        execution.id,
        execution.namespace,
        execution.flow_id,
        execution.revision,
        execution.state.value,
        execution.version,
        execution.folded,
        execution.sequence,
        history_text(history),
        list_text(execution.labels),
        map_text(execution.inputs),
        map_text(execution.variables),
        None if execution.outputs is None else to_text(execution.outputs),
        started_by_text(trigger),
        None if trigger is None else trigger.id,
        None if trigger is None else trigger.type,
        upstream_id,
        upstream_task_run_id,
        execution.parent_id,
        execution.original_id,
        execution.attempt_number,
        micros(execution.original_created_at),
        micros(execution.schedule_at),
        execution.kind,
        execution.source,
        execution.commit,
        scope_text(execution.scope),
        list_text(execution.deferred),
        execution.fully_ended,
        breakpoints_text(execution.breakpoints),
        by,
        to_micros(history[0][1]),
        started_at(history),
        ended_at(execution.state, history),
        queued_at(execution.state, history),
    )


NEW_EXECUTION_COLUMNS = (
    "id", "namespace", "flow_id", "revision", "state", "version", "folded", "sequence", "history",
    "labels", "inputs", "variables", "outputs", "trigger", "trigger_id", "trigger_type",
    "upstream_id", "upstream_task_run_id", "parent_id", "original_id", "attempt_number",
    "original_created_at", "schedule_at", "kind", "source_name", "commit", "scope", "deferred",
    "fully_ended", "breakpoints", "created_by", "created_at", "started_at", "ended_at", "queued_at",
)  # fmt: skip
