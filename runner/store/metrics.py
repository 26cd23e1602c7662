"""Numbers that tasks reported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.clock import from_micros, to_micros
from runner.store.base import DayValue, FlowSpan, Metric
from runner.store.sql import Connection, Shape

_METRIC = Shape(Metric, "metrics", keys=["execution_id", "task_run_id", "attempt", "number"])
_SELECT = f"SELECT {_METRIC.columns} FROM metrics WHERE"
_ORDER = "ORDER BY task_run_id, attempt, number"


_OF_FLOW = (
    "FROM executions e JOIN metrics m ON m.execution_id = e.id "
    "WHERE e.namespace = ? AND e.flow_id = ? AND e.created_at >= ? AND e.created_at <= ?"
)
_DAY = 86_400_000_000
_FUNCTIONS = {"sum": "sum", "avg": "avg", "min": "min", "max": "max"}


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

    def names(self, place: FlowSpan, *, task_id: str | None = None) -> Sequence[str]:
        """Return the names that a flow, or one of its tasks, has reported numbers under."""
        of_task, values = _of_task(task_id)
        sql = f"SELECT DISTINCT m.name {_OF_FLOW}{of_task} ORDER BY m.name"
        return [name for (name,) in self._sql.execute(sql, (*_values(place), *values)).fetchall()]

    def tasks(self, place: FlowSpan) -> Sequence[str]:
        """Return the tasks of a flow that have reported numbers."""
        sql = f"SELECT DISTINCT m.task_id {_OF_FLOW} ORDER BY m.task_id"
        return [task for (task,) in self._sql.execute(sql, _values(place)).fetchall()]

    def by_day(
        self, place: FlowSpan, name: str, function: str, *, task_id: str | None = None
    ) -> Sequence[DayValue]:
        """Return one number for each day (UTC) that has some: their sum, avg, min or max."""
        of_task, values = _of_task(task_id)
        sql = (
            f"SELECT m.at / {_DAY}, max(m.kind), {_FUNCTIONS[function]}(m.value) {_OF_FLOW}"
            f" AND m.name = ?{of_task} GROUP BY 1 ORDER BY 1"
        )
        rows = self._sql.execute(sql, (*_values(place), name, *values)).fetchall()
        return [DayValue(from_micros(int(day) * _DAY), kind, value) for day, kind, value in rows]

    def of_task_run(self, task_run_id: str, execution_id: str) -> Sequence[Metric]:
        """Return all of a task run."""
        sql = f"{_SELECT} execution_id = ? AND task_run_id = ? {_ORDER}"
        return _METRIC.values(self._sql.execute(sql, (execution_id, task_run_id)).fetchall())


def _values(place: FlowSpan) -> tuple[object, ...]:
    return place.namespace, place.flow_id, to_micros(place.since), to_micros(place.until)


def _of_task(task_id: str | None) -> tuple[str, tuple[str, ...]]:
    return ("", ()) if task_id is None else (" AND m.task_id = ?", (task_id,))
