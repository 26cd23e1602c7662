"""What can happen to an execution.

Events come from outside (attempts, timers, people, children) through the table ``events``, or
from the shell itself in the same fold (Started, Evaluated, results of inline tasks,
ChildStarted). `to_json`/`from_json` in `runner.engine.codec` carry the stored ones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runner.model.directives import Directives
from runner.model.states import State


@dataclass(frozen=True, slots=True)
class Started:
    """The execution may begin, or may not: RUNNING, QUEUED, CANCELLED or FAILED by its flow's
    limit. *restarted*: the task runs of a restart that needs a slot again (`Restarted`).
    """

    admitted: State = State.RUNNING
    restarted: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Evaluated:
    """An `Evaluate` command was carried out: its values, or the error."""

    task_run_id: str | None
    purpose: str
    values: Mapping[str, Any] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class TaskSucceeded:
    """An attempt ended without failure; *state* is SUCCESS, WARNING, or what the task asked for.

    *directives* come from inline tasks alone, and are never stored. *made* are task runs of its own
    that the task shows: ``task_id state value outputs``.
    """

    task_run_id: str
    attempt: int
    outputs: Mapping[str, Any] = field(default_factory=dict)
    state: State = State.SUCCESS
    started_at: datetime | None = None
    ended_at: datetime | None = None
    worker_id: str | None = None
    log_file: str | None = None
    directives: Directives | None = None
    made: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class TaskFailed:
    """An attempt failed.

    *lost*: its worker died or went away, so the attempt is sent again and counts as no failure;
    with *handed_back* the worker went in good order, and it does not count as a loss either.
    """

    task_run_id: str
    attempt: int
    message: str = ""
    lost: bool = False
    handed_back: bool = False
    outputs: Mapping[str, Any] | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None
    worker_id: str | None = None
    log_file: str | None = None
    made: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, slots=True)
class TaskKilled:
    """An attempt that was told to stop is verified gone."""

    task_run_id: str
    attempt: int
    started_at: datetime | None = None
    ended_at: datetime | None = None
    worker_id: str | None = None
    log_file: str | None = None


@dataclass(frozen=True, slots=True)
class ChildReported:
    """A worker that runs a WorkingDirectory says how far a task inside it is.

    *task_run_id* and *attempt* are the directory's. *number* is the attempt of the task inside,
    *state* the state of its run from now on; *attempt_state* is there when that attempt has ended.
    """

    task_run_id: str
    attempt: int
    child_id: str
    task_id: str
    state: State
    at: datetime
    number: int = 0
    attempt_state: State | None = None
    outputs: Mapping[str, Any] | None = None
    worker_id: str | None = None
    log_file: str | None = None


@dataclass(frozen=True, slots=True)
class TimerFired:
    """A timer that `SetTimer` set is due. *key* is the same text."""

    key: str


@dataclass(frozen=True, slots=True)
class Kill:
    """Somebody wants the execution gone."""

    by: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """Somebody wants the execution to stand still."""

    by: str = ""


@dataclass(frozen=True, slots=True)
class Resume:
    """Somebody (or a timer) ends the pause. *to* is the told state; RUNNING goes on normally.
    *waiting*: the runs that waited when it was asked for; a pause that came later is not meant.
    """

    inputs: Mapping[str, Any] | None = None
    to: State = State.RUNNING
    by: str = ""
    at: datetime | None = None
    waiting: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ResumeFromBreakpoint:
    """Somebody lets what stands at a breakpoint go on. *breakpoints* (``task`` or ``task.value``)
    replace those that are left; None leaves them. *waiting*: the runs that stood there when it was
    asked for.
    """

    breakpoints: tuple[str, ...] | None = None
    by: str = ""
    waiting: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class ChildStarted:
    """The execution of a Subflow exists now."""

    task_run_id: str
    execution_id: str
    iteration: int | None = None


@dataclass(frozen=True, slots=True)
class ChildRefused:
    """The execution of a Subflow could not be created."""

    task_run_id: str
    error: str
    iteration: int | None = None


@dataclass(frozen=True, slots=True)
class ChildEnded:
    """The execution of a waiting Subflow is over, its afterExecution too."""

    task_run_id: str
    execution_id: str
    state: State
    outputs: Mapping[str, Any] = field(default_factory=dict)
    iteration: int | None = None


@dataclass(frozen=True, slots=True)
class Restarted:
    """A service put the execution and some task runs into RESTARTED or RUNNING: go on from it."""

    task_run_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Continued:
    """Create further children of a flowable (answer to `Continue`; never stored)."""

    task_run_id: str


@dataclass(frozen=True, slots=True)
class Recovered:
    """A fold that was cut, or whose process died, left work that no event will ask for again (never
    stored).
    """


Event = (
    Started
    | Continued
    | Recovered
    | Evaluated
    | TaskSucceeded
    | TaskFailed
    | TaskKilled
    | ChildReported
    | TimerFired
    | Kill
    | Pause
    | Resume
    | ResumeFromBreakpoint
    | ChildStarted
    | ChildRefused
    | ChildEnded
    | Restarted
)
