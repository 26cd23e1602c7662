"""Killing an execution (execution-semantics §11.1).

It stays KILLING until each live attempt is verified gone; whatever is only planned ends at once.
"""

from __future__ import annotations

from runner.engine import batches, directories, ending, subflows
from runner.engine.commands import ClearTimer, KillChild, StopTask
from runner.engine.step import Step, end_attempt
from runner.model.execution import TaskRun
from runner.model.flow import TaskKind
from runner.model.states import State


def begin(step: Step, *, cascade: bool = True) -> None:
    """Stop everything that lives; with *cascade* also the executions that Subflows wait for."""
    step.execution = step.execution.enter(State.KILLING, step.now)
    for run in list(step.live()):
        if has_live_attempt(step, run):
            step.do(StopTask(run.id, len(run.attempts) - 1 if run.attempts else 0))
        else:
            _end(step, run, cascade=cascade)
    look(step)


def look(step: Step) -> None:
    """End the execution if nothing of it lives any more."""
    if step.execution.state is not State.KILLING:
        return
    if any(has_live_attempt(step, run) for run in step.live()):
        return
    for run in list(step.live()):
        _end(step, run)
    ending.end(step, State.KILLED)


def has_live_attempt(step: Step, run: TaskRun) -> bool:
    """Say whether something outside may still run for it."""
    if step.task(run).kind is not TaskKind.WORKER or directories.is_inside(step.flow, run):
        return False
    is_open = not run.attempts or not run.attempts[-1].state.is_terminal
    return run.state is State.SUBMITTED or (run.state is State.RUNNING and is_open)


def forget_timers(step: Step, run: TaskRun) -> None:
    """Clear the timers that a run may wait for."""
    for kind in ("retry", "sleep", "pause", "limit", "loop", "timeout"):
        if run.state in (State.RETRYING, State.PAUSED) or kind in ("sleep", "timeout"):
            step.do(ClearTimer(f"{kind}:{run.id}"))


def _end(step: Step, run: TaskRun, *, cascade: bool = True) -> None:
    close(step, run, cascade=cascade)
    step.put(end_attempt(run, State.KILLED, step.now).enter(State.KILLED, step.now))


def close(step: Step, run: TaskRun, *, cascade: bool = True) -> None:
    """Let go of what a run waits for."""
    child = (run.outputs or {}).get("executionId")
    if cascade and step.task(run).type == subflows.TYPE and child:
        step.do(KillChild(run.id, str(child)))
    elif cascade and step.task(run).type == batches.TYPE:
        step.do(KillChild(run.id, None))
    forget_timers(step, run)
