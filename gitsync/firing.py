"""Starting what a push starts: one execution of each (flow, trigger, ref, new commit).

Conditions and inputs are rendered before the transaction (`prepare`): expressions may read keys and
files. Inside of it (`start`) rows are written, and nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import structlog

from gitsync.triggers import TYPE, Push, commit_trigger, fires, variables
from runner import ids
from runner.engine.creation import Beginning
from runner.errors import HeadraceError, NotFound
from runner.expressions import Context, render, render_value
from runner.model.execution import StartedBy
from runner.model.flow import Flow, Trigger
from runner.model.problems import FlowInvalid
from runner.runtime import Runtime
from runner.runtime.context import nested_labels
from runner.runtime.world import FlowWorld
from runner.services.conditions import hold
from runner.services.firing import Creation, create, create_failed, failure_line, send
from runner.services.inputs import Inputs
from runner.services.principal import SYSTEM
from runner.store.base import Tx

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Start:
    """An execution to make. *error*: why it is born FAILED (its trigger could not be evaluated)."""

    flow: Flow
    trigger: Trigger
    beginning: Beginning
    key: str
    error: str | None = None


@dataclass(frozen=True)
class Started:
    """A new execution, and why it was born FAILED if it was."""

    creation: Creation
    error: str | None = None


class PushFiring:
    """Looks at the Commit triggers of a source's flows for each push."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._inputs = Inputs(runtime)

    def prepare(
        self, pushes: Sequence[Push], flows: Sequence[Flow], tracked: str
    ) -> Sequence[Start]:
        """Return what the pushes start of *flows*; *tracked* is the ref that the source follows."""
        return [
            start
            for push in pushes
            for flow in flows
            for trigger in flow.triggers
            if (commit := commit_trigger(trigger)) is not None and fires(commit, push, tracked)
            for start in self._prepare(push, flow, trigger)
        ]

    def start(self, tx: Tx, starts: Sequence[Start]) -> Sequence[Started]:
        """Write the executions; those that a push started before are left out."""
        made = ((self._start(tx, start), start.error) for start in starts)
        return [
            Started(creation, error)
            for creation, error in made
            if creation is not None and creation.is_new
        ]

    def send(self, started: Sequence[Started]) -> None:
        """Wake workers, after the commit; say in their logs why some were born FAILED."""
        send(self._runtime, [each.creation for each in started])
        lines = [
            failure_line(each.creation.execution, self._runtime.mask.apply(each.error))
            for each in started
            if each.error is not None
        ]
        if lines:
            self._runtime.store.logs.write(lines)

    def active_flows(self, tx: Tx, owner: str) -> Iterator[Flow]:
        """Yield the active flows of an owner that have a Commit trigger."""
        names = {(row.namespace, row.flow_id): None for row in tx.triggers.of_type(TYPE)}
        for name in names:
            row = tx.flows.find(*name)
            if row is None or not row.is_active or row.owner != owner:
                continue
            try:
                yield self._runtime.flows.get(tx, *name, row.revision)
            except (FlowInvalid, NotFound) as exc:
                log.warning(
                    "a flow cannot be read", action="flow_invalid", flow=name, error=exc.message
                )

    def _prepare(self, push: Push, flow: Flow, trigger: Trigger) -> Iterable[Start]:
        said = variables(push)
        started_by = StartedBy(trigger.id, TYPE, said)
        key = push.key(flow.namespace, flow.id, trigger.id)
        try:
            beginning = self._beginning(push, flow, trigger, started_by)
        except (HeadraceError, ValueError) as exc:  # ValueError: a condition cannot be judged
            failed = Beginning(trigger=started_by, origin="trigger", commit=push.after)
            return [Start(flow, trigger, failed, key, str(exc))]
        return [] if beginning is None else [Start(flow, trigger, beginning, key)]

    def _beginning(
        self, push: Push, flow: Flow, trigger: Trigger, started_by: StartedBy
    ) -> Beginning | None:
        """Return what the execution begins with; None if a condition does not hold."""
        context = self._context(flow, started_by.variables)
        if trigger.conditions and not hold(self._runtime, trigger.conditions, context):
            return None
        execution_id = ids.new()
        given: Any = render_value(dict(trigger.inputs), context, typed=True)
        return Beginning(
            inputs=self._inputs.resolve(flow, given, execution_id=execution_id),
            labels=tuple((key, str(render(text, context))) for key, text in trigger.labels),
            trigger=started_by,
            origin="trigger",
            commit=push.after,
            execution_id=execution_id,
        )

    def _context(self, flow: Flow, said: Mapping[str, Any]) -> Context:
        about = {
            **self._runtime.shared_variables,
            "flow": {"id": flow.id, "namespace": flow.namespace, "revision": flow.revision},
            "labels": nested_labels(flow.labels),
            "vars": flow.variables,
            "trigger": said,
        }
        return Context(about, FlowWorld(self._runtime, flow.namespace))

    def _start(self, tx: Tx, start: Start) -> Creation | None:
        flow, trigger = start.flow, start.trigger
        row = tx.flows.get(flow.namespace, flow.id)
        state = tx.triggers.find(flow.namespace, flow.id, trigger.id)
        if not row.is_active or (state is not None and state.disabled):
            return None
        if start.error is None:
            return create(self._runtime, tx, flow, row, start.beginning, by=SYSTEM, key=start.key)
        log.warning(
            "a Commit trigger could not be evaluated",
            action="commit_trigger_failed",
            namespace=flow.namespace,
            flow_id=flow.id,
            trigger_id=trigger.id,
            error=self._runtime.mask.apply(start.error),
        )
        return create_failed(
            self._runtime, tx, flow, row, start.beginning, by=SYSTEM, key=start.key
        )
