"""A WorkingDirectory: one attempt that runs its tasks on one worker (execution-semantics §7.6).

The worker reports each task run; here they are written down, and what follows the attempt is
decided: ``errors`` and ``finally`` are ordinary tasks again.
"""

from __future__ import annotations

from runner.engine import lists
from runner.engine.events import ChildReported
from runner.engine.step import Step, skipped, told_attempt
from runner.model.evolve import replace
from runner.model.execution import Attempt, Scope, TaskRun
from runner.model.flow import Flow, Task, TaskKind
from runner.model.states import State


def is_directory(task: Task) -> bool:
    """Say whether a task's attempt runs the tasks inside it."""
    return task.kind is TaskKind.WORKER and bool(task.children)


def is_inside(flow: Flow, run: TaskRun) -> bool:
    """Say whether a run belongs to the attempt of the directory around it."""
    place = flow.places[run.task_id]
    return place.parent is not None and is_directory(place.parent) and place.list_name == "tasks"


def heard(step: Step, event: ChildReported) -> None:
    """Write down how far a task inside is."""
    run = step.find(event.task_run_id)
    if run is None or run.state.is_terminal or event.task_id not in step.flow.places:
        return
    if not run.attempts or event.attempt != len(run.attempts) - 1 or _is_over(run):
        return
    child = step.find(event.child_id) or _new(step, run, event)
    if child.state.is_terminal:
        return
    child = step.put(recorded(child, event))
    if child.state.is_terminal:
        scope = lists.noted(run.scope or Scope(), child.state)
        step.put(replace(run, scope=scope))


def recorded(run: TaskRun, event: ChildReported) -> TaskRun:
    """Return a run inside with what was reported of it; the worker sees it so, too."""
    if event.state is State.SKIPPED:
        run = skipped(run, event.at)
    attempts = run.attempts
    if event.number == len(attempts):
        begun = ((State.CREATED, event.at), (State.RUNNING, event.at))
        attempts = (*attempts, Attempt(State.RUNNING, begun, event.worker_id))
    if event.attempt_state is not None and event.number < len(attempts):
        last = attempts[-1]
        history = (*last.history, (event.attempt_state, event.at))
        ended = replace(last, state=event.attempt_state, history=history, log_file=event.log_file)
        attempts = (*attempts[:-1], ended)
    outputs = dict(event.outputs) if event.outputs is not None else run.outputs
    return replace(run, attempts=attempts, outputs=outputs).enter(event.state, event.at)


def attempt_ended(step: Step, run: TaskRun, state: State) -> None:
    """The worker is done with it: close what it left open, and go on behind the tasks."""
    for child in list(step.live_below(run.id)):
        step.put(child.enter(State.KILLED if state is State.KILLED else State.FAILED, step.now))
    scope = lists.noted(run.scope or Scope(), state)
    run = step.put(replace(run, scope=scope))
    if state is State.KILLED:
        lists.finish(step, run, State.KILLED)
        return
    if scope.failed:  # the attempt ended well, and a task inside it did not
        step.put(told_attempt(run, State.FAILED))
    lists.leave_main(step, run.id, failed=False)


def begin_again(step: Step, run: TaskRun) -> TaskRun:
    """Forget the tasks inside of an attempt that was lost."""
    for child in list(step.below(run.id)):
        step.remove(child.id)
    return step.put(replace(run, scope=None))


def _is_over(run: TaskRun) -> bool:
    return run.attempts[-1].state.is_terminal


def _new(step: Step, run: TaskRun, event: ChildReported) -> TaskRun:
    task = step.flow.task(event.task_id)
    return step.create(task, run.id, run_id=event.child_id)
