"""One `advance` in progress: the runs as they were, and what has changed since."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from runner.engine.commands import Command
from runner.engine.decision import Decision, TaskRuns
from runner.ids import task_run_id
from runner.model.evolve import replace
from runner.model.execution import Attempt, Execution, Scope, TaskRun
from runner.model.flow import Flow, Task
from runner.model.states import State

OwnerId = str | None
"""Whose list a task stands in: a flowable's run, or None for the flow itself."""


class Step:
    """Collects changes and commands. Local to one call of `advance`: its mutability never shows."""

    def __init__(self, flow: Flow, execution: Execution, runs: TaskRuns, now: datetime) -> None:
        self.flow = flow
        self.execution = execution
        self.now = now
        self._runs = runs
        self._changed: dict[str, TaskRun] = {}
        self._removed: dict[str, None] = {}
        self._commands: list[Command] = []

    def decision(self) -> Decision:
        """Return what has come out."""
        return Decision(
            self.execution,
            tuple(self._changed.values()),
            tuple(self._commands),
            tuple(self._removed),
        )

    def do(self, *commands: Command) -> None:
        """Ask the shell for something."""
        self._commands.extend(commands)

    def do_first(self, command: Command | None) -> None:
        """Ask for something before everything else."""
        if command is not None:
            self._commands.insert(0, command)

    def find(self, run_id: str) -> TaskRun | None:
        """Return a run as it is now, or None."""
        if run_id in self._removed:
            return None
        return self._changed.get(run_id) or self._runs.get(run_id)

    def get(self, run_id: str) -> TaskRun:
        """Return a run as it is now. Raises KeyError."""
        run = self.find(run_id)
        if run is None:
            raise KeyError(run_id)
        return run

    def put(self, run: TaskRun) -> TaskRun:
        """Remember a changed run."""
        self._changed[run.id] = run
        return run

    def remove(self, run_id: str) -> None:
        """Let a run go."""
        self._changed.pop(run_id, None)
        self._removed[run_id] = None

    def task(self, run: TaskRun) -> Task:
        """Return the task of a run."""
        return self.flow.task(run.task_id)

    def live(self) -> Iterator[TaskRun]:
        """Yield the runs that are not terminal, as they are now."""
        yield from self._now_live(list(self._runs.live()), lambda run: True)

    def live_below(self, parent_id: str) -> Iterator[TaskRun]:
        """Yield the direct children of a run that are not terminal, as they are now."""
        below = list(self._runs.live_below(parent_id))
        yield from self._now_live(below, lambda run: run.parent_id == parent_id)

    def below(self, run_id: str) -> Iterator[TaskRun]:
        """Yield everything below a run, ended or not, as it is now."""
        run = self.get(run_id)
        inside = [task.id for task in self.task(run).walk()][1:]
        stored = {each.id: each for each in self._runs.of_tasks(inside, run.sequence)}
        known = {**stored, **self._changed}
        for each in known.values():
            around = each.parent_id
            while around is not None and around != run_id:
                parent = known.get(around)
                around = parent.parent_id if parent else None
            if around == run_id and each.id not in self._removed:
                yield each

    def is_at_work(self, run: TaskRun) -> bool:
        """Say whether a live run goes on by itself: no flowable around others, no waiting loop."""
        task = self.task(run)
        return run.state is not State.PAUSED and (not task.children or run.scope is None)

    def _now_live(self, stored: list[TaskRun], wanted: Any) -> Iterator[TaskRun]:
        seen = {run.id for run in stored}
        fresh = [run for run in self._changed.values() if run.id not in seen and wanted(run)]
        for run in (*stored, *fresh):
            current = self._changed.get(run.id, run)
            if not current.state.is_terminal and run.id not in self._removed:
                yield current

    # ── scopes ───────────────────────────────────────────────────────────────────────────────────

    def scope(self, owner: OwnerId) -> Scope | None:
        """Return how far the children of an owner are; None if it has not begun."""
        return self.execution.scope if owner is None else self.get(owner).scope

    def set_scope(self, owner: OwnerId, scope: Scope) -> None:
        """Store how far they are."""
        if owner is None:
            self.execution = replace(self.execution, scope=scope)
        else:
            self.put(replace(self.get(owner), scope=scope))

    def tasks(self, owner: OwnerId, name: str) -> tuple[Task, ...]:
        """Return the enabled tasks of one of the owner's lists."""
        return (
            self.flow.enabled(name) if owner is None else self.task(self.get(owner)).enabled(name)
        )

    # ── runs ─────────────────────────────────────────────────────────────────────────────────────

    def create(
        self,
        task: Task,
        owner: OwnerId,
        value: str | None = None,
        iteration: int | None = None,
        run_id: str | None = None,
    ) -> TaskRun:
        """Make the run of a task, in state CREATED."""
        sequence = self.execution.sequence
        self.execution = replace(self.execution, sequence=sequence + 1)
        return self.put(
            TaskRun(
                id=run_id or task_run_id(self.execution.id, sequence),
                execution_id=self.execution.id,
                sequence=sequence,
                task_id=task.id,
                state=State.CREATED,
                history=((State.CREATED, self.now),),
                parent_id=owner,
                value=value,
                iteration=iteration,
            )
        )

    def made(self, parent: TaskRun, task_id: str, **fields: Any) -> TaskRun:
        """Keep a run that has ended and whose task is not in the flow."""
        sequence = self.execution.sequence
        self.execution = replace(self.execution, sequence=sequence + 1)
        history = fields["history"]
        return self.put(
            TaskRun(
                id=task_run_id(self.execution.id, sequence),
                execution_id=self.execution.id,
                sequence=sequence,
                task_id=task_id,
                state=history[-1][0],
                parent_id=parent.id,
                **fields,
            )
        )

    def enter(
        self, run: TaskRun, state: State, outputs: Mapping[str, Any] | None = None
    ) -> TaskRun:
        """Move a run to a state, merging outputs over what it has."""
        if outputs:
            run = replace(run, outputs={**(run.outputs or {}), **outputs})
        return self.put(run.enter(state, self.now))


def begin_attempt(run: TaskRun, now: datetime) -> TaskRun:
    """Return the run with one more attempt, RUNNING."""
    attempt = Attempt(State.RUNNING, ((State.CREATED, now), (State.RUNNING, now)))
    return replace(run, attempts=(*run.attempts, attempt))


def skipped(run: TaskRun, now: datetime) -> TaskRun:
    """Return the run with an attempt that says why nothing ran."""
    history = ((State.CREATED, now), (State.SKIPPED, now))
    return replace(run, attempts=(*run.attempts, Attempt(State.SKIPPED, history)))


def told_attempt(run: TaskRun, state: State) -> TaskRun:
    """Return the run with the last entry of its last attempt put right."""
    if not run.attempts:
        return run
    last = run.attempts[-1]
    told = replace(last, state=state, history=(*last.history[:-1], (state, last.history[-1][1])))
    return replace(run, attempts=(*run.attempts[:-1], told))


def end_attempt(run: TaskRun, state: State, now: datetime, *, anew: bool = False) -> TaskRun:
    """Return the run with its last attempt ended, if it has a running one; *anew*: also one that
    had ended before a restart.
    """
    if not run.attempts or (run.attempts[-1].state.is_terminal and not anew):
        return run
    last = run.attempts[-1]
    if last.state is state:
        return run
    ended = replace(last, state=state, history=(*last.history, (state, now)))
    return replace(run, attempts=(*run.attempts[:-1], ended))
