"""Log lines. With SQLite they live in a file of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from heapq import merge
from itertools import islice
from typing import Any

from runner.clock import from_micros, to_micros
from runner.model.logs import Level, LogLine
from runner.store.base import LogQuery, Page
from runner.store.sql import LIKE, Connection, Database, cursor_of, escaped, key_of, upsert

_COLUMNS = (
    "execution_id", "task_run_id", "attempt", "number", "level", "namespace", "flow_id", "task_id",
    "trigger_id", "at", "message",
)  # fmt: skip
_WRITE = upsert("log_lines", _COLUMNS, ["execution_id", "task_run_id", "attempt", "number"])
_SELECT = f"SELECT {', '.join(_COLUMNS)}, id FROM log_lines WHERE"
_LEVELS = tuple(Level)
_RANKS = {level: rank for rank, level in enumerate(Level)}
_MOST = 500
_ATTEMPTS = """
WITH RECURSIVE runs(task_run_id) AS (
  SELECT min(task_run_id) FROM log_lines WHERE execution_id = ?
  UNION ALL
  SELECT (SELECT min(l.task_run_id) FROM log_lines l
          WHERE l.execution_id = ? AND l.task_run_id > r.task_run_id)
  FROM runs r WHERE r.task_run_id IS NOT NULL
), parts(task_run_id, attempt) AS (
  SELECT r.task_run_id, (SELECT min(l.attempt) FROM log_lines l
                         WHERE l.execution_id = ? AND l.task_run_id = r.task_run_id)
  FROM runs r WHERE r.task_run_id IS NOT NULL
  UNION ALL
  SELECT p.task_run_id, (SELECT min(l.attempt) FROM log_lines l WHERE l.execution_id = ?
                         AND l.task_run_id = p.task_run_id AND l.attempt > p.attempt)
  FROM parts p WHERE p.attempt IS NOT NULL
)
SELECT p.task_run_id, p.attempt,
  (SELECT max(l.number) FROM log_lines l WHERE l.execution_id = ?
   AND l.task_run_id = p.task_run_id AND l.attempt = p.attempt)
FROM parts p WHERE p.attempt IS NOT NULL
"""
_PAST = (
    f"{_SELECT} execution_id = ? AND task_run_id = ? AND attempt = ? AND number > ? "
    "ORDER BY number LIMIT ?"
)


class Logs:
    """Writes and reads lines, each call in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def write(self, lines: Sequence[LogLine]) -> None:
        """Store lines; one under a known (execution, task run, attempt, number) overwrites."""
        for start in range(0, len(lines), _MOST):
            rows = [_row(line) for line in lines[start : start + _MOST]]
            with self._database.writing() as sql:
                sql.executemany(_WRITE, rows)

    def search(
        self, query: LogQuery, *, limit: int, cursor: str | None = None, ascending: bool = True
    ) -> Page:
        """Return a page of lines by time; of one execution or of all."""
        wanted, values = _conditions(query)
        if cursor is not None:
            wanted.append(f"(at, id) {'>' if ascending else '<'} (?, ?)")
            values += key_of(cursor, int, int)
        order = "ASC" if ascending else "DESC"
        sql = (
            f"{_SELECT} {' AND '.join(wanted or ['TRUE'])} ORDER BY at {order}, id {order} LIMIT ?"
        )
        with self._database.reading() as connection:
            rows = connection.execute(sql, [*values, limit + 1]).fetchall()
        last = rows[limit - 1] if len(rows) > limit else None
        return Page([_line(row) for row in rows[:limit]], last and cursor_of(last[9], last[11]))

    def tail(
        self, execution_id: str, after: Mapping[tuple[str, int], int], *, limit: int
    ) -> Sequence[LogLine]:
        """Return lines past a cursor per (task run or '', attempt), by time."""
        with self._database.reading() as sql:
            parts = [
                _past(sql, execution_id, key, after.get(key, -1), limit)
                for key, last in _attempts(sql, execution_id).items()
                if last > after.get(key, -1)
            ]
        merged = merge(*parts, key=lambda row: row[9])  # by time, yet each part by number
        return [_line(row) for row in islice(merged, limit)]

    def delete(self, execution_id: str) -> int:
        """Remove all lines of an execution; returns how many."""
        with self._database.writing() as sql:
            return sql.execute(
                "DELETE FROM log_lines WHERE execution_id = ?", (execution_id,)
            ).rowcount

    def purge(self, query: LogQuery, levels: Sequence[Level] = ()) -> int:
        """Remove the lines that fit, those of some levels only; returns how many."""
        wanted, values = _conditions(query)
        if levels:
            wanted.append(f"level IN ({', '.join('?' * len(levels))})")
            values += [_RANKS[level] for level in levels]
        with self._database.writing() as sql:
            return sql.execute(
                f"DELETE FROM log_lines WHERE {' AND '.join(wanted or ['TRUE'])}", values
            ).rowcount


def _attempts(sql: Connection, execution_id: str) -> Mapping[tuple[str, int], int]:
    """Return the last number of each (task run, attempt) that has lines."""
    rows = sql.execute(_ATTEMPTS, (execution_id,) * 5).fetchall()
    return {(run, attempt): last for run, attempt, last in rows}


def _past(
    sql: Connection, execution_id: str, key: tuple[str, int], number: int, limit: int
) -> list[Any]:
    return sql.execute(_PAST, (execution_id, *key, number, limit)).fetchall()


def _row(line: LogLine) -> tuple[Any, ...]:
    return (
        line.execution_id,
        line.task_run_id or "",
        line.attempt,
        line.number,
        _RANKS[line.level],
        line.namespace,
        line.flow_id,
        line.task_id,
        line.trigger_id,
        to_micros(line.at),
        _storable(line.message),
    )


def _storable(message: str) -> str:
    """Return the text without what databases refuse: NUL and halves of surrogate pairs."""
    if "\0" in message:
        message = message.replace("\0", "\N{SYMBOL FOR NULL}")
    try:
        message.encode()
    except UnicodeEncodeError:
        return message.encode("utf-8", "replace").decode()
    return message


def _line(row: Sequence[Any]) -> LogLine:
    execution, run, attempt, number, level, namespace, flow, task, trigger, at, message = row[:11]
    return LogLine(
        namespace,
        flow,
        from_micros(at),
        _LEVELS[level],
        message,
        number,
        execution,
        task,
        run or None,
        attempt,
        trigger,
    )


def _conditions(query: LogQuery) -> tuple[list[str], list[Any]]:
    wanted: list[str] = []
    values: list[Any] = []
    for column in (
        "execution_id",
        "task_run_id",
        "task_id",
        "attempt",
        "namespace",
        "flow_id",
        "trigger_id",
    ):
        if (value := getattr(query, column)) is not None:
            wanted.append(f"{column} = ?")
            values.append(value)
    if query.min_level is not Level.TRACE:
        wanted.append("level >= ?")
        values.append(_RANKS[query.min_level])
    if query.since is not None:
        wanted.append("at >= ?")
        values.append(to_micros(query.since))
    if query.until is not None:
        wanted.append("at < ?")
        values.append(to_micros(query.until))
    if query.text:
        wanted.append(f"lower(message) {LIKE}")
        values.append(f"%{escaped(query.text.lower())}%")
    return wanted, values
