"""Which listeners of a flow run after an execution (flow-language §16.4)."""

from __future__ import annotations

from runner.engine.events import Evaluated
from runner.errors import HeadraceError
from runner.expressions import Context
from runner.model.execution import Execution
from runner.model.facts import Facts
from runner.model.flow import Flow, Listener
from runner.runtime import Runtime
from runner.runtime.conditions import hold


def chosen(runtime: Runtime, flow: Flow, execution: Execution, context: Context) -> Evaluated:
    """Return the numbers of those whose conditions all hold; one that cannot be judged does not."""
    facts = Facts(
        namespace=execution.namespace,
        flow_id=execution.flow_id,
        state=execution.state,
        labels=dict(execution.labels),
        outputs=execution.outputs,
        listener_namespace=execution.namespace,
        listener_flow_id=execution.flow_id,
    )
    numbers = [
        number
        for number, listener in enumerate(flow.listeners)
        if _holds(runtime, listener, context, facts)
    ]
    return Evaluated(None, "listeners", {"chosen": numbers})


def _holds(runtime: Runtime, listener: Listener, context: Context, facts: Facts) -> bool:
    try:
        return hold(runtime, listener.conditions, context, facts)
    except (HeadraceError, ValueError):
        return False
