"""Namespace files that the API owns."""

from __future__ import annotations

from collections.abc import Sequence

from runner.errors import NotFound
from runner.store.base import FileVersionRow, NamespaceFileRow
from runner.store.sql import Connection, Shape, after_prefix

_FILE = Shape(
    NamespaceFileRow,
    "namespace_files",
    keys=["namespace", "path"],
    keep=["created_at", "version"],
)
_VERSION = Shape(FileVersionRow, "namespace_file_versions", keys=["namespace", "path", "version"])
_KEEP = f"{_VERSION.insert} ON CONFLICT (namespace, path, version) DO NOTHING"
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
        """Remove one, with what it was before; True if it was there."""
        versions = "DELETE FROM namespace_file_versions WHERE namespace = ? AND path = ?"
        self._sql.execute(versions, (namespace, path))
        sql = "DELETE FROM namespace_files WHERE namespace = ? AND path = ?"
        return self._sql.execute(sql, (namespace, path)).rowcount == 1

    def namespaces(self) -> Sequence[str]:
        """Return the namespaces that have files."""
        sql = "SELECT DISTINCT namespace FROM namespace_files ORDER BY namespace"
        return [name for (name,) in self._sql.execute(sql).fetchall()]

    def keep(self, row: FileVersionRow) -> None:
        """Remember what a file was before; one that is known stays as it is."""
        self._sql.execute(_KEEP, _VERSION.row(row))

    def versions(self, namespace: str, path: str | None = None) -> Sequence[FileVersionRow]:
        """Return what a file (None: all of the namespace) was before, by path and version."""
        narrowed = "" if path is None else " AND path = ?"
        values = [namespace] if path is None else [namespace, path]
        sql = (
            f"SELECT {_VERSION.columns} FROM namespace_file_versions WHERE namespace = ?{narrowed} "
            "ORDER BY path, version"
        )
        return _VERSION.values(self._sql.execute(sql, values).fetchall())

    def forget(self, row: FileVersionRow) -> bool:
        """Remove what a file was before; True if it was there."""
        sql = "DELETE FROM namespace_file_versions WHERE namespace = ? AND path = ? AND version = ?"
        return self._sql.execute(sql, (row.namespace, row.path, row.version)).rowcount == 1
