"""Log lines, as people and programs read them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain

from runner.errors import NotFound
from runner.model.logs import LogLine
from runner.runtime import Runtime
from runner.services.audit import record
from runner.services.principal import Principal
from runner.store.base import LogQuery, Page

_AT_ONCE = 1000


class Logs:
    """The use cases around log lines."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def search(
        self, query: LogQuery, *, limit: int, cursor: str | None = None, ascending: bool = False
    ) -> Page:
        """Return lines that match, newest first unless *ascending*."""
        return self._runtime.store.logs.search(
            query, limit=limit, cursor=cursor, ascending=ascending
        )

    def all(self, query: LogQuery) -> Iterator[LogLine]:
        """Yield every line that matches, oldest first."""
        cursor: str | None = None
        while True:
            page = self._runtime.store.logs.search(query, limit=_AT_ONCE, cursor=cursor)
            yield from page.items
            cursor = page.cursor
            if cursor is None:
                return

    def of_execution(self, query: LogQuery) -> Iterator[LogLine]:
        """Yield the lines of one execution, also of a deleted one whose log was kept.

        Raises:
            NotFound: there is neither an execution nor a line.
        """
        lines = self.all(query)
        with self._runtime.store.read() as tx:
            if query.execution_id and tx.executions.find(query.execution_id) is not None:
                return lines
        first = next(lines, None) if query.execution_id else None
        if first is None:
            raise NotFound("Execution not found")
        return chain([first], lines)

    def tail(
        self, execution_id: str, after: Mapping[tuple[str, int], int], *, limit: int = _AT_ONCE
    ) -> Sequence[LogLine]:
        """Return lines past a cursor by task run and attempt."""
        return self._runtime.store.logs.tail(execution_id, after, limit=limit)

    def delete(self, execution_id: str, *, by: Principal) -> int:
        """Remove the lines of an execution."""
        with self._runtime.store.begin() as tx:
            record(self._runtime, tx, by, "logs.delete", execution_id)
        return self._runtime.store.logs.delete(execution_id)
