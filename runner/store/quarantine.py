"""What made a service raise, set aside so that the rest goes on."""

from __future__ import annotations

from collections.abc import Sequence

from runner.store.base import QuarantineRow
from runner.store.sql import Connection, Shape

_SHAPE = Shape(QuarantineRow, "quarantine", keys=["subject"])


class Quarantine:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def find(self, subject: str) -> QuarantineRow | None:
        """Return one, or None."""
        sql = f"SELECT {_SHAPE.columns} FROM quarantine WHERE subject = ?"
        return _SHAPE.find(self._sql.execute(sql, (subject,)))

    def save(self, row: QuarantineRow) -> None:
        """Add or overwrite it."""
        self._sql.execute(_SHAPE.upsert, _SHAPE.row(row))

    def list(self, *, limit: int = 100) -> Sequence[QuarantineRow]:
        """Return the latest."""
        sql = f"SELECT {_SHAPE.columns} FROM quarantine ORDER BY last_at DESC LIMIT ?"
        return _SHAPE.values(self._sql.execute(sql, (limit,)).fetchall())

    def remove(self, subject: str) -> bool:
        """Let it go; True if it was there."""
        return (
            self._sql.execute("DELETE FROM quarantine WHERE subject = ?", (subject,)).rowcount == 1
        )
