"""Run-time state of triggers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from runner.clock import to_micros
from runner.store.base import Page, TriggerRow
from runner.store.sql import (
    LIKE,
    Connection,
    Shape,
    after_prefix,
    cursor_of,
    escaped,
    key_of,
    moment,
)

_TRIGGER = Shape(
    TriggerRow, "triggers", keys=["namespace", "flow_id", "trigger_id"], keep=["created_at"]
)
_SELECT = f"SELECT {_TRIGGER.columns} FROM triggers WHERE"
_NAME = "namespace = ? AND flow_id = ? AND trigger_id = ?"
_AWAKE = "next_at IS NOT NULL AND execution_id IS NULL AND NOT disabled"
_TYPE = "(type || '')"  # no index is to be taken for it: that of next_at finds the few that are due
_ORDER = "ORDER BY namespace, flow_id, trigger_id"


class Triggers:
    """The accessor."""

    def __init__(self, connection: Connection) -> None:
        self._sql = connection

    def find(self, namespace: str, flow_id: str, trigger_id: str) -> TriggerRow | None:
        """Return one, or None."""
        sql = f"{_SELECT} {_NAME}"
        return _TRIGGER.find(self._sql.execute(sql, (namespace, flow_id, trigger_id)))

    def lock(self, namespace: str, flow_id: str, trigger_id: str) -> TriggerRow | None:
        """Like find, holding its row until the transaction ends."""
        sql = f"{_SELECT} {_NAME}{self._sql.for_update}"
        return _TRIGGER.find(self._sql.execute(sql, (namespace, flow_id, trigger_id)))

    def of_flow(self, namespace: str, flow_id: str) -> Sequence[TriggerRow]:
        """Return all of a flow."""
        sql = f"{_SELECT} namespace = ? AND flow_id = ? {_ORDER}"
        return _TRIGGER.values(self._sql.execute(sql, (namespace, flow_id)).fetchall())

    def of_type(self, type: str) -> Sequence[TriggerRow]:
        """Return all of a type."""
        sql = f"{_SELECT} type = ? {_ORDER}"
        return _TRIGGER.values(self._sql.execute(sql, (type,)).fetchall())

    def has_type(self, type: str) -> bool:
        """Say whether there is any of a type."""
        sql = "SELECT 1 FROM triggers WHERE type = ? LIMIT 1"
        return self._sql.execute(sql, (type,)).fetchone() is not None

    def due(self, now: datetime, types: Sequence[str], *, limit: int) -> Sequence[TriggerRow]:
        """Return those of some types whose next date has come, the earliest first; none that waits
        or is off.
        """
        sql = (
            f"{_SELECT} next_at <= ? AND {_AWAKE} AND {_TYPE} IN ({_places(types)}) "
            "ORDER BY next_at LIMIT ?"
        )
        values = (to_micros(now), *types, limit)
        return _TRIGGER.values(self._sql.execute(sql, values).fetchall())

    def next_at(self, types: Sequence[str]) -> datetime | None:
        """Return the earliest next date of those."""
        sql = f"SELECT min(next_at) FROM triggers WHERE {_AWAKE} AND {_TYPE} IN ({_places(types)})"
        return moment(self._sql.execute(sql, tuple(types)).fetchone()[0])

    def locked_by(self, execution_id: str) -> TriggerRow | None:
        """Return the one that waits for an execution's end, or None."""
        return _TRIGGER.find(self._sql.execute(f"{_SELECT} execution_id = ?", (execution_id,)))

    def save(self, row: TriggerRow) -> None:
        """Add or overwrite it."""
        self._sql.execute(_TRIGGER.upsert, _TRIGGER.row(row))

    def delete(self, namespace: str, flow_id: str, trigger_id: str) -> None:
        """Remove one; an unknown one is fine."""
        self._sql.execute(f"DELETE FROM triggers WHERE {_NAME}", (namespace, flow_id, trigger_id))

    def search(
        self,
        *,
        namespace: str | None = None,
        flow_id: str | None = None,
        text: str | None = None,
        limit: int = 100,
        cursor: str | None = None,
    ) -> Page:
        """Return a page by namespace (with its children), flow and id."""
        wanted, values = _conditions(namespace, flow_id, text)
        if cursor is not None:
            wanted.append("(namespace, flow_id, trigger_id) > (?, ?, ?)")
            values += key_of(cursor, str, str, str)
        sql = f"{_SELECT} {' AND '.join(wanted or ['TRUE'])} {_ORDER} LIMIT ?"
        rows = _TRIGGER.values(self._sql.execute(sql, [*values, limit + 1]).fetchall())
        more = rows[limit - 1] if len(rows) > limit else None
        return Page(
            rows[:limit], cursor_of(more.namespace, more.flow_id, more.trigger_id) if more else None
        )


def _places(values: Sequence[str]) -> str:
    return ", ".join("?" * len(values)) or "NULL"


def _conditions(
    namespace: str | None, flow_id: str | None, text: str | None
) -> tuple[list[str], list[Any]]:
    wanted: list[str] = []
    values: list[Any] = []
    if namespace is not None:
        wanted.append("(namespace = ? OR (namespace > ? AND namespace < ?))")
        values += [namespace, f"{namespace}.", after_prefix(f"{namespace}.")]
    if flow_id is not None:
        wanted.append("flow_id = ?")
        values.append(flow_id)
    if text:
        columns = ("namespace", "flow_id", "trigger_id")
        wanted.append("(" + " OR ".join(f"lower({column}) {LIKE}" for column in columns) + ")")
        values += [f"%{escaped(text.lower())}%"] * len(columns)
    return wanted, values
