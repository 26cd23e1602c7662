"""The one function that decides.

`advance(flow, execution, runs, event, now)` is pure: no clock, no rendering, no I/O, no
randomness. What needs the world is a command; its answer comes back as an event. An event that
is late, repeated or unexpected changes nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import assert_never

from runner.engine import (
    batches,
    breakpoints,
    directories,
    ending,
    kill,
    listening,
    lists,
    looping,
    pausing,
    results,
    sla,
    subflows,
)
from runner.engine.commands import Announce, Continue, Evaluate, StartChild, Tell
from runner.engine.decision import Decision, TaskRuns
from runner.engine.events import (
    ChildEnded,
    ChildRefused,
    ChildReported,
    ChildStarted,
    Continued,
    Evaluated,
    Event,
    Kill,
    Pause,
    Recovered,
    Restarted,
    Resume,
    ResumeFromBreakpoint,
    Started,
    TaskFailed,
    TaskKilled,
    TaskSucceeded,
    TimerFired,
)
from runner.engine.flowables import FLOWABLES
from runner.engine.flowables.waiting import restarts_child
from runner.engine.step import Step
from runner.expressions import is_truthy
from runner.model.evolve import replace
from runner.model.execution import Execution, TaskRun
from runner.model.flow import Flow, TaskKind
from runner.model.logs import Level
from runner.model.states import State


def advance(
    flow: Flow, execution: Execution, runs: TaskRuns, event: Event, now: datetime
) -> Decision:
    """Say what follows from one event."""
    step = Step(flow, execution, runs, now)
    match event:
        case Started():
            _started(step, event)
        case Evaluated():
            _evaluated(step, event)
        case TaskSucceeded() | TaskFailed() | TaskKilled():
            _attempt_ended(step, event)
        case ChildReported():
            directories.heard(step, event)
        case TimerFired():
            _timer(step, event.key)
        case Kill():
            _kill(step)
        case Pause():
            pausing.pause(step)
        case Resume():
            pausing.resume(step, event)
        case ResumeFromBreakpoint():
            breakpoints.resume(step, event)
        case ChildStarted() | ChildRefused() | ChildEnded():
            subflows.heard(step, event)
        case Restarted():
            _restarted(step, event)
        case Continued():
            _continued(step, event.task_run_id)
        case Recovered():
            _recovered(step)
        case _:
            assert_never(event)
    if step.flow.sla and _is_change(event) and not step.execution.state.is_terminal:
        step.do_first(sla.question(step.flow))
    return step.decision()


def _is_change(event: Event) -> bool:
    return not isinstance(event, Evaluated | Continued | Recovered)


_ADMISSIBLE = (State.CREATED, State.QUEUED, State.RESTARTED)


def _started(step: Step, event: Started) -> None:
    admitted, state = event.admitted, step.execution.state
    if state not in _ADMISSIBLE or (state is State.RESTARTED and admitted is State.RUNNING):
        return
    if any(entered is State.RESTARTED for entered, _ in step.execution.history):
        _restart_admitted(step, event)
        return
    sla.arm(
        step,
        max(step.execution.created_at, step.execution.schedule_at or step.execution.created_at),
    )
    if admitted is State.QUEUED:
        step.execution = step.execution.enter(State.QUEUED, step.now)
        step.do(Announce(State.QUEUED))
    elif admitted.is_terminal:
        ending.end(step, admitted)
    else:
        step.execution = step.execution.enter(State.RUNNING, step.now)
        step.do(Announce(State.RUNNING))
        lists.begin(step, None)


def _restart_admitted(step: Step, event: Started) -> None:
    """A restarted execution had to wait for a slot, or waits now: which runs go on is kept."""
    if event.admitted is State.QUEUED:
        step.execution = replace(
            step.execution.enter(State.QUEUED, step.now), deferred=event.restarted
        )
        step.do(Announce(State.QUEUED))
    elif event.admitted.is_terminal:
        ending.end(step, event.admitted)
    else:
        run_ids = step.execution.deferred
        step.execution = replace(step.execution, deferred=())
        _go_on(step, run_ids)


def _evaluated(step: Step, event: Evaluated) -> None:
    if event.purpose == sla.PURPOSE:
        sla.answered(step, event.values)
        return
    if event.purpose == listening.PURPOSE:
        listening.answered(step, event.values)
        return
    if event.purpose == "outputs":
        if step.execution.scope.list == lists.OUTPUTS and not step.execution.state.is_terminal:
            ending.outputs_rendered(step, event.values, event.error)
        return
    run = step.find(event.task_run_id or "")
    if run is None or run.state.is_terminal:
        return
    if event.purpose == "child_outputs":
        subflows.outputs_rendered(step, run, event)
    elif event.purpose == "until":
        looping.answered(step, run, event)
    elif event.purpose == "run_if":
        _run_if(step, run, event)
    elif _has_begun(run, event):
        return
    elif event.error is not None:
        lists.fail_flowable(step, run, event.error)
    else:
        run = step.put(replace(run, evaluated={**run.evaluated, **event.values}))
        lists.flowable_ready(step, run)


def _has_begun(run: TaskRun, event: Evaluated) -> bool:
    """Say whether a flowable has begun already: the same answer again starts nothing."""
    is_known = bool(event.values) and event.values.keys() <= run.evaluated.keys()
    return is_known or run.scope is not None or run.state is not State.RUNNING


def _run_if(step: Step, run: TaskRun, event: Evaluated) -> None:
    if not run.state.is_created:
        return
    if event.error is not None:
        told = (
            f"Failed to evaluate the runIf condition for task {run.task_id}. Cause: {event.error}"
        )
        step.do(Tell(Level.ERROR, told, run.id))
        lists.finish(step, run, State.FAILED)
    elif is_truthy(str(event.values["run_if"])):
        lists.start(step, run)
    else:
        lists.finish(step, run, State.SKIPPED)


def _attempt_ended(step: Step, event: TaskSucceeded | TaskFailed | TaskKilled) -> None:
    run = step.find(event.task_run_id)
    if run is None or not results.expects(run, event.attempt):
        return
    match event:
        case TaskSucceeded():
            results.succeeded(step, run, event)
        case TaskFailed():
            results.failed(step, run, event)
        case TaskKilled():
            results.killed(step, run, event)


def _timer(step: Step, key: str) -> None:
    kind, _, run_id = key.partition(":")
    if kind == "sla":
        sla.time_over(step, run_id)
        return
    run = step.find(run_id)
    if run is None:
        return
    if run.state.is_terminal:
        if kind == "sleep":
            results.slept_late(step, run)
        return
    match kind:
        case "retry" if run.state is State.RETRYING:
            _retry(step, run)
        case "sleep":
            lists.finish(step, run, State.SUCCESS)
        case "timeout":
            results.timed_out(step, run)
        case "loop" if run.state is State.PAUSED:
            looping.time_over(step, run)
        case "pause" | "limit" if run.state is State.PAUSED:
            pausing.time_over(step, run, kind)


def _retry(step: Step, run: TaskRun) -> None:
    if step.execution.state.stands_still:
        pausing.defer(step, run.id)
        return
    if step.execution.state is State.RETRYING:
        step.execution = step.execution.enter(State.RUNNING, step.now)
    lists.start(step, step.put(run.enter(State.CREATED, step.now)))


def _kill(step: Step) -> None:
    state = step.execution.state
    if state.is_terminal or state is State.KILLING:
        return
    kill.begin(step)


def _restarted(step: Step, event: Restarted) -> None:
    if step.execution.state is State.RESTARTED:
        _go_on(step, event.task_run_ids)
    elif step.execution.state is State.CANCELLED and not step.execution.fully_ended:
        ending.end(step, State.CANCELLED)


def _go_on(step: Step, run_ids: tuple[str, ...]) -> None:
    step.execution = step.execution.enter(State.RUNNING, step.now)
    step.do(Announce(State.RUNNING))
    sla.arm(step, step.now)
    for run_id in run_ids:
        run = step.find(run_id)
        if run is not None and run.state.is_created:
            lists.dispatch(step, run)
        elif run is not None and run.state.is_terminal:
            lists.child_ended(step, run)
        elif run is not None and run.state is State.RUNNING and run.scope is None:
            lists.start_again(step, run)
    if not run_ids:
        lists.begin(step, None)


def _continued(step: Step, run_id: str) -> None:
    run = step.find(run_id)
    if run is None or run.state.is_terminal:
        return
    if step.execution.state.stands_still:
        pausing.defer(step, pausing.MORE + run_id)
        return
    if step.execution.state is not State.RUNNING:
        return
    if step.task(run).type == batches.TYPE:
        batches.start_more(step, run)
    else:
        lists.continue_children(step, run)


def _recovered(step: Step) -> None:
    """Ask again for everything that a cut fold may have left undone."""
    if step.execution.scope.list == lists.OUTPUTS and not step.execution.state.is_terminal:
        step.do(Evaluate(None, "outputs"))
    if step.execution.scope.list == listening.ASKING:
        step.do(Evaluate(None, listening.PURPOSE))
    for run in list(step.live()):
        task = step.task(run)
        in_tail = run.scope is not None and lists.is_tail(run.scope.list)
        if run.state.is_created and not directories.is_inside(step.flow, run):
            lists.dispatch(step, run)
        elif run.state is State.RUNNING and (task.kind is TaskKind.FLOWABLE or in_tail):
            _recover_flowable(step, run)


def _recover_flowable(step: Step, run: TaskRun) -> None:
    """A flowable begins in the same step that stores its rendered fields; only what follows can be
    missing.
    """
    task = step.task(run)
    if run.scope is not None:
        step.do(Continue(run.id))
        return
    if task.type == batches.TYPE and run.evaluated.get("count"):
        batches.ask_again(step, run)
        return
    command = FLOWABLES[task.type].evaluate(task, run)
    if command is not None and not run.evaluated:
        step.do(command)
    elif task.type == subflows.TYPE:
        again = restarts_child(task, run)
        if again or not (run.outputs or {}).get("executionId"):
            step.do(StartChild(run.id, again=again))
