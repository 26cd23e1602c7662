"""Finding executions among millions.

A page must never walk through history, so each search is driven by one index that gives rows in
order of time: of a label, of some flows merged, of some states merged, or of time itself; the other
wishes only filter. What is rare drives; to know that, rows are counted to a small bound. Flows are
found without history, too: by skipping from one (namespace, flow) to the next.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from re import sub
from typing import Any

from runner.clock import to_micros
from runner.model.execution import Execution
from runner.store.base import ExecutionFilter, Page
from runner.store.codec import EXECUTION, execution_of
from runner.store.sql import LIKE, Connection, after_prefix, cursor_of, key_of, like, marks

_BRANCHES = 100  # more flows than this are not merged: then there is history enough to filter
_LABELLED = "execution_labels l CROSS JOIN executions e"  # SQLite: in this order
_RARE = 10_000  # fewer rows than this may be walked through
_FLOWS = """
WITH RECURSIVE names(namespace) AS (
  SELECT min(namespace) FROM executions
  UNION ALL
  SELECT (SELECT min(e.namespace) FROM executions e WHERE e.namespace > n.namespace)
  FROM names n WHERE n.namespace IS NOT NULL
), pairs(namespace, flow_id) AS (
  SELECT n.namespace, (SELECT min(e.flow_id) FROM executions e WHERE e.namespace = n.namespace)
  FROM names n WHERE n.namespace IS NOT NULL
  UNION ALL
  SELECT p.namespace, (SELECT min(e.flow_id) FROM executions e
                       WHERE e.namespace = p.namespace AND e.flow_id > p.flow_id)
  FROM pairs p WHERE p.flow_id IS NOT NULL
)
SELECT namespace, flow_id FROM pairs WHERE flow_id IS NOT NULL
"""


@dataclass
class _Where:
    """Conditions with their values. *walks*: no index serves them, so history is gone through."""

    conditions: list[str] = field(default_factory=list)
    values: list[Any] = field(default_factory=list)
    walks: bool = False

    def add(self, condition: str, *values: Any) -> None:
        self.conditions.append(condition)
        self.values += values

    def plus(self, condition: str, *values: Any) -> _Where:
        return _Where([*self.conditions, condition], [*self.values, *values], self.walks)

    def filtering(self) -> _Where:
        """Return the same, written so that no index of these columns can serve it."""
        pattern = r"e\.(namespace|flow_id|state)\b"
        conditions = [sub(pattern, r"(e.\1 || '')", c) for c in self.conditions]
        return _Where(conditions, self.values, walks=True)

    @property
    def sql(self) -> str:
        return " AND ".join(self.conditions or ["TRUE"])


class ExecutionSearch:
    """Pages and counts."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def page(
        self, filter: ExecutionFilter, *, limit: int, cursor: str | None, ascending: bool
    ) -> Page:
        """Return a page of heads by time of creation."""
        order = "ASC" if ascending else "DESC"
        where = _Where()
        if cursor is not None:
            compare = ">" if ascending else "<"
            where.add(f"(e.created_at, e.id) {compare} (?, ?)", *key_of(cursor, int, str))
        keys = self._keys(filter, where, limit + 1, order)
        found = self._heads([execution_id for _, execution_id in keys[:limit]])
        return Page(found, cursor_of(*keys[limit - 1]) if len(keys) > limit else None)

    def count(self, filter: ExecutionFilter, *, at_most: int) -> int:
        """Return how many there are, counting no further than *at_most*."""
        branches = self._branches(filter, _Where())
        if not branches:
            return 0
        parts = [f"SELECT 1 FROM {table} WHERE {_timed(table, where)}" for table, where in branches]
        if len(parts) == 1 and branches[0][1].walks:  # by time, not by an index that sorts by name
            parts[0] += " ORDER BY e.created_at DESC, e.id DESC"
        values = [value for _, where in branches for value in where.values]
        counted = f"SELECT count(*) FROM ({' UNION ALL '.join(parts)} LIMIT ?) AS counted"
        return int(self._sql.execute(counted, [*values, at_most]).fetchone()[0])

    def counts_by_state(self, filter: ExecutionFilter, *, at_most: int) -> Mapping[str, int]:
        """Return how many of the newest *at_most* are in which state."""
        return self._counted(filter, "e.state", at_most)

    def counts_by_flow(self, filter: ExecutionFilter, *, at_most: int) -> Mapping[str, int]:
        """Return how many of the newest *at_most* are of which flow, by its id."""
        return self._counted(filter, "e.flow_id", at_most)

    def _counted(self, filter: ExecutionFilter, column: str, at_most: int) -> Mapping[str, int]:
        branches = self._branches(filter, _Where())
        if not branches:
            return {}
        sql, values = _union(branches, f"e.created_at, e.id, {column} AS found", "DESC", at_most)
        counted = f"SELECT found, count(*) FROM ({sql}) AS counted GROUP BY found"
        return dict(self._sql.execute(counted, values).fetchall())

    def _keys(
        self, filter: ExecutionFilter, where: _Where, limit: int, order: str
    ) -> list[tuple[int, str]]:
        branches = self._branches(filter, where)
        if not branches:
            return []
        sql, values = _union(branches, "e.created_at, e.id", order, limit)
        return [(at, found) for at, found in self._sql.execute(sql, values).fetchall()]

    def _heads(self, ids: Sequence[str]) -> Sequence[Execution]:
        if not ids:
            return []
        sql = f"SELECT {EXECUTION} FROM executions WHERE id IN ({marks(len(ids))})"
        found = {row[0]: execution_of(row) for row in self._sql.execute(sql, ids).fetchall()}
        return [found[execution_id] for execution_id in ids if execution_id in found]

    def _branches(self, filter: ExecutionFilter, where: _Where) -> list[tuple[str, _Where]]:
        """Return tables with conditions, one for each index range to merge; none: no match."""
        _narrow(filter, where)
        if filter.commit or filter.upstream_id or filter.original_id:
            return [
                ("executions e", _labels(filter.labels, _states(filter, _names(filter, where))))
            ]
        label, drives = self._rarest(filter)
        if label is not None and drives != "states":
            return [_by_label(label, filter, _states(filter, _names(filter, where)))]
        if drives == "states" or (filter.states and not _names(filter, _Where()).conditions):
            rest = _labels(filter.labels, _names(filter, where).filtering())
            states = dict.fromkeys(filter.states)
            return [("executions e", rest.plus("e.state = ?", state)) for state in states]
        if filter.namespaces or filter.flow_ids or filter.text:
            return self._by_flow(filter, where)
        return [("executions e", where)]

    def _rarest(self, filter: ExecutionFilter) -> tuple[tuple[str, str] | None, str]:
        """Return the rarest wanted label, and whether labels, states or neither ('') are rare."""
        counted = [(self._count_label(label), label) for label in filter.labels]
        fewest, label = min(counted, default=(_RARE, None))
        states = self._count_states(filter.states) if filter.states else _RARE
        if states < min(fewest, _RARE):
            return label, "states"
        return label, "labels" if fewest < _RARE else ""

    def _count_label(self, label: tuple[str, str]) -> int:
        sql = "SELECT 1 FROM execution_labels WHERE key = ? AND value = ?"
        return self._count_rows(sql, label)

    def _count_states(self, states: Sequence[str]) -> int:
        sql = f"SELECT 1 FROM executions WHERE state IN ({marks(len(states))})"
        return self._count_rows(sql, states)

    def _count_rows(self, sql: str, values: Sequence[str]) -> int:
        """Return how many rows there are, counting to `_RARE`."""
        counted = f"SELECT count(*) FROM ({sql} LIMIT ?) AS counted"
        return int(self._sql.execute(counted, [*values, _RARE]).fetchone()[0])

    def _by_flow(self, filter: ExecutionFilter, where: _Where) -> list[tuple[str, _Where]]:
        pairs = self._flows(filter)
        rest = _states(filter, where)
        if len(pairs) > _BRANCHES:
            return [("executions e", _states(filter, _names(filter, where)).filtering())]
        branches = [
            ("executions e", rest.plus("e.namespace = ? AND e.flow_id = ?", *pair))
            for pair in pairs
        ]
        if filter.text:
            by_id = _names(filter, rest, text=False)
            between = "e.id >= ? AND e.id < ?"
            unlike = f"NOT (lower(e.flow_id) {LIKE} OR lower(e.namespace) {LIKE})"
            pattern = like(f"*{_literal(filter.text)}*").lower()
            by_id = by_id.plus(between, filter.text, after_prefix(filter.text))
            branches.append(("executions e", by_id.plus(unlike, pattern, pattern)))
        return branches

    def _flows(self, filter: ExecutionFilter) -> Sequence[tuple[str, str]]:
        """Return the (namespace, flow) pairs in history that match, one more than `_BRANCHES`."""
        where = _names(filter, _Where(), prefix="")
        sql = f"{_FLOWS} AND {where.sql} LIMIT ?"
        rows = self._sql.execute(sql, [*where.values, _BRANCHES + 1]).fetchall()
        return [(namespace, flow_id) for namespace, flow_id in rows]


def _narrow(filter: ExecutionFilter, where: _Where) -> None:
    """Add the conditions on single columns."""
    if filter.since is not None:
        where.add("e.created_at >= ?", to_micros(filter.since))
    if filter.until is not None:
        where.add("e.created_at < ?", to_micros(filter.until))
    if filter.commit:
        prefix = filter.commit.lower()
        where.add('e."commit" >= ? AND e."commit" < ?', prefix, after_prefix(prefix))
    if filter.upstream_id is not None:
        where.add("e.upstream_id = ?", filter.upstream_id)
    if filter.original_id is not None:
        where.add("e.original_id = ?", filter.original_id)
    if filter.trigger_id is not None:
        where.add("e.trigger_id = ?", filter.trigger_id)
    for column, wanted in (("trigger_type", filter.trigger_types), ("kind", filter.kinds)):
        if wanted:
            where.add(f"e.{column} IN ({marks(len(wanted))})", *wanted)


def _states(filter: ExecutionFilter, where: _Where) -> _Where:
    if not filter.states:
        return where
    return where.plus(f"e.state IN ({marks(len(filter.states))})", *filter.states)


def _names(
    filter: ExecutionFilter, where: _Where, *, text: bool = True, prefix: str = "e."
) -> _Where:
    """Return *where* with the conditions on namespace and flow."""
    within = [_within(namespace, prefix) for namespace in filter.namespaces]
    flows = [_matching(pattern, prefix) for pattern in filter.flow_ids]
    for options in (within, flows):
        if options:
            either = " OR ".join(condition for condition, _ in options)
            where = where.plus(f"({either})", *(value for _, values in options for value in values))
    if filter.text and text:
        where = _containing(filter.text, where, prefix)
    return where


def _within(namespace: str, prefix: str) -> tuple[str, list[str]]:
    below = f"{namespace}."
    column = f"{prefix}namespace"
    sql = f"{column} = ? OR ({column} >= ? AND {column} < ?)"
    return sql, [namespace, below, after_prefix(below)]


def _matching(pattern: str, prefix: str) -> tuple[str, list[str]]:
    if "*" not in pattern:
        return f"{prefix}flow_id = ?", [pattern]
    return f"{prefix}flow_id {LIKE}", [like(pattern)]


def _containing(text: str, where: _Where, prefix: str) -> _Where:
    pattern = like(f"*{_literal(text)}*").lower()
    either = f"lower({prefix}flow_id) {LIKE} OR lower({prefix}namespace) {LIKE}"
    if not prefix:  # flows are looked for, not executions
        return where.plus(f"({either})", pattern, pattern)
    by_id = "(e.id >= ? AND e.id < ?)"
    return where.plus(f"({either} OR {by_id})", pattern, pattern, text, after_prefix(text))


def _literal(text: str) -> str:
    return text.replace("*", "")


def _labels(labels: Iterable[tuple[str, str]], where: _Where) -> _Where:
    """Return *where* with the condition that an execution has all these labels.

    Counted, not EXISTS: that PostgreSQL turns into a join, driven by the wrong side.
    """
    has = (
        "(SELECT count(*) FROM execution_labels o "
        "WHERE o.execution_id = e.id AND o.key = ? AND o.value = ?) > 0"
    )
    for label in labels:
        where = where.plus(has, *label)
    return where


def _by_label(label: tuple[str, str], filter: ExecutionFilter, where: _Where) -> tuple[str, _Where]:
    """Return labels joined with executions: driven by one label, in its order of time."""
    others = [other for other in filter.labels if other != label]
    where = _labels(others, where.plus("l.key = ? AND l.value = ?", *label))
    return _LABELLED, where.plus("e.id = l.execution_id")


def _time_of(table: str) -> str:
    return "l.created_at" if table == _LABELLED else "e.created_at"


def _timed(table: str, where: _Where) -> str:
    """Return the conditions with the time of the table that drives."""
    return where.sql.replace("e.created_at", _time_of(table))


def _union(
    branches: Sequence[tuple[str, _Where]], columns: str, order: str, limit: int
) -> tuple[str, list[Any]]:
    """Return one statement that merges the branches, each sorted and limited by itself."""
    parts, values = [], []
    for number, (table, where) in enumerate(branches):
        at = _time_of(table)
        text = columns.replace("e.created_at", at, 1)
        parts.append(
            f"SELECT * FROM (SELECT {text} FROM {table} WHERE {_timed(table, where)} "
            f"ORDER BY {at} {order}, e.id {order} LIMIT ?) AS part{number}"
        )
        values += [*where.values, limit]
    if len(parts) == 1:
        return parts[0], values
    merged = " UNION ALL ".join(parts)
    by = f"ORDER BY created_at {order}, id {order} LIMIT ?"
    return f"SELECT * FROM ({merged}) AS merged {by}", [*values, limit]
