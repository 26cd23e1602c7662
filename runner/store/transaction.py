"""A transaction with its accessors, and the store that begins them."""

from __future__ import annotations

import os
import weakref
from contextlib import AbstractContextManager
from datetime import datetime
from threading import local
from types import TracebackType

from runner.clock import from_micros
from runner.store import base
from runner.store.announcements import Announcements
from runner.store.attempts import Attempts
from runner.store.audit import Audit
from runner.store.duties import Duties
from runner.store.events import Events
from runner.store.executions import Executions
from runner.store.firings import Firings
from runner.store.flows import Flows
from runner.store.kv import Kv
from runner.store.logs import Logs
from runner.store.metrics import Metrics
from runner.store.namespace_files import NamespaceFiles
from runner.store.quarantine import Quarantine
from runner.store.revisions import Revisions
from runner.store.sources import Commits, SourceProblems, Sources, SyncRuns
from runner.store.sql import Connection, Database
from runner.store.stored_files import StoredFiles
from runner.store.task_runs import TaskRunRows
from runner.store.timers import Timers
from runner.store.trees import Trees
from runner.store.triggers import Triggers
from runner.store.wakes import Wakes
from runner.store.workers import Workers


class Transaction:
    """The accessors of one connection. They work while its block is open."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.wakes: base.Wakes = Wakes(connection)
        self.task_runs: base.TaskRunRows = TaskRunRows(connection)
        self.kv: base.Kv = Kv(connection)
        self.metrics: base.Metrics = Metrics(connection)
        self.executions: base.Executions = Executions(connection)
        self.events: base.Events = Events(connection)
        self.attempts: base.Attempts = Attempts(connection)
        self.timers: base.Timers = Timers(connection)
        self.flows: base.Flows = Flows(connection)
        self.revisions: base.Revisions = Revisions(connection)
        self.triggers: base.Triggers = Triggers(connection)
        self.firings: base.Firings = Firings(connection)
        self.workers: base.Workers = Workers(connection)
        self.duties: base.Duties = Duties(connection)
        self.announcements: base.Announcements = Announcements(connection)
        self.quarantine: base.Quarantine = Quarantine(connection)
        self.audit: base.Audit = Audit(connection)
        self.sources: base.Sources = Sources(connection)
        self.sync_runs: base.SyncRuns = SyncRuns(connection)
        self.commits: base.Commits = Commits(connection)
        self.source_problems: base.SourceProblems = SourceProblems(connection)
        self.trees: base.Trees = Trees(connection)
        self.namespace_files: base.NamespaceFileRows = NamespaceFiles(connection)
        self.stored_files: base.StoredFiles = StoredFiles(connection)

    def now(self) -> datetime:
        """Return the database's clock."""
        return from_micros(self._connection.execute("SELECT now_micros()").fetchone()[0])


class SqlStore:
    """The store over a database of state and one of logs (the same one with PostgreSQL)."""

    def __init__(self, dialect: str, state: Database, logs: Database) -> None:
        self.dialect = dialect
        self.logs: base.Logs = Logs(logs)
        self._databases = [state] if logs is state else [state, logs]
        self._state = state
        self._thread = local()
        _forget_in_children(self)

    def begin(self) -> AbstractContextManager[base.Tx, None]:
        """Return the block of one write transaction."""
        return _Block(self._state.writing(), self._thread, writes=True)

    def read(self) -> AbstractContextManager[base.Tx, None]:
        """Return the block of one read-only view."""
        return _Block(self._state.reading(), self._thread, writes=False)

    def close(self) -> None:
        """Close all connections."""
        for database in self._databases:
            database.close()

    def fork_reset(self) -> None:
        """Forget all connections without closing them: they belong to the parent process."""
        self._thread = local()
        for database in self._databases:
            database.forget()


def _forget_in_children(store: SqlStore) -> None:
    reference = weakref.ref(store)

    def forget() -> None:
        if (forked := reference()) is not None:
            forked.fork_reset()

    os.register_at_fork(after_in_child=forget)


class _Block(AbstractContextManager[base.Tx, None]):
    """Opens a transaction, unless one that writes is open in this thread."""

    def __init__(
        self, block: AbstractContextManager[Connection], thread: local, *, writes: bool
    ) -> None:
        self._block = block
        self._thread = thread
        self._writes = writes

    def __enter__(self) -> base.Tx:
        if getattr(self._thread, "writes", False):
            raise RuntimeError("a transaction is open in this thread: use its tx")
        connection = self._block.__enter__()
        self._thread.writes = self._writes
        if connection.transaction is None:
            connection.transaction = Transaction(connection)
        found: base.Tx = connection.transaction
        return found

    def __exit__(
        self,
        kind: type[BaseException] | None,
        exc: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._writes:
            self._thread.writes = False
        self._block.__exit__(kind, exc, trace)
