"""What exactly one process of many does, by a lease of the database's clock."""

from __future__ import annotations

from runner.store.sql import Connection

_TAKE = (
    "INSERT INTO duties (name, holder, until) VALUES (?, ?, now_micros() + ?) "
    "ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, until = excluded.until "
    "WHERE duties.holder = excluded.holder OR duties.until <= now_micros()"
)


class Duties:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def take(self, name: str, holder: str, *, seconds: float) -> bool:
        """Take or renew it; False: somebody else has it."""
        values = (name, holder, int(seconds * 1_000_000))
        return self._sql.execute(_TAKE, values).rowcount == 1

    def release(self, name: str, holder: str) -> None:
        """Give it back, if it is still the holder's."""
        self._sql.execute("DELETE FROM duties WHERE name = ? AND holder = ?", (name, holder))

    def holder(self, name: str) -> str | None:
        """Return who has it now, or None."""
        sql = "SELECT holder FROM duties WHERE name = ? AND until > now_micros()"
        row = self._sql.execute(sql, (name,)).fetchone()
        return None if row is None else str(row[0])
