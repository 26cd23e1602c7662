"""Numbers that tasks reported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.store.base import Metric
from runner.store.sql import Connection, Shape

_METRIC = Shape(Metric, "metrics", keys=["execution_id", "task_run_id", "attempt", "number"])
_SELECT = f"SELECT {_METRIC.columns} FROM metrics WHERE"
_ORDER = "ORDER BY task_run_id, attempt, number"


class Metrics:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def add(self, metrics: Iterable[Metric]) -> None:
        """Add them; one under a known number overwrites."""
        self._sql.executemany(_METRIC.upsert, [_METRIC.row(metric) for metric in metrics])

    def of_execution(self, execution_id: str) -> Sequence[Metric]:
        """Return all of an execution."""
        sql = f"{_SELECT} execution_id = ? {_ORDER}"
        return _METRIC.values(self._sql.execute(sql, (execution_id,)).fetchall())

    def of_task_run(self, task_run_id: str, execution_id: str) -> Sequence[Metric]:
        """Return all of a task run."""
        sql = f"{_SELECT} execution_id = ? AND task_run_id = ? {_ORDER}"
        return _METRIC.values(self._sql.execute(sql, (execution_id, task_run_id)).fetchall())
