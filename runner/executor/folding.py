"""One execution, its events, and what follows from them: computed without a lock, saved with one
compare.

Everything until `save` only reads. `save` writes the whole fold in the caller's transaction, if
nobody else has folded the execution since it was loaded.
"""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from typing import assert_never

from runner.attempt import AttemptEnd, Known
from runner.attempt.inline import run_inline
from runner.attempt.kv import KvBuffer
from runner.engine import advance as engine
from runner.engine.commands import (
    Announce,
    ClearTimer,
    Command,
    Continue,
    Evaluate,
    KillChild,
    RunTask,
    SetTimer,
    StartChild,
    StartReplay,
    StopTask,
    Tell,
)
from runner.engine.events import (
    ChildEnded,
    ChildStarted,
    Continued,
    Event,
    Kill,
    Recovered,
    Restarted,
    Started,
    TaskFailed,
    TaskKilled,
    TaskSucceeded,
)
from runner.errors import HeadraceError
from runner.executor import children, listeners, outputs
from runner.executor.kv import StoredKv
from runner.executor.values import evaluate
from runner.expressions import Context
from runner.model.evolve import replace
from runner.model.execution import Attempt, Execution, TaskRun
from runner.model.flow import Concurrency, Flow, TaskKind
from runner.model.logs import ENGINE_NUMBERS, LogLine
from runner.model.states import State
from runner.model.wake import Wake
from runner.runtime import Runtime
from runner.runtime.context import ExecutionVariables
from runner.runtime.runs import RunView
from runner.runtime.world import FlowWorld
from runner.store.base import (
    AttemptRow,
    Fold,
    KvRow,
    Metric,
    NumberedEvent,
    Posted,
    Timer,
    Tx,
)

MAX_CHANGES = 500
"""Rows that one fold writes at most; the rest follows in the next."""

_FLOW_TRIGGER = "io.kestra.plugin.core.trigger.Flow"
_NEVER_LOCKED = (".Flow", ".Webhook")
"""Types of triggers that do not wait for the end of what they have started."""


@dataclass(frozen=True, slots=True)
class WorkerIdentity:
    """A worker that folds: its id, and the queues whose attempts it may run itself."""

    id: str
    queues: frozenset[str] = frozenset({"default"})


class Folding:
    """The work on one execution between loading and saving."""

    def __init__(
        self,
        runtime: Runtime,
        flow: Flow,
        execution: Execution,
        events: Sequence[NumberedEvent],
        wakes: Sequence[Wake],
        *,
        worker: WorkerIdentity | None,
        live_attempts: int = 0,
    ) -> None:
        self.runtime = runtime
        self.flow = flow
        self.head = execution
        self.worker = worker
        self.run_here: AttemptRow | None = None
        self.wants_slot = False
        is_new = execution.sequence == 0 and execution.state is State.CREATED
        self.runs = RunView(execution.id, flow, runtime.store.read, is_new=is_new)
        self._before = execution
        self._events = deque(events)
        self._wakes = wakes
        self._live_attempts = live_attempts
        self._todo: deque[Command] = deque()
        self._results: list[Event] = []  # of inline tasks, not looked at yet
        self._variables: ExecutionVariables | None = None
        self._world = FlowWorld(
            runtime,
            execution.namespace,
            execution_id=execution.id,
            source=execution.source,
            commit=execution.commit,
            pending=lambda: self.lines,
            keys=lambda namespace, key: self._kv_buffer.find(namespace, key),
        )
        self._batches: tuple[str, Sequence[str]] | None = None
        self._clean()

    def _clean(self) -> None:
        self._changed: dict[str, TaskRun] = {}
        self._removed: dict[str, None] = {}
        self._timers: dict[str, Timer] = {}
        self._cleared: list[str] = []
        self._attempts: list[AttemptRow] = []
        self._ended: list[tuple[str, int]] = []
        self._stops: list[tuple[str, int]] = []
        self._announced: list[tuple[str, bool, int]] = []
        self._kv: list[KvRow | tuple[str, str]] = []
        self._kv_buffer = KvBuffer(StoredKv(self.runtime.store))
        self._metrics: list[Metric] = []
        self._posts: list[tuple[str, Event]] = []
        self._born: list[children.Birth] = []
        self._restarts: list[str] = []
        self._orphans: list[str] = []
        self._posted: Posted | None = None
        self.lines: list[LogLine] = []
        self._lines_made = 0

    # ── work ─────────────────────────────────────────────────────────────────────────────────────

    @property
    def is_cut(self) -> bool:
        """More follows although no event waits."""
        return bool(self._todo) or bool(self._events)

    def work(self) -> None:
        """Apply what waits, until nothing is left to do here or the fold is full."""
        if not self._todo:
            self._open()
        self._drain()
        while self._events and not self._is_full():
            numbered = self._events.popleft()
            self._note_end(numbered.event)
            has_limit = self.flow.concurrency is not None
            is_again = has_limit and self.head.state is State.RESTARTED
            if isinstance(numbered.event, Restarted) and is_again:
                self.head = replace(self.head, folded=numbered.number)
                self._restarted = numbered.event
                self.wants_slot = True
                return  # what waits behind it follows in the next fold
            self._feed(numbered.event)
            self.head = replace(self.head, folded=numbered.number)
            self._drain()

    def post(self, claimed: AttemptRow, ended: AttemptEnd) -> bool:
        """Take in how an attempt of this worker ended, to be stored by this very fold.

        False: something else waits to be applied first.
        """
        if self.is_cut or self.head.unfinished:
            return False
        event, number = ended.event, self.head.folded + 1
        key = (claimed.task_run_id, claimed.attempt, claimed.fence)
        self._posted = Posted(number, event, *key)
        self._events.append(NumberedEvent(number, event, self.runtime.clock.now()))
        self._metrics.extend(ended.metrics)
        self._live_attempts -= 1
        self.run_here = None
        return True

    def _open(self) -> None:
        """Begin an execution that has not begun; ask again for what a cut fold left undone."""
        if self.head.unfinished:
            self._feed(Recovered())
        if self.head.state is not State.CREATED or self._is_killed():
            return
        now = self.runtime.clock.now()
        if self.head.schedule_at is not None and self.head.schedule_at > now:
            timer = Timer(self.head.id, "schedule", self.head.schedule_at)
            self._timers[timer.key] = timer
        elif self.flow.concurrency is None:
            self._feed(Started())
        else:
            self.wants_slot = True

    def _is_killed(self) -> bool:
        return any(isinstance(numbered.event, Kill) for numbered in self._events)

    def _note_end(self, event: Event) -> None:
        if isinstance(event, TaskSucceeded | TaskFailed | TaskKilled):
            self._ended.append((event.task_run_id, event.attempt))

    def _is_full(self) -> bool:
        return len(self._changed) + len(self._born) >= MAX_CHANGES

    def _drain(self) -> None:
        while (self._todo or self._results) and not self._is_full():
            self._next()
        self._flush_unfolded()

    def _next(self) -> None:
        """Carry out what is wanted; then look at results, so that all that starts at once runs.

        A failure is looked at first: what would follow the others does not start any more.
        """
        if self._todo:
            self._carry_out(self._todo.popleft())
            return
        results, self._results = self._results, []
        for event in sorted(results, key=lambda event: not isinstance(event, TaskFailed)):
            self._feed(event)

    def _flush_unfolded(self) -> None:
        """A cut fold keeps only commands that `Recovered` would ask for again."""
        kept: deque[Command] = deque()
        while self._todo or self._results:
            command = self._todo[0] if self._todo else None
            if isinstance(command, Evaluate | StartChild | Continue) or self._is_inline(command):
                kept.append(self._todo.popleft())
            else:
                self._next()
        self._todo = kept

    def _is_inline(self, command: Command | None) -> bool:
        if not isinstance(command, RunTask):
            return False
        run = self.runs.get(command.task_run_id)
        return run is not None and self.flow.task(run.task_id).kind is TaskKind.INLINE

    def _feed(self, event: Event) -> None:
        decision = engine.advance(self.flow, self.head, self.runs, event, self.runtime.clock.now())
        if (
            decision.execution.variables is not self.head.variables
            or decision.execution.labels is not self.head.labels
        ):
            self._variables = None
        self.head = decision.execution
        if decision.removed:
            self._remove(decision.removed)
        self._put(*decision.changes)
        self._todo.extend(decision.commands)

    def _remove(self, run_ids: Sequence[str]) -> None:
        self.runs.forget(run_ids)
        for run_id in run_ids:
            self._changed.pop(run_id, None)
            self._removed[run_id] = None

    def _put(self, *runs: TaskRun) -> None:
        self.runs.apply(runs)
        for run in runs:
            self._changed[run.id] = run

    # ── commands ─────────────────────────────────────────────────────────────────────────────────

    def _carry_out(self, command: Command) -> None:
        match command:
            case Evaluate():
                self._feed(self._evaluated(command))
            case RunTask():
                self._run(command)
            case Continue():
                self._feed(Continued(command.task_run_id))
            case StopTask():
                self._stops.append((command.task_run_id, command.attempt))
            case StartChild():
                self._start_child(command)
            case KillChild():
                self._kill_child(command)
            case SetTimer():
                self._set_timer(command)
            case ClearTimer():
                self._timers.pop(command.key, None)
                self._cleared.append(command.key)
            case Tell():
                self._tell(command)
            case Announce():
                self._announce(command)
            case StartReplay():
                self._born.append(children.replay(self.runtime, self.flow, self.head, command.at))
            case _:
                assert_never(command)

    def context(self, run: TaskRun | None) -> Context:
        """Return what expressions of a task run (or of the flow) see."""
        return Context(self._shared_variables().of(self.head, run), self._world)

    def _shared_variables(self) -> ExecutionVariables:
        if self._variables is None:
            self._variables = ExecutionVariables(
                self.flow,
                self.head,
                self.runs,
                shared=self.runtime.shared_variables,
                opened=self.runtime.opened,
            )
        return self._variables

    def known(self) -> Known:
        """Return what the attempt that runs here need not load."""
        return Known(self.flow, self.head, self.runs, self._shared_variables())

    def _evaluated(self, command: Evaluate) -> Event:
        if command.purpose == "outputs":
            return outputs.flow_outputs(
                self.flow, self.context(None), command, self.runtime.seal.close
            )
        if command.purpose == "listeners":
            return listeners.chosen(self.runtime, self.flow, self.head, self.context(None))
        run = self.runs.get(command.task_run_id or "")
        if command.child is not None:
            return evaluate(command, children.context_of(self.runtime, command.child))
        event = evaluate(command, self.context(run))
        if command.purpose != "batches" or run is None or event.error is not None:
            return event
        try:
            more = children.batch_fields(self.runtime, self.flow, self.runs, run)
        except HeadraceError as exc:
            return replace(event, error=exc.message)
        return replace(event, values={**event.values, **more})

    def _run(self, command: RunTask) -> None:
        run = self.runs.get(command.task_run_id)
        assert run is not None
        if run.state.is_terminal:
            return
        task = self.flow.task(run.task_id)
        if task.kind is TaskKind.INLINE:
            if self._todo or self._results:  # others start with it, and may end before it
                self._put(run.enter(State.RUNNING, self.runtime.clock.now()))
            result = run_inline(
                self.runtime,
                self.head,
                run,
                task,
                self.context(run),
                self._kv_buffer,
                attempt=command.attempt,
                now=self.runtime.clock.now(),
            )
            self.lines.extend(result.lines)
            self._kv.extend(result.kv_writes)
            self._metrics.extend(result.metrics)
            self._results.append(result.event)
        else:
            self._attempts.append(self._attempt_row(run, task.worker_group, command.attempt))

    def _attempt_row(self, run: TaskRun, group: str | None, attempt: int) -> AttemptRow:
        losses = sum(a.state is State.RESUBMITTED for a in run.attempts)
        return AttemptRow(
            task_run_id=run.id,
            attempt=attempt,
            execution_id=self.head.id,
            queue=group or "default",
            state="SUBMITTED",
            fence=0,
            losses=losses,
            stopping=False,
            created_at=self.runtime.clock.now(),
        )

    def _kill_child(self, command: KillChild) -> None:
        if command.execution_id is None:
            self._orphans.append(command.task_run_id)
        else:
            self._posts.append((command.execution_id, self._kill_event()))

    def _kill_event(self) -> Kill:
        return Kill(by=f"parent {self.head.id}")

    def _start_child(self, command: StartChild) -> None:
        run = self.runs.get(command.task_run_id)
        assert run is not None
        if run.state.is_terminal:
            return
        if command.again and (event := self._child_again(run, command.iteration)):
            self._feed(event)
            return
        batch = None
        if command.iteration is not None:
            uri = self._batch_uris(run)[command.iteration]
            batch = children.Batch(command.iteration, uri)
        birth, event = children.subflow(
            self.runtime, self.flow, self.head, run, self.context(run), batch
        )
        if birth is not None:
            self._born.append(birth)
            for line in children.told(birth):
                self._tell(line)
        self._feed(event)

    def _child_again(self, run: TaskRun, number: int | None) -> Event | None:
        """Take up the child that was started before; None: there is none."""
        with self.runtime.store.read() as tx:
            child = children.earlier(tx, self.head.id, run, number)
        if child is None:
            return None
        if child.state is State.FAILED:
            self._restarts.append(child.id)
        elif child.fully_ended:
            outputs = child.outputs or {}
            return ChildEnded(run.id, child.id, State.SUCCESS, outputs, number)
        return ChildStarted(run.id, child.id, number)

    def _batch_uris(self, run: TaskRun) -> Sequence[str]:
        splits = str(run.evaluated["splits"])
        if self._batches is None or self._batches[0] != splits:
            self._batches = splits, children.batch_uris(self.runtime, splits)
        return self._batches[1]

    def _set_timer(self, command: SetTimer) -> None:
        at = command.at
        if command.until is not None and command.until > at:
            at += timedelta(seconds=random.uniform(0, (command.until - at).total_seconds()))  # noqa: S311
        self._timers[command.key] = Timer(self.head.id, command.key, at)

    def _tell(self, command: Tell) -> None:
        run = self.runs.get(command.task_run_id) if command.task_run_id else None
        number = ENGINE_NUMBERS + self.head.version * 1000 + self._lines_made + len(self.lines)
        self.lines.append(
            LogLine(
                namespace=self.head.namespace,
                flow_id=self.head.flow_id,
                at=self.runtime.clock.now(),
                level=command.level,
                message=self.runtime.mask.apply(command.message),
                number=number,
                execution_id=self.head.id,
                task_id=run.task_id if run else None,
                task_run_id=run.id if run else None,
                attempt=max(0, len(run.attempts) - 1) if run else 0,
            )
        )

    def _announce(self, command: Announce) -> None:
        entry = max(i for i, (state, _) in enumerate(self.head.history) if state is command.state)
        self._announced.append((str(command.state), command.fully, entry))

    # ── saving ───────────────────────────────────────────────────────────────────────────────────

    def fold(self, tx: Tx, together: Together) -> Fold | None:
        """Return what is to be written; None: nothing but that the wake-ups have been heard."""
        if self.wants_slot:
            with self.runs.within(tx):
                self._admit(tx, together.admitted)
        elif not self._has_news():
            tx.wakes.remove([wake.id for wake in self._wakes])
            return None
        self._choose_own_attempt()
        cut = self.is_cut
        self.head = replace(self.head, unfinished=cut)
        self._told = self._wanted_announcements(together)
        self._sent = [_attempt_wake(row) for row in self._attempts if row is not self.run_here]
        return Fold(
            execution=self.head,
            before=self._before,
            changes=tuple(self._changed.values()),
            removed=tuple(self._removed),
            set_timers=tuple(self._timers.values()),
            clear_timers=tuple(self._cleared),
            new_attempts=tuple(self._attempts),
            ended_attempts=tuple(self._ended),
            stop_attempts=tuple(self._stops),
            announcements=self._told,
            add_wakes=tuple(self._sent),
            remove_wakes=() if cut else tuple(wake.id for wake in self._wakes),
            kv_writes=tuple(self._kv),
            metrics=tuple(self._metrics),
            holds_slot=True if self._took_slot else None,
            posted=self._posted,
        )

    def follow(self, tx: Tx) -> Saved:
        """Write what concerns other executions, after the fold itself was written."""
        wakes = list(self._sent)
        for birth in self._born:
            wakes.extend(children.write(tx, birth))
        wakes.extend(self._post(tx))
        return Saved(tuple(wakes), bool(self._told), bool(self._stops))

    _told: tuple[tuple[str, bool, int], ...] = ()
    _sent: list[Wake]
    _took_slot = False
    _restarted: Restarted | None = None

    def taken_lines(self) -> list[LogLine]:
        """Hand over the log lines that were not handed over yet."""
        taken, self.lines = self.lines, []
        self._lines_made += len(taken)
        return taken

    def saved(self) -> None:
        """Go on after a commit, with what the fold had no room for."""
        self.head = replace(self.head, version=self.head.version + 1)
        self._before = self.head
        self._took_slot = False
        self._live_attempts += len(self._attempts)
        if not self.is_cut:
            self._wakes = ()
        self._clean()

    @property
    def can_go_on(self) -> bool:
        """Only the attempt that runs here can change the execution without an event, and little of
        it is in memory: when that ends, nothing need be loaded.
        """
        is_alone = self.run_here is not None and self._live_attempts == 1
        return is_alone and not self.is_cut and len(self.runs) <= MAX_CHANGES

    def _has_news(self) -> bool:
        left_by_a_cut = self._attempts or self._stops or self._born or self._posts
        return self.head is not self._before or bool(
            self._changed or self._ended or self._timers or left_by_a_cut
        )

    def lost(self, tx: Tx) -> None:
        """Give back what was taken for a fold that was not written: another one was faster."""
        if self._took_slot:
            tx.flows.give_slot(self.flow.namespace, self.flow.id)

    def _admit(self, tx: Tx, admitted_before: list[str]) -> None:
        """Take a concurrency slot, or do what the flow says when there is none."""
        self.wants_slot = False
        limit = self.flow.concurrency
        assert limit is not None
        restarted, self._restarted = self._restarted, None
        if restarted is None and self.head.state is not State.CREATED:
            return  # somebody forced it to run
        if restarted is not None and tx.executions.holds_slot(self.head.id):
            self._feed(restarted)
            return
        if self._takes_slot(tx, limit, admitted_before):
            self._took_slot = True
            admitted_before.append(self.head.id)
            self._feed(restarted or Started())
            return
        admitted = {"QUEUE": State.QUEUED, "CANCEL": State.CANCELLED, "FAIL": State.FAILED}[
            limit.behavior
        ]
        self.lines.append(children.limit_line(self.runtime, self.head, admitted, limit.limit))
        self._feed(Started(admitted, restarted.task_run_ids if restarted else ()))
        for command in list(self._todo):
            if isinstance(command, Announce):
                self._announce(command)
                self._todo.remove(command)

    def _takes_slot(self, tx: Tx, limit: Concurrency, admitted: Sequence[str]) -> bool:
        """Take a slot if there is one, and if older executions do not need it: what has none ends
        at once, so they must not be overtaken. *admitted* are those of this transaction.
        """
        name = (self.flow.namespace, self.flow.id)
        if not tx.flows.take_slot(*name, limit.limit):
            return False
        if limit.behavior == "QUEUE" or self.head.state is not State.CREATED:
            return True
        many = limit.limit + len(admitted)
        older = tx.executions.created_before(self.head, self.runtime.clock.now(), at_most=many)
        free = limit.limit - tx.flows.get(*name).running
        if len(set(older).difference(admitted)) <= free:
            return True
        tx.flows.give_slot(*name)
        return False

    def _choose_own_attempt(self) -> None:
        """Keep one attempt for this worker: claimed with its lease in this very transaction."""
        if self.worker is None or self.run_here is not None:
            return
        for index, row in enumerate(self._attempts):
            if row.queue in self.worker.queues:
                now = self.runtime.clock.now()
                claimed = replace(
                    row, state="RUNNING", fence=1, worker_id=self.worker.id, started_at=now
                )
                self._attempts[index] = self.run_here = claimed
                self._put(_running(self.runs.get(row.task_run_id), self.worker.id, now))
                return

    def _wanted_announcements(self, together: Together) -> tuple[tuple[str, bool, int], ...]:
        """Leave out announcements that nobody waits for: most executions have no listener."""
        if not self._announced:
            return ()
        trigger = self.head.trigger
        waited_for = self.flow.concurrency is not None or (
            trigger is not None
            and ("taskRunId" in trigger.variables or not trigger.type.endswith(_NEVER_LOCKED))
        )
        listened_to = self.head.kind == "NORMAL" and together.has_listeners
        return tuple(
            a for a in self._announced if (a[1] and waited_for) or (not a[1] and listened_to)
        )

    def _post(self, tx: Tx) -> list[Wake]:
        """Write events for other executions, and for attempts that nobody had taken yet when they
        were stopped.
        """
        posted = [tx.events.add(execution_id, event) for execution_id, event in self._posts]
        posted += [children.restart(self.runtime, tx, child_id) for child_id in self._restarts]
        for child in children.of_runs(tx, self.head.id, self._orphans):
            posted.append(tx.events.add(child.id, self._kill_event()))
        for task_run_id, attempt in self._stops:
            row = tx.attempts.find(task_run_id, attempt)
            if row is None or row.state == "SUBMITTED":
                posted.append(tx.events.add(self.head.id, TaskKilled(task_run_id, attempt)))
        return [wake for wake in posted if wake is not None]


class Together:
    """What the folds of one transaction share: who got a slot, and whether any flow waits for
    others, asked at most once.
    """

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.admitted: list[str] = []

    @cached_property
    def has_listeners(self) -> bool:
        return self._tx.triggers.has_type(_FLOW_TRIGGER)


@dataclass(frozen=True, slots=True)
class Saved:
    """What to do after the commit of a fold."""

    wakes: tuple[Wake, ...] = ()
    announced: bool = False
    stopped: bool = False


def _attempt_wake(row: AttemptRow) -> Wake:
    return Wake(
        id=f"attempt_{row.task_run_id}_{row.attempt}",
        kind="attempt",
        execution_id=row.execution_id,
        queue=row.queue,
        created_at=row.created_at,
        task_run_id=row.task_run_id,
        attempt=row.attempt,
    )


def _running(run: TaskRun | None, worker_id: str, now: datetime) -> TaskRun:
    assert run is not None
    attempt = Attempt(State.RUNNING, ((State.CREATED, now), (State.RUNNING, now)), worker_id)
    return replace(run.enter(State.RUNNING, now), attempts=(*run.attempts, attempt))
