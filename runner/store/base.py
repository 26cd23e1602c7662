"""What the store promises. One suite in tests/contracts runs against SQLite and PostgreSQL.

    # one write transaction: BEGIN IMMEDIATE on SQLite, READ COMMITTED on PostgreSQL
    with store.begin() as tx:
        execution = tx.executions.get(execution_id)
        ...                        # leaving the block commits, an exception rolls back
    # a read-only view; never blocks writers; same accessors, writing raises
    with store.read() as tx:

`get` raises NotFound, `find` returns None. Frozen values come out, never rows. Pages are keyset
pages: (items, cursor or None). Nothing here decides anything: callers do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from runner.engine.events import Event
from runner.model.execution import Execution, TaskRun
from runner.model.files import StoredFile
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
    memory: Mapping[str, Any] | None = None  # Flow: what preconditions have seen


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
class FlowSpan:
    """The executions of a flow that were created between two moments."""

    namespace: str
    flow_id: str
    since: datetime
    until: datetime


@dataclass(frozen=True, slots=True)
class DayValue:
    """A number for one day (its begin, UTC). *kind*: that of its metric."""

    day: datetime
    kind: str
    value: float


@dataclass(frozen=True, slots=True)
class Metric:
    """A number that a task reported. (execution, task run, attempt, number) is unique: again
    overwrites.
    """

    execution_id: str
    task_run_id: str
    attempt: int
    number: int
    task_id: str
    name: str
    kind: str  # counter | timer | gauge
    value: float
    at: datetime
    tags: Mapping[str, str] = field(default_factory=dict)


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
    since: datetime | None = None  # created at or after it
    until: datetime | None = None  # created before it
    text: str | None = None  # the id starts with it, or flow or namespace contain it (any case)
    kinds: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Page:
    """Items and the cursor of the next page (None: there is none). *total* only where it was asked
    for,
    counted up to a bound."""

    items: Sequence[Any]
    cursor: str | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True)
class SourceRow:
    """What is known of a Git source. *refs*: commit seen last by ref; *tree*: of *head*'s files."""

    name: str
    url: str  # without credentials
    branch: str
    state: str  # NEW | SYNCED | SYNCING | UNREACHABLE | EMPTY | FAILED
    head: str | None = None
    remote_head: str | None = None
    tree: str | None = None
    refs: Mapping[str, str] = field(default_factory=dict)
    error: str | None = None
    failures: int = 0
    polled_at: datetime | None = None
    next_poll_at: datetime | None = None
    synced_at: datetime | None = None
    hurried_at: datetime | None = None  # a push event asked for a poll; written by `hurry` alone
    fingerprint: str | None = None  # of what decides how *head* was read: settings, version
    version: int = 0


@dataclass(frozen=True, slots=True)
class SyncRun:
    """One applied plan. *id* is given by the store."""

    source: str
    from_commit: str | None
    to_commit: str
    summary: Mapping[str, Any]
    at: datetime
    took_ms: int
    id: int = 0


@dataclass(frozen=True, slots=True)
class CommitRow:
    """What people see of a commit."""

    source: str
    sha: str
    author: str
    email: str
    message: str
    at: datetime


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """What is wrong with a file of a source; *number* counts within the file."""

    source: str
    path: str
    number: int
    code: str
    message: str
    commit: str  # since
    at: datetime
    line: int | None = None
    column: int | None = None
    frame: str | None = None
    namespace: str | None = None
    flow_id: str | None = None


@dataclass(frozen=True, slots=True)
class TreeFile:
    """One namespace file of a tree: its content is the Git blob."""

    namespace: str
    path: str
    blob: str
    size: int


@dataclass(frozen=True, slots=True)
class NamespaceFileRow:
    """A namespace file that the API owns; *uri* is where its content lies."""

    namespace: str
    path: str
    uri: str
    size: int
    created_at: datetime
    updated_at: datetime
    version: int = 1


@dataclass(frozen=True, slots=True)
class FileVersionRow:
    """What a namespace file was before it was written again; *uri* is where that content lies."""

    namespace: str
    path: str
    version: int
    uri: str
    size: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """Something that made a service raise. *until* None with *tries* at the bound: never again by
    itself.
    """

    subject: str  # execution:ID, trigger:NS/FLOW/ID, source:NAME …
    tries: int
    traceback: str
    last_at: datetime
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class AuditRow:
    """Who changed what. *id* is given by the store."""

    at: datetime
    principal: str
    action: str
    subject: str
    details: Mapping[str, Any] = field(default_factory=dict)
    id: int = 0


@dataclass(frozen=True, slots=True)
class Posted:
    """The end of an attempt, stored as event *number* by the very fold that applies it.

    Only if that is the next number, and the attempt still runs under *fence*.
    """

    number: int
    event: Event
    task_run_id: str
    attempt: int
    fence: int


@dataclass(frozen=True, slots=True)
class Fold:
    """What one fold writes, all in one transaction, only if the execution still has *version*.

    With *before* (the head as it was loaded or last saved) columns whose value is still the very
    same object are not written again: hand it in on every hot path.
    """

    execution: Execution  # new head; its version is the one read, save() stores version + 1
    before: Execution | None = None
    changes: Sequence[TaskRun] = ()
    removed: Sequence[str] = ()  # ids of task runs
    set_timers: Sequence[Timer] = ()
    clear_timers: Sequence[str] = ()
    new_attempts: Sequence[AttemptRow] = ()
    ended_attempts: Sequence[tuple[str, int]] = ()  # rows to remove
    stop_attempts: Sequence[tuple[str, int]] = ()
    announcements: Sequence[tuple[str, bool, int]] = ()  # state, fully, entry
    add_wakes: Sequence[Wake] = ()
    remove_wakes: Sequence[str] = ()
    kv_writes: Sequence[
        KvRow | tuple[str, str]
    ] = ()  # a pair (namespace, key) deletes; in this order
    metrics: Sequence[Metric] = ()
    holds_slot: bool | None = None  # None: as it was
    posted: Posted | None = None


# ── accessors ────────────────────────────────────────────────────────────────────────────────────


class Executions(Protocol):
    def add(
        self,
        execution: Execution,
        *,
        by: str,
        upstream_id: str | None = None,
        upstream_task_run_id: str | None = None,
    ) -> None: ...
    def get(self, execution_id: str) -> Execution: ...
    def find(self, execution_id: str) -> Execution | None: ...
    def lock(self, execution_id: str) -> Execution:
        """Like get, holding its row until the transaction ends (PostgreSQL; SQLite holds everything
        anyway).
        """

    def save(self, fold: Fold) -> bool:
        """Write a fold; False (and nothing written) if another one was faster."""

    def save_all(self, folds: Sequence[Fold]) -> Sequence[bool]:
        """Write several, each as `save` does: a late one spoils no other. Waits once for all."""

    def search(
        self,
        filter: ExecutionFilter,
        *,
        limit: int,
        cursor: str | None = None,
        ascending: bool = False,
    ) -> Page:
        """Newest first; items are Execution heads."""

    def count(self, filter: ExecutionFilter, *, at_most: int) -> int: ...
    def counts_by_state(self, filter: ExecutionFilter, *, at_most: int) -> Mapping[str, int]: ...
    def counts_by_flow(self, filter: ExecutionFilter, *, at_most: int) -> Mapping[str, int]: ...
    def children(self, upstream_id: str, *, limit: int = 1000) -> Sequence[Execution]: ...
    def created_before(self, execution: Execution, now: datetime, *, at_most: int) -> Sequence[str]:
        """Ids of older executions of its flow that have not begun, oldest first."""

    def oldest_queued(self, namespace: str, flow_id: str) -> str | None: ...
    def unfinished(self, *, limit: int, older_than: datetime | None = None) -> Sequence[str]: ...
    def upstream(self, execution_id: str) -> tuple[str | None, str | None]:
        """What started it or waits for it: an execution, and the waiting Subflow's task run."""

    def take_slot(self, execution_id: str) -> bool:
        """Note that it holds a concurrency slot of its flow; False: it did already."""

    def drop_slot(self, execution_id: str) -> bool:
        """Note that it holds none any more; False: it held none (so give back none)."""

    def holds_slot(self, execution_id: str) -> bool: ...
    def created_by(self, execution_id: str) -> str: ...
    def delete(self, execution_id: str) -> None:
        """Remove it with all rows that belong to it; log lines apart (`Logs.delete`)."""

    def set_labels(self, execution_id: str, labels: Sequence[tuple[str, str]]) -> None:
        """Replace them; the version grows, so a fold under way fails and loads again."""


class TaskRunRows(Protocol):
    def get(self, task_run_id: str) -> TaskRun: ...
    def find(self, task_run_id: str) -> TaskRun | None: ...
    def of_execution(self, execution_id: str) -> Sequence[TaskRun]:
        """All, in order of creation."""

    def of_executions(self, execution_ids: Sequence[str]) -> Mapping[str, Sequence[TaskRun]]: ...
    def of_task(self, execution_id: str, task_id: str, since: int = -1) -> Sequence[TaskRun]:
        """Return those of a task whose sequence is greater than *since*, in order of creation."""

    def live(self, execution_id: str, parent_id: str | None = None) -> Sequence[TaskRun]: ...
    def save(self, runs: Iterable[TaskRun]) -> None: ...
    def delete(self, task_run_ids: Iterable[str]) -> None: ...


class Events(Protocol):
    def add(
        self, execution_id: str, event: Event, *, queue: str = "default", wake: bool = True
    ) -> Wake | None:
        """Append with the next number and, with *wake*, a drive wake-up in the same transaction."""

    def after(self, execution_id: str, number: int) -> Sequence[NumberedEvent]: ...


class Wakes(Protocol):
    def add(self, wake: Wake) -> None:
        """A known id stays as it is."""

    def new_drive(self, execution_id: str, queue: str = "default") -> Wake: ...
    def remove(self, ids: Iterable[str]) -> None: ...
    def of_execution(self, execution_id: str) -> Sequence[Wake]: ...
    def older_than(
        self, moment: datetime, *, limit: int, after: str | None = None
    ) -> Sequence[Wake]:
        """By id; *after* is the id of the last one seen: go on with it until fewer than *limit*
        come.
        """


class Attempts(Protocol):
    def find(self, task_run_id: str, attempt: int) -> AttemptRow | None: ...
    def claim(self, task_run_id: str, attempt: int, worker_id: str) -> AttemptRow | None:
        """Take a SUBMITTED attempt: state RUNNING, fence + 1, the task run RUNNING with an attempt
        entry.
        None if it is taken, gone, or its execution is being killed."""

    def of_execution(self, execution_id: str) -> Sequence[AttemptRow]: ...
    def count_live(self, execution_id: str, *, at_most: int) -> int:
        """How many have not ended, counting no further than *at_most*."""

    def of_worker(self, worker_id: str) -> Sequence[AttemptRow]: ...
    def orphans(self, *, limit: int) -> Sequence[AttemptRow]:
        """RUNNING ones whose worker's lease is over (or whose worker is unknown), by the database's
        clock.
        """

    def resubmit(self, task_run_id: str, attempt: int, fence: int) -> bool: ...
    def end(self, task_run_id: str, attempt: int, fence: int) -> bool:
        """RUNNING → ENDED if the fence is still this one; False: too late, change nothing."""

    def stop(self, execution_id: str) -> None: ...
    def stopping(self, worker_id: str) -> Sequence[tuple[str, int]]: ...
    def mark(self, task_run_id: str, attempt: int, fence: int, marker: str) -> bool: ...
    def remove(self, task_run_id: str, attempt: int) -> None: ...


class Timers(Protocol):
    def of_execution(self, execution_id: str) -> Sequence[Timer]: ...
    def due(self, now: datetime, *, limit: int) -> Sequence[Timer]: ...
    def next_at(self) -> datetime | None: ...
    def remove(self, execution_id: str, key: str) -> bool: ...
    def set(self, timer: Timer) -> None: ...


class Flows(Protocol):
    """`save` never touches *running*: `take_slot` and `give_slot` do."""

    def get(self, namespace: str, flow_id: str) -> FlowRow: ...
    def find(self, namespace: str, flow_id: str) -> FlowRow | None: ...
    def lock(self, namespace: str, flow_id: str) -> FlowRow: ...
    def save(self, row: FlowRow) -> None: ...
    def search(
        self,
        *,
        namespace: str | None = None,
        text: str | None = None,
        owner: str | None = None,
        labels: Sequence[tuple[str, str]] = (),
        with_deleted: bool = False,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page: ...
    def of_owner(self, owner: str) -> Sequence[FlowRow]: ...
    def of_paths(self, owner: str, paths: Iterable[str]) -> Sequence[FlowRow]: ...
    def count_present(self, owner: str) -> int:
        """How many of an owner's flows are neither absent nor deleted."""

    def namespaces(self) -> Sequence[str]:
        """Of all flows that are not deleted."""

    def take_slot(self, namespace: str, flow_id: str, limit: int) -> bool:
        """Count and take under the row's lock."""

    def give_slot(self, namespace: str, flow_id: str) -> None: ...


class Revisions(Protocol):
    def find_by_digest(self, namespace: str, flow_id: str, digest: str) -> Revision | None:
        """The newest one with that text."""

    def add(self, revision: Revision) -> None: ...
    def get(self, namespace: str, flow_id: str, revision: int) -> Revision: ...
    def find(self, namespace: str, flow_id: str, revision: int) -> Revision | None: ...
    def of_flow(self, namespace: str, flow_id: str) -> Sequence[Revision]: ...
    def of_commit(self, commit: str) -> Sequence[Revision]: ...
    def active_digests(self, owner: str) -> Mapping[tuple[str, str], str]:
        """The digest of the active text of each flow of an owner, by namespace and id."""


class Triggers(Protocol):
    def lock(self, namespace: str, flow_id: str, trigger_id: str) -> TriggerRow | None:
        """Like find, holding its row until the transaction ends."""

    def find(self, namespace: str, flow_id: str, trigger_id: str) -> TriggerRow | None: ...
    def of_flow(self, namespace: str, flow_id: str) -> Sequence[TriggerRow]: ...
    def of_type(self, type: str) -> Sequence[TriggerRow]: ...
    def has_type(self, type: str) -> bool: ...
    def due(self, now: datetime, types: Sequence[str], *, limit: int) -> Sequence[TriggerRow]:
        """Those of some types whose next date has come, the earliest first; none that waits or is
        off.
        """

    def next_at(self, types: Sequence[str]) -> datetime | None: ...
    def locked_by(self, execution_id: str) -> TriggerRow | None: ...
    def save(self, row: TriggerRow) -> None: ...
    def delete(self, namespace: str, flow_id: str, trigger_id: str) -> None: ...
    def search(
        self,
        *,
        namespace: str | None = None,
        flow_id: str | None = None,
        text: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page: ...


class Firings(Protocol):
    def claim(self, key: str, execution_id: str, digest: str | None = None) -> str | None:
        """Take a key: None if it was free, else the execution that has it."""

    def digest(self, key: str) -> str | None:
        """The digest that a key was taken with, if there was one."""

    def purge(self, older_than: datetime) -> int: ...


class Kv(Protocol):
    def find(self, namespace: str, key: str) -> KvRow | None:
        """Expired ones too; the caller looks at *expires_at*."""

    def set(self, row: KvRow) -> None:
        """Write it; an existing one keeps *created_at* and its version grows by one."""

    def delete(self, namespace: str, key: str) -> bool: ...
    def namespaces(self) -> Sequence[str]:
        """Those that have keys."""

    def list(
        self, namespace: str, *, prefix: str = "", limit: int = 1000, cursor: str | None = None
    ) -> Page: ...


class Workers(Protocol):
    def get(self, worker_id: str) -> WorkerRow: ...
    def set_draining(self, worker_id: str, draining: bool = True) -> None: ...
    def register(self, worker: WorkerRow, *, lease_seconds: float) -> None: ...
    def renew(self, worker_id: str, *, lease_seconds: float) -> bool:
        """False: the row is gone, register again."""

    def all(self) -> Sequence[WorkerRow]: ...
    def find(self, worker_id: str) -> WorkerRow | None: ...
    def is_alive(self, worker_id: str) -> bool: ...
    def remove(self, worker_id: str) -> None: ...
    def dead(self) -> Sequence[WorkerRow]: ...


class Duties(Protocol):
    def holder(self, name: str) -> str | None:
        """Who has it now."""

    def take(self, name: str, holder: str, *, seconds: float) -> bool:
        """Take or renew; by the database's clock."""

    def release(self, name: str, holder: str) -> None: ...


class Announcements(Protocol):
    """Written by `Fold.announcements`, or by `add` (state, fully, index in the history)."""

    def add(self, execution_id: str, entries: Iterable[tuple[str, bool, int]]) -> None: ...
    def of_execution(self, execution_id: str) -> Sequence[Announcement]: ...

    def take(self, limit: int) -> Sequence[Announcement]:
        """Oldest first; on PostgreSQL those that another transaction has taken are left out."""

    def remove(self, ids: Iterable[int]) -> None: ...


class Metrics(Protocol):
    def add(self, metrics: Iterable[Metric]) -> None: ...
    def of_execution(self, execution_id: str) -> Sequence[Metric]: ...
    def names(self, place: FlowSpan, *, task_id: str | None = None) -> Sequence[str]: ...
    def tasks(self, place: FlowSpan) -> Sequence[str]: ...
    def by_day(
        self, place: FlowSpan, name: str, function: str, *, task_id: str | None = None
    ) -> Sequence[DayValue]:
        """*function*: sum, avg, min or max."""

    def of_task_run(self, task_run_id: str, execution_id: str) -> Sequence[Metric]: ...


class Quarantine(Protocol):
    def find(self, subject: str) -> QuarantineRow | None: ...
    def save(self, row: QuarantineRow) -> None: ...
    def list(self, *, limit: int = 100) -> Sequence[QuarantineRow]: ...
    def remove(self, subject: str) -> bool: ...


class Audit(Protocol):
    def add(self, row: AuditRow) -> None: ...
    def list(
        self, *, subject: str | None = None, limit: int = 100, cursor: str | None = None
    ) -> Page:
        """Newest first."""


class Sources(Protocol):
    def get(self, name: str) -> SourceRow: ...
    def find(self, name: str) -> SourceRow | None: ...
    def list(self) -> Sequence[SourceRow]: ...
    def head(self, name: str) -> str | None:
        """The commit that was applied last; cheap."""

    def hurried(self) -> Mapping[str, datetime]:
        """When a push event last asked for a poll, by source; the others are absent."""

    def save(self, row: SourceRow) -> bool:
        """Write it if the stored version is still *row.version* (0: or there is none); stores
        version + 1.

        *hurried_at* stays as it is.
        """

    def hurry(self, name: str, now: datetime) -> bool:
        """Note that a push event asks for a poll."""

    def remove(self, name: str) -> None:
        """Forget the source, its problems, sync runs, commits and manifests."""


class SyncRuns(Protocol):
    def add(self, run: SyncRun) -> int: ...
    def of_source(self, source: str, *, limit: int = 20, cursor: str | None = None) -> Page:
        """Newest first."""


class Commits(Protocol):
    def add(self, commits: Iterable[CommitRow]) -> None:
        """Known ones stay as they are."""

    def get(self, source: str, sha: str) -> CommitRow: ...
    def find(self, source: str, sha: str) -> CommitRow | None: ...
    def of_source(self, source: str, *, limit: int = 20) -> Sequence[CommitRow]:
        """Newest first."""

    def with_prefix(self, prefix: str, *, limit: int = 10) -> Sequence[CommitRow]: ...


class SourceProblems(Protocol):
    def of_source(self, source: str) -> Sequence[ProblemRow]: ...
    def of_flow(self, namespace: str, flow_id: str) -> Sequence[ProblemRow]: ...
    def replace(
        self, source: str, problems: Sequence[ProblemRow], paths: Sequence[str] | None = None
    ) -> None:
        """Make *problems* all of the source's problems, or all of those in *paths*."""

    def counts(self) -> Mapping[str, int]:
        """Number of problems by source; those without are absent."""


class Trees(Protocol):
    """Manifests of namespace files: a tree's id is a digest of its entries, commits share them."""

    def has(self, tree: str) -> bool: ...
    def add(self, tree: str, files: Iterable[TreeFile]) -> None:
        """A known tree stays as it is."""

    def derive(
        self,
        tree: str,
        base: str,
        *,
        without: Iterable[tuple[str, str]] = (),
        files: Iterable[TreeFile] = (),
    ) -> None:
        """Add a tree that is like *base*, but without some (namespace, path), and with *files*."""

    def files(self, tree: str, namespace: str | None = None) -> Sequence[TreeFile]: ...
    def find(self, tree: str, namespace: str, path: str) -> TreeFile | None: ...
    def set_commit(self, source: str, sha: str, tree: str) -> None: ...
    def of_commit(self, source: str, sha: str) -> str | None:
        """The tree of a commit."""


class NamespaceFileRows(Protocol):
    def get(self, namespace: str, path: str) -> NamespaceFileRow: ...
    def find(self, namespace: str, path: str) -> NamespaceFileRow | None: ...
    def list(self, namespace: str, *, prefix: str = "") -> Sequence[NamespaceFileRow]:
        """By path."""

    def save(self, row: NamespaceFileRow) -> None:
        """Write it; an existing one keeps *created_at* and its version grows by one."""

    def remove(self, namespace: str, path: str) -> bool:
        """Remove one, with what it was before; True if it was there."""

    def namespaces(self) -> Sequence[str]: ...
    def keep(self, row: FileVersionRow) -> None:
        """Remember what a file was before; one that is known stays as it is."""

    def versions(self, namespace: str, path: str | None = None) -> Sequence[FileVersionRow]:
        """Return what a file (None: all of the namespace) was before, by path and version."""

    def forget(self, row: FileVersionRow) -> bool: ...


class StoredFiles(Protocol):
    """Internal storage in the database; `runner.storage.database` writes chunks first, then the
    file.
    """

    def find(self, path: str) -> StoredFile | None: ...
    def list(self, prefix: str, *, limit: int = 1000, after: str = "") -> Sequence[StoredFile]: ...
    def save(self, row: StoredFile) -> None:
        """Put the file in place; chunks of replaced content are removed."""

    def remove(self, path: str) -> bool: ...
    def remove_below(self, prefix: str) -> int: ...
    def add_chunk(self, content: str, number: int, data: bytes) -> None: ...
    def chunk(self, content: str, number: int) -> bytes | None: ...
    def drop_chunks(self, content: str) -> None: ...
    def remove_leftovers(self, older_than: datetime) -> int:
        """Remove parts of contents begun before it that no file has: their writer died."""


class Tx(Protocol):
    """One transaction. Usable inside its block only, by one thread at a time."""

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
    announcements: Announcements
    metrics: Metrics
    quarantine: Quarantine
    audit: Audit
    sources: Sources
    sync_runs: SyncRuns
    commits: Commits
    source_problems: SourceProblems
    trees: Trees
    namespace_files: NamespaceFileRows
    stored_files: StoredFiles

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
        """Store up to 500 lines at once; a line under a known (execution, task run, attempt,
        number) overwrites.
        """

    def search(
        self, query: LogQuery, *, limit: int, cursor: str | None = None, ascending: bool = True
    ) -> Page: ...
    def tail(
        self, execution_id: str, after: Mapping[tuple[str, int], int], *, limit: int
    ) -> Sequence[LogLine]:
        """Lines past a cursor per (task run, attempt); unknown pairs from their start."""

    def delete(self, execution_id: str) -> int: ...
    def purge(self, query: LogQuery, levels: Sequence[Level] = ()) -> int:
        """Remove the lines that fit, those of some levels only; returns how many."""


class Store(Protocol):
    """One database. Safe for many threads and processes.

    Connections are opened when first needed. A forked child forgets its parent's by itself.
    Opening a block inside a `begin` block of the same thread raises RuntimeError: use its tx.
    Unavailable is raised where the database does not answer, Conflict where it chose a
    deadlock's victim.
    """

    dialect: str  # sqlite | postgresql
    logs: Logs

    def begin(self) -> AbstractContextManager[Tx]: ...
    def read(self) -> AbstractContextManager[Tx]: ...
    def fork_reset(self) -> None:
        """Forget all connections without closing them; a forked child does it by itself."""

    def close(self) -> None: ...
