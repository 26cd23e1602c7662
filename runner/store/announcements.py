"""Changes of state that still have to cause something."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.store.base import Announcement
from runner.store.sql import Connection, Shape

_SHAPE = Shape(Announcement, "announcements", keys=["id"])
_ADD = (
    "INSERT INTO announcements (execution_id, state, fully, entry, created_at) "
    "VALUES (?, ?, ?, ?, now_micros())"
)


class Announcements:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def add(self, execution_id: str, entries: Iterable[tuple[str, bool, int]]) -> None:
        """Add (state, fully, index in the history) of an execution."""
        rows = [(execution_id, str(state), fully, entry) for state, fully, entry in entries]
        self._sql.executemany(_ADD, rows)

    def take(self, limit: int) -> Sequence[Announcement]:
        """Return the oldest; on PostgreSQL without those that another transaction has taken."""
        sql = f"SELECT {_SHAPE.columns} FROM announcements ORDER BY id LIMIT ?"
        return _SHAPE.values(self._sql.execute(sql + self._sql.skip_locked, (limit,)).fetchall())

    def of_execution(self, execution_id: str) -> Sequence[Announcement]:
        """Return those of an execution (no index: there are few at any time)."""
        sql = f"SELECT {_SHAPE.columns} FROM announcements WHERE execution_id = ? ORDER BY id"
        return _SHAPE.values(self._sql.execute(sql, (execution_id,)).fetchall())

    def remove(self, ids: Iterable[int]) -> None:
        """Remove them; unknown ones are fine."""
        self._sql.executemany("DELETE FROM announcements WHERE id = ?", [(i,) for i in ids])
