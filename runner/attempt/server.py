"""What maintenance tasks may see and change beyond their own execution."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from runner.errors import NotFound
from runner.model.logs import Level, LogLine
from runner.plugin import TriggerType
from runner.runtime import Runtime
from runner.store.base import LogQuery

_PAGE = 1000


class TaskServer:
    """A `runner.plugin.TaskServer` over the store."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def logs(self, execution_id: str, *, min_level: Level = Level.TRACE) -> Iterator[LogLine]:
        """Yield the lines of an execution, by time."""
        query = LogQuery(execution_id, min_level=min_level)
        cursor = None
        while True:
            page = self._runtime.store.logs.search(query, limit=_PAGE, cursor=cursor)
            yield from page.items
            cursor = page.cursor
            if cursor is None:
                return

    def purge_logs(
        self,
        *,
        since: datetime | None,
        until: datetime,
        namespace: str | None = None,
        flow_id: str | None = None,
        execution_id: str | None = None,
        levels: Sequence[Level] = (),
    ) -> int:
        """Remove the lines that fit; returns how many there were. No levels: those of all."""
        query = LogQuery(
            execution_id, namespace=namespace, flow_id=flow_id, since=since, until=until
        )
        return self._runtime.store.logs.purge(query, levels)

    def toggle_trigger(
        self, namespace: str, flow_id: str, trigger_id: str, *, enabled: bool
    ) -> None:
        """Switch a trigger on or off; one with dates is looked at soon. Raises NotFound."""
        now = self._runtime.clock.now()
        with self._runtime.store.begin() as tx:
            row = tx.triggers.lock(namespace, flow_id, trigger_id)
            if row is None:
                raise NotFound(f"there is no trigger '{trigger_id}' of {namespace}.{flow_id}")
            if row.disabled is not enabled:
                return
            next_at = now if enabled and self._has_dates(row.type) else None
            tx.triggers.save(replace(row, disabled=not enabled, next_at=next_at, updated_at=now))

    def _has_dates(self, type_name: str) -> bool:
        found = self._runtime.registry.find(type_name)
        return (
            found is not None
            and issubclass(found, TriggerType)
            and found.evaluated_by in ("scheduler", "polling")
        )
