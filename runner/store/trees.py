"""Manifests of namespace files by tree, and the trees of commits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from runner.store.base import TreeFile
from runner.store.sql import Connection, Shape

_FILE = Shape(TreeFile, "file_trees", keys=["tree", "namespace", "path"])
_ADD = (
    "INSERT INTO file_trees (namespace, path, blob, size, tree) VALUES (?, ?, ?, ?, ?) "
    "ON CONFLICT (tree, namespace, path) DO NOTHING"
)
_COPY = (
    "INSERT INTO file_trees (tree, namespace, path, blob, size) "
    "SELECT ?, namespace, path, blob, size FROM file_trees WHERE tree = ? "
    "ON CONFLICT (tree, namespace, path) DO NOTHING"
)
_SET = (
    "INSERT INTO commit_trees (source, sha, tree) VALUES (?, ?, ?) "
    "ON CONFLICT (source, sha) DO UPDATE SET tree = excluded.tree"
)


class Trees:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def has(self, tree: str) -> bool:
        """Say whether a tree's files are known (never so for an empty one)."""
        sql = "SELECT 1 FROM file_trees WHERE tree = ? LIMIT 1"
        return self._sql.execute(sql, (tree,)).fetchone() is not None

    def add(self, tree: str, files: Iterable[TreeFile]) -> None:
        """Add a tree; a known one stays as it is."""
        self._sql.executemany(_ADD, [(*_FILE.row(file), tree) for file in files])

    def derive(
        self,
        tree: str,
        base: str,
        *,
        without: Iterable[tuple[str, str]] = (),
        files: Iterable[TreeFile] = (),
    ) -> None:
        """Add a tree that is like *base*, but without some (namespace, path), and with *files*."""
        self._sql.execute(_COPY, (tree, base))
        gone = "DELETE FROM file_trees WHERE tree = ? AND namespace = ? AND path = ?"
        self._sql.executemany(gone, [(tree, *name) for name in without])
        self.add(tree, files)

    def files(self, tree: str, namespace: str | None = None) -> Sequence[TreeFile]:
        """Return the files of a tree, or of one namespace in it, by namespace and path."""
        only = "" if namespace is None else " AND namespace = ?"
        values = [tree] if namespace is None else [tree, namespace]
        sql = (
            f"SELECT {_FILE.columns} FROM file_trees WHERE tree = ?{only} ORDER BY namespace, path"
        )
        return _FILE.values(self._sql.execute(sql, values).fetchall())

    def find(self, tree: str, namespace: str, path: str) -> TreeFile | None:
        """Return one file, or None."""
        sql = (
            f"SELECT {_FILE.columns} FROM file_trees WHERE tree = ? AND namespace = ? AND path = ?"
        )
        return _FILE.find(self._sql.execute(sql, (tree, namespace, path)))

    def set_commit(self, source: str, sha: str, tree: str) -> None:
        """Note the tree of a commit."""
        self._sql.execute(_SET, (source, sha, tree))

    def of_commit(self, source: str, sha: str) -> str | None:
        """Return the tree of a commit, or None."""
        sql = "SELECT tree FROM commit_trees WHERE source = ? AND sha = ?"
        row = self._sql.execute(sql, (source, sha)).fetchone()
        return None if row is None else str(row[0])
