"""What must be done because of an event. The shell (`runner.executor`) carries them out.

Evaluate, RunTask of inline tasks and StartChild happen inside the fold and their event follows
in it; the others are rows of the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runner.model.logs import Level
from runner.model.states import State


@dataclass(frozen=True, slots=True)
class Evaluate:
    """Render *fields* in the context of the task run (None: of the flow) and send `Evaluated` back.

    purpose: ``run_if`` (field run_if, text) · ``fields`` (what steers a flowable; names in
    *typed* are rendered typed, others to text, structures recursively) · ``values`` (loops: the
    same, but of the field ``values`` the shell gives back a list of texts, by
    execution-semantics §7.3) · ``batches`` (the same as ``fields``, and ``count``, ``splits``,
    ``base`` of a ForEachItem) · ``until`` (a LoopUntil between two rounds) · ``child_outputs``
    (a Subflow's own, in the context of the execution *child*) · ``sla`` and ``listeners`` (what
    their modules ask) · ``outputs`` (flow outputs, rendered and converted; error = message).
    """

    task_run_id: str | None
    purpose: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    typed: frozenset[str] = frozenset()
    child: str | None = None


@dataclass(frozen=True, slots=True)
class RunTask:
    """Run attempt number *attempt* of a task run: inline here, or as a leased attempt."""

    task_run_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class StopTask:
    """End a live attempt; `TaskKilled` (or its normal end) follows."""

    task_run_id: str
    attempt: int


@dataclass(frozen=True, slots=True)
class StartChild:
    """Create the execution of a Subflow from the run's *evaluated* fields; ChildStarted or
    ChildRefused follows.

    *iteration*: for that batch of a ForEachItem. *again*: the one that was started for this run
    before is restarted if it FAILED; ChildStarted or ChildEnded follows, or a new one if there is
    none.
    """

    task_run_id: str
    iteration: int | None = None
    again: bool = False


@dataclass(frozen=True, slots=True)
class KillChild:
    """Kill the execution that a waiting Subflow started; None: all that the run has started."""

    task_run_id: str
    execution_id: str | None


@dataclass(frozen=True, slots=True)
class SetTimer:
    """Send `TimerFired(key)` at *at*; with *until* at a random moment of [at, until). Replaces one
    of that key.
    """

    key: str
    at: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClearTimer:
    """Forget a timer; one that is not there is fine."""

    key: str


@dataclass(frozen=True, slots=True)
class Tell:
    """Write a line into the execution's log."""

    level: Level
    message: str
    task_run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Announce:
    """The execution has entered *state*: flow triggers and followers are told; with *fully* also
    the
    parent's Subflow, the concurrency slot and trigger locks (afterExecution is done)."""

    state: State
    fully: bool = False


@dataclass(frozen=True, slots=True)
class StartReplay:
    """Retry with CREATE_NEW_EXECUTION: create a replay of the whole execution at *at*."""

    at: datetime


@dataclass(frozen=True, slots=True)
class Continue:
    """More children of this flowable can be created now: send `Continued` back when the rest is
    done.
    """

    task_run_id: str


Command = (
    Evaluate
    | Continue
    | RunTask
    | StopTask
    | StartChild
    | KillChild
    | SetTimer
    | ClearTimer
    | Tell
    | Announce
    | StartReplay
)
