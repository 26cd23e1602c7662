"""Who changed what, and when."""

from __future__ import annotations

from typing import Any

from runner.store.base import AuditRow, Page
from runner.store.sql import Connection, Shape, cursor_of, insert, key_of

_AUDIT = Shape(AuditRow, "audit", keys=[])
_ADD = insert("audit", [name for name in _AUDIT.names if name != "id"])


class Audit:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def add(self, row: AuditRow) -> None:
        """Append it; the store gives the id."""
        self._sql.execute(_ADD, _AUDIT.row(row)[:-1])

    def list(
        self, *, subject: str | None = None, limit: int = 100, cursor: str | None = None
    ) -> Page:
        """Return a page, newest first, of all or of one subject."""
        wanted: list[str] = []
        values: list[Any] = []
        if subject is not None:
            wanted.append("subject = ?")
            values.append(subject)
        if cursor is not None:
            wanted.append("id < ?")
            values += key_of(cursor, int)
        where = " AND ".join(wanted or ["TRUE"])
        sql = f"SELECT {_AUDIT.columns} FROM audit WHERE {where} ORDER BY id DESC LIMIT ?"
        rows = _AUDIT.values(self._sql.execute(sql, [*values, limit + 1]).fetchall())
        return Page(rows[:limit], cursor_of(rows[limit - 1].id) if len(rows) > limit else None)
