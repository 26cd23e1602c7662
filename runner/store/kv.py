"""Key-value pairs of namespaces."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from runner.store.base import KvRow, Page
from runner.store.sql import Connection, Shape, after_prefix, cursor_of, key_of

_KV = Shape(KvRow, "kv", keys=["namespace", "key"], keep=["created_at", "version"])
_SET = f"{_KV.upsert}, version = kv.version + 1"
_DELETE = "DELETE FROM kv WHERE namespace = ? AND key = ?"


class Kv:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def find(self, namespace: str, key: str) -> KvRow | None:
        """Return a key's row, expired ones too, or None."""
        sql = f"SELECT {_KV.columns} FROM kv WHERE namespace = ? AND key = ?"
        return _KV.find(self._sql.execute(sql, (namespace, key)))

    def set(self, row: KvRow) -> None:
        """Write it; an existing one keeps *created_at* and its version grows by one."""
        self._sql.execute(_SET, _KV.row(row))

    def delete(self, namespace: str, key: str) -> bool:
        """Remove a key; True if it was there."""
        return self._sql.execute(_DELETE, (namespace, key)).rowcount == 1

    def namespaces(self) -> Sequence[str]:
        """Return the namespaces that have keys."""
        sql = "SELECT DISTINCT namespace FROM kv ORDER BY namespace"
        return [row[0] for row in self._sql.execute(sql, ()).fetchall()]

    def write(self, writes: Iterable[KvRow | tuple[str, str]]) -> None:
        """Set rows and delete pairs (namespace, key), in this order."""
        for write in writes:
            if isinstance(write, KvRow):
                self.set(write)
            else:
                self.delete(*write)

    def list(
        self, namespace: str, *, prefix: str = "", limit: int = 1000, cursor: str | None = None
    ) -> Page:
        """Return a page by key, expired ones too."""
        wanted, values = ["namespace = ?"], [namespace]
        if prefix:
            wanted.append("key >= ? AND key < ?")
            values += [prefix, after_prefix(prefix)]
        if cursor is not None:
            wanted.append("key > ?")
            values += key_of(cursor, str)
        bound: list[Any] = [*values, limit + 1]
        sql = f"SELECT {_KV.columns} FROM kv WHERE {' AND '.join(wanted)} ORDER BY key LIMIT ?"
        rows = _KV.values(self._sql.execute(sql, bound).fetchall())
        return Page(rows[:limit], cursor_of(rows[limit - 1].key) if len(rows) > limit else None)
