"""Git sources: their state, sync runs, commits and problems."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from runner.clock import from_micros, to_micros
from runner.errors import NotFound
from runner.store.base import CommitRow, Page, ProblemRow, SourceRow, SyncRun
from runner.store.sql import (
    Connection,
    Shape,
    after_prefix,
    chunks,
    cursor_of,
    insert,
    key_of,
    marks,
)

_SOURCE = Shape(SourceRow, "sources", keys=["name"], keep=["hurried_at", "version"])
_SAVE = f"{_SOURCE.upsert}, version = sources.version + 1 WHERE sources.version = ?"
_RUN = Shape(SyncRun, "sync_runs", keys=[])
_ADD_RUN = insert("sync_runs", [name for name in _RUN.names if name != "id"])
_COMMIT = Shape(CommitRow, "commits", keys=["source", "sha"])
_PROBLEM = Shape(ProblemRow, "source_problems", keys=["source", "path", "number"])
_OF_SOURCE = ("source_problems", "sync_runs", "commits", "commit_trees")


class Sources:
    """The accessor of their state."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def get(self, name: str) -> SourceRow:
        """Return one. Raises NotFound."""
        if (source := self.find(name)) is None:
            raise NotFound(f"there is no source {name}")
        return source

    def find(self, name: str) -> SourceRow | None:
        """Return one, or None."""
        sql = f"SELECT {_SOURCE.columns} FROM sources WHERE name = ?"
        return _SOURCE.find(self._sql.execute(sql, (name,)))

    def list(self) -> Sequence[SourceRow]:
        """Return all, by name."""
        sql = f"SELECT {_SOURCE.columns} FROM sources ORDER BY name"
        return _SOURCE.values(self._sql.execute(sql).fetchall())

    def head(self, name: str) -> str | None:
        """Return the commit of a source that was applied last, if there is one."""
        row = self._sql.execute("SELECT head FROM sources WHERE name = ?", (name,)).fetchone()
        return None if row is None else row[0]

    def hurried(self) -> Mapping[str, datetime]:
        """Return when a push event last asked for a poll, by source; the others are absent."""
        sql = "SELECT name, hurried_at FROM sources WHERE hurried_at IS NOT NULL"
        return {name: from_micros(at) for name, at in self._sql.execute(sql).fetchall()}

    def save(self, row: SourceRow) -> bool:
        """Write it if nobody did since it was read; the stored version grows by one."""
        values = _SOURCE.row(row)
        values[-1] += 1
        return self._sql.execute(_SAVE, [*values, row.version]).rowcount == 1

    def hurry(self, name: str, now: datetime) -> bool:
        """Note that a push event asks for a poll; False: no such source."""
        sql = "UPDATE sources SET hurried_at = ? WHERE name = ?"
        return self._sql.execute(sql, (to_micros(now), name)).rowcount == 1

    def remove(self, name: str) -> None:
        """Forget a source with all that was noted about it; flows and revisions stay."""
        for table in _OF_SOURCE:
            self._sql.execute(f"DELETE FROM {table} WHERE source = ?", (name,))
        self._sql.execute("DELETE FROM sources WHERE name = ?", (name,))


class SyncRuns:
    """The accessor of applied plans."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def add(self, run: SyncRun) -> int:
        """Append it and return its id."""
        row = self._sql.execute(f"{_ADD_RUN} RETURNING id", _RUN.row(run)[:-1]).fetchone()
        return int(row[0])

    def of_source(self, source: str, *, limit: int = 20, cursor: str | None = None) -> Page:
        """Return a page, newest first."""
        behind = "" if cursor is None else " AND id < ?"
        values = [source] if cursor is None else [source, *key_of(cursor, int)]
        sql = f"SELECT {_RUN.columns} FROM sync_runs WHERE source = ?{behind}"
        rows = _RUN.values(
            self._sql.execute(f"{sql} ORDER BY id DESC LIMIT ?", [*values, limit + 1]).fetchall()
        )
        return Page(rows[:limit], cursor_of(rows[limit - 1].id) if len(rows) > limit else None)


class Commits:
    """The accessor of what people see of commits."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def add(self, commits: Iterable[CommitRow]) -> None:
        """Add them; known ones stay as they are."""
        sql = f"{_COMMIT.insert} ON CONFLICT (source, sha) DO NOTHING"
        self._sql.executemany(sql, [_COMMIT.row(commit) for commit in commits])

    def get(self, source: str, sha: str) -> CommitRow:
        """Return one. Raises NotFound."""
        if (commit := self.find(source, sha)) is None:
            raise NotFound(f"there is no commit {sha} of the source {source}")
        return commit

    def find(self, source: str, sha: str) -> CommitRow | None:
        """Return one, or None."""
        sql = f"SELECT {_COMMIT.columns} FROM commits WHERE source = ? AND sha = ?"
        return _COMMIT.find(self._sql.execute(sql, (source, sha)))

    def of_source(self, source: str, *, limit: int = 20) -> Sequence[CommitRow]:
        """Return the newest of a source."""
        sql = (
            f"SELECT {_COMMIT.columns} FROM commits WHERE source = ? ORDER BY at DESC, sha LIMIT ?"
        )
        return _COMMIT.values(self._sql.execute(sql, (source, limit)).fetchall())

    def with_prefix(self, prefix: str, *, limit: int = 10) -> Sequence[CommitRow]:
        """Return those of any source whose SHA starts with *prefix*."""
        sql = (
            f"SELECT {_COMMIT.columns} FROM commits WHERE sha >= ? AND sha < ? ORDER BY sha LIMIT ?"
        )
        rows = self._sql.execute(sql, (prefix, after_prefix(prefix), limit))
        return _COMMIT.values(rows.fetchall())


class SourceProblems:
    """The accessor of what is wrong in sources."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def of_source(self, source: str) -> Sequence[ProblemRow]:
        """Return those of a source, by path and number."""
        sql = (
            f"SELECT {_PROBLEM.columns} FROM source_problems WHERE source = ? ORDER BY path, number"
        )
        return _PROBLEM.values(self._sql.execute(sql, (source,)).fetchall())

    def of_flow(self, namespace: str, flow_id: str) -> Sequence[ProblemRow]:
        """Return those of a flow, by path and number."""
        sql = (
            f"SELECT {_PROBLEM.columns} FROM source_problems "
            "WHERE namespace = ? AND flow_id = ? ORDER BY source, path, number"
        )
        return _PROBLEM.values(self._sql.execute(sql, (namespace, flow_id)).fetchall())

    def replace(
        self, source: str, problems: Sequence[ProblemRow], paths: Sequence[str] | None = None
    ) -> None:
        """Make *problems* all of the source's problems, or all of those in *paths*."""
        if paths is None:
            self._sql.execute("DELETE FROM source_problems WHERE source = ?", (source,))
        for some in chunks(paths or ()):
            sql = f"DELETE FROM source_problems WHERE source = ? AND path IN ({marks(len(some))})"
            self._sql.execute(sql, [source, *some])
        self._sql.executemany(_PROBLEM.upsert, [_PROBLEM.row(problem) for problem in problems])

    def counts(self) -> Mapping[str, int]:
        """Return the number of problems by source; those without are absent."""
        sql = "SELECT source, count(*) FROM source_problems GROUP BY source"
        return dict(self._sql.execute(sql).fetchall())
