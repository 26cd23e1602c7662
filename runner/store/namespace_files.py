"""Namespace files that the API owns."""

from __future__ import annotations

from collections.abc import Sequence

from runner.errors import NotFound
from runner.store.base import NamespaceFileRow
from runner.store.sql import Connection, Shape, after_prefix

_FILE = Shape(
    NamespaceFileRow,
    "namespace_files",
    keys=["namespace", "path"],
    keep=["created_at", "version"],
)
_SAVE = f"{_FILE.upsert}, version = namespace_files.version + 1"


class NamespaceFiles:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def get(self, namespace: str, path: str) -> NamespaceFileRow:
        """Return one. Raises NotFound."""
        if (found := self.find(namespace, path)) is None:
            raise NotFound(f"there is no file {path} in the namespace {namespace}")
        return found

    def find(self, namespace: str, path: str) -> NamespaceFileRow | None:
        """Return one, or None."""
        sql = f"SELECT {_FILE.columns} FROM namespace_files WHERE namespace = ? AND path = ?"
        return _FILE.find(self._sql.execute(sql, (namespace, path)))

    def list(self, namespace: str, *, prefix: str = "") -> Sequence[NamespaceFileRow]:
        """Return those of a namespace whose path starts with *prefix*, by path."""
        below = " AND path >= ? AND path < ?" if prefix else ""
        values = [namespace, prefix, after_prefix(prefix)] if prefix else [namespace]
        sql = (
            f"SELECT {_FILE.columns} FROM namespace_files WHERE namespace = ?{below} ORDER BY path"
        )
        return _FILE.values(self._sql.execute(sql, values).fetchall())

    def save(self, row: NamespaceFileRow) -> None:
        """Write it; an existing one keeps *created_at* and its version grows by one."""
        self._sql.execute(_SAVE, _FILE.row(row))

    def remove(self, namespace: str, path: str) -> bool:
        """Remove one; True if it was there."""
        sql = "DELETE FROM namespace_files WHERE namespace = ? AND path = ?"
        return self._sql.execute(sql, (namespace, path)).rowcount == 1

    def namespaces(self) -> Sequence[str]:
        """Return the namespaces that have files."""
        sql = "SELECT DISTINCT namespace FROM namespace_files ORDER BY namespace"
        return [name for (name,) in self._sql.execute(sql).fetchall()]
