"""Rounds of a LoopUntil: is there another one, and when (execution-semantics §7.4).

The condition and the maximum are looked at twice: after a round, and again when the wait is over,
with the outputs of that round and the number of the next. So what has come true meanwhile ends the
loop without another round.

Only the loop waits between two rounds. The execution shows PAUSED meanwhile if nothing else of it
can run; the run that made it so has the mark SHOWN, which tells this from a pause that holds all.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from runner import durations
from runner.engine import lists, pausing
from runner.engine.commands import Announce, SetTimer, Tell
from runner.engine.events import Evaluated
from runner.engine.flowables.base import flag, number, numbers_its_children, text
from runner.engine.flowables.loop import DEFAULT_INTERVAL, ROUND, question
from runner.engine.step import Step, begin_attempt
from runner.expressions import is_truthy
from runner.model.evolve import replace
from runner.model.execution import TaskRun
from runner.model.logs import Level
from runner.model.states import State

TYPE = "io.kestra.plugin.core.flow.LoopUntil"
SHOWN = "shown"
WOKEN = "woken"


def answered(step: Step, run: TaskRun, event: Evaluated) -> None:
    """A round, or the wait after it, is over and the condition is rendered."""
    scope = run.scope
    if scope is None or scope.open or lists.is_tail(scope.list) or run.state is not State.RUNNING:
        return
    try:
        if event.error is not None:
            raise ValueError(event.error)
        if is_truthy(text(event.values.get("condition", ""))):
            lists.leave_main(step, run.id, failed=False)
        elif limit := _limit_reached(step, run, event.values):
            _stop(step, run, limit, event.values)
        elif run.evaluated.get(WOKEN):
            _next_round(step, run)
        else:
            _wait(step, run, event.values)
    except ValueError as exc:
        step.do(Tell(Level.ERROR, str(exc), run.id))
        lists.leave_main(step, run.id, failed=True)


def is_waiting(step: Step, run: TaskRun) -> bool:
    """Say whether a run is a loop between two rounds."""
    return run.state is State.PAUSED and step.task(run).type == TYPE


def time_over(step: Step, run: TaskRun) -> None:
    """The wait is over: go on, unless the whole execution stands still."""
    if step.execution.state.stands_still and not show_off(step):
        pausing.defer(step, run.id)
    else:
        wake(step, step.get(run.id))


def show_off(step: Step) -> bool:
    """Let the execution be RUNNING again if it was a waiting loop that made it PAUSED."""
    shown = [run for run in step.live() if run.evaluated.get(SHOWN)]
    for run in shown:
        step.put(replace(run, evaluated={**run.evaluated, SHOWN: False}))
    if shown:
        step.execution = step.execution.enter(State.RUNNING, step.now)
        step.do(Announce(State.RUNNING))
    return bool(shown)


def wake(step: Step, run: TaskRun) -> None:
    """The wait is over: look again, as of the next round, whether there is to be one."""
    done = int(run.evaluated.get(ROUND, 0)) + 1
    run = replace(
        run,
        attempts=(),
        outputs={**(run.outputs or {}), "iterationCount": done + 1},
        evaluated={ROUND: done, WOKEN: True},
    )
    run = run.enter(State.CREATED, step.now).enter(State.RUNNING, step.now)
    step.put(begin_attempt(run, step.now))
    step.do(question(step.task(run), run))


def _next_round(step: Step, run: TaskRun) -> None:
    """Forget the round that is over, and start the next."""
    for old in list(step.below(run.id)):
        step.remove(old.id)
    done = run.evaluated[ROUND]
    is_numbered = numbers_its_children(step.flow.places[run.task_id].parent)
    number_shown = run.iteration if is_numbered else done
    step.put(replace(run, evaluated={ROUND: done}, iteration=number_shown, scope=None))
    lists.begin(step, run.id)


def _wait(step: Step, run: TaskRun, values: Mapping[str, Any]) -> None:
    interval = durations.parse(values.get("interval", DEFAULT_INTERVAL))
    run = step.enter(run, State.PAUSED)
    step.do(SetTimer(f"loop:{run.id}", step.now + interval))
    if step.execution.state is State.RUNNING and not any(map(step.is_at_work, step.live())):
        step.put(replace(run, evaluated={**run.evaluated, SHOWN: True}))
        step.execution = step.execution.enter(State.PAUSED, step.now)
        step.do(Announce(State.PAUSED))


def _limit_reached(step: Step, run: TaskRun, values: Mapping[str, Any]) -> str | None:
    count = int((run.outputs or {}).get("iterationCount", 1))
    most = values.get("maxIterations")
    if most is not None and count > number(most, 0):
        return f"the maximum of {most} iterations"
    longest = values.get("maxDuration")
    if longest and step.now > _began(run) + durations.parse(longest):
        return f"the maximum duration of {longest}"
    return None


def _began(run: TaskRun) -> datetime:
    """Return when the loop was created or restarted last; its rounds do not count."""
    restarts = [at for state, at in run.history if state is State.RESTARTED]
    return restarts[-1] if restarts else run.history[0][1]


def _stop(step: Step, run: TaskRun, limit: str, values: Mapping[str, Any]) -> None:
    step.do(Tell(Level.WARN, f"The loop has reached {limit}", run.id))
    lists.leave_main(step, run.id, failed=flag(values.get("failOnMaxReached")))
