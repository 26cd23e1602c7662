"""Unique keys of everything that may start at most one execution."""

from __future__ import annotations

from datetime import datetime

from runner.clock import to_micros
from runner.store.sql import Connection

_CLAIM = (
    "INSERT INTO firings (key, execution_id, digest, created_at) VALUES (?, ?, ?, now_micros()) "
    "ON CONFLICT (key) DO NOTHING"
)


class Firings:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def claim(self, key: str, execution_id: str, digest: str | None = None) -> str | None:
        """Take a key: None if it was free, else the execution that has it."""
        if self._sql.execute(_CLAIM, (key, execution_id, digest)).rowcount == 1:
            return None
        row = self._sql.execute("SELECT execution_id FROM firings WHERE key = ?", (key,)).fetchone()
        return str(row[0])

    def digest(self, key: str) -> str | None:
        """Return the digest that a key was taken with, if there was one."""
        row = self._sql.execute("SELECT digest FROM firings WHERE key = ?", (key,)).fetchone()
        return None if row is None else row[0]

    def purge(self, older_than: datetime) -> int:
        """Forget keys taken before that moment; returns how many."""
        sql = "DELETE FROM firings WHERE created_at < ?"
        return self._sql.execute(sql, (to_micros(older_than),)).rowcount
