"""Parallel: all tasks at once, at most ``concurrent`` of them (execution-semantics §5.3)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.engine.flowables.base import Child, Flowable, Next, Situation, closed, number
from runner.model.evolve import replace
from runner.model.flow import Task


class Parallel(Flowable):
    """Starts its tasks in listed order while there is room."""

    def wants(self, task: Task) -> Mapping[str, Any]:
        concurrent = task.properties.get("concurrent")
        return {"concurrent": concurrent} if concurrent is not None else {}

    def next(self, situation: Situation) -> Next:
        scope = closed(situation)
        evaluated = situation.run.evaluated if situation.run else {}
        limit = number(evaluated.get("concurrent"), 0) or len(situation.tasks)
        last = min(len(situation.tasks), scope.cursor + max(0, limit - scope.open))
        children = tuple(Child(task) for task in situation.tasks[scope.cursor : last])
        return Next(children, replace(scope, cursor=last, open=scope.open + len(children)))
