"""LoopUntil: the tasks again and again until a condition holds (execution-semantics §7.4)."""

from __future__ import annotations

from datetime import datetime

from runner.engine.commands import Evaluate
from runner.engine.flowables.base import Begun, Child, Flowable, Next, Situation, closed
from runner.model.evolve import replace
from runner.model.execution import TaskRun
from runner.model.flow import Task

DEFAULT_INTERVAL = "PT1M"
ROUND = "round"


class LoopUntil(Flowable):
    """Rounds are counted from 0 in what is stored of its run; children carry the number."""

    def begin(self, task: Task, run: TaskRun, now: datetime) -> Begun:
        evaluated = {ROUND: 0}
        return Begun(replace(run, evaluated=evaluated, outputs={"iterationCount": 1}))

    def next(self, situation: Situation) -> Next:
        assert situation.run is not None
        scope = closed(situation)
        if scope.open or scope.cursor >= len(situation.tasks):
            return Next((), scope)
        number = situation.run.evaluated.get(ROUND, 0)
        child = Child(situation.tasks[scope.cursor], iteration=number)
        return Next((child,), replace(scope, cursor=scope.cursor + 1, open=1))

    def at_end(self, task: Task, run: TaskRun) -> Evaluate:
        return question(task, run)


def question(task: Task, run: TaskRun) -> Evaluate:
    """Return what has to be known to say whether there is another round."""
    frequency = task.properties.get("checkFrequency") or {}
    asked = {
        "condition": task.properties.get("condition"),
        "failOnMaxReached": task.properties.get("failOnMaxReached"),
        "interval": frequency.get("interval", DEFAULT_INTERVAL),
        "maxIterations": frequency.get("maxIterations"),
        "maxDuration": frequency.get("maxDuration"),
    }
    known = {name: value for name, value in asked.items() if value is not None}
    return Evaluate(run.id, "until", known)
