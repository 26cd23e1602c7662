"""The outbox: wake-ups that workers still need."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from runner.clock import from_micros, to_micros
from runner.errors import NotFound
from runner.model.wake import Wake
from runner.store.sql import Connection, Shape

_WAKE = Shape(Wake, "wakes", keys=["id"])
_ADD = f"{_WAKE.insert} ON CONFLICT (id) DO NOTHING"
_NUMBER = (
    "UPDATE executions SET next_wake = next_wake + 1 WHERE id = ? "
    "RETURNING next_wake - 1, now_micros()"
)
_NEW = "INSERT INTO wakes (id, kind, execution_id, queue, created_at) VALUES (?, 'drive', ?, ?, ?)"


class Wakes:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def add(self, wake: Wake) -> None:
        """Add one; a known id stays as it is."""
        self._sql.execute(_ADD, _WAKE.row(wake))

    def add_all(self, wakes: Iterable[Wake]) -> None:
        """Add several; known ids stay as they are."""
        self._sql.executemany(_ADD, [_WAKE.row(wake) for wake in wakes])

    def new_drive(self, execution_id: str, queue: str = "default") -> Wake:
        """Add a drive wake-up under the execution's next number. Raises NotFound."""
        row = self._sql.execute(_NUMBER, (execution_id,)).fetchone()
        if row is None:
            raise NotFound(f"there is no execution {execution_id}")
        return self.numbered_drive(execution_id, queue, *row)

    def numbered_drive(self, execution_id: str, queue: str, number: int, now: int) -> Wake:
        """Add the drive wake-up of a number that was taken already."""
        wake_id = f"drive_{execution_id}_{number}"
        self._sql.execute(_NEW, (wake_id, execution_id, queue, now))
        return Wake(wake_id, "drive", execution_id, queue, from_micros(now))

    def remove(self, ids: Iterable[str]) -> None:
        """Remove them; unknown ones are fine."""
        self._sql.executemany("DELETE FROM wakes WHERE id = ?", [(wake_id,) for wake_id in ids])

    def of_execution(self, execution_id: str) -> Sequence[Wake]:
        """Return those of an execution."""
        sql = f"SELECT {_WAKE.columns} FROM wakes WHERE execution_id = ? ORDER BY created_at, id"
        return _WAKE.values(self._sql.execute(sql, (execution_id,)).fetchall())

    def older_than(
        self, moment: datetime, *, limit: int, after: str | None = None
    ) -> Sequence[Wake]:
        """Return those made before *moment*, by id; *after* is the id of the last one seen."""
        sql = (
            f"SELECT {_WAKE.columns} FROM wakes WHERE id > ? AND created_at < ? ORDER BY id LIMIT ?"
        )
        values = (after or "", to_micros(moment), limit)
        return _WAKE.values(self._sql.execute(sql, values).fetchall())
