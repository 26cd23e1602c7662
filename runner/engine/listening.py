"""Listeners: tasks after the end of an execution, if conditions hold (flow-language §16.4).

They are deprecated. Those chosen run one list after another, before ``afterExecution``.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from runner.engine import lists
from runner.engine.commands import Evaluate
from runner.engine.step import Step
from runner.model.evolve import replace
from runner.model.execution import Scope

PURPOSE = "listeners"
ASKING = "(listeners)"


def begin(step: Step) -> None:
    """Ask which listeners are to run; without any go on to ``afterExecution``."""
    if not step.flow.listeners:
        lists.enter_after_execution(step)
        return
    step.set_scope(None, replace(step.execution.scope, list=ASKING))
    step.do(Evaluate(None, PURPOSE))


def answered(step: Step, values: Mapping[str, Any]) -> None:
    """Run the listeners whose conditions hold."""
    if step.execution.scope.list != ASKING:
        return
    chosen = tuple(f"listeners.{number}" for number in values.get("chosen", ()))
    step.set_scope(None, replace(step.execution.scope, started=chosen))
    go_on(step)


def go_on(step: Step) -> None:
    """Enter the next list that was chosen, or ``afterExecution``."""
    scope: Scope = step.execution.scope
    if not scope.started:
        lists.enter_after_execution(step)
        return
    step.set_scope(None, replace(scope, started=scope.started[1:]))
    lists.enter(step, None, scope.started[0])
