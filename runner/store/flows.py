"""Flows by name, and their concurrency slots."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from runner.engine.codec import to_text
from runner.errors import NotFound
from runner.store.base import FlowRow, Page
from runner.store.sql import (
    LIKE,
    Connection,
    Shape,
    after_prefix,
    chunks,
    cursor_of,
    escaped,
    key_of,
    marks,
)

_FLOW = Shape(FlowRow, "flows", keys=["namespace", "flow_id"], keep=["running"])
_SELECT = f"SELECT {_FLOW.columns} FROM flows WHERE"
_NAME = "namespace = ? AND flow_id = ?"


class Flows:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def get(self, namespace: str, flow_id: str) -> FlowRow:
        """Return the flow of that name. Raises NotFound."""
        return _present(self.find(namespace, flow_id), namespace, flow_id)

    def find(self, namespace: str, flow_id: str) -> FlowRow | None:
        """Return the flow of that name, or None."""
        return _FLOW.find(self._sql.execute(f"{_SELECT} {_NAME}", (namespace, flow_id)))

    def lock(self, namespace: str, flow_id: str) -> FlowRow:
        """Like get, holding its row until the transaction ends."""
        sql = f"{_SELECT} {_NAME}{self._sql.for_update}"
        return _present(
            _FLOW.find(self._sql.execute(sql, (namespace, flow_id))), namespace, flow_id
        )

    def save(self, row: FlowRow) -> None:
        """Add or overwrite it; an existing one keeps its count of slots taken."""
        self._sql.execute(_FLOW.upsert, _FLOW.row(row))

    def search(
        self,
        *,
        namespace: str | None = None,
        text: str | None = None,
        owner: str | None = None,
        labels: Sequence[tuple[str, str]] = (),
        with_deleted: bool = False,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page:
        """Return a page by namespace (with its children) and id."""
        wanted, values = _conditions(namespace, text, owner, labels)
        if not with_deleted:
            wanted.append("NOT deleted")
        if cursor is not None:
            wanted.append("(namespace, flow_id) > (?, ?)")
            values += key_of(cursor, str, str)
        sql = f"{_SELECT} {' AND '.join(wanted or ['TRUE'])} ORDER BY namespace, flow_id LIMIT ?"
        rows = _FLOW.values(self._sql.execute(sql, [*values, limit + 1]).fetchall())
        more = rows[limit - 1] if len(rows) > limit else None
        return Page(rows[:limit], cursor_of(more.namespace, more.flow_id) if more else None)

    def of_owner(self, owner: str) -> Sequence[FlowRow]:
        """Return all that belong to an owner, by name."""
        sql = f"{_SELECT} owner = ? ORDER BY namespace, flow_id"
        return _FLOW.values(self._sql.execute(sql, (owner,)).fetchall())

    def of_paths(self, owner: str, paths: Iterable[str]) -> Sequence[FlowRow]:
        """Return those of an owner that come from one of *paths*."""
        found: list[FlowRow] = []
        for some in chunks(paths):
            sql = f"{_SELECT} owner = ? AND path IN ({marks(len(some))})"
            found += _FLOW.values(self._sql.execute(sql, [owner, *some]).fetchall())
        return found

    def count_present(self, owner: str) -> int:
        """Return how many of an owner's flows are neither absent nor deleted."""
        sql = "SELECT count(*) FROM flows WHERE owner = ? AND NOT absent AND NOT deleted"
        return int(self._sql.execute(sql, (owner,)).fetchone()[0])

    def namespaces(self) -> Sequence[str]:
        """Return the namespaces of all flows that are not deleted."""
        sql = "SELECT DISTINCT namespace FROM flows WHERE NOT deleted ORDER BY namespace"
        return [name for (name,) in self._sql.execute(sql).fetchall()]

    def take_slot(self, namespace: str, flow_id: str, limit: int) -> bool:
        """Count one more running execution, unless there are *limit* already."""
        sql = f"UPDATE flows SET running = running + 1 WHERE {_NAME} AND running < ?"
        return self._sql.execute(sql, (namespace, flow_id, limit)).rowcount == 1

    def give_slot(self, namespace: str, flow_id: str) -> None:
        """Count one less."""
        sql = f"UPDATE flows SET running = running - 1 WHERE {_NAME} AND running > 0"
        self._sql.execute(sql, (namespace, flow_id))


def _conditions(
    namespace: str | None, text: str | None, owner: str | None, labels: Sequence[tuple[str, str]]
) -> tuple[list[str], list[Any]]:
    wanted: list[str] = []
    values: list[Any] = []
    if namespace is not None:
        wanted.append("(namespace = ? OR (namespace > ? AND namespace < ?))")
        values += [namespace, f"{namespace}.", after_prefix(f"{namespace}.")]
    if text:
        wanted.append(
            f"(lower(flow_id) {LIKE} OR lower(namespace) {LIKE} OR lower(description) {LIKE})"
        )
        values += [f"%{escaped(text.lower())}%"] * 3
    if owner is not None:
        wanted.append("owner = ?")
        values.append(owner)
    for label in labels:
        wanted.append(f"labels {LIKE}")
        values.append(f"%{escaped(to_text(label))}%")
    return wanted, values


def _present(row: FlowRow | None, namespace: str, flow_id: str) -> FlowRow:
    if row is None:
        raise NotFound(f"there is no flow {namespace}.{flow_id}")
    return row
