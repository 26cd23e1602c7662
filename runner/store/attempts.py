"""Live attempts of worker tasks, and who holds them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime

from runner.model.execution import Attempt, TaskRun
from runner.model.states import State
from runner.store.base import AttemptRow
from runner.store.sql import Connection, Shape
from runner.store.task_runs import TaskRunRows

_ATTEMPT = Shape(AttemptRow, "attempts", keys=["task_run_id", "attempt"])
_COLUMNS = _ATTEMPT.columns
_KEY = "task_run_id = ? AND attempt = ?"
_FENCED = f"{_KEY} AND fence = ? AND state = 'RUNNING'"
_CLAIM = (
    "UPDATE attempts SET state = 'RUNNING', fence = fence + 1, worker_id = ?, "
    f"started_at = now_micros() WHERE {_KEY} AND state = 'SUBMITTED' AND NOT stopping "
    "AND NOT EXISTS (SELECT 1 FROM executions WHERE executions.id = attempts.execution_id "
    "AND (executions.state = 'KILLING' OR executions.fully_ended)) "
    f"RETURNING {_COLUMNS}"
)
_ORPHANS = (
    f"SELECT {_COLUMNS} FROM attempts WHERE state = 'RUNNING' AND NOT EXISTS "
    "(SELECT 1 FROM workers WHERE workers.id = attempts.worker_id "
    "AND workers.lease_until > now_micros()) ORDER BY started_at LIMIT ?"
)


class Attempts:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection
        self._task_runs = TaskRunRows(connection)

    def find(self, task_run_id: str, attempt: int) -> AttemptRow | None:
        """Return one, or None."""
        sql = f"SELECT {_COLUMNS} FROM attempts WHERE {_KEY}"
        return _ATTEMPT.find(self._sql.execute(sql, (task_run_id, attempt)))

    def add(self, rows: Iterable[AttemptRow]) -> None:
        """Add new ones."""
        self._sql.executemany(_ATTEMPT.upsert, [_ATTEMPT.row(row) for row in rows])

    def claim(self, task_run_id: str, attempt: int, worker_id: str) -> AttemptRow | None:
        """Take a SUBMITTED one and set it and its task run RUNNING; None if it cannot be taken."""
        found = _ATTEMPT.find(self._sql.execute(_CLAIM, (worker_id, task_run_id, attempt)))
        if found is None:
            return None
        run = self._task_runs.lock(task_run_id)
        if run is not None and not run.state.is_terminal:
            assert found.started_at is not None
            self._task_runs.save([_claimed(run, attempt, worker_id, found.started_at)])
        return found

    def of_execution(self, execution_id: str) -> Sequence[AttemptRow]:
        """Return those of an execution."""
        sql = (
            f"SELECT {_COLUMNS} FROM attempts WHERE execution_id = ? ORDER BY task_run_id, attempt"
        )
        return _ATTEMPT.values(self._sql.execute(sql, (execution_id,)).fetchall())

    def count_live(self, execution_id: str, *, at_most: int) -> int:
        """Return how many have not ended, counting no further than *at_most*."""
        sql = "SELECT 1 FROM attempts WHERE execution_id = ? AND state <> 'ENDED' LIMIT ?"
        return len(self._sql.execute(sql, (execution_id, at_most)).fetchall())

    def of_worker(self, worker_id: str) -> Sequence[AttemptRow]:
        """Return those that a worker took last, ended ones too."""
        sql = f"SELECT {_COLUMNS} FROM attempts WHERE worker_id = ? ORDER BY task_run_id, attempt"
        return _ATTEMPT.values(self._sql.execute(sql, (worker_id,)).fetchall())

    def orphans(self, *, limit: int) -> Sequence[AttemptRow]:
        """Return RUNNING ones whose worker is unknown or whose lease is over."""
        return _ATTEMPT.values(self._sql.execute(_ORPHANS, (limit,)).fetchall())

    def resubmit(self, task_run_id: str, attempt: int, fence: int) -> bool:
        """RUNNING → SUBMITTED, one more loss, if the fence is still this one."""
        sql = (
            "UPDATE attempts SET state = 'SUBMITTED', losses = losses + 1, fence = fence + 1, "
            f"worker_id = NULL, started_at = NULL WHERE {_FENCED}"
        )
        return self._sql.execute(sql, (task_run_id, attempt, fence)).rowcount == 1

    def end(self, task_run_id: str, attempt: int, fence: int) -> bool:
        """RUNNING → ENDED if the fence is still this one."""
        sql = f"UPDATE attempts SET state = 'ENDED' WHERE {_FENCED}"
        return self._sql.execute(sql, (task_run_id, attempt, fence)).rowcount == 1

    def stop(self, execution_id: str) -> None:
        """Tell all of an execution to stop."""
        sql = "UPDATE attempts SET stopping = TRUE WHERE execution_id = ? AND NOT stopping"
        self._sql.execute(sql, (execution_id,))

    def stop_each(self, keys: Iterable[tuple[str, int]]) -> None:
        """Tell some to stop."""
        self._sql.executemany(f"UPDATE attempts SET stopping = TRUE WHERE {_KEY}", keys)

    def stopping(self, worker_id: str) -> Sequence[tuple[str, int]]:
        """Return which running attempts of a worker are to stop."""
        sql = (
            "SELECT task_run_id, attempt FROM attempts "
            "WHERE worker_id = ? AND stopping AND state = 'RUNNING'"
        )
        return [(run, number) for run, number in self._sql.execute(sql, (worker_id,)).fetchall()]

    def mark(self, task_run_id: str, attempt: int, fence: int, marker: str) -> bool:
        """Note what was started outside, if the fence is still this one."""
        sql = f"UPDATE attempts SET marker = ? WHERE {_FENCED}"
        return self._sql.execute(sql, (marker, task_run_id, attempt, fence)).rowcount == 1

    def remove(self, task_run_id: str, attempt: int) -> None:
        """Remove one; an unknown one is fine."""
        self.remove_each([(task_run_id, attempt)])

    def remove_each(self, keys: Iterable[tuple[str, int]]) -> None:
        """Remove some; unknown ones are fine."""
        self._sql.executemany(f"DELETE FROM attempts WHERE {_KEY}", keys)


def _claimed(run: TaskRun, attempt: int, worker_id: str, now: datetime) -> TaskRun:
    """Return the run in RUNNING, with a running entry for the attempt."""
    before = run.attempts[attempt].history if attempt < len(run.attempts) else ()
    history = before or ((State.CREATED, now),)
    entry = Attempt(State.RUNNING, (*history, (State.RUNNING, now)), worker_id)
    attempts = (*run.attempts[:attempt], entry, *run.attempts[attempt + 1 :])
    return replace(run.enter(State.RUNNING, now), attempts=attempts)
