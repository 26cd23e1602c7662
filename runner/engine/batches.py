"""The subflows of a ForEachItem: one for each batch, all at once (execution-semantics §7.8).

A step starts at most AT_ONCE of them. What is kept of each is one letter, so that an event costs
the same however many there are.
"""

from __future__ import annotations

from runner.engine import lists
from runner.engine.commands import Continue, StartChild, Tell
from runner.engine.events import ChildEnded, ChildRefused, ChildStarted
from runner.engine.flowables.base import Fields
from runner.engine.flowables.batches import (
    AGAIN,
    ASKED,
    LETTERS,
    RUNNING,
    STATES,
    iterations,
)
from runner.engine.step import Step
from runner.model.evolve import replace
from runner.model.execution import TaskRun
from runner.model.logs import Level
from runner.model.states import State

TYPE = "io.kestra.plugin.core.flow.ForEachItem$ForEachItemExecutable"
AT_ONCE = 100


def start_more(step: Step, run: TaskRun) -> None:
    """Ask for the next batches: first those to be restarted, then new ones."""
    states, count = str(run.evaluated[STATES]), int(run.evaluated["count"])
    again = [at for at, letter in enumerate(states) if letter == AGAIN][:AT_ONCE]
    last = len(states) if again else min(count, len(states) + AT_ONCE)
    for at in again:
        step.do(StartChild(run.id, at, again=True))
    for at in range(len(states), last):
        step.do(StartChild(run.id, at))
    grown = states + ASKED * (last - len(states))
    for at in again:
        grown = _with(grown, at, ASKED)
    run = _put(step, run, grown)
    if last < count or AGAIN in grown:
        step.do(Continue(run.id))
    _look(step, run)


def ask_again(step: Step, run: TaskRun) -> None:
    """After a cut fold: batches that were asked for and did not start."""
    states = str(run.evaluated.get(STATES, ""))
    for at, letter in enumerate(states):
        if letter == ASKED:
            step.do(StartChild(run.id, at))
    step.do(Continue(run.id))


def heard(step: Step, run: TaskRun, event: ChildStarted | ChildRefused | ChildEnded) -> None:
    """Note what became of one batch; after the last the run ends."""
    states, at = str(run.evaluated.get(STATES, "")), event.iteration
    if at is None or at >= len(states):
        return
    match event:
        case ChildStarted() if states[at] == ASKED:
            letter = RUNNING if _waits(step, run) else LETTERS[State.SUCCESS]
        case ChildRefused() if states[at] == ASKED:
            step.do(Tell(Level.ERROR, event.error, run.id))
            letter = LETTERS[State.FAILED]
        case ChildEnded() if states[at] in (ASKED, RUNNING):
            letter = LETTERS.get(event.state, LETTERS[State.SUCCESS])
        case _:
            return
    _look(step, _put(step, run, _with(states, at, letter)))


def _look(step: Step, run: TaskRun) -> None:
    states, count = str(run.evaluated[STATES]), int(run.evaluated["count"])
    if len(states) < count or any(letter in states for letter in (ASKED, AGAIN, RUNNING)):
        return
    base = run.evaluated.get("base")
    if base:
        run = step.enter(run, run.state, {"subflowOutputsBaseUri": base})
    lists.finish(step, run, _outcome(step, run, states))


def _outcome(step: Step, run: TaskRun, states: str) -> State:
    if Fields(step.task(run)).flag("transmitFailed", True):
        for state in (State.FAILED, State.KILLED, State.WARNING):
            if LETTERS[state] in states:
                return state
    return State.SUCCESS


def _waits(step: Step, run: TaskRun) -> bool:
    return Fields(step.task(run)).flag("wait", True)


def _put(step: Step, run: TaskRun, states: str) -> TaskRun:
    counts = iterations(states, int(run.evaluated["count"]))
    outputs = {**(run.outputs or {}), "iterations": counts}
    return step.put(replace(run, evaluated={**run.evaluated, STATES: states}, outputs=outputs))


def _with(states: str, at: int, letter: str) -> str:
    return states[:at] + letter + states[at + 1 :]
