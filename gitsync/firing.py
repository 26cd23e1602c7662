"""Starting what a push starts: one execution of each (flow, trigger, ref, new commit)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import structlog

from gitsync.plan import Key
from gitsync.triggers import TYPE, Push, commit_trigger, fires, variables
from runner.engine.creation import Beginning
from runner.errors import HeadraceError, NotFound
from runner.model.execution import StartedBy
from runner.model.flow import Flow, Trigger
from runner.model.problems import FlowInvalid
from runner.runtime import Runtime
from runner.services.firing import Creation, create
from runner.services.principal import SYSTEM
from runner.store.base import FlowRow, SourceRow, Tx

log = structlog.get_logger(__name__)

Resolve = Callable[[Flow, Trigger, Mapping[str, Any]], Mapping[str, Any]]
"""(flow, trigger, trigger variables) → the execution's inputs. Raises InputInvalid."""
Allow = Callable[[Flow, Trigger, Mapping[str, Any]], bool]
"""Whether a trigger's conditions hold."""


class PushFiring:
    """Looks at the Commit triggers of a source's flows for each push."""

    def __init__(self, runtime: Runtime, resolve: Resolve, allow: Allow) -> None:
        self._runtime = runtime
        self._resolve = resolve
        self._allow = allow

    def __call__(self, tx: Tx, pushes: Sequence[Push]) -> Sequence[Creation]:
        """Start what the pushes start, in this transaction; the wake-ups are sent after it."""
        return [creation for push in pushes for creation in self._of_push(tx, push)]

    def _of_push(self, tx: Tx, push: Push) -> Iterator[Creation]:
        source = tx.sources.get(push.source)
        for row, flow in active_flows(self._runtime, tx, (f"git:{push.source}",)):
            for trigger in flow.triggers:
                if self._fires(tx, push, source, flow, trigger):
                    yield from self._start(tx, push, row, flow, trigger)

    def _fires(self, tx: Tx, push: Push, source: SourceRow, flow: Flow, trigger: Trigger) -> bool:
        commit = commit_trigger(trigger)
        if commit is None or not fires(commit, push, f"refs/heads/{source.branch}"):
            return False
        state = tx.triggers.find(flow.namespace, flow.id, trigger.id)
        return state is None or not state.disabled

    def _start(
        self, tx: Tx, push: Push, row: FlowRow, flow: Flow, trigger: Trigger
    ) -> Iterator[Creation]:
        """Start one; what is wrong with its inputs is said aloud and stops no other one."""
        said = variables(push)
        try:
            if not self._allow(flow, trigger, said):
                return
            beginning = Beginning(
                inputs=self._resolve(flow, trigger, said),
                labels=trigger.labels,
                trigger=StartedBy(trigger.id, TYPE, said),
                origin="trigger",
                commit=push.after,
            )
            key = push.key(flow.namespace, flow.id, trigger.id)
            creation = create(self._runtime, tx, flow, row, beginning, by=SYSTEM, key=key)
        except HeadraceError as exc:
            log.error(
                "a push could not start a flow",
                action="commit_trigger_failed",
                namespace=flow.namespace,
                flow_id=flow.id,
                trigger_id=trigger.id,
                commit=push.after,
                error=exc.message,
            )
            return
        if creation.is_new:
            yield creation


def active_flows(runtime: Runtime, tx: Tx, owners: Iterable[str]) -> Iterator[tuple[FlowRow, Flow]]:
    """Yield the active flows of owners that have a Commit trigger."""
    wanted = frozenset(owners)
    seen: set[Key] = set()
    for state in tx.triggers.of_type(TYPE):
        key = (state.namespace, state.flow_id)
        if key in seen:
            continue
        seen.add(key)
        row = tx.flows.find(*key)
        if row is None or not row.is_active or row.owner not in wanted:
            continue
        try:
            yield row, runtime.flows.get(tx, *key, row.revision)
        except (FlowInvalid, NotFound) as exc:
            log.warning("a flow cannot be read", action="flow_invalid", flow=key, error=exc.message)
