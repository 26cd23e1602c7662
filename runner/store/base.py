"""What the store promises. One suite in tests/contracts runs against SQLite and PostgreSQL.

    with store.begin() as tx:      # one write transaction: BEGIN IMMEDIATE on SQLite, READ COMMITTED on PostgreSQL
        execution = tx.executions.get(execution_id)
        ...                        # leaving the block commits, an exception rolls back
    with store.read() as tx:       # a read-only view; never blocks writers; same accessors, writing raises

`get` raises NotFound, `find` returns None. Frozen values come out, never rows. Pages are keyset pages:
(items, cursor or None). Nothing here decides anything: callers do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from runner.engine.events import Event
from runner.model.execution import Execution, TaskRun
from runner.model.logs import Level, LogLine
from runner.model.wake import Wake

# ── values ───────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class FlowRow:
    """A flow by name; *revision* is the active one, *owner* ``api`` or ``git:SOURCE``."""

    namespace: str
    flow_id: str
    revision: int
    last_revision: int
    owner: str
    updated_at: datetime
    absent: bool = False
    deleted: bool = False
    disabled: bool = False
    blocked: bool = False
    path: str | None = None
    commit: str | None = None
    labels: tuple[tuple[str, str], ...] = ()
    description: str | None = None
    running: int = 0

    @property
    def is_active(self) -> bool:
        """Triggers may start it."""
        return not (self.absent or self.deleted or self.disabled or self.blocked)


@dataclass(frozen=True, slots=True)
class Revision:
    """One text of a flow. *source* is the YAML."""

    namespace: str
    flow_id: str
    revision: int
    source: str
    digest: str
    created_at: datetime
    created_by: str
    deleted: bool = False
    source_name: str | None = None
    ref: str | None = None
    commit: str | None = None
    path: str | None = None


@dataclass(frozen=True, slots=True)
class TriggerRow:
    """Run-time state of one trigger."""

    namespace: str
    flow_id: str
    trigger_id: str
    type: str
    digest: str
    created_at: datetime
    updated_at: datetime
    next_at: datetime | None = None
    last_at: datetime | None = None
    disabled: bool = False
    execution_id: str | None = None
    backfill: Mapping[str, Any] | None = None
    key: str | None = None


@dataclass(frozen=True, slots=True)
class NumberedEvent:
    """A stored event with its number."""

    number: int
    event: Event
    created_at: datetime


@dataclass(frozen=True, slots=True)
class AttemptRow:
    """A live attempt of a worker task."""

    task_run_id: str
    attempt: int
    execution_id: str
    queue: str
    state: str  # SUBMITTED | RUNNING | ENDED
    fence: int
    losses: int
    stopping: bool
    created_at: datetime
    worker_id: str | None = None
    marker: str | None = None
    started_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class WorkerRow:
    """A worker process; its lease speaks for all its attempts."""

    id: str
    host: str
    pid: int
    queues: tuple[str, ...]
    slots: int
    started_at: datetime
    lease_until: datetime
    draining: bool = False


@dataclass(frozen=True, slots=True)
class Timer:
    """A due or future timer."""

    execution_id: str
    key: str
    at: datetime


@dataclass(frozen=True, slots=True)
class Announcement:
    """A change of state that still has to cause something. *entry*: index in the history."""

    id: int
    execution_id: str
    state: str
    fully: bool
    entry: int


@dataclass(frozen=True, slots=True)
class KvRow:
    """One key's present value (plain data) and its life."""

    namespace: str
    key: str
    version: int
    kind: str
    value: Any
    created_at: datetime
    updated_at: datetime
    description: str | None = None
    expires_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class ExecutionFilter:
    """Which executions a search wants; absent fields do not narrow. Patterns take ``*``."""

    namespaces: tuple[str, ...] = ()  # each with its children
    flow_ids: tuple[str, ...] = ()  # patterns
    states: tuple[str, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    commit: str | None = None  # full or abbreviated SHA
    trigger_id: str | None = None
    trigger_types: tuple[str, ...] = ()
    upstream_id: str | None = None
    original_id: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None  # id, flow or namespace contains it
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Items and the cursor of the next page (None: there is none). *total* only where it was asked for,
    counted up to a bound."""

    items: Sequence[Any]
    cursor: str | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class Fold:
    """What one fold writes, all in one transaction, only if the execution still has *version*."""

    execution: Execution  # new head; its version is the one read, save() stores version + 1
    changes: Sequence[TaskRun] = ()
    set_timers: Sequence[Timer] = ()
    clear_timers: Sequence[str] = ()
    new_attempts: Sequence[AttemptRow] = ()
    ended_attempts: Sequence[tuple[str, int]] = ()  # rows to remove
    stop_attempts: Sequence[tuple[str, int]] = ()
    announcements: Sequence[tuple[str, bool, int]] = ()  # state, fully, entry
    add_wakes: Sequence[Wake] = ()
    remove_wakes: Sequence[str] = ()
    kv_writes: Sequence[Mapping[str, Any]] = ()
    metrics: Sequence[Mapping[str, Any]] = ()
    extra: Mapping[str, Any] = field(default_factory=dict)


# ── accessors ────────────────────────────────────────────────────────────────────────────────────


class Executions(Protocol):
    def add(self, execution: Execution, *, by: str, upstream_id: str | None = None, upstream_task_run_id: str | None = None) -> None: ...
    def get(self, execution_id: str) -> Execution: ...
    def find(self, execution_id: str) -> Execution | None: ...
    def lock(self, execution_id: str) -> Execution:
        """Like get, holding its row until the transaction ends (PostgreSQL; SQLite holds everything anyway)."""

    def save(self, fold: Fold) -> bool:
        """Write a fold; False (and nothing written) if another one was faster."""

    def search(self, filter: ExecutionFilter, *, limit: int, cursor: str | None = None, ascending: bool = False) -> Page:
        """Newest first; items are Execution heads."""

    def count(self, filter: ExecutionFilter, *, at_most: int) -> int: ...
    def counts_by_state(self, filter: ExecutionFilter, *, at_most: int) -> Mapping[str, int]: ...
    def children(self, upstream_id: str, *, limit: int = 1000) -> Sequence[Execution]: ...
    def oldest_queued(self, namespace: str, flow_id: str) -> str | None: ...
    def unfinished(self, *, limit: int, older_than: datetime | None = None) -> Sequence[str]: ...
    def delete(self, execution_id: str) -> None: ...
    def set_labels(self, execution_id: str, labels: Sequence[tuple[str, str]]) -> None: ...


class TaskRunRows(Protocol):
    def get(self, task_run_id: str) -> TaskRun: ...
    def find(self, task_run_id: str) -> TaskRun | None: ...
    def of_execution(self, execution_id: str) -> Sequence[TaskRun]:
        """All, in order of creation."""

    def of_executions(self, execution_ids: Sequence[str]) -> Mapping[str, Sequence[TaskRun]]: ...
    def of_task(self, execution_id: str, task_id: str) -> Sequence[TaskRun]: ...
    def live(self, execution_id: str, parent_id: str | None = None) -> Sequence[TaskRun]: ...
    def save(self, runs: Iterable[TaskRun]) -> None: ...
    def delete(self, task_run_ids: Iterable[str]) -> None: ...


class Events(Protocol):
    def add(self, execution_id: str, event: Event, *, queue: str = "default", wake: bool = True) -> Wake | None:
        """Append with the next number and, with *wake*, a drive wake-up in the same transaction."""

    def after(self, execution_id: str, number: int) -> Sequence[NumberedEvent]: ...


class Wakes(Protocol):
    def add(self, wake: Wake) -> None: ...
    def new_drive(self, execution_id: str, queue: str = "default") -> Wake: ...
    def remove(self, ids: Iterable[str]) -> None: ...
    def of_execution(self, execution_id: str) -> Sequence[Wake]: ...
    def older_than(self, moment: datetime, *, limit: int, after: str | None = None) -> Sequence[Wake]: ...


class Attempts(Protocol):
    def find(self, task_run_id: str, attempt: int) -> AttemptRow | None: ...
    def claim(self, task_run_id: str, attempt: int, worker_id: str) -> AttemptRow | None:
        """Take a SUBMITTED attempt: state RUNNING, fence + 1, the task run RUNNING with an attempt entry.
        None if it is taken, gone, or its execution is being killed."""

    def of_execution(self, execution_id: str) -> Sequence[AttemptRow]: ...
    def of_worker(self, worker_id: str) -> Sequence[AttemptRow]: ...
    def orphans(self, *, limit: int) -> Sequence[AttemptRow]:
        """RUNNING ones whose worker's lease is over (or whose worker is unknown), by the database's clock."""

    def resubmit(self, task_run_id: str, attempt: int, fence: int) -> bool: ...
    def end(self, task_run_id: str, attempt: int, fence: int) -> bool:
        """RUNNING → ENDED if the fence is still this one; False: too late, change nothing."""

    def stop(self, execution_id: str) -> None: ...
    def stopping(self, worker_id: str) -> Sequence[tuple[str, int]]: ...
    def mark(self, task_run_id: str, attempt: int, fence: int, marker: str) -> bool: ...
    def remove(self, task_run_id: str, attempt: int) -> None: ...


class Timers(Protocol):
    def due(self, now: datetime, *, limit: int) -> Sequence[Timer]: ...
    def next_at(self) -> datetime | None: ...
    def remove(self, execution_id: str, key: str) -> bool: ...
    def set(self, timer: Timer) -> None: ...


class Flows(Protocol):
    def get(self, namespace: str, flow_id: str) -> FlowRow: ...
    def find(self, namespace: str, flow_id: str) -> FlowRow | None: ...
    def lock(self, namespace: str, flow_id: str) -> FlowRow: ...
    def save(self, row: FlowRow) -> None: ...
    def search(self, *, namespace: str | None = None, text: str | None = None, owner: str | None = None, labels: Sequence[tuple[str, str]] = (), with_deleted: bool = False, limit: int = 100, cursor: str | None = None) -> Page: ...
    def of_owner(self, owner: str) -> Sequence[FlowRow]: ...
    def take_slot(self, namespace: str, flow_id: str, limit: int) -> bool:
        """Count and take under the row's lock."""

    def give_slot(self, namespace: str, flow_id: str) -> None: ...


class Revisions(Protocol):
    def add(self, revision: Revision) -> None: ...
    def get(self, namespace: str, flow_id: str, revision: int) -> Revision: ...
    def find(self, namespace: str, flow_id: str, revision: int) -> Revision | None: ...
    def of_flow(self, namespace: str, flow_id: str) -> Sequence[Revision]: ...
    def of_commit(self, commit: str) -> Sequence[Revision]: ...


class Triggers(Protocol):
    def find(self, namespace: str, flow_id: str, trigger_id: str) -> TriggerRow | None: ...
    def of_flow(self, namespace: str, flow_id: str) -> Sequence[TriggerRow]: ...
    def of_type(self, type: str) -> Sequence[TriggerRow]: ...
    def due(self, now: datetime, *, limit: int) -> Sequence[TriggerRow]: ...
    def next_at(self) -> datetime | None: ...
    def locked_by(self, execution_id: str) -> TriggerRow | None: ...
    def save(self, row: TriggerRow) -> None: ...
    def delete(self, namespace: str, flow_id: str, trigger_id: str) -> None: ...
    def search(self, *, namespace: str | None = None, flow_id: str | None = None, text: str | None = None, limit: int = 100, cursor: str | None = None) -> Page: ...


class Firings(Protocol):
    def claim(self, key: str, execution_id: str) -> str | None:
        """Take a key: None if it was free, else the execution that has it."""

    def purge(self, older_than: datetime) -> int: ...


class Kv(Protocol):
    def find(self, namespace: str, key: str) -> KvRow | None:
        """Expired ones too; the caller looks at *expires_at*."""

    def set(self, row: KvRow) -> None: ...
    def delete(self, namespace: str, key: str) -> bool: ...
    def list(self, namespace: str, *, prefix: str = "", limit: int = 1000, cursor: str | None = None) -> Page: ...


class Workers(Protocol):
    def register(self, worker: WorkerRow, *, lease_seconds: float) -> None: ...
    def renew(self, worker_id: str, *, lease_seconds: float) -> bool:
        """False: the row is gone, register again."""

    def all(self) -> Sequence[WorkerRow]: ...
    def find(self, worker_id: str) -> WorkerRow | None: ...
    def is_alive(self, worker_id: str) -> bool: ...
    def remove(self, worker_id: str) -> None: ...
    def dead(self) -> Sequence[WorkerRow]: ...


class Duties(Protocol):
    def take(self, name: str, holder: str, *, seconds: float) -> bool:
        """Take or renew; by the database's clock."""

    def release(self, name: str, holder: str) -> None: ...


class Tx(Protocol):
    """One transaction. Further accessors (sources, sync_runs, commits, problems, trees, namespace_files,
    announcements, metrics, quarantine, audit, stored files) follow the same habits in their own modules."""

    executions: Executions
    task_runs: TaskRunRows
    events: Events
    wakes: Wakes
    attempts: Attempts
    timers: Timers
    flows: Flows
    revisions: Revisions
    triggers: Triggers
    firings: Firings
    kv: Kv
    workers: Workers
    duties: Duties

    def now(self) -> datetime:
        """The database's clock."""


@dataclass(frozen=True, slots=True)
class LogQuery:
    """Which lines; absent fields do not narrow."""

    execution_id: str | None = None
    task_run_id: str | None = None
    task_id: str | None = None
    attempt: int | None = None
    namespace: str | None = None
    flow_id: str | None = None
    trigger_id: str | None = None
    min_level: Level = Level.TRACE
    since: datetime | None = None
    until: datetime | None = None
    text: str | None = None


class Logs(Protocol):
    """Log lines, in a database of their own with SQLite. Absent task runs are '' in rows."""

    def write(self, lines: Sequence[LogLine]) -> None:
        """Store up to 500 lines at once; a line under a known (execution, task run, attempt, number) overwrites."""

    def search(self, query: LogQuery, *, limit: int, cursor: str | None = None, ascending: bool = True) -> Page: ...
    def tail(self, execution_id: str, after: Mapping[tuple[str, int], int], *, limit: int) -> Sequence[LogLine]:
        """Lines past a cursor per (task run, attempt); unknown pairs from their start."""

    def delete(self, execution_id: str) -> int: ...


class Store(Protocol):
    """One database. Safe for many threads and processes; after a fork, open again."""

    dialect: str  # sqlite | postgresql
    logs: Logs

    def begin(self) -> AbstractContextManager[Tx]: ...
    def read(self) -> AbstractContextManager[Tx]: ...
    def close(self) -> None: ...
