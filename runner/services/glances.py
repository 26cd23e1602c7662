"""What the dashboard is given: rows that belong together, as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from runner.model.execution import Execution, TaskRun
from runner.model.flow import Flow
from runner.store.base import (
    AttemptRow,
    CommitRow,
    FlowRow,
    Revision,
    SyncRun,
    Timer,
    TriggerRow,
)


@dataclass(frozen=True, slots=True)
class ExecutionList:
    """One page of executions, with task runs and commits."""

    executions: Sequence[Execution]
    runs: Mapping[str, Sequence[TaskRun]]
    commits: Mapping[str, CommitRow]
    cursor: str | None


def as_it_is(value: Any) -> Any:
    """Return the value."""
    return value


@dataclass(frozen=True, slots=True)
class ExecutionDetail:
    """One execution and what stands around it; absent things are None."""

    execution: Execution
    runs: Sequence[TaskRun]
    flow: Flow | None
    flow_row: FlowRow | None
    created_by: str
    commit: CommitRow | None
    synced: SyncRun | None
    live: Revision | None  # the flow's active revision, if it is a newer one
    own: Revision | None
    last_success: Execution | None
    upstream: Execution | None
    original: Execution | None
    replays: Sequence[Execution]
    children: Sequence[Execution]
    attempts: Sequence[AttemptRow]
    timers: Sequence[Timer]
    workers: int
    hosts: Mapping[str, str]  # host by worker
    ahead: Sequence[Execution]  # what holds the flow's slots while this one is queued
    hide: Callable[[Any], Any] = as_it_is  # what takes known secrets out of a value for people


@dataclass(frozen=True, slots=True)
class FlowGlance:
    """One flow of the list."""

    row: FlowRow
    flow: Flow | None
    recent: Sequence[Execution]
    triggers: Sequence[TriggerRow]
    problems: int
    upcoming: Sequence[datetime] = ()  # dates of schedules, on the flow's own page
