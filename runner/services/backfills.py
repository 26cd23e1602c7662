"""Backfills: a Schedule's dates of the past are made up for, one after the other (§12.5).

While a backfill is under way the trigger starts nothing else. It is kept with the trigger's state;
the scheduler takes its steps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from runner import ids
from runner.clock import iso
from runner.errors import InputInvalid, NotFound, Refused
from runner.model.execution import Labels
from runner.runtime import Runtime
from runner.services.audit import record
from runner.services.principal import Principal
from runner.store.base import TriggerRow, Tx

SCHEDULE = "io.kestra.plugin.core.trigger.Schedule"


@dataclass(frozen=True, slots=True)
class Backfill:
    """A backfill under way. *current* is the date done last, *previous* the one to return to."""

    id: str
    start: datetime
    end: datetime
    current: datetime
    previous: datetime | None = None
    paused: bool = False
    inputs: Mapping[str, Any] = field(default_factory=dict)
    labels: Labels = ()

    @classmethod
    def read(cls, stored: Mapping[str, Any]) -> Backfill:
        """Return one from what `written` made."""
        previous = stored.get("previousNextExecutionDate")
        return cls(
            stored["id"],
            datetime.fromisoformat(stored["start"]),
            datetime.fromisoformat(stored["end"]),
            datetime.fromisoformat(stored["currentDate"]),
            datetime.fromisoformat(previous) if previous else None,
            stored.get("paused", False),
            stored.get("inputs", {}),
            tuple((label["key"], label["value"]) for label in stored.get("labels", ())),
        )

    def written(self) -> dict[str, Any]:
        """Return it as plain data, in the words of the API."""
        found = {
            "id": self.id,
            "start": iso(self.start),
            "end": iso(self.end),
            "currentDate": iso(self.current),
            "paused": self.paused,
            "inputs": dict(self.inputs) or None,
            "labels": [{"key": key, "value": value} for key, value in self.labels] or None,
            "previousNextExecutionDate": iso(self.previous) if self.previous else None,
        }
        return {name: value for name, value in found.items() if value is not None}


class Backfills:
    """The use cases around backfills."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def create(
        self,
        place: Sequence[str],
        *,
        start: datetime,
        end: datetime | None,
        inputs: Mapping[str, Any],
        labels: Labels,
        by: Principal,
    ) -> TriggerRow:
        """Begin a backfill of a trigger: (namespace, flow, trigger).

        Raises:
            NotFound. InputInvalid: it is no Schedule, or the dates do not fit.
            Refused: one is under way.
        """
        now = self._runtime.clock.now()
        _check_dates(start, end or now, now)
        with self._runtime.store.begin() as tx:
            row = _found(tx, place)
            if row.type != SCHEDULE:
                raise InputInvalid("only Schedule triggers can be backfilled")
            if row.backfill is not None:
                raise Refused("a backfill of this trigger is under way: delete it first")
            made = Backfill(ids.new(), start, end or now, start, row.next_at, False, inputs, labels)
            return self._saved(tx, row, made, "create", by)

    def pause(self, place: Sequence[str], *, by: Principal) -> TriggerRow:
        """Start nothing more for now. Raises NotFound, Refused: there is none."""
        return self._set_paused(place, True, by)

    def unpause(self, place: Sequence[str], *, by: Principal) -> TriggerRow:
        """Go on. Raises NotFound, Refused: there is none."""
        return self._set_paused(place, False, by)

    def delete(self, place: Sequence[str], *, by: Principal) -> TriggerRow:
        """End it; the trigger goes on as before.

        Raises:
            NotFound. Refused: there is none.
        """
        with self._runtime.store.begin() as tx:
            row = _found(tx, place)
            before = _under_way(row)
            self._record(tx, row, "delete", by)
            now = self._runtime.clock.now()
            next_at = None if row.disabled else before.previous or now
            ended = replace(row, backfill=None, next_at=next_at, updated_at=now)
            tx.triggers.save(ended)
            return ended

    def _set_paused(self, place: Sequence[str], paused: bool, by: Principal) -> TriggerRow:
        with self._runtime.store.begin() as tx:
            row = _found(tx, place)
            changed = replace(_under_way(row), paused=paused)
            return self._saved(tx, row, changed, "pause" if paused else "unpause", by)

    def _saved(
        self, tx: Tx, row: TriggerRow, backfill: Backfill, action: str, by: Principal
    ) -> TriggerRow:
        now = self._runtime.clock.now()
        next_at = None if backfill.paused else now
        changed = replace(row, backfill=backfill.written(), next_at=next_at, updated_at=now)
        tx.triggers.save(changed)
        self._record(tx, row, action, by)
        return changed

    def _record(self, tx: Tx, row: TriggerRow, action: str, by: Principal) -> None:
        subject = f"{row.namespace}/{row.flow_id}/{row.trigger_id}"
        record(self._runtime, tx, by, f"backfill.{action}", subject)


def with_labels(labels: Labels, more: Labels) -> Labels:
    """Return labels with others over them."""
    return tuple({**dict(labels), **dict(more)}.items())


def _check_dates(start: datetime, end: datetime, now: datetime) -> None:
    if start > now:
        raise InputInvalid(f"the start of a backfill lies in the future: {iso(start)}")
    if start > end:
        raise InputInvalid(f"a backfill must start before it ends: {iso(start)}, {iso(end)}")


def _found(tx: Tx, place: Sequence[str]) -> TriggerRow:
    namespace, flow_id, trigger_id = place
    row = tx.triggers.lock(namespace, flow_id, trigger_id)
    if row is None:
        raise NotFound(f"there is no trigger '{trigger_id}' of {namespace}.{flow_id}")
    return row


def _under_way(row: TriggerRow) -> Backfill:
    if row.backfill is None:
        raise Refused("No backfill found")
    return Backfill.read(row.backfill)
