"""Breakpoints: standing still before a task run, and going on from there (§11.7).

A run is stopped once each time that it is chosen: what goes on from a breakpoint, is tried again
or is sent again is not stopped a second time. After the end of an execution nothing stops it.
"""

from __future__ import annotations

from collections.abc import Iterable

from runner.engine import directories, lists, pausing
from runner.engine.commands import Announce
from runner.engine.events import ResumeFromBreakpoint
from runner.engine.step import Step
from runner.errors import ArgumentInvalid
from runner.model.evolve import replace
from runner.model.execution import Breakpoint, Execution, TaskRun
from runner.model.flow import Flow
from runner.model.states import State


def chosen(flow: Flow, texts: Iterable[str]) -> tuple[Breakpoint, ...]:
    """Return the breakpoints that texts (``task`` or ``task.value``) name.

    Raises:
        ArgumentInvalid: there is no such task, or nothing can stop before it.
    """
    found = tuple(dict.fromkeys(map(Breakpoint.of, texts)))
    for each in found:
        if reason := _why_not(flow, each.task_id):
            raise ArgumentInvalid(f"there can be no breakpoint at '{each}': {reason}")
    return found


def _why_not(flow: Flow, task_id: str) -> str | None:
    place = flow.places.get(task_id)
    if place is None:
        return f"the flow has no task {task_id}"
    while place.parent is not None:
        if directories.is_directory(place.parent) and place.list_name == "tasks":
            return f"it runs as a part of {place.parent.id}, which can have one"
        place = flow.places[place.parent.id]
    is_after = place.list_name == "afterExecution" or place.list_name.startswith("listeners.")
    return "it runs when the execution has ended" if is_after else None


def stops(step: Step, run: TaskRun) -> bool:
    """Stop before a created run if a breakpoint stands there; say whether it did."""
    if not _is_stopped_at(step.execution, run):
        return False
    step.enter(run, State.BREAKPOINT)
    if not step.execution.state.stands_still:
        step.execution = step.execution.enter(State.BREAKPOINT, step.now)
        step.do(Announce(State.BREAKPOINT))
    return True


def _is_stopped_at(execution: Execution, run: TaskRun) -> bool:
    if not execution.breakpoints or execution.state.is_terminal:
        return False
    is_there = any(each.is_at(run) for each in execution.breakpoints)
    return is_there and not _was_stopped(run)


def _was_stopped(run: TaskRun) -> bool:
    """Say whether it was stopped since it was chosen last."""
    for state, _ in reversed(run.history):
        if state is State.BREAKPOINT:
            return True
        if state is State.RESTARTED:
            return False
    return False


def resume(step: Step, event: ResumeFromBreakpoint) -> None:
    """Start the runs that were stopped; breakpoints that are given replace the others."""
    stopped = [
        run
        for run in step.live()
        if run.state is State.BREAKPOINT and (event.waiting is None or run.id in event.waiting)
    ]
    if not stopped:
        return
    if event.breakpoints is not None:
        given = tuple(map(Breakpoint.of, event.breakpoints))
        step.execution = replace(step.execution, breakpoints=given)
    created = [step.enter(run, State.CREATED) for run in stopped]
    pausing.go_on(step)
    for run in created:
        lists.dispatch(step, run)
