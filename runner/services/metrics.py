"""Metrics that tasks reported."""

from __future__ import annotations

from collections.abc import Sequence

from runner.errors import NotFound
from runner.runtime import Runtime
from runner.store.base import Metric


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
