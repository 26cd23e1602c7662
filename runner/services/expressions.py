"""Expressions that people try on an execution."""

from __future__ import annotations

from runner.errors import NotFound
from runner.expressions import Context, render
from runner.model.execution import TaskRun
from runner.runtime import Runtime
from runner.runtime.context import ExecutionVariables
from runner.runtime.runs import RunView
from runner.runtime.world import FlowWorld


class Expressions:
    """Renders texts as a finished or running execution sees them."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def evaluate(self, execution_id: str, text: str, task_run_id: str | None = None) -> str:
        """Return the rendered text, secrets masked.

        Raises:
            NotFound: no such execution or task run. ExpressionError.
        """
        store = self._runtime.store
        with store.read() as tx:
            execution = tx.executions.find(execution_id)
            if execution is None:
                raise NotFound("Execution not found")
            flow = self._runtime.flows.get(
                tx, execution.namespace, execution.flow_id, execution.revision
            )
        runs = RunView(execution_id, flow, store.read)
        variables = ExecutionVariables(flow, execution, runs, shared=self._runtime.shared_variables)
        world = FlowWorld(
            self._runtime,
            execution.namespace,
            execution_id=execution_id,
            source=execution.source,
            commit=execution.commit,
        )
        context = Context(variables.of(execution, _run(runs, task_run_id)), world)
        return self._runtime.mask.apply(str(render(text, context)))


def _run(runs: RunView, task_run_id: str | None) -> TaskRun | None:
    if task_run_id is None:
        return None
    run = runs.get(task_run_id)
    if run is None:
        raise NotFound(f"no task run {task_run_id}")
    return run
