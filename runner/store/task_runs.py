"""Task runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from runner.errors import NotFound
from runner.model.execution import TaskRun
from runner.store.codec import TASK_RUN, TASK_RUN_COLUMNS, task_run_of, task_run_row
from runner.store.sql import Connection, chunks, marks, upsert

_SELECT = f"SELECT {TASK_RUN} FROM task_runs WHERE"
_SAVE = upsert(
    "task_runs",
    TASK_RUN_COLUMNS,
    ["id"],
    keep=["execution_id", "sequence", "task_id", "parent_id", "value"],
)


class TaskRunRows:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def get(self, task_run_id: str) -> TaskRun:
        """Return the run of that id. Raises NotFound."""
        if (run := self.find(task_run_id)) is None:
            raise NotFound(f"there is no task run {task_run_id}")
        return run

    def find(self, task_run_id: str) -> TaskRun | None:
        """Return the run of that id, or None."""
        row = self._sql.execute(f"{_SELECT} id = ?", (task_run_id,)).fetchone()
        return None if row is None else task_run_of(row)

    def lock(self, task_run_id: str) -> TaskRun | None:
        """Like find, holding its row until the transaction ends."""
        sql = f"{_SELECT} id = ?{self._sql.for_update}"
        row = self._sql.execute(sql, (task_run_id,)).fetchone()
        return None if row is None else task_run_of(row)

    def of_execution(self, execution_id: str) -> Sequence[TaskRun]:
        """Return all of an execution, in order of creation."""
        sql = f"{_SELECT} execution_id = ? ORDER BY sequence"
        return [task_run_of(row) for row in self._sql.execute(sql, (execution_id,)).fetchall()]

    def of_executions(self, execution_ids: Sequence[str]) -> Mapping[str, Sequence[TaskRun]]:
        """Return all of several executions; one without task runs has an empty list."""
        found: dict[str, list[TaskRun]] = {execution_id: [] for execution_id in execution_ids}
        for ids in chunks(found):
            sql = f"{_SELECT} execution_id IN ({marks(len(ids))}) ORDER BY execution_id, sequence"
            for row in self._sql.execute(sql, ids).fetchall():
                found[row[1]].append(task_run_of(row))
        return found

    def of_task(self, execution_id: str, task_id: str, since: int = -1) -> Sequence[TaskRun]:
        """Return all of one task whose sequence is greater than *since*, in order of creation."""
        sql = f"{_SELECT} execution_id = ? AND task_id = ? AND sequence > ? ORDER BY sequence"
        rows = self._sql.execute(sql, (execution_id, task_id, since)).fetchall()
        return [task_run_of(row) for row in rows]

    def live(self, execution_id: str, parent_id: str | None = None) -> Sequence[TaskRun]:
        """Return those that are not terminal, or the direct children of one that are not."""
        below = "" if parent_id is None else " AND parent_id = ?"
        values = [execution_id] if parent_id is None else [execution_id, parent_id]
        sql = f"{_SELECT} execution_id = ?{below} AND live ORDER BY sequence"
        return [task_run_of(row) for row in self._sql.execute(sql, values).fetchall()]

    def save(self, runs: Iterable[TaskRun]) -> None:
        """Add or overwrite them."""
        self._sql.executemany(_SAVE, [task_run_row(run) for run in runs])

    def delete(self, task_run_ids: Iterable[str]) -> None:
        """Remove them."""
        self._sql.executemany("DELETE FROM task_runs WHERE id = ?", [(i,) for i in task_run_ids])
