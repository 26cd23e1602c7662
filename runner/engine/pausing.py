"""Pause and resume (execution-semantics §7.5, §11.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.clock import iso
from runner.engine import lists, looping
from runner.engine.commands import Announce, ClearTimer, Continue
from runner.engine.events import Resume
from runner.engine.step import Step, end_attempt
from runner.model.evolve import replace
from runner.model.execution import TaskRun
from runner.model.states import State

MORE = "more:"
"""Before the id of a run that was put off: it has ended not, it has still to get children."""

_BEHAVIOR = {
    "RESUME": State.RUNNING,
    "WARN": State.WARNING,
    "CANCEL": State.CANCELLED,
    "FAIL": State.FAILED,
}


def pause(step: Step) -> None:
    """Stand still by hand: running tasks end and are recorded, nothing new starts."""
    if step.execution.state is State.RUNNING:
        step.execution = step.execution.enter(State.PAUSED, step.now)
        step.do(Announce(State.PAUSED))


def time_over(step: Step, run: TaskRun, kind: str) -> None:
    """The duration of a Pause (kind ``pause``) or its timeout (``limit``) is over."""
    if kind == "limit":
        _resume_run(step, run, Resume(to=lists.adjusted(step.task(run), State.FAILED)))
        return
    told = _BEHAVIOR.get(str(run.evaluated.get("behavior", "RESUME")), State.RUNNING)
    _resume_run(step, run, Resume(to=told))


def resume(step: Step, event: Resume) -> None:
    """End the first pause, or go on after a pause by hand."""
    if step.execution.state is not State.PAUSED:
        return
    waiting = event.waiting
    if waiting and not any(_is_at_rest(step, id) for id in waiting):
        return  # asked for twice, and the next pause is another one
    meant = (run for run in _paused(step) if waiting is None or run.id in waiting)
    paused = next(meant, None)
    if paused is None and looping.show_off(step):
        _start_waiting_loops(step)
    elif paused is None:
        go_on(step)
    else:
        step.do(ClearTimer(f"pause:{paused.id}"), ClearTimer(f"limit:{paused.id}"))
        _resume_run(step, paused, event)


def _is_at_rest(step: Step, run_id: str) -> bool:
    return any(run.id == run_id and run.state is State.PAUSED for run in step.live())


def _paused(step: Step) -> Iterator[TaskRun]:
    """Yield the runs that hold the execution."""
    for run in step.live():
        if run.state is State.PAUSED and not looping.is_waiting(step, run):
            yield run


def _start_waiting_loops(step: Step) -> None:
    for run in list(step.live()):
        if looping.is_waiting(step, run):
            step.do(ClearTimer(f"loop:{run.id}"))
            looping.wake(step, run)


def _resume_run(step: Step, run: TaskRun, event: Resume) -> None:
    to = State.SUCCESS if event.to is State.RUNNING else event.to
    resumed: dict[str, Any] = {"on": iso(step.now), "to": str(to)}
    if event.by:
        resumed["by"] = event.by
    on_resume = dict(event.inputs) if event.inputs is not None else None
    run = replace(run, outputs={"resumed": resumed, "onResume": on_resume})
    step.execution = replace(step.execution, attempt_number=step.execution.attempt_number + 1)
    if event.to is State.CANCELLED:
        _cancel(step, run)
        return
    held = _holder(step, but=run.id)
    if held is None and step.execution.state is State.PAUSED:
        step.execution = step.execution.enter(State.RESTARTED, step.now)
    _enter(step, held or State.RUNNING)
    _after_pause(step, run, to)
    if held is None:
        _work_off(step)


def _after_pause(step: Step, run: TaskRun, to: State) -> None:
    task = step.task(run)
    if any(task.enabled(name) for name in ("tasks", "errors", "finally")):
        told = {**run.evaluated, "told": str(to)}
        run = step.put(replace(run, evaluated=told).enter(State.RUNNING, step.now))
        lists.begin_told(step, run, to)
    else:
        step.put(run)
        lists.finish(step, run, to)


def _cancel(step: Step, run: TaskRun) -> None:
    run = end_attempt(run, State.CANCELLED, step.now)
    step.put(run.enter(State.CANCELLED, step.now))
    lists.cancel(step)


def go_on(step: Step) -> None:
    """Go on after a pause by hand or a breakpoint, unless something else holds the execution."""
    held = _holder(step)
    _enter(step, held or State.RUNNING)
    if held is None:
        _work_off(step)


def _holder(step: Step, but: str | None = None) -> State | None:
    """Return the state in which a run other than *but* holds the execution, if one does."""
    if any(run.id != but for run in _paused(step)):
        return State.PAUSED
    if any(run.state is State.BREAKPOINT for run in step.live()):
        return State.BREAKPOINT
    return None


def _enter(step: Step, state: State) -> None:
    if step.execution.state is not state:
        step.execution = step.execution.enter(state, step.now)
        step.do(Announce(state))


def defer(step: Step, run_id: str) -> None:
    """Put a run off until the execution does not stand still any more."""
    step.execution = replace(step.execution, deferred=(*step.execution.deferred, run_id))


def _work_off(step: Step) -> None:
    """Decide what waited while the execution stood still; it may stand still again meanwhile."""
    deferred = step.execution.deferred
    step.execution = replace(step.execution, deferred=())
    for run_id in deferred:
        run = step.find(run_id)
        if step.execution.state.stands_still:
            defer(step, run_id)
        elif run_id.startswith(MORE):
            step.do(Continue(run_id.removeprefix(MORE)))
        elif run is not None:
            _take_up(step, run)


def _take_up(step: Step, run: TaskRun) -> None:
    if looping.is_waiting(step, run):
        looping.wake(step, run)
    elif run.state is State.RETRYING:
        lists.start(step, step.put(run.enter(State.CREATED, step.now)))
    elif run.state.is_terminal:
        lists.child_ended(step, run)
