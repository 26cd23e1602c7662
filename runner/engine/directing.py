"""Tasks that change their own execution: its labels, its variables, its end (core-plugins §3)."""

from __future__ import annotations

from runner.engine import ending, kill
from runner.engine.creation import merge_labels
from runner.engine.step import Step, end_attempt, told_attempt
from runner.model.directives import Directives
from runner.model.evolve import replace
from runner.model.execution import TaskRun
from runner.model.states import State


def apply(step: Step, directives: Directives) -> None:
    """Set labels and variables."""
    if directives.labels:
        labels = merge_labels(step.execution.labels, directives.labels)
        step.execution = replace(step.execution, labels=labels)
    if directives.variables is not None:
        step.execution = replace(step.execution, variables=directives.variables)


def can_exit(step: Step) -> bool:
    """Say whether the execution can still be ended: not afterwards, not while it is killed."""
    state = step.execution.state
    return not state.is_terminal and state is not State.KILLING


def exit_with(step: Step, run: TaskRun, state: State) -> None:
    """End the run, all around it and the execution. Running siblings go on, without effect."""
    run = told_attempt(run, state)
    around: TaskRun | None = run
    while around is not None:
        step.put(end_attempt(around, state, step.now).enter(state, step.now))
        around = step.find(around.parent_id) if around.parent_id else None
    if state is State.KILLED:
        kill.begin(step, cascade=False)
        return
    for live in list(step.live()):
        if not kill.has_live_attempt(step, live):
            kill.forget_timers(step, live)
            step.put(end_attempt(live, state, step.now).enter(state, step.now))
    ending.end(step, state)
