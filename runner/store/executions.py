"""Executions: their heads, and what a fold writes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from typing import Any, TypeVar

from runner.clock import to_micros
from runner.engine.codec import to_text
from runner.errors import NotFound
from runner.model.execution import Execution
from runner.store.announcements import Announcements
from runner.store.attempts import Attempts
from runner.store.base import ExecutionFilter, Fold, Page
from runner.store.codec import (
    EXECUTION,
    NEW_EXECUTION_COLUMNS,
    breakpoints_text,
    ended_at,
    execution_of,
    execution_row,
    history_text,
    list_text,
    map_text,
    queued_at,
    scope_text,
    started_at,
)
from runner.store.events import Events
from runner.store.kv import Kv
from runner.store.metrics import Metrics
from runner.store.search import ExecutionSearch
from runner.store.sql import Connection, Cursor, insert
from runner.store.task_runs import TaskRunRows
from runner.store.timers import Timers
from runner.store.wakes import Wakes

_SELECT = f"SELECT {EXECUTION} FROM executions WHERE"
_ADD = insert("executions", NEW_EXECUTION_COLUMNS)
_ADD_LABEL = (
    "INSERT INTO execution_labels (execution_id, key, value, created_at) VALUES (?, ?, ?, ?)"
)
_PARTS = (
    "execution_labels", "task_runs", "attempts", "events", "wakes", "timers", "announcements",
    "metrics",
)  # fmt: skip
_NOTHING_ELSE_HAPPENED = (
    " AND next_event = ? AND EXISTS (SELECT 1 FROM attempts WHERE task_run_id = ? "
    "AND attempt = ? AND fence = ? AND state = 'RUNNING')"
)
T = TypeVar("T")
_CORRELATION = "system.correlationId"


class Executions:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection
        self._search = ExecutionSearch(connection)
        self._task_runs = TaskRunRows(connection)
        self._timers = Timers(connection)
        self._attempts = Attempts(connection)
        self._events = Events(connection)
        self._announcements = Announcements(connection)
        self._wakes = Wakes(connection)
        self._kv = Kv(connection)
        self._metrics = Metrics(connection)

    def add(
        self,
        execution: Execution,
        *,
        by: str,
        upstream_id: str | None = None,
        upstream_task_run_id: str | None = None,
    ) -> None:
        """Add a new one."""
        row = execution_row(
            execution, by=by, upstream_id=upstream_id, upstream_task_run_id=upstream_task_run_id
        )
        self._sql.execute(_ADD, row)
        self._add_labels(execution)

    def get(self, execution_id: str) -> Execution:
        """Return one. Raises NotFound."""
        return _present(self.find(execution_id), execution_id)

    def find(self, execution_id: str) -> Execution | None:
        """Return one, or None."""
        row = self._sql.execute(f"{_SELECT} id = ?", (execution_id,)).fetchone()
        return None if row is None else execution_of(row)

    def lock(self, execution_id: str) -> Execution:
        """Like get, holding its row until the transaction ends."""
        sql = f"{_SELECT} id = ?{self._sql.for_update}"
        row = self._sql.execute(sql, (execution_id,)).fetchone()
        return _present(None if row is None else execution_of(row), execution_id)

    def save(self, fold: Fold) -> bool:
        """Write a fold; False (and nothing written) if another one was faster."""
        return self.save_all([fold])[0]

    def save_all(self, folds: Sequence[Fold]) -> Sequence[bool]:
        """Write several, each as `save` does: a late one spoils no other.

        Rows are locked in the order of their ids, and the answers waited for together.
        """
        in_order = sorted(folds, key=lambda fold: fold.execution.id)
        heads = [(fold, self._save_head(fold)) for fold in in_order]
        saved = {id(fold) for fold, head in heads if head.rowcount == 1}
        for fold in folds:
            if id(fold) in saved:
                self._save_parts(fold)
        return [id(fold) in saved for fold in folds]

    def _save_parts(self, fold: Fold) -> None:
        """Write what belongs to the fold; most parts are empty and cost nothing."""
        head, before = fold.execution, fold.before
        if before is None or (head.labels is not before.labels and head.labels != before.labels):
            self._replace_labels(head)
        if fold.posted is not None:
            self._events.add_numbered(head.id, fold.posted.number, fold.posted.event)
        if fold.changes:
            self._task_runs.save(fold.changes)
        if fold.removed:
            self._task_runs.delete(fold.removed)
        if fold.clear_timers:
            self._timers.remove_each(head.id, fold.clear_timers)
        if fold.set_timers:
            self._timers.set_each(fold.set_timers)
        if fold.new_attempts:
            self._attempts.add(fold.new_attempts)
        if fold.stop_attempts:
            self._attempts.stop_each(fold.stop_attempts)
        if fold.ended_attempts:
            self._attempts.remove_each(fold.ended_attempts)
        if fold.announcements:
            self._announcements.add(head.id, fold.announcements)
        if fold.remove_wakes:
            self._wakes.remove(fold.remove_wakes)
        if fold.add_wakes:
            self._wakes.add_all(fold.add_wakes)
        if fold.kv_writes:
            self._kv.write(fold.kv_writes)
        if fold.metrics:
            self._metrics.add(fold.metrics)

    def _save_head(self, fold: Fold) -> Cursor:
        head, before = fold.execution, fold.before
        changes = _changes(head, before)
        if fold.holds_slot is not None:
            changes["holds_slot"] = fold.holds_slot
        posted = fold.posted
        if posted is None:
            values = (*changes.values(), head.id, head.version)
            return self._sql.execute(_update(tuple(changes)), values)
        changes["next_event"] = posted.number + 1
        attempt = (posted.task_run_id, posted.attempt, posted.fence)
        values = (*changes.values(), head.id, head.version, posted.number, *attempt)
        return self._sql.execute(_update(tuple(changes)) + _NOTHING_ELSE_HAPPENED, values)

    def search(
        self,
        filter: ExecutionFilter,
        *,
        limit: int,
        cursor: str | None = None,
        ascending: bool = False,
    ) -> Page:
        """Return a page of heads, newest first unless *ascending*."""
        return self._search.page(filter, limit=limit, cursor=cursor, ascending=ascending)

    def count(self, filter: ExecutionFilter, *, at_most: int) -> int:
        """Return how many there are, counting no further than *at_most*."""
        return self._search.count(filter, at_most=at_most)

    def counts_by_state(self, filter: ExecutionFilter, *, at_most: int) -> Mapping[str, int]:
        """Return how many of the newest *at_most* are in which state."""
        return self._search.counts_by_state(filter, at_most=at_most)

    def counts_by_flow(self, filter: ExecutionFilter, *, at_most: int) -> Mapping[str, int]:
        """Return how many of the newest *at_most* are of which flow, by its id."""
        return self._search.counts_by_flow(filter, at_most=at_most)

    def children(self, upstream_id: str, *, limit: int = 1000) -> Sequence[Execution]:
        """Return what an execution started or waits for, the oldest first."""
        sql = f"{_SELECT} upstream_id = ? ORDER BY created_at, id LIMIT ?"
        rows = self._sql.execute(sql, (upstream_id, limit)).fetchall()
        return [execution_of(row) for row in rows]

    def upstream(self, execution_id: str) -> tuple[str | None, str | None]:
        """Return the upstream execution and the waiting Subflow's task run. Raises NotFound."""
        upstream, task_run = self._values("upstream_id, upstream_task_run_id", execution_id)
        return upstream, task_run

    def created_before(self, execution: Execution, now: datetime, *, at_most: int) -> Sequence[str]:
        """Return ids of older executions of its flow that have not begun, and may by now."""
        sql = (
            "SELECT id FROM executions WHERE state = 'CREATED' AND created_at < ? "
            "AND namespace = ? AND flow_id = ? AND (schedule_at IS NULL OR schedule_at <= ?) "
            "ORDER BY created_at LIMIT ?"
        )
        name = (execution.namespace, execution.flow_id)
        values = (to_micros(execution.created_at), *name, to_micros(now), at_most)
        return [str(found) for (found,) in self._sql.execute(sql, values).fetchall()]

    def oldest_queued(self, namespace: str, flow_id: str) -> str | None:
        """Return the execution of a flow that waits longest for a concurrency slot."""
        sql = (
            "SELECT id FROM executions WHERE state = 'QUEUED' AND namespace = ? AND flow_id = ? "
            "ORDER BY queued_at, id LIMIT 1"
        )
        row = self._sql.execute(sql, (namespace, flow_id)).fetchone()
        return None if row is None else str(row[0])

    def unfinished(self, *, limit: int, older_than: datetime | None = None) -> Sequence[str]:
        """Return ids of those that are not fully ended, the oldest first."""
        before = "" if older_than is None else " AND created_at < ?"
        values = [] if older_than is None else [to_micros(older_than)]
        sql = f"SELECT id FROM executions WHERE NOT fully_ended{before} ORDER BY created_at LIMIT ?"
        return [found for (found,) in self._sql.execute(sql, [*values, limit]).fetchall()]

    def take_slot(self, execution_id: str) -> bool:
        """Note that it holds a concurrency slot of its flow; False: it did already."""
        sql = "UPDATE executions SET holds_slot = TRUE WHERE id = ? AND NOT holds_slot"
        return self._sql.execute(sql, (execution_id,)).rowcount == 1

    def drop_slot(self, execution_id: str) -> bool:
        """Note that it holds none any more; False: it held none."""
        sql = "UPDATE executions SET holds_slot = FALSE WHERE id = ? AND holds_slot"
        return self._sql.execute(sql, (execution_id,)).rowcount == 1

    def holds_slot(self, execution_id: str) -> bool:
        """Say whether it holds a concurrency slot. Raises NotFound."""
        return bool(self._values("holds_slot", execution_id)[0])

    def created_by(self, execution_id: str) -> str:
        """Return who started it. Raises NotFound."""
        return str(self._values("created_by", execution_id)[0])

    def delete(self, execution_id: str) -> None:
        """Remove it with all rows that belong to it; log lines apart."""
        for table in _PARTS:
            self._sql.execute(f"DELETE FROM {table} WHERE execution_id = ?", (execution_id,))
        self._sql.execute("DELETE FROM executions WHERE id = ?", (execution_id,))

    def set_labels(self, execution_id: str, labels: Sequence[tuple[str, str]]) -> None:
        """Replace its labels; the version grows. Raises NotFound."""
        sql = "UPDATE executions SET labels = ?, version = version + 1 WHERE id = ?"
        if self._sql.execute(sql, (list_text(labels), execution_id)).rowcount != 1:
            raise NotFound(f"there is no execution {execution_id}")
        self._replace_labels(self.get(execution_id))

    def _values(self, columns: str, execution_id: str) -> Any:
        row = self._sql.execute(
            f"SELECT {columns} FROM executions WHERE id = ?", (execution_id,)
        ).fetchone()
        return _present(row, execution_id)

    def _replace_labels(self, execution: Execution) -> None:
        sql = "DELETE FROM execution_labels WHERE execution_id = ?"
        self._sql.execute(sql, (execution.id,))
        self._add_labels(execution)

    def _add_labels(self, execution: Execution) -> None:
        created_at = to_micros(execution.created_at)
        rows = [
            (execution.id, key, value, created_at)
            for key, value in execution.labels
            if key != _CORRELATION or value != execution.id
        ]
        if rows:
            self._sql.executemany(_ADD_LABEL, rows)


def _present(found: T | None, execution_id: str) -> T:
    if found is None:
        raise NotFound(f"there is no execution {execution_id}")
    return found


def _changes(head: Execution, before: Execution | None) -> dict[str, Any]:
    """Return the columns to write: all that may change, less what is the same object as before."""
    changes: dict[str, Any] = {
        "version": head.version + 1,
        "folded": head.folded,
        "sequence": head.sequence,
        "scope": scope_text(head.scope),
        "deferred": list_text(head.deferred),
        "fully_ended": head.fully_ended,
        "unfinished": head.unfinished,
    }
    if before is None or head.history is not before.history:
        changes["state"] = head.state.value
        changes["history"] = history_text(head.history)
        changes["started_at"] = started_at(head.history)
        changes["ended_at"] = ended_at(head.state, head.history)
        changes["queued_at"] = queued_at(head.state, head.history)
    if before is None or head.labels is not before.labels:
        changes["labels"] = list_text(head.labels)
    if before is None or head.attempt_number != before.attempt_number:
        changes["attempt_number"] = head.attempt_number
    if before is None or head.breakpoints is not before.breakpoints:
        changes["breakpoints"] = breakpoints_text(head.breakpoints)
    if before is None or head.inputs is not before.inputs:
        changes["inputs"] = map_text(head.inputs)
    if before is None or head.variables is not before.variables:
        changes["variables"] = map_text(head.variables)
    if before is None or head.outputs is not before.outputs:
        changes["outputs"] = None if head.outputs is None else to_text(head.outputs)
    return changes


@cache
def _update(columns: tuple[str, ...]) -> str:
    sets = ", ".join(f"{column} = ?" for column in columns)
    return f"UPDATE executions SET {sets} WHERE id = ? AND version = ?"
