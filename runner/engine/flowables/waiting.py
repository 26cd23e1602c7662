"""Flowables that wait: Sleep, Pause and Subflow (execution-semantics §7.5, §7.7)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, ClassVar

from runner import durations
from runner.engine.commands import SetTimer, StartChild, Tell
from runner.engine.flowables.base import Begun, Flowable
from runner.model.evolve import replace
from runner.model.execution import TaskRun
from runner.model.flow import Task
from runner.model.logs import Level
from runner.model.states import State


class Sleep(Flowable):
    """Waits on a timer: no slot is held meanwhile."""

    def wants(self, task: Task) -> Mapping[str, Any]:
        fields = {"duration": task.properties.get("duration"), "timeout": task.timeout}
        return {name: value for name, value in fields.items() if value is not None}

    def begin(self, task: Task, run: TaskRun, now: datetime) -> Begun:
        duration = durations.parse(run.evaluated["duration"])
        wait = SetTimer(f"sleep:{run.id}", now + duration)
        if timeout := run.evaluated.get("timeout"):
            longest = durations.parse(timeout)
            if longest < duration:
                wait = SetTimer(f"timeout:{run.id}", now + longest)
        tell = Tell(Level.INFO, f"Waiting for {durations.format(duration)}", run.id)
        return Begun(run, (tell, wait), children=False)


class Pause(Flowable):
    """Stands still until resumed, or until its duration or timeout is over."""

    def wants(self, task: Task) -> Mapping[str, Any]:
        duration = task.properties.get("pauseDuration", task.properties.get("delay"))
        fields = {
            "duration": duration,
            "behavior": task.properties.get("behavior", "RESUME"),
            "timeout": task.timeout,
        }
        return {name: value for name, value in fields.items() if value is not None}

    def begin(self, task: Task, run: TaskRun, now: datetime) -> Begun:
        paused = run.enter(State.PAUSED, now)
        if duration := run.evaluated.get("duration"):
            return Begun(
                paused,
                (SetTimer(f"pause:{run.id}", now + durations.parse(duration)),),
                children=False,
            )
        if timeout := run.evaluated.get("timeout"):
            return Begun(
                paused,
                (SetTimer(f"limit:{run.id}", now + durations.parse(timeout)),),
                children=False,
            )
        return Begun(paused, children=False)

    def outcome(self, task: Task, run: TaskRun, state: State) -> State:
        told = run.evaluated.get("told")
        return State(told) if told and state is State.SUCCESS else state


class Subflow(Flowable):
    """Starts another flow and, unless ``wait`` is false, ends as that one ends."""

    rendered: ClassVar[tuple[str, ...]] = (
        "namespace",
        "flowId",
        "revision",
        "inputs",
        "labels",
        "inheritLabels",
        "scheduleDate",
    )

    def wants(self, task: Task) -> Mapping[str, Any]:
        return {
            name: task.properties[name]
            for name in self.rendered
            if task.properties.get(name) is not None
        }

    def begin(self, task: Task, run: TaskRun, now: datetime) -> Begun:
        again = restarts_child(task, run)
        kept = run.outputs if again else None
        return Begun(replace(run, outputs=kept), (StartChild(run.id, again=again),), children=False)


def restarts_child(task: Task, run: TaskRun) -> bool:
    """A restarted Subflow goes on with its child; one that is tried again starts a new one."""
    before = [state for state, _ in run.history[:-1]]
    wanted = task.properties.get("restartBehavior", "RETRY_FAILED") == "RETRY_FAILED"
    return wanted and bool(before) and before[-1] is State.RESTARTED
