"""An execution, its task runs and their attempts, as values (spec: execution-semantics §1–§3)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runner.model.evolve import replace
from runner.model.states import State

History = tuple[tuple[State, datetime], ...]
Labels = tuple[tuple[str, str], ...]
"""Key and value, keys unique, order kept."""


@dataclass(frozen=True)
class Scope:
    """How far the children of one flowable (or of the flow itself) have come.

    Counters instead of look-ups: a step never scans its siblings. *list* is the list being
    worked on; *cursor* the index of its next task (ForEach: the next value);
    *open* how many of its children are not terminal (ForEach: values, not task runs).
    *failed*, *warned*, *killed* speak of the list ``tasks`` (``then``, ``else`` …) alone.
    """

    list: str = "tasks"
    cursor: int = 0
    open: int = 0
    failed: bool = False
    warned: bool = False
    killed: bool = False
    started: tuple[str, ...] = ()  # Dag: ids of tasks with a run
    done: tuple[str, ...] = ()  # Dag: ids of tasks whose run is terminal


@dataclass(frozen=True)
class Attempt:
    """One try of a task run, numbered from 0 by its place."""

    state: State
    history: History
    worker_id: str | None = None
    log_file: str | None = None  # URI of its log, if that went to a file


@dataclass(frozen=True)
class TaskRun:
    """The run of one task for one value below one parent.

    *evaluated*: rendered fields that steer a flowable, stored once. *sequence* is the order of
    creation.
    *outputs* is None until there are some.
    """

    id: str
    execution_id: str
    sequence: int
    task_id: str
    state: State
    history: History
    parent_id: str | None = None
    value: str | None = None
    iteration: int | None = None
    attempts: tuple[Attempt, ...] = ()
    outputs: Mapping[str, Any] | None = None
    evaluated: Mapping[str, Any] = field(default_factory=dict)
    scope: Scope | None = None

    def enter(self, state: State, now: datetime) -> TaskRun:
        """Return this run in another state; entering the same one changes nothing."""
        if state is self.state:
            return self
        return replace(self, state=state, history=(*self.history, (state, now)))


@dataclass(frozen=True, slots=True)
class StartedBy:
    """What started an execution: a trigger, or the Subflow task of another one."""

    id: str
    type: str
    variables: Mapping[str, Any] = field(default_factory=dict)
    log_file: str | None = None  # URI of the trigger's log, if that went to a file


@dataclass(frozen=True, slots=True)
class Breakpoint:
    """Where an execution is to stop: before the runs of a task, or before that of one value."""

    task_id: str
    value: str | None = None

    @classmethod
    def of(cls, text: str) -> Breakpoint:
        """Return that of ``task`` or ``task.value``."""
        task_id, dot, value = text.partition(".")
        return cls(task_id, value if dot else None)

    def __str__(self) -> str:
        return self.task_id if self.value is None else f"{self.task_id}.{self.value}"

    def is_at(self, run: TaskRun) -> bool:
        """Say whether it stands before a run."""
        return self.task_id == run.task_id and self.value in (None, run.value)


@dataclass(frozen=True)
class Execution:
    """The head of an execution: everything but its task runs.

    *version* grows with each fold (compare and set); *folded* is the number of the last event
    applied;
    *sequence* the next task run's number; *deferred* the task runs whose end is not yet worked on
    because the execution stood still; *breakpoints* where it is to stop; *commit* the commit of
    *source* that it is pinned to.
    """

    id: str
    namespace: str
    flow_id: str
    revision: int
    state: State
    history: History
    version: int = 0
    folded: int = 0
    sequence: int = 0
    labels: Labels = ()
    inputs: Mapping[str, Any] = field(default_factory=dict)
    variables: Mapping[str, Any] = field(default_factory=dict)
    outputs: Mapping[str, Any] | None = None
    trigger: StartedBy | None = None
    parent_id: str | None = None
    original_id: str | None = None
    attempt_number: int = 1
    original_created_at: datetime | None = None
    schedule_at: datetime | None = None
    kind: str = "NORMAL"
    source: str | None = None  # name of the Git source that owns the flow
    commit: str | None = None  # full SHA
    scope: Scope = Scope()
    deferred: tuple[str, ...] = ()
    fully_ended: bool = False  # terminal, and afterExecution is done too
    unfinished: bool = False  # the last fold was cut at its size: more follows without a new event
    breakpoints: tuple[Breakpoint, ...] = ()

    @property
    def created_at(self) -> datetime:
        return self.history[0][1]

    def enter(self, state: State, now: datetime) -> Execution:
        """Return the execution in another state; entering the same one changes nothing."""
        if state is self.state:
            return self
        return replace(self, state=state, history=(*self.history, (state, now)))
