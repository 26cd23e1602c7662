"""If and Switch: one of several lists (execution-semantics §7.2)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from runner.engine.flowables.base import Begun, Flowable, text
from runner.expressions import is_truthy
from runner.model.evolve import replace
from runner.model.execution import TaskRun
from runner.model.flow import Task


class If(Flowable):
    """``then`` when the condition is truthy, else ``else``."""

    def wants(self, task: Task) -> Mapping[str, Any]:
        return {"condition": task.properties.get("condition", "false")}

    def begin(self, task: Task, run: TaskRun, now: datetime) -> Begun:
        result = is_truthy(text(run.evaluated["condition"]))
        return Begun(replace(run, outputs={"evaluationResult": result}))

    def main(self, task: Task, run: TaskRun) -> str:
        return "then" if (run.outputs or {}).get("evaluationResult") else "else"


class Switch(Flowable):
    """The case with exactly the value as its key, else the defaults."""

    def wants(self, task: Task) -> Mapping[str, Any]:
        return {"value": task.properties.get("value")}

    def begin(self, task: Task, run: TaskRun, now: datetime) -> Begun:
        value = text(run.evaluated["value"])
        matched = f"cases.{value}" in task.children
        return Begun(replace(run, outputs={"value": value, "defaults": not matched}))

    def main(self, task: Task, run: TaskRun) -> str | None:
        case = f"cases.{(run.outputs or {}).get('value')}"
        if case in task.children:
            return case
        return "defaults" if "defaults" in task.children else None
