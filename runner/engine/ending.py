"""How an execution stands still and how it ends (execution-semantics §6.3, §7.5)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.engine import listening, lists, sla
from runner.engine.commands import Announce, Evaluate, Tell
from runner.engine.step import Step
from runner.model.evolve import replace
from runner.model.execution import TaskRun
from runner.model.logs import Level
from runner.model.states import State


def lists_done(step: Step, state: State) -> None:
    """All lists of the flow are done: render its outputs, or end at once."""
    if not step.flow.outputs or state is State.KILLED:
        end(step, state)
        return
    step.execution = replace(
        step.execution, scope=replace(step.execution.scope, list=lists.OUTPUTS)
    )
    step.do(Evaluate(None, "outputs"))


def outputs_rendered(step: Step, values: Mapping[str, Any], error: str | None) -> None:
    """End with the flow's outputs; if they failed, FAILED without any."""
    state = lists.outcome(step.execution.scope)
    if error is not None:
        step.do(Tell(Level.ERROR, f"Failed to render output values: {error}"))
        step.execution = step.execution.enter(state, step.now)
        end(step, State.FAILED)
        return
    step.execution = replace(step.execution, outputs=dict(values))
    end(step, state)


def end(step: Step, state: State) -> None:
    """Give the execution its final state; ``afterExecution`` may follow."""
    step.execution = step.execution.enter(state, step.now)
    step.execution = replace(step.execution, deferred=())
    step.do(Announce(state))
    sla.disarm(step)
    listening.begin(step)


def fully_ended(step: Step) -> None:
    """Nothing of the execution is left to do."""
    scope = replace(step.execution.scope, list=lists.DONE)
    step.execution = replace(step.execution, scope=scope, fully_ended=True)
    step.do(Announce(step.execution.state, fully=True))


def stand_still(step: Step, run: TaskRun) -> None:
    """A Pause has begun: the whole execution waits; its ``onPause`` task runs meanwhile."""
    if step.execution.state is State.RUNNING:
        step.execution = step.execution.enter(State.PAUSED, step.now)
        step.do(Announce(State.PAUSED))
    for task in step.task(run).enabled("onPause"):
        created = step.create(task, None)
        lists.dispatch(step, created)
