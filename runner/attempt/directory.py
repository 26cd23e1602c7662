"""The tasks inside a WorkingDirectory, run by its attempt (execution-semantics §7.6).

Each has attempts, timeout, retry and log of its own; each step is posted as an event, so that the
execution shows how far it is. Outputs of the ones before are visible to the next.
"""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

from runner import ids
from runner.attempt import outcome
from runner.attempt.context import AttemptContext
from runner.attempt.control import AttemptControl, Reason
from runner.attempt.running import run_task
from runner.attempt.subject import Subject
from runner.engine import directories, lists, retry
from runner.engine.events import ChildReported, TaskKilled, TaskSucceeded
from runner.errors import NotFound, Unavailable
from runner.expressions import Context, is_truthy
from runner.ids import slug
from runner.model.evolve import replace
from runner.model.execution import Execution, TaskRun
from runner.model.flow import Flow, Task
from runner.model.states import State
from runner.plugin import TaskStopped
from runner.runtime import Runtime
from runner.runtime.context import ExecutionVariables
from runner.runtime.runs import RunView
from runner.runtime.world import FlowWorld
from runner.store.base import AttemptRow, Metric


@dataclass(frozen=True)
class World:
    """What the attempt was loaded with."""

    runtime: Runtime
    claimed: AttemptRow
    control: AttemptControl
    flow: Flow
    execution: Execution
    runs: RunView
    variables: ExecutionVariables
    functions: FlowWorld


class Directory:
    """The work of one attempt of a WorkingDirectory besides its own files."""

    def __init__(self, world: World, subject: Subject, ctx: AttemptContext) -> None:
        self._world, self._subject, self._ctx = world, subject, ctx

    def run_children(self) -> bool:
        """Run the tasks, one after another; False: one has failed."""
        for index, task in enumerate(self._subject.task.enabled("tasks")):
            if self._run(index, task) in (State.FAILED, State.KILLED):
                return False
        return True

    # ── one of them

    def _run(self, index: int, task: Task) -> State:
        world, parent = self._world, self._subject.run
        if world.control.stopping:
            raise TaskStopped
        now = world.runtime.clock.now()
        run = TaskRun(
            id=ids.inner_task_run_id(parent.id, self._subject.attempt, index),
            execution_id=world.execution.id,
            sequence=parent.sequence,
            task_id=task.id,
            state=State.CREATED,
            history=((State.CREATED, now),),
            parent_id=parent.id,
        )
        world.runs.apply([run])
        if not self._wanted(task, run):
            return self._report(run, State.SKIPPED).state
        return self._tried(task, run)

    def _wanted(self, task: Task, run: TaskRun) -> bool:
        if task.run_if is None:
            return True
        ctx = self._context(Subject(self._world.execution, run, task, 0))
        try:
            return is_truthy(str(ctx.render(task.run_if)))
        finally:
            ctx.close()

    def _tried(self, task: Task, run: TaskRun) -> State:
        """Make attempts until one is good or the retries are over."""
        while True:
            run, end = self._attempt(task, run)
            state = _state_of(end)
            again = self._next(task, run, state)
            if again is None:
                return self._finished(task, run, state, end).state
            run = self._report(run, State.RETRYING, ended=state, log_file=end.log_file)
            if self._world.control.wait(again):
                raise TaskStopped

    def _attempt(self, task: Task, run: TaskRun) -> tuple[TaskRun, outcome.End]:
        world, number = self._world, len(run.attempts)
        subject = Subject(world.execution, run, task, number)
        before = run
        run = self._report(run, State.RUNNING)
        span = outcome.Span(run.id, number, world.runtime.clock.now(), world.claimed.worker_id)
        ctx = self._context(replace(subject, run=before))
        control = AttemptControl()
        try:
            with world.control.on_stop(lambda: control.stop(world.control.reason or Reason.KILL)):
                end = run_task(world.runtime, ctx, subject, control, span)
            end = replace(end, log_file=ctx.log_file())
        finally:
            self._add_metrics(ctx.metrics)
            ctx.close()
        if control.reason in (Reason.KILL, Reason.SHUTDOWN):
            raise TaskStopped
        return run, end

    def _next(self, task: Task, run: TaskRun, state: State) -> timedelta | None:
        """Return how long to wait for the next attempt; None: there is none."""
        policy = retry.policy(self._world.flow, task.id)
        if state is not State.FAILED or policy is None or policy.behavior != "RETRY_FAILED_TASK":
            return None
        now = self._world.runtime.clock.now()
        following = retry.next_attempt(policy, run, now)
        return None if following is None else following.at - now

    def _finished(self, task: Task, run: TaskRun, state: State, end: outcome.End) -> TaskRun:
        final = state
        policy = retry.policy(self._world.flow, task.id)
        if policy and policy.warning_on_retry and len(run.attempts) > 1 and state is State.SUCCESS:
            final = State.WARNING
        outputs = None if isinstance(end, TaskKilled) else end.outputs
        if outputs is None and isinstance(end, TaskSucceeded):
            outputs = {}
        return self._report(
            run,
            lists.adjusted(task, final),
            ended=state,
            outputs=outputs,
            log_file=end.log_file,
        )

    def _context(self, subject: Subject) -> AttemptContext:
        world = self._world
        variables = world.variables.of(world.execution, subject.run)
        return AttemptContext(
            world.runtime,
            subject,
            world.claimed,
            Context(variables, world.functions),
            world.control,
            folder=self._ctx.working_dir,
        )

    def _add_metrics(self, metrics: Sequence[Metric]) -> None:
        if metrics:
            with self._world.runtime.store.begin() as tx:
                tx.metrics.add(metrics)

    # ── reports

    def _report(
        self,
        run: TaskRun,
        state: State,
        *,
        ended: State | None = None,
        outputs: Mapping[str, Any] | None = None,
        log_file: str | None = None,
    ) -> TaskRun:
        """Post how far a run is, and look at it so oneself."""
        world = self._world
        last = len(run.attempts) - 1  # of a skipped one: none
        event = ChildReported(
            task_run_id=self._subject.run.id,
            attempt=self._subject.attempt,
            child_id=run.id,
            task_id=run.task_id,
            state=state,
            at=world.runtime.clock.now(),
            number=last + 1 if state is State.RUNNING else last,
            attempt_state=ended,
            outputs=outputs,
            worker_id=world.claimed.worker_id,
            log_file=log_file,
        )
        with world.runtime.store.begin() as tx:
            wake = tx.events.add(world.execution.id, event)
        if wake is not None:
            with suppress(Unavailable):  # the sweep sends it
                world.runtime.queue.send([wake])
        run = directories.recorded(run, event)
        world.runs.apply([run])
        return run

    # ── cache

    def fetch_cache(self, ttl: timedelta | None, into: Path) -> bool:
        """Copy the archive of an earlier run, if there is one that is not older than *ttl*."""
        runtime, path = self._world.runtime, self._cache_path()
        try:
            stored = runtime.storage.stat(path)
            if ttl is not None and stored.modified_at + ttl < runtime.clock.now():
                runtime.storage.delete(path)
                return False
            with runtime.storage.open(path) as source, into.open("wb") as target:
                shutil.copyfileobj(source, target, 1024 * 1024)
        except NotFound:
            return False
        return True

    def store_cache(self, archive: Path) -> None:
        """Keep an archive for later runs."""
        with archive.open("rb") as source:
            self._world.runtime.storage.put(self._cache_path(), source)

    def _cache_path(self) -> str:
        execution, run = self._subject.execution, self._subject.run
        value = f"{sha256(run.value.encode()).hexdigest()}/" if run.value is not None else ""
        place = f"/{execution.namespace.replace('.', '/')}/{slug(execution.flow_id)}"
        return f"{place}/{slug(run.task_id)}/cache/{value}cache.zip"


class DirectoryContext(AttemptContext):
    """The world of such an attempt: it can run the tasks inside, and keep files for later runs."""

    directory: Directory

    def run_children(self) -> bool:
        return self.directory.run_children()

    def fetch_cache(self, ttl: timedelta | None, into: Path) -> bool:
        return self.directory.fetch_cache(ttl, into)

    def store_cache(self, archive: Path) -> None:
        self.directory.store_cache(archive)


def _state_of(end: outcome.End) -> State:
    match end:
        case TaskSucceeded():
            return end.state
        case TaskKilled():
            return State.KILLED
        case _:
            return State.FAILED
