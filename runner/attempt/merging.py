"""The last part of a ForEachItem: it may read what the subflows of all batches gave back."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any

from runner.attempt.context import AttemptContext
from runner.model.execution import Execution, TaskRun
from runner.storage.base import task_path

TYPE = "io.kestra.plugin.core.flow.ForEachItem$ForEachItemMergeOutputs"
_MANY = 1_000_000


class MergingContext(AttemptContext):
    """The world of its attempt."""

    def batch_outputs(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Yield number and flow outputs of each batch's subflow that has some, in order."""
        items = self._items()
        execution_id = self._subject.execution.id
        with self._runtime.store.read() as tx:
            children = tx.executions.children(execution_id, limit=_MANY)
        newest = {n: child for child in children if (n := _number(child, items)) is not None}
        for number in sorted(newest):
            if newest[number].outputs:
                yield number, newest[number].outputs or {}

    def store_batch(self, number: int, content: bytes) -> None:
        """Store the outputs of one batch below the part that started it."""
        execution, items = self._subject.execution, self._items()
        folder = task_path(
            execution.namespace, execution.flow_id, execution.id, items.task_id, items.id
        )
        self._runtime.storage.put(f"{folder}{number}/outputs.ion", BytesIO(content))

    def _items(self) -> TaskRun:
        own = self._subject.run
        task_id = self._subject.task.id.removesuffix("_merge") + "_items"
        with self._runtime.store.read() as tx:
            runs = tx.task_runs.of_task(own.execution_id, task_id)
        return next(run for run in runs if run.parent_id == own.parent_id)


def _number(child: Execution, items: TaskRun) -> int | None:
    variables = child.trigger.variables if child.trigger else {}
    number = variables.get("taskRunIteration")
    return number if variables.get("taskRunId") == items.id else None
