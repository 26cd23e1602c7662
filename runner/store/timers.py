"""Timers of executions."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime

from runner.clock import to_micros
from runner.store.base import Timer
from runner.store.sql import Connection, Shape, moment

_TIMER = Shape(Timer, "timers", keys=["execution_id", "key"])
_REMOVE = "DELETE FROM timers WHERE execution_id = ? AND key = ?"


class Timers:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def due(self, now: datetime, *, limit: int) -> Sequence[Timer]:
        """Return those that are due, the earliest first."""
        sql = f"SELECT {_TIMER.columns} FROM timers WHERE at <= ? ORDER BY at LIMIT ?"
        return _TIMER.values(self._sql.execute(sql, (to_micros(now), limit)).fetchall())

    def of_execution(self, execution_id: str) -> Sequence[Timer]:
        """Return those of an execution."""
        sql = f"SELECT {_TIMER.columns} FROM timers WHERE execution_id = ? ORDER BY at"
        return _TIMER.values(self._sql.execute(sql, (execution_id,)).fetchall())

    def next_at(self) -> datetime | None:
        """Return when the earliest is due."""
        return moment(self._sql.execute("SELECT min(at) FROM timers").fetchone()[0])

    def remove(self, execution_id: str, key: str) -> bool:
        """Remove one; True if it was there."""
        return self._sql.execute(_REMOVE, (execution_id, key)).rowcount == 1

    def remove_each(self, execution_id: str, keys: Iterable[str]) -> None:
        """Remove some of an execution; unknown ones are fine."""
        self._sql.executemany(_REMOVE, [(execution_id, key) for key in keys])

    def set(self, timer: Timer) -> None:
        """Set one, in place of that of its key."""
        self.set_each([timer])

    def set_each(self, timers: Iterable[Timer]) -> None:
        """Set some, each in place of that of its key."""
        self._sql.executemany(_TIMER.upsert, [_TIMER.row(timer) for timer in timers])
