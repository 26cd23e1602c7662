"""Flows that a web request starts (core-plugins §11.4, rest-api §11.5). A hot path.

What is known of a flow is kept for a moment; whether it still holds is asked in the transaction
that makes the execution.
"""

from __future__ import annotations

import hmac
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from runner import ids
from runner.engine.creation import Beginning
from runner.errors import Conflict, HeadraceError, InputInvalid, NotFound, Refused
from runner.expressions import ExpressionError, is_template, render, render_value
from runner.model.execution import Labels, StartedBy
from runner.model.facts import Facts
from runner.model.flow import Flow, Trigger
from runner.model.states import State
from runner.plugin import TaskError
from runner.runtime import Runtime
from runner.services import firing
from runner.services.conditions import hold
from runner.services.creation import Creator, DirectCreator
from runner.services.firing import Creation
from runner.services.inputs import Inputs
from runner.services.nesting import is_too_deep
from runner.services.principal import SYSTEM
from runner.services.trigger_context import context_of, rendered_labels
from runner.services.triggers import WEBHOOK
from runner.store.base import FlowRow, Tx

_KEPT_SECONDS = 1.0
_MOST_KEPT = 5_000
_TRIES = 3


@dataclass(frozen=True, slots=True)
class Call:
    """A request to a flow's webhook. Header names are in lower case."""

    namespace: str
    flow_id: str
    key: str
    body: bytes = b""
    headers: Mapping[str, Sequence[str]] = field(default_factory=dict)
    parameters: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call did. *creation* is None when conditions were not met or the trigger is off."""

    trigger: Trigger
    creation: Creation | None
    response_code: int | None = None


class EvaluationFailed(HeadraceError):
    """The trigger could not be evaluated; an execution in state FAILED says why."""

    code = "evaluation_failed"


@dataclass(frozen=True, slots=True)
class _Hook:
    """A flow as it was a moment ago, with its webhook triggers and their rendered keys."""

    row: FlowRow
    flow: Flow
    triggers: Sequence[tuple[Trigger, bytes]]
    known_at: float


class Webhooks:
    """Starts flows for requests that carry the right key."""

    def __init__(self, runtime: Runtime, inputs: Inputs, creator: Creator | None = None) -> None:
        self._runtime = runtime
        self._inputs = inputs
        self._creator = creator or DirectCreator(runtime)
        self._hooks: dict[tuple[str, str], _Hook] = {}

    def call(self, call: Call) -> Answer:
        """Start the flow whose webhook trigger has the call's key.

        Raises:
            NotFound: no such flow, or none of its triggers has the key. Refused: the flow is
            disabled, or the inputs do not fit. EvaluationFailed.
        """
        for _ in range(_TRIES):
            hook = self._hook(call.namespace, call.flow_id)
            firing.check_may_run(hook.row)
            try:
                return self._call(hook, call)
            except Conflict:
                self._hooks.pop((call.namespace, call.flow_id), None)
        raise Conflict("the flow changes all the time; try again")

    def _call(self, hook: _Hook, call: Call) -> Answer:
        trigger = _matching(hook, call.key)
        if trigger is None:
            raise NotFound("Webhook not found")
        if trigger.disabled:
            return Answer(trigger, None)
        variables = _variables(call)
        try:
            beginning = self._beginning(hook.flow, trigger, variables)
            code = self._response_code(hook.flow, trigger, variables)
        except InputInvalid as exc:
            raise Refused(exc.message) from exc
        except (ExpressionError, TaskError, ValueError) as exc:
            self._fail(hook, trigger, variables, str(exc))
            raise EvaluationFailed(str(exc)) from exc
        if beginning is None:
            return Answer(trigger, None)
        return Answer(trigger, self._start(hook, trigger, beginning), code)

    def _start(self, hook: _Hook, trigger: Trigger, beginning: Beginning) -> Creation | None:
        flow = hook.flow

        def write(tx: Tx) -> Creation:
            row = tx.flows.get(flow.namespace, flow.id)
            if row.revision != flow.revision:
                raise Conflict
            state = tx.triggers.find(flow.namespace, flow.id, trigger.id)
            if state is not None and state.disabled:
                raise _SwitchedOff
            return firing.create(self._runtime, tx, flow, row, beginning, by=SYSTEM)

        try:
            return self._creator.run(write)
        except _SwitchedOff:
            return None

    def _beginning(
        self, flow: Flow, trigger: Trigger, variables: Mapping[str, Any]
    ) -> Beginning | None:
        """What the execution begins with; None if a condition does not hold."""
        execution_id = ids.new()
        started_by = StartedBy(trigger.id, trigger.type, variables)
        inputs: Mapping[str, Any] = {}
        labels: Labels = ()
        if trigger.conditions or trigger.inputs or trigger.labels:
            context = context_of(self._runtime, flow, variables)
            facts = _facts(flow)
            if not hold(self._runtime, trigger.conditions, context, facts):
                return None
            inputs = render_value(dict(trigger.inputs), context, typed=True)  # type: ignore[assignment]
            labels = rendered_labels(trigger, context)
        return Beginning(
            inputs=self._resolved(flow, trigger, inputs, execution_id),
            labels=labels,
            trigger=started_by,
            origin="trigger",
            execution_id=execution_id,
        )

    def _resolved(
        self, flow: Flow, trigger: Trigger, given: Mapping[str, Any], execution_id: str
    ) -> Mapping[str, Any]:
        """Return the inputs; a trigger that gives none asks for none, as in Kestra."""
        try:
            return self._inputs.resolve(flow, given, execution_id=execution_id)
        except InputInvalid:
            if trigger.inputs:
                raise
            return {}

    def _response_code(
        self, flow: Flow, trigger: Trigger, variables: Mapping[str, Any]
    ) -> int | None:
        """Return the status of the answer of one that waits, if the trigger says one."""
        if str(trigger.properties.get("wait", False)).lower() != "true":
            return None
        written = trigger.properties.get("responseCode")
        if isinstance(written, str) and is_template(written):
            written = render(written, context_of(self._runtime, flow, variables))
        if written is None or written == "":
            return None
        code = int(str(written))
        if not 200 <= code <= 599:
            raise ValueError(f"responseCode {code} is no status of an answer: use 200 to 599")
        return code

    def _fail(
        self, hook: _Hook, trigger: Trigger, variables: Mapping[str, Any], message: str
    ) -> None:
        beginning = Beginning(
            trigger=StartedBy(trigger.id, trigger.type, variables), origin="trigger"
        )
        with self._runtime.store.begin() as tx:
            row = tx.flows.get(hook.flow.namespace, hook.flow.id)
            made = firing.create_failed(self._runtime, tx, hook.flow, row, beginning, by=SYSTEM)
        line = firing.failure_line(made.execution, self._runtime.mask.apply(message))
        self._runtime.store.logs.write([line])

    def _hook(self, namespace: str, flow_id: str) -> _Hook:
        now = time.monotonic()
        known = self._hooks.get((namespace, flow_id))
        if known is not None and now - known.known_at < _KEPT_SECONDS:
            return known
        with self._runtime.store.read() as tx:
            row = tx.flows.find(namespace, flow_id)
            if row is None or row.deleted:
                raise NotFound("Flow not found")
            flow = firing.active_flow(self._runtime, tx, row)
        if len(self._hooks) >= _MOST_KEPT:
            self._hooks.clear()
        hook = _Hook(row, flow, self._keys(flow), now)
        self._hooks[namespace, flow_id] = hook
        return hook

    def _keys(self, flow: Flow) -> list[tuple[Trigger, bytes]]:
        found = []
        for trigger in flow.triggers:
            written = trigger.properties.get("key")
            if trigger.type == WEBHOOK and isinstance(written, str):
                key = self._rendered_key(flow, written)
                if key:
                    found.append((trigger, key.encode()))
        return found

    def _rendered_key(self, flow: Flow, written: str) -> str | None:
        """The key; None if it cannot be rendered (a secret is missing): then nothing matches."""
        if not is_template(written):
            return written.strip()
        try:
            key = str(render(written, context_of(self._runtime, flow, None))).strip()
        except ExpressionError:
            return None
        self._runtime.mask.add(key)
        return key


class _SwitchedOff(HeadraceError):
    """The trigger was switched off."""


def _matching(hook: _Hook, key: str) -> Trigger | None:
    """The trigger with that key; how long it takes tells nothing about the keys."""
    given = key.encode()
    found = None
    for trigger, expected in hook.triggers:
        if hmac.compare_digest(given, expected) and found is None:
            found = trigger
    return found


def _facts(flow: Flow) -> Facts:
    """What conditions judge: the execution that is about to be made."""
    return Facts(
        namespace=flow.namespace,
        flow_id=flow.id,
        state=State.CREATED,
        labels=dict(flow.labels),
        listener_namespace=flow.namespace,
        listener_flow_id=flow.id,
    )


def _variables(call: Call) -> dict[str, Any]:
    return {
        "body": _body(call.body),
        "headers": {name: list(values) for name, values in call.headers.items()},
        "parameters": {name: list(values) for name, values in call.parameters.items()},
    }


def _body(content: bytes) -> Any:
    """A JSON object or list as data, anything else, or too deep, as text; None if empty."""
    if not content:
        return None
    text = content.decode("utf-8", "replace")
    if text.lstrip()[:1] in ("{", "["):
        try:
            value = orjson.loads(content)
            return text if is_too_deep(value) else value
        except orjson.JSONDecodeError:
            return text
    return text
