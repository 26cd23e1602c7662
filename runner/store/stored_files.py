"""Internal storage in the database: files, and their content in chunks."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from runner.clock import to_micros
from runner.model.files import StoredFile
from runner.store.sql import Connection, Shape, after_prefix

_FILE = Shape(StoredFile, "stored_files", keys=["path"])
_SELECT = f"SELECT {_FILE.columns} FROM stored_files WHERE"
_BELOW = "path >= ? AND path < ?"


class StoredFiles:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def find(self, path: str) -> StoredFile | None:
        """Return one, or None."""
        return _FILE.find(self._sql.execute(f"{_SELECT} path = ?", (path,)))

    def list(self, prefix: str, *, limit: int = 1000, after: str = "") -> Sequence[StoredFile]:
        """Return those whose path starts with *prefix*, by path, behind *after*."""
        sql = f"{_SELECT} {_BELOW} AND path > ? ORDER BY path LIMIT ?"
        values = (prefix, after_prefix(prefix), after, limit)
        return _FILE.values(self._sql.execute(sql, values).fetchall())

    def save(self, row: StoredFile) -> None:
        """Put the file in place; chunks of replaced content are removed."""
        added = self._sql.execute(f"{_FILE.insert} ON CONFLICT (path) DO NOTHING", _FILE.row(row))
        if added.rowcount == 1:
            return
        sql = f"{_SELECT} path = ?{self._sql.for_update}"
        before = _FILE.find(self._sql.execute(sql, (row.path,)))
        self._sql.execute(_FILE.upsert, _FILE.row(row))
        if before is not None and before.content != row.content:
            self.drop_chunks(before.content)

    def remove(self, path: str) -> bool:
        """Remove one with its content; True if it was there."""
        sql = "DELETE FROM stored_files WHERE path = ? RETURNING content"
        row = self._sql.execute(sql, (path,)).fetchone()
        if row is not None:
            self.drop_chunks(row[0])
        return row is not None

    def remove_below(self, prefix: str) -> int:
        """Remove those whose path starts with *prefix*; returns how many."""
        sql = f"DELETE FROM stored_files WHERE {_BELOW} RETURNING content"
        rows = self._sql.execute(sql, (prefix, after_prefix(prefix))).fetchall()
        self._sql.executemany("DELETE FROM stored_chunks WHERE content = ?", rows)
        return len(rows)

    def add_chunk(self, content: str, number: int, data: bytes) -> None:
        """Store a part of a content; it counts once a file is saved with it."""
        sql = "INSERT INTO stored_chunks (content, number, data) VALUES (?, ?, ?)"
        self._sql.execute(sql, (content, number, data))

    def chunk(self, content: str, number: int) -> bytes | None:
        """Return a part of a content, or None behind the last."""
        sql = "SELECT data FROM stored_chunks WHERE content = ? AND number = ?"
        row = self._sql.execute(sql, (content, number)).fetchone()
        return None if row is None else bytes(row[0])

    def drop_chunks(self, content: str) -> None:
        """Remove all parts of a content."""
        self._sql.execute("DELETE FROM stored_chunks WHERE content = ?", (content,))

    def remove_leftovers(self, older_than: datetime) -> int:
        """Remove parts of contents begun before *older_than* that no file has."""
        sql = (
            "DELETE FROM stored_chunks WHERE content < ? AND NOT EXISTS "
            "(SELECT 1 FROM stored_files WHERE stored_files.content = stored_chunks.content)"
        )
        return self._sql.execute(sql, (f"{to_micros(older_than):016d}",)).rowcount
