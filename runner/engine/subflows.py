"""What a Subflow's run hears from its child (execution-semantics §7.7)."""

from __future__ import annotations

from typing import Any

from runner.engine import batches, lists, results
from runner.engine.commands import Evaluate, Tell
from runner.engine.events import ChildEnded, ChildRefused, ChildStarted, Evaluated, TaskFailed
from runner.engine.flowables import FLOWABLES
from runner.engine.flowables.base import Fields
from runner.engine.step import Step, begin_attempt, end_attempt
from runner.model.execution import TaskRun
from runner.model.logs import Level
from runner.model.states import State

TYPE = "io.kestra.plugin.core.flow.Subflow"
_TRANSMITTED = frozenset({State.FAILED, State.KILLED, State.WARNING})


def heard(step: Step, event: ChildStarted | ChildRefused | ChildEnded) -> None:
    """Record it; the run ends when the child does, or at once when it does not wait."""
    run = step.find(event.task_run_id)
    if run is None or run.state.is_terminal:
        if run is not None and isinstance(event, ChildEnded):
            _told_late(step, run, event)
        return
    if step.task(run).type == batches.TYPE:
        batches.heard(step, run, event)
        return
    match event:
        case ChildStarted():
            _started(step, run, event)
        case ChildRefused():
            step.do(Tell(Level.ERROR, event.error, run.id))
            _failed(step, run)
        case ChildEnded():
            _ended(step, run, event)


def _started(step: Step, run: TaskRun, event: ChildStarted) -> None:
    run = step.enter(run, State.RUNNING, {"executionId": event.execution_id})
    if not Fields(step.task(run)).flag("wait", True):
        run = step.enter(run, run.state, {"state": str(State.CREATED)})
        lists.finish(step, run, State.SUCCESS)


def _ended(step: Step, run: TaskRun, event: ChildEnded) -> None:
    if (run.outputs or {}).get("executionId") != event.execution_id:
        return
    run = step.enter(run, run.state, _told(event))
    task = step.task(run)
    try:
        FLOWABLES[task.type].child_ended(task, run, event.state)
    except ValueError as exc:
        step.do(Tell(Level.ERROR, str(exc), run.id))
        _failed(step, run)
        return
    written = task.properties.get("outputs")
    if written and not event.outputs:
        step.do(Evaluate(run.id, "child_outputs", {"outputs": written}, child=event.execution_id))
    else:
        _as_child(step, run, event.state)


def _told_late(step: Step, run: TaskRun, event: ChildEnded) -> None:
    """A child that had failed was mended and has ended anew: kept for the record (§3.4).

    One that is not waited for tells nothing.
    """
    is_its = (run.outputs or {}).get("executionId") == event.execution_id
    if not is_its or not Fields(step.task(run)).flag("wait", True):
        return
    transmit = Fields(step.task(run)).flag("transmitFailed", True)
    state = event.state if transmit and event.state in _TRANSMITTED else State.SUCCESS
    final = lists.adjusted(step.task(run), state)
    if final is not run.state:
        run = end_attempt(begin_attempt(run, step.now), state, step.now)
        step.enter(run, final, _told(event))


def _told(event: ChildEnded) -> dict[str, Any]:
    """Return what is known of a child by now; without outputs of its flow there are none here."""
    outputs = {"outputs": dict(event.outputs)} if event.outputs else {}
    return {"state": str(event.state), **outputs}


def outputs_rendered(step: Step, run: TaskRun, event: Evaluated) -> None:
    """Take the deprecated ``outputs`` of the task itself: those of its child in other words."""
    if event.error is not None:
        step.do(
            Tell(Level.ERROR, f"Failed to extract outputs with the error: {event.error}", run.id)
        )
        _failed(step, run)
        return
    run = step.enter(run, run.state, {"outputs": dict(event.values.get("outputs") or {})})
    _as_child(step, run, State((run.outputs or {})["state"]))


def _as_child(step: Step, run: TaskRun, child: State) -> None:
    transmit = Fields(step.task(run)).flag("transmitFailed", True)
    state = child if transmit and child in _TRANSMITTED else State.SUCCESS
    if state is State.FAILED:
        _failed(step, run)
    else:
        lists.finish(step, run, state)


def _failed(step: Step, run: TaskRun) -> None:
    """Fail like a task does: its retry starts a new child."""
    results.failed(step, run, TaskFailed(run.id, len(run.attempts) - 1, outputs=run.outputs))
