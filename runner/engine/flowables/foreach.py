"""ForEach: the tasks once for each value; values at once up to a limit (execution-semantics §7.3).

A scope counts *values*: `cursor` is the next value, `open` how many are under way. Children of a
value follow each other by the iteration that their runs carry, so no value needs a row of its
own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.engine.flowables.base import Child, Flowable, Next, Situation, closed, number
from runner.model.evolve import replace
from runner.model.execution import Scope, TaskRun
from runner.model.flow import Task

AT_ONCE = 100
"""How many values one step starts; the rest follows in further steps, so that no step grows with
them.
"""


class ForEach(Flowable):
    """Within a value the tasks are sequential."""

    purpose = "values"
    values_property = "values"

    def wants(self, task: Task) -> Mapping[str, Any]:
        return {"values": task.properties.get(self.values_property)}

    def limit(self, task: Task, run: TaskRun) -> int:
        """Return how many values run at once; 0: all."""
        return number(task.properties.get("concurrencyLimit"), 1)

    def next(self, situation: Situation) -> Next:
        following = self._within_value(situation)
        if following:
            return Next((following,), situation.scope)
        scope = situation.scope
        if situation.ended:
            scope = replace(scope, open=scope.open - 1)
        return self._further_values(situation, scope)

    def _within_value(self, situation: Situation) -> Child | None:
        ended, index = situation.ended, situation.ended_index + 1
        if ended is None or index >= len(situation.tasks):
            return None
        return Child(situation.tasks[index], ended.value, ended.iteration)

    def _further_values(self, situation: Situation, scope: Scope) -> Next:
        assert situation.run is not None
        assert situation.flowable is not None
        values = situation.run.evaluated["values"]
        limit = self.limit(situation.flowable, situation.run)
        room = limit - scope.open if limit else len(values)
        last = min(len(values), scope.cursor + max(0, min(room, AT_ONCE)))
        children = tuple(Child(situation.tasks[0], values[i], i) for i in range(scope.cursor, last))
        scope = replace(scope, cursor=last, open=scope.open + len(children))
        has_room = not limit or scope.open < limit
        return Next(children, scope, more=bool(children) and last < len(values) and has_room)


class EachSequential(ForEach):
    """The deprecated spelling of ForEach with limit 1."""

    values_property = "value"

    def limit(self, task: Task, run: TaskRun) -> int:
        return 1


class EachParallel(ForEach):
    """All tasks of all values at once, at most ``concurrent`` of them (deprecated).

    A scope counts task runs: `cursor` runs over all tasks of the first value, then of the second …
    """

    values_property = "value"

    def wants(self, task: Task) -> Mapping[str, Any]:
        concurrent = task.properties.get("concurrent")
        more = {"concurrent": concurrent} if concurrent is not None else {}
        return {**super().wants(task), **more}

    def next(self, situation: Situation) -> Next:
        assert situation.run is not None
        scope, evaluated = closed(situation), situation.run.evaluated
        values, tasks = evaluated["values"], situation.tasks
        total = len(values) * len(tasks)
        limit = number(evaluated.get("concurrent"), 0) or total
        last = min(total, scope.cursor + max(0, min(limit - scope.open, AT_ONCE)))
        places = (divmod(at, len(tasks)) for at in range(scope.cursor, last))
        children = tuple(Child(tasks[index], values[value], value) for value, index in places)
        scope = replace(scope, cursor=last, open=scope.open + len(children))
        return Next(children, scope, more=bool(children) and last < total and scope.open < limit)
