"""Polling triggers: a worker takes one whose time has come, looks, and tells what came of it.

Taking one moves its next date into the future, so that nobody else takes it; whoever evaluates
moves it on while that lasts (`renew`), and sets the real next date at the end. If the worker dies,
the trigger is evaluated again by itself.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from pydantic import BaseModel, TypeAdapter

from runner import ids
from runner.attempt import AttemptControl
from runner.attempt.context import AttemptContext
from runner.attempt.subject import Subject
from runner.engine.creation import Beginning, begin
from runner.errors import HeadraceError, NotFound
from runner.model.execution import StartedBy, TaskRun
from runner.model.facts import Facts
from runner.model.flow import Flow, Task, TaskKind, Trigger
from runner.model.logs import Level, LogLine
from runner.model.problems import FlowInvalid
from runner.model.states import State
from runner.plugin import PollingTrigger, RunContext, TaskStopped
from runner.runtime import Runtime
from runner.runtime.pinning import head_of, source_of
from runner.services import firing
from runner.services.conditions import hold
from runner.services.principal import SYSTEM
from runner.services.trigger_context import context_of
from runner.store.base import AttemptRow, TriggerRow, Tx

log = structlog.get_logger(__name__)

LEASE = timedelta(seconds=60)
_BATCH = 20
DEFAULT_GROUP = "default"


@dataclass(frozen=True, slots=True)
class Poll:
    """A trigger that was taken. *execution_id* is that of the execution that may come of it."""

    row: TriggerRow
    flow: Flow
    trigger: Trigger
    execution_id: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of an evaluation: *variables* if an execution is to start, or why it *failed*."""

    variables: Mapping[str, Any] | None = None
    failed: str | None = None
    interval: timedelta = LEASE
    log_file: str | None = None


def types_of(runtime: Runtime) -> tuple[str, ...]:
    """Return the names of the types that are evaluated so."""
    return tuple(
        cls.model_fields["type"].default
        for cls in runtime.registry
        if issubclass(cls, PollingTrigger)
    )


def take(
    runtime: Runtime, types: Sequence[str], groups: Collection[str] = (DEFAULT_GROUP,)
) -> Poll | None:
    """Take a trigger of these worker groups whose time has come; None: there is none."""
    others = 0
    while True:
        limit = _BATCH + others
        now = runtime.clock.now()
        with runtime.store.read() as tx:
            due = tx.triggers.due(now, types, limit=limit)
            ours = [row for row in due if _group(runtime, tx, row) in groups]
        for row in ours:
            if poll := _try(runtime, row, now):
                return poll
        if len(due) < limit or len(due) - len(ours) <= others:
            return None
        others = len(due) - len(ours)  # they must not stand in the way of those behind them


def _try(runtime: Runtime, row: TriggerRow, now: datetime) -> Poll | None:
    try:
        with runtime.store.begin() as tx:
            return _taken(runtime, tx, row, now)
    except (FlowInvalid, NotFound) as exc:
        _put_off(runtime, row, now, exc)
        return None


def _group(runtime: Runtime, tx: Tx, row: TriggerRow) -> str:
    """Return the group of workers that may evaluate a trigger; of one that is gone: any."""
    flow_row = tx.flows.find(row.namespace, row.flow_id)
    try:
        trigger = _trigger(firing.active_flow(runtime, tx, flow_row), row) if flow_row else None
    except (FlowInvalid, NotFound):
        trigger = None
    return (trigger.worker_group if trigger else None) or DEFAULT_GROUP


def _trigger(flow: Flow, row: TriggerRow) -> Trigger | None:
    return next((each for each in flow.triggers if each.id == row.trigger_id), None)


def _put_off(runtime: Runtime, row: TriggerRow, now: datetime, exc: HeadraceError) -> None:
    log.warning(
        "a trigger cannot be evaluated",
        action="poll",
        trigger=f"{row.namespace}/{row.flow_id}/{row.trigger_id}",
        reason=exc.message,
    )
    with runtime.store.begin() as tx:
        if tx.triggers.lock(row.namespace, row.flow_id, row.trigger_id) == row:
            tx.triggers.save(replace(row, next_at=now + LEASE))


def _taken(runtime: Runtime, tx: Tx, read: TriggerRow, now: datetime) -> Poll | None:
    if tx.triggers.lock(read.namespace, read.flow_id, read.trigger_id) != read:
        return None  # somebody was faster
    flow_row = tx.flows.find(read.namespace, read.flow_id)
    trigger = None
    if flow_row is not None and not flow_row.deleted:
        flow = firing.active_flow(runtime, tx, flow_row)
        trigger = _trigger(flow, read)
    if flow_row is None or trigger is None or trigger.disabled:
        tx.triggers.save(replace(read, next_at=None))
        return None
    row = replace(read, next_at=now + LEASE)
    tx.triggers.save(row)
    return Poll(row, flow, trigger, ids.new()) if flow_row.is_active else None


def renew(runtime: Runtime, polls: Sequence[Poll]) -> None:
    """Keep what is being evaluated here. Raises Unavailable."""
    with runtime.store.begin() as tx:
        for poll in polls:
            row = _current(tx, poll)
            if row is not None:
                tx.triggers.save(replace(row, next_at=runtime.clock.now() + LEASE))


def evaluate(runtime: Runtime, poll: Poll, control: AttemptControl) -> Verdict:
    """Look. Raises TaskStopped: it was told to end."""
    ctx = _TriggerContext(runtime, poll, control)
    interval = LEASE
    try:
        built = _built(runtime, poll, ctx)
        interval = built.interval
        if not _conditions_hold(runtime, poll, ctx):
            return Verdict(interval=interval)
        found = built.evaluate(cast(RunContext, ctx))
        if found is None:
            return Verdict(interval=interval)
        return Verdict(_plain(found), interval=interval, log_file=ctx.log_file())
    except TaskStopped:
        raise
    except Exception as exc:  # noqa: BLE001 - whatever a trigger raises is its failure
        message = exc.message if isinstance(exc, HeadraceError) else f"{type(exc).__name__}: {exc}"
        ctx.log.write(Level.WARN, f"The trigger could not be evaluated: {message}")
        file = ctx.log_file() if poll.trigger.fail_on_trigger_error else None
        return Verdict(failed=message, interval=interval, log_file=file)
    finally:
        ctx.close()


def finish(runtime: Runtime, poll: Poll, verdict: Verdict) -> None:
    """Start the execution, if there is to be one, and set the next date."""
    with runtime.store.begin() as tx:
        row = _current(tx, poll)
        if row is None:
            return  # the trigger is another by now, or off
        creation = _created(runtime, tx, poll, verdict)
        now = runtime.clock.now()
        is_running = creation is not None and not creation.execution.state.is_terminal
        waits = creation is not None and is_running and not poll.trigger.allow_concurrent
        tx.triggers.save(
            replace(
                row,
                next_at=now + verdict.interval,
                last_at=now,
                execution_id=creation.execution.id if creation and waits else row.execution_id,
                updated_at=now,
            )
        )
    if creation is None:
        return
    if verdict.failed is not None:
        message = runtime.mask.apply(verdict.failed)
        runtime.store.logs.write([firing.failure_line(creation.execution, message)])
    firing.send(runtime, creation)


def give_back(runtime: Runtime, poll: Poll) -> None:
    """Let another worker evaluate it at once."""
    with runtime.store.begin() as tx:
        row = _current(tx, poll)
        if row is not None:
            tx.triggers.save(replace(row, next_at=runtime.clock.now()))


def _created(runtime: Runtime, tx: Tx, poll: Poll, verdict: Verdict) -> firing.Creation | None:
    is_failure = verdict.failed is not None and poll.trigger.fail_on_trigger_error
    if verdict.variables is None and not is_failure:
        return None
    flow_row = tx.flows.find(poll.flow.namespace, poll.flow.id)
    if flow_row is None or not flow_row.is_active:
        return None
    variables = dict(verdict.variables or {})
    started_by = StartedBy(poll.trigger.id, poll.trigger.type, variables, verdict.log_file)
    beginning = Beginning(
        labels=poll.trigger.labels,
        trigger=started_by,
        origin="trigger",
        execution_id=poll.execution_id,
    )
    create = firing.create_failed if is_failure else firing.create
    return create(runtime, tx, poll.flow, flow_row, beginning, by=SYSTEM)


def _current(tx: Tx, poll: Poll) -> TriggerRow | None:
    """Return the trigger's row if it is still the trigger that was taken."""
    row = tx.triggers.lock(poll.row.namespace, poll.row.flow_id, poll.row.trigger_id)
    if row is None or row.digest != poll.row.digest or row.disabled:
        return None
    return row


def _built(runtime: Runtime, poll: Poll, ctx: _TriggerContext) -> PollingTrigger:
    raw = {"type": poll.trigger.type, **poll.trigger.properties}
    built = runtime.registry.build_plugin(raw, ctx.render_as)
    assert isinstance(built, PollingTrigger)
    return built


def _conditions_hold(runtime: Runtime, poll: Poll, ctx: _TriggerContext) -> bool:
    now = runtime.clock.now()
    flow = poll.flow
    facts = Facts(date=now, listener_namespace=flow.namespace, listener_flow_id=flow.id)
    return hold(runtime, poll.trigger.conditions, ctx.context, facts)


def _plain(found: BaseModel) -> dict[str, Any]:
    plain: dict[str, Any] = TypeAdapter(dict[str, Any]).validate_python(
        found.model_dump(mode="json", by_alias=True)
    )
    return plain


@dataclass(frozen=True, slots=True)
class _TriggerSubject(Subject):
    """A trigger as if it were a task of the execution that it may start."""

    def line(self, number: int = 0) -> LogLine:
        made = Subject.line(self, number)
        return replace(
            made, execution_id=None, task_id=None, task_run_id=None, trigger_id=self.task.id
        )


class _TriggerContext(AttemptContext):
    """The world of one evaluation. Nobody takes over what it starts outside."""

    def __init__(self, runtime: Runtime, poll: Poll, control: AttemptControl) -> None:
        about = {"id": poll.trigger.id, "type": poll.trigger.type}
        self.context = context_of(runtime, poll.flow, about)
        subject = _subject(runtime, poll)
        row = AttemptRow(
            subject.run.id, 0, poll.execution_id, "", "RUNNING", 0, 0, False, runtime.clock.now()
        )
        super().__init__(runtime, subject, row, self.context, control)

    def spawn_marker(self, marker: str) -> None:
        """There is no attempt that could be taken over."""


def _subject(runtime: Runtime, poll: Poll) -> _TriggerSubject:
    now = runtime.clock.now()
    with runtime.store.read() as tx:
        flow_row = tx.flows.get(poll.flow.namespace, poll.flow.id)
        commit = head_of(tx, flow_row)
    execution = begin(
        poll.flow,
        Beginning(),
        execution_id=poll.execution_id,
        source=source_of(flow_row),
        commit=commit,
        now=now,
    )
    task = Task(
        poll.trigger.id,
        poll.trigger.type,
        TaskKind.WORKER,
        log_level=poll.trigger.log_level,
        log_to_file=poll.trigger.log_to_file,
    )
    run = TaskRun(
        f"{poll.execution_id}{ids.new()[:5]}", poll.execution_id, 0, task.id, State.RUNNING, ()
    )
    return _TriggerSubject(execution, run, task, 0)
