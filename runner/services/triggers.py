"""The run-time state of triggers: a row for each trigger that a stored flow declares."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime

from runner.engine.codec import to_text
from runner.errors import NotFound, Refused
from runner.expressions import is_template
from runner.model.flow import Flow, Trigger
from runner.model.problems import FlowInvalid
from runner.plugin import PollingTrigger, TriggerType
from runner.runtime import Runtime
from runner.services.audit import record
from runner.services.principal import Principal
from runner.store.base import TriggerRow, Tx

WEBHOOK = "io.kestra.plugin.core.trigger.Webhook"
_DATED = frozenset({"scheduler", "polling"})


@dataclass(frozen=True, slots=True)
class StoredTrigger:
    """A trigger's state, with its declaration where the flow can be read."""

    row: TriggerRow
    declared: Trigger | None


@dataclass(frozen=True, slots=True)
class TriggerPage:
    """Triggers and the cursor of the next page."""

    items: Sequence[StoredTrigger]
    cursor: str | None = None


class Triggers:
    """The use cases around triggers."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def search(
        self,
        *,
        namespace: str | None = None,
        flow_id: str | None = None,
        text: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> TriggerPage:
        """Return triggers by namespace, flow and id."""
        with self._runtime.store.read() as tx:
            page = tx.triggers.search(
                namespace=namespace, flow_id=flow_id, text=text, limit=limit, cursor=cursor
            )
            items = [StoredTrigger(row, self._declared(tx, row)) for row in page.items]
        return TriggerPage(items, page.cursor)

    def every(self, namespace: str | None = None, flow_id: str | None = None) -> list[TriggerRow]:
        """Return the states of all triggers, without their declarations."""
        rows: list[TriggerRow] = []
        cursor: str | None = None
        with self._runtime.store.read() as tx:
            while True:
                page = tx.triggers.search(
                    namespace=namespace, flow_id=flow_id, limit=1000, cursor=cursor
                )
                rows.extend(page.items)
                cursor = page.cursor
                if cursor is None:
                    return rows

    def with_declarations(self, rows: Sequence[TriggerRow]) -> list[StoredTrigger]:
        """Return triggers with what their flows say of them."""
        with self._runtime.store.read() as tx:
            return [StoredTrigger(row, self._declared(tx, row)) for row in rows]

    def get(self, namespace: str, flow_id: str, trigger_id: str) -> StoredTrigger:
        """Return one trigger. Raises NotFound."""
        with self._runtime.store.read() as tx:
            row = _row(tx, namespace, flow_id, trigger_id)
            return StoredTrigger(row, self._declared(tx, row))

    def set_disabled(
        self, namespace: str, flow_id: str, trigger_id: str, disabled: bool, *, by: Principal
    ) -> StoredTrigger:
        """Switch a trigger off or on; its flow stays as it is (§12.2)."""
        now = self._runtime.clock.now()
        with self._runtime.store.begin() as tx:
            row = _row(tx, namespace, flow_id, trigger_id)
            next_at = None
            if not disabled and self._is_dated(row.type):
                next_at = now
            changed = replace(row, disabled=disabled, next_at=next_at, updated_at=now)
            tx.triggers.save(changed)
            action = "trigger.disable" if disabled else "trigger.enable"
            record(self._runtime, tx, by, action, f"{namespace}/{flow_id}/{trigger_id}")
            return StoredTrigger(changed, self._declared(tx, changed))

    def unlock(
        self, namespace: str, flow_id: str, trigger_id: str, *, by: Principal
    ) -> StoredTrigger:
        """Forget the execution that a trigger waits for. Raises Refused: it waits for none."""
        with self._runtime.store.begin() as tx:
            row = _row(tx, namespace, flow_id, trigger_id)
            if row.execution_id is None:
                raise Refused("the trigger is not locked")
            changed = replace(row, execution_id=None, updated_at=self._runtime.clock.now())
            tx.triggers.save(changed)
            subject = f"{namespace}/{flow_id}/{trigger_id}"
            record(self._runtime, tx, by, "trigger.unlock", subject)
            return StoredTrigger(changed, self._declared(tx, changed))

    def restart(
        self, namespace: str, flow_id: str, trigger_id: str, *, by: Principal
    ) -> StoredTrigger:
        """Look at a polling trigger at once, also if a worker seems to do so; others stay."""
        now = self._runtime.clock.now()
        with self._runtime.store.begin() as tx:
            row = _row(tx, namespace, flow_id, trigger_id)
            found = self._runtime.registry.find(row.type)
            is_polling = found is not None and issubclass(found, PollingTrigger)
            if is_polling and not row.disabled:
                row = replace(row, next_at=now, updated_at=now)
                tx.triggers.save(row)
            record(self._runtime, tx, by, "trigger.restart", f"{namespace}/{flow_id}/{trigger_id}")
            return StoredTrigger(row, self._declared(tx, row))

    def delete(self, namespace: str, flow_id: str, trigger_id: str, *, by: Principal) -> None:
        """Forget a trigger's state; the declaration stays. Raises NotFound."""
        with self._runtime.store.begin() as tx:
            _row(tx, namespace, flow_id, trigger_id)
            tx.triggers.delete(namespace, flow_id, trigger_id)
            record(self._runtime, tx, by, "trigger.delete", f"{namespace}/{flow_id}/{trigger_id}")

    def _declared(self, tx: Tx, row: TriggerRow) -> Trigger | None:
        flow_row = tx.flows.find(row.namespace, row.flow_id)
        if flow_row is None:
            return None
        try:
            flow = self._runtime.flows.get(tx, row.namespace, row.flow_id, flow_row.revision)
        except (FlowInvalid, NotFound):
            return None
        return next((each for each in flow.triggers if each.id == row.trigger_id), None)

    def _is_dated(self, type_name: str) -> bool:
        return is_dated(self._runtime, type_name)


def store_triggers(runtime: Runtime, tx: Tx, flow: Flow) -> None:
    """Bring the rows of a flow's triggers in line with its new active revision.

    A changed trigger starts anew: next date, lock and backfill; being switched off stays. The date
    of a new one is the present moment: the scheduler finds the first real one from there.
    """
    known = {row.trigger_id: row for row in tx.triggers.of_flow(flow.namespace, flow.id)}
    now = runtime.clock.now()
    for trigger in flow.triggers:
        row = known.pop(trigger.id, None)
        digest = digest_of(trigger)
        if row is None or row.digest != digest:
            tx.triggers.save(_new_row(runtime, flow, trigger, digest, row, now))
    for gone in known:
        tx.triggers.delete(flow.namespace, flow.id, gone)


def forget_triggers(tx: Tx, namespace: str, flow_id: str) -> None:
    """Remove the rows of a flow that is gone."""
    for row in tx.triggers.of_flow(namespace, flow_id):
        tx.triggers.delete(namespace, flow_id, row.trigger_id)


def digest_of(trigger: Trigger) -> str:
    """Return a text that changes when the declaration does."""
    written = {field.name: getattr(trigger, field.name) for field in fields(trigger)}
    return hashlib.sha256(to_text(written).encode()).hexdigest()


def hashed_key(key: str) -> str:
    """Return what is stored of a webhook's key."""
    return hashlib.sha256(key.strip().encode()).hexdigest()


def is_dated(runtime: Runtime, type_name: str) -> bool:
    """Whether the scheduler looks at triggers of this type by their next date."""
    found = runtime.registry.find(type_name)
    return found is not None and issubclass(found, TriggerType) and found.evaluated_by in _DATED


def _new_row(
    runtime: Runtime,
    flow: Flow,
    trigger: Trigger,
    digest: str,
    before: TriggerRow | None,
    now: datetime,
) -> TriggerRow:
    is_due = is_dated(runtime, trigger.type) and not trigger.disabled
    written = trigger.properties.get("key")
    is_static = trigger.type == WEBHOOK and isinstance(written, str) and not is_template(written)
    return TriggerRow(
        namespace=flow.namespace,
        flow_id=flow.id,
        trigger_id=trigger.id,
        type=trigger.type,
        digest=digest,
        created_at=before.created_at if before else now,
        updated_at=now,
        next_at=now if is_due else None,
        disabled=before.disabled if before else False,
        key=hashed_key(str(written)) if is_static else None,
    )


def _row(tx: Tx, namespace: str, flow_id: str, trigger_id: str) -> TriggerRow:
    row = tx.triggers.find(namespace, flow_id, trigger_id)
    if row is None:
        raise NotFound("Trigger not found")
    return row
