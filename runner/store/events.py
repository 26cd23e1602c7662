"""What happened to executions from outside: numbered, in order."""

from __future__ import annotations

from collections.abc import Sequence

from runner.clock import from_micros
from runner.engine.codec import event_from_json, event_to_json
from runner.engine.events import Event
from runner.errors import NotFound
from runner.model.wake import Wake
from runner.store.base import NumberedEvent
from runner.store.sql import Connection, insert
from runner.store.wakes import Wakes

_NUMBER = (
    "UPDATE executions SET next_event = next_event + 1 WHERE id = ? "
    "RETURNING next_event - 1, next_wake, now_micros()"
)
_NUMBER_WITH_WAKE = (
    "UPDATE executions SET next_event = next_event + 1, next_wake = next_wake + 1 WHERE id = ? "
    "RETURNING next_event - 1, next_wake - 1, now_micros()"
)
_ADD = insert("events", ["execution_id", "number", "kind", "data", "created_at"])
_ADD_NOW = _ADD.replace("?, ?)", "?, now_micros())")
_AFTER = (
    "SELECT number, kind, data, created_at FROM events "
    "WHERE execution_id = ? AND number > ? ORDER BY number"
)


class Events:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection
        self._wakes = Wakes(connection)

    def add(
        self, execution_id: str, event: Event, *, queue: str = "default", wake: bool = True
    ) -> Wake | None:
        """Append with the next number and, with *wake*, add a drive wake-up. Raises NotFound."""
        sql = _NUMBER_WITH_WAKE if wake else _NUMBER
        row = self._sql.execute(sql, (execution_id,)).fetchone()
        if row is None:
            raise NotFound(f"there is no execution {execution_id}")
        number, wake_number, now = row
        self._sql.execute(_ADD, (execution_id, number, *event_to_json(event), now))
        if not wake:
            return None
        return self._wakes.numbered_drive(execution_id, queue, wake_number, now)

    def add_numbered(self, execution_id: str, number: int, event: Event) -> None:
        """Add one under a number that its fold has taken."""
        self._sql.execute(_ADD_NOW, (execution_id, number, *event_to_json(event)))

    def after(self, execution_id: str, number: int) -> Sequence[NumberedEvent]:
        """Return those with a higher number, in order."""
        rows = self._sql.execute(_AFTER, (execution_id, number)).fetchall()
        return [
            NumberedEvent(found, event_from_json(kind, data), from_micros(at))
            for found, kind, data, at in rows
        ]
