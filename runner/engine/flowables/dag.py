"""Dag: a task starts when all it depends on have ended (execution-semantics §7, Dag)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.engine.flowables.base import Child, Flowable, Next, Situation, closed, number
from runner.model.evolve import replace
from runner.model.flow import Task


class Dag(Flowable):
    """Like Parallel, in the order of dependencies; a disabled dependency counts as done."""

    def wants(self, task: Task) -> Mapping[str, Any]:
        concurrent = task.properties.get("concurrent")
        return {"concurrent": concurrent} if concurrent is not None else {}

    def next(self, situation: Situation) -> Next:
        scope = closed(situation)
        if situation.ended:
            scope = replace(scope, done=(*scope.done, situation.ended.task_id))
        known = {task.id for task in situation.tasks}
        done, started = set(scope.done), set(scope.started)
        evaluated = situation.run.evaluated if situation.run else {}
        limit = number(evaluated.get("concurrent"), 0) or len(situation.tasks)
        ready = [
            task
            for task in situation.tasks
            if task.id not in started and all(d in done or d not in known for d in task.depends_on)
        ][: max(0, limit - scope.open)]
        scope = replace(
            scope,
            open=scope.open + len(ready),
            started=(*scope.started, *(task.id for task in ready)),
        )
        return Next(tuple(Child(task) for task in ready), scope)
