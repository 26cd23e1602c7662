"""Metrics that tasks reported."""

from __future__ import annotations

from collections.abc import Sequence

from runner.errors import ArgumentInvalid, NotFound
from runner.runtime import Runtime
from runner.store.base import DayValue, FlowSpan, Metric

AGGREGATIONS = ("sum", "avg", "min", "max")


class Metrics:
    """The use cases around metrics."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def of_execution(
        self, execution_id: str, *, task_run_id: str | None = None, task_id: str | None = None
    ) -> Sequence[Metric]:
        """Return the metrics of an execution, or of a part of it. Raises NotFound."""
        with self._runtime.store.read() as tx:
            if tx.executions.find(execution_id) is None:
                raise NotFound("Execution not found")
            found = tx.metrics.of_execution(execution_id)
        return [
            metric
            for metric in found
            if task_run_id in (None, metric.task_run_id) and task_id in (None, metric.task_id)
        ]

    def names(self, place: FlowSpan, *, task_id: str | None = None) -> Sequence[str]:
        """Return the names of what a flow, or one of its tasks, has reported."""
        with self._runtime.store.read() as tx:
            return tx.metrics.names(place, task_id=task_id)

    def tasks(self, place: FlowSpan) -> Sequence[str]:
        """Return the tasks of a flow that have reported numbers."""
        with self._runtime.store.read() as tx:
            return tx.metrics.tasks(place)

    def by_day(
        self, place: FlowSpan, name: str, aggregation: str, *, task_id: str | None = None
    ) -> Sequence[DayValue]:
        """Return one number for each day that has some. Raises ArgumentInvalid."""
        if aggregation not in AGGREGATIONS:
            raise ArgumentInvalid(f"an aggregation is one of {', '.join(AGGREGATIONS)}")
        with self._runtime.store.read() as tx:
            return tx.metrics.by_day(place, name, aggregation, task_id=task_id)
