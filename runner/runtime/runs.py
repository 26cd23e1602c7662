"""The task runs of one execution: loaded when asked for, with unsaved changes on top."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from runner.model.execution import TaskRun
from runner.model.flow import Flow
from runner.model.states import State
from runner.sealing import holds_sealed
from runner.store.base import Tx

Reader = Callable[[], AbstractContextManager[Tx]]


class RunView:
    """Look-ups for the engine and for expressions. One thread at a time.

    *is_new*: the execution has no rows yet, so everything is known from the start and nothing is
    asked.
    """

    def __init__(
        self, execution_id: str, flow: Flow, reader: Reader, *, is_new: bool = False
    ) -> None:
        self._execution_id = execution_id
        self._flow = flow
        self._reader = reader
        self._known: dict[str, TaskRun] = {}
        self._by_task: dict[str, dict[str, TaskRun]] = {}
        self._live: dict[str, TaskRun] = {}
        self._live_below: dict[str, dict[str, TaskRun]] = {}
        self._outputs: dict[str, dict[str, Any]] = {}
        self._whole_tasks: set[str] = set()
        self._whole_live = is_new
        self._is_new = is_new
        self._gone: set[str] = set()
        self._sealed: set[str] = set()
        self._shown: dict[str, set[str]] = {}

    def __len__(self) -> int:
        """Return how many are in memory."""
        return len(self._known)

    # ── for the engine ───────────────────────────────────────────────────────────────────────────

    def get(self, task_run_id: str) -> TaskRun | None:
        """Return the run of that id, or None."""
        run = self._known.get(task_run_id)
        if run is None and not self._is_new and task_run_id not in self._gone:
            with self._reader() as tx:
                run = tx.task_runs.find(task_run_id)
            if run is not None and run.execution_id == self._execution_id:
                self._learn(run)
        return run

    def live(self) -> Iterable[TaskRun]:
        """Return all that are not terminal, in order of creation."""
        if not self._whole_live:
            with self._reader() as tx:
                self._learn_new(tx.task_runs.live(self._execution_id))
            self._whole_live = True
        return sorted(self._live.values(), key=_sequence)

    def live_below(self, parent_id: str) -> Iterable[TaskRun]:
        """Return the direct children of a run that are not terminal."""
        if not self._whole_live:
            with self._reader() as tx:
                self._learn_new(tx.task_runs.live(self._execution_id, parent_id))
        return list(self._live_below.get(parent_id, {}).values())

    def of_tasks(self, task_ids: Sequence[str], since: int) -> Iterable[TaskRun]:
        """Return the runs of these tasks whose sequence is greater than *since*."""
        if not self._is_new:
            for task_id in task_ids:
                if task_id not in self._whole_tasks:
                    with self._reader() as tx:
                        self._learn_new(tx.task_runs.of_task(self._execution_id, task_id, since))
        runs = (run for one in task_ids for run in self._by_task.get(one, {}).values())
        return [run for run in runs if run.sequence > since]

    def forget(self, task_run_ids: Iterable[str]) -> None:
        """Let runs go."""
        for run_id in task_run_ids:
            self._gone.add(run_id)
            run = self._known.pop(run_id, None)
            if run is None:
                continue
            self._by_task[run.task_id].pop(run_id, None)
            self._shown[run.task_id].discard(run_id)
            self._live.pop(run_id, None)
            self._outputs.pop(run.task_id, None)
            if run.parent_id:
                self._live_below.get(run.parent_id, {}).pop(run_id, None)

    @contextmanager
    def within(self, tx: Tx) -> Iterator[None]:
        """Ask a transaction that is open already."""
        before, self._reader = self._reader, lambda: nullcontext(tx)
        try:
            yield
        finally:
            self._reader = before

    def apply(self, changes: Iterable[TaskRun]) -> None:
        """Lay changed and new runs over what is stored."""
        for run in changes:
            self._learn(run)

    # ── for expressions ──────────────────────────────────────────────────────────────────────────

    def of_task(self, task_id: str) -> Iterable[TaskRun]:
        """Return the runs of one task, in order of creation."""
        self._load_task(task_id)
        return sorted(self._by_task.get(task_id, {}).values(), key=_sequence)

    def outputs(self, task_id: str) -> Mapping[str, Any] | None:
        """Return what ``outputs.TASK`` is: by the values of the loops around it, outermost first
        (execution-semantics §13.3); None if the task has not run."""
        self._load_task(task_id)
        if not self._shown.get(task_id):
            return None
        found = self._outputs.get(task_id)
        if found is None:
            found = self._outputs[task_id] = {}
            for run in self.of_task(task_id):
                self._place_outputs(found, run)
        return found

    def holds_sealed(self, task_id: str) -> bool:
        """Say whether outputs of a task hold something encrypted."""
        return task_id in self._sealed

    def tasks_with_runs(self) -> list[str]:
        """Return the ids of the tasks that have a run."""
        return [task_id for task_id in self._flow.places if self.outputs(task_id) is not None]

    def ancestors(self, run: TaskRun) -> list[TaskRun]:
        """Return the runs around one, nearest first."""
        found: list[TaskRun] = []
        parent_id = run.parent_id
        while parent_id is not None:
            parent = self.get(parent_id)
            if parent is None:
                break
            found.append(parent)
            parent_id = parent.parent_id
        return found

    # ── inside ───────────────────────────────────────────────────────────────────────────────────

    def _load_task(self, task_id: str) -> None:
        if self._is_new or task_id in self._whole_tasks:
            return
        with self._reader() as tx:
            self._learn_new(tx.task_runs.of_task(self._execution_id, task_id))
        self._whole_tasks.add(task_id)

    def _learn_new(self, runs: Iterable[TaskRun]) -> None:
        for run in runs:
            if run.id not in self._known and run.id not in self._gone:
                self._learn(run)

    def _learn(self, run: TaskRun) -> None:
        before = self._known.get(run.id)
        self._known[run.id] = run
        self._by_task.setdefault(run.task_id, {})[run.id] = run
        shown = self._shown.setdefault(run.task_id, set())
        if self._has_run(run):
            shown.add(run.id)
        else:
            shown.discard(run.id)
        below = self._live_below.setdefault(run.parent_id, {}) if run.parent_id else None
        if run.state.is_terminal:
            self._live.pop(run.id, None)
            if below is not None:
                below.pop(run.id, None)
        else:
            self._live[run.id] = run
            if below is not None:
                below[run.id] = run
        has_changed = before is None or before.outputs is not run.outputs
        if has_changed and run.outputs and holds_sealed(run.outputs):
            self._sealed.add(run.task_id)
        if has_changed and (placed := self._outputs.get(run.task_id)) is not None:
            self._place_outputs(placed, run)

    def _has_run(self, run: TaskRun) -> bool:
        """Say whether a run shows among the outputs, even if it has none."""
        place = self._flow.places.get(run.task_id)
        is_around = place is not None and bool(place.task.children)
        has_ended = run.state.is_terminal and run.state is not State.SKIPPED
        return is_around or has_ended or run.outputs is not None

    def _place_outputs(self, target: dict[str, Any], run: TaskRun) -> None:
        if not run.outputs:
            return
        values = [
            around.value for around in reversed(self.ancestors(run)) if around.value is not None
        ]
        if run.value is not None:
            values.append(run.value)
        for value in values:
            target = target.setdefault(value, {})
        target.update(run.outputs)


def _sequence(run: TaskRun) -> int:
    return run.sequence
