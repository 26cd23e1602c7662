"""What an execution has promised: how long it takes, what always holds (semantics §10)."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from runner import durations
from runner.engine import ending, kill
from runner.engine.commands import ClearTimer, Evaluate, SetTimer, StopTask, Tell
from runner.engine.creation import merge_labels
from runner.engine.step import Step, end_attempt
from runner.expressions import is_truthy
from runner.ids import task_run_id
from runner.model.evolve import replace
from runner.model.flow import Flow, Sla
from runner.model.logs import Level
from runner.model.states import State

PURPOSE = "sla"


def arm(step: Step, since: datetime) -> None:
    """Set the timers of MAX_DURATION."""
    for sla in step.flow.sla:
        if sla.duration is not None:
            step.do(SetTimer(f"sla:{sla.id}", since + sla.duration))


def disarm(step: Step) -> None:
    """Forget the timers: the execution is over."""
    for sla in step.flow.sla:
        if sla.duration is not None:
            step.do(ClearTimer(f"sla:{sla.id}"))


def question(flow: Flow) -> Evaluate | None:
    """Return what to render at every change of an execution; None: nothing."""
    asserted = {sla.id: sla.assertion for sla in flow.sla if sla.assertion is not None}
    return Evaluate(None, PURPOSE, asserted) if asserted else None


def answered(step: Step, values: Mapping[str, Any]) -> None:
    """Act on the first assertion that does not hold; one that cannot be rendered has no value."""
    for sla in step.flow.sla:
        value = values.get(sla.id)
        if sla.assertion is not None and value is not None and not is_truthy(str(value)):
            _violated(step, sla, f"assertion is false: {sla.assertion}.")
            return


def time_over(step: Step, sla_id: str) -> None:
    """The time of a MAX_DURATION is over."""
    for sla in step.flow.sla:
        if sla.id == sla_id and sla.duration is not None:
            took = durations.format(step.now - step.execution.created_at)
            most = durations.format(sla.duration)
            reason = f"execution duration of {took} exceed the maximum duration of {most}."
            _violated(step, sla, reason)


def _violated(step: Step, sla: Sla, reason: str) -> None:
    if step.execution.state.is_terminal or step.execution.state is State.KILLING:
        return
    labels = merge_labels(step.execution.labels, sla.labels)
    if labels != step.execution.labels:
        step.execution = replace(step.execution, labels=labels)
    if sla.behavior == "FAIL":
        text = f"Execution failed due to SLA '{sla.id}' violated: {reason}"
        step.do(Tell(Level.ERROR, text))
        _end(step, State.FAILED)
    elif sla.behavior == "CANCEL":
        _end(step, State.CANCELLED)


def _end(step: Step, state: State) -> None:
    last = step.find(task_run_id(step.execution.id, step.execution.sequence - 1))
    for run in list(step.live()):
        if kill.has_live_attempt(step, run):
            step.do(StopTask(run.id, max(0, len(run.attempts) - 1)))
            if last is None or run.id != last.id:
                continue
        kill.close(step, run)
        step.put(end_attempt(run, state, step.now).enter(state, step.now))
    ending.end(step, state)
