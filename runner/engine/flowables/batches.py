"""The part of a ForEachItem that starts a subflow for each batch (execution-semantics §7.8)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from runner.engine.commands import Continue, Evaluate
from runner.engine.flowables.base import Begun
from runner.engine.flowables.waiting import Subflow
from runner.model.evolve import replace
from runner.model.execution import TaskRun
from runner.model.flow import Task
from runner.model.states import State

STATES = "states"
"""What is stored of the batches: one letter for each that was asked for, in order."""

ASKED, AGAIN, RUNNING = ".", "r", "R"
LETTERS = {
    State.SUCCESS: "S",
    State.WARNING: "W",
    State.FAILED: "F",
    State.KILLED: "K",
    State.CANCELLED: "C",
    State.RETRIED: "X",
}
_SHOWN = {"CREATED": ASKED + AGAIN, "RUNNING": RUNNING} | {str(s): c for s, c in LETTERS.items()}


class Batches(Subflow):
    """Asks for batches in steps; `runner.engine.batches` counts what becomes of them."""

    purpose = "batches"
    rendered = ("namespace", "flowId", "revision", "inheritLabels", "scheduleDate")

    def evaluate(self, task: Task, run: TaskRun) -> Evaluate:
        return Evaluate(run.id, self.purpose, self.wants(task))

    def begin(self, task: Task, run: TaskRun, now: datetime) -> Begun:
        count = int(run.evaluated["count"])
        known = str(run.evaluated.get(STATES, ""))[:count].replace("F", AGAIN).replace("K", AGAIN)
        if task.properties.get("restartBehavior") == "NEW_EXECUTION":
            known = known.replace(AGAIN, ASKED)
        outputs = {"numberOfBatches": count, "iterations": iterations(known, count)}
        run = replace(run, evaluated={**run.evaluated, STATES: known}, outputs=outputs)
        if count == 0:
            return Begun(run)
        return Begun(run, (Continue(run.id),), children=False)


def iterations(states: str, count: int) -> Mapping[str, Any]:
    """Return how many batches are in which state."""
    found = {name: sum(map(states.count, letters)) for name, letters in _SHOWN.items()}
    found["CREATED"] += count - len(states)
    return {name: n for name, n in found.items() if n or name in ("CREATED", "RUNNING")}
