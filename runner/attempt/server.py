"""What maintenance tasks may see and change beyond their own execution."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Any

from runner.engine.events import Resume
from runner.errors import NotFound, Refused, Unavailable
from runner.expressions import Context, render_value
from runner.ids import slug
from runner.model.evolve import replace
from runner.model.execution import Execution, TaskRun
from runner.model.inputs import resolve_inputs
from runner.model.logs import Level, LogLine
from runner.model.parse_inputs import read_inputs
from runner.model.section import Report, Section
from runner.model.states import State
from runner.model.yaml import Document
from runner.plugin import Purge, Purged, TriggerType
from runner.runtime import Runtime
from runner.storage.base import execution_path
from runner.store.base import ExecutionFilter, LogQuery, Tx

_PAGE = 1000
_EXECUTION_FOLDER = re.compile(r"/.+/executions/[^/]+/(?=(?:tasks|inputs)/)")
_MANY = 1_000_000_000


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

    def resume(self, execution_id: str, inputs: Mapping[str, Any], *, by: str) -> None:
        """Let a paused execution go on.

        Raises:
            NotFound. Refused: it is not paused. InputInvalid: its Pause wants other inputs.
        """
        with self._runtime.store.begin() as tx:
            execution = tx.executions.get(execution_id)
            if execution.state is not State.PAUSED:
                raise Refused(f"Execution '{execution_id}' is not paused, can't resume it")
            paused = tuple(run.id for run in tx.task_runs.live(execution_id) if _is_paused(run))
            asked = self._asked(tx, execution, inputs)
            event = Resume(asked, by=by, at=self._runtime.clock.now(), waiting=paused)
            wake = tx.events.add(execution_id, event)
        if wake is not None:
            with suppress(Unavailable):  # the sweep sends it
                self._runtime.queue.send([wake])

    def _asked(self, tx: Tx, execution: Execution, inputs: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return what the Pause asks for, out of *inputs*."""
        flow = self._runtime.flows.get(
            tx, execution.namespace, execution.flow_id, execution.revision
        )
        paused = next((run for run in tx.task_runs.live(execution.id) if _is_paused(run)), None)
        written = flow.task(paused.task_id).properties.get("onResume") if paused else None
        if not written:
            return {}
        document = {"inputs": written}
        declared = read_inputs(Section(Report(Document(document, {})), document, ()))
        asked = replace(flow, inputs=declared)

        def rendered(value: Any, variables: Mapping[str, Any], typed: bool) -> Any:
            return render_value(value, Context(dict(variables)), typed=typed)

        return resolve_inputs(asked, inputs, rendered, self._runtime.seal.close)

    def count_executions(
        self,
        namespace: str,
        flow_id: str | None,
        *,
        since: datetime | None,
        until: datetime | None,
        states: Sequence[State] = (),
    ) -> Mapping[str, int]:
        """Return how many executions began in that time, by flow: those of a namespace that have
        any, or the one that is named.
        """
        wanted = ExecutionFilter(
            namespaces=(namespace,),
            flow_ids=(flow_id,) if flow_id else (),
            states=tuple(map(str, states)),
            since=since,
            until=until,
        )
        with self._runtime.store.read() as tx:
            counts = dict(tx.executions.counts_by_flow(wanted, at_most=_MANY))
        return {flow_id: counts.get(flow_id, 0)} if flow_id else counts

    def purge_executions(self, wanted: Purge) -> Purged:
        """Remove ended executions, with what belongs to them."""
        purged = Purged()
        for execution in list(self._old(wanted)):
            one = self._purge(execution, wanted)
            purged = Purged(
                purged.executions + one.executions,
                purged.logs + one.logs,
                purged.metrics + one.metrics,
                purged.files + one.files,
            )
        return purged

    def purge_storage(
        self,
        *,
        since: datetime | None,
        until: datetime,
        namespace: str | None = None,
        flow_id: str | None = None,
        dry_run: bool = False,
    ) -> tuple[int, int, int]:
        """Remove the files of executions whose last one was stored in that time."""
        folders = self._folders(namespace, flow_id)
        old = {
            folder: count
            for folder, (last, count) in folders.items()
            if last < until and (since is None or last >= since)
        }
        if not dry_run:
            for folder in old:
                self._runtime.storage.delete_all(folder)
        return len(folders), len(old), 0 if dry_run else sum(old.values())

    def _folders(
        self, namespace: str | None, flow_id: str | None
    ) -> Mapping[str, tuple[datetime, int]]:
        """Return the folders of executions: when the last file came, and how many there are."""
        prefix = "/" if namespace is None else f"/{namespace.replace('.', '/')}/"
        prefix = prefix if flow_id is None else f"{prefix}{slug(flow_id)}/"
        found: dict[str, tuple[datetime, int]] = {}
        for stored in self._runtime.storage.list(prefix):
            if match := _EXECUTION_FOLDER.match(stored.path):
                last, count = found.get(match[0], (stored.modified_at, 0))
                found[match[0]] = max(last, stored.modified_at), count + 1
        return found

    def _old(self, wanted: Purge) -> Iterator[Execution]:
        narrowed = ExecutionFilter(
            namespaces=(wanted.namespace,) if wanted.namespace else (),
            flow_ids=(wanted.flow_id,) if wanted.flow_id else (),
            states=tuple(map(str, wanted.states)),
            since=wanted.since,
            until=wanted.until,
        )
        cursor = None
        while True:
            with self._runtime.store.read() as tx:
                page = tx.executions.search(narrowed, limit=_PAGE, cursor=cursor)
            for execution in page.items:
                if execution.fully_ended and execution.history[-1][1] <= wanted.until:
                    yield execution
            cursor = page.cursor
            if cursor is None:
                return

    def _purge(self, execution: Execution, wanted: Purge) -> Purged:
        logs = files = metrics = 0
        if wanted.logs:
            logs = self._runtime.store.logs.delete(execution.id)
        if wanted.storage:
            place = execution_path(execution.namespace, execution.flow_id, execution.id)
            files = self._runtime.storage.delete_all(place)
        if wanted.executions:
            with self._runtime.store.begin() as tx:
                metrics = len(tx.metrics.of_execution(execution.id))
                tx.executions.delete(execution.id)
        return Purged(int(wanted.executions), logs, metrics, files)

    def _has_dates(self, type_name: str) -> bool:
        found = self._runtime.registry.find(type_name)
        return (
            found is not None
            and issubclass(found, TriggerType)
            and found.evaluated_by in ("scheduler", "polling")
        )


def _is_paused(run: TaskRun) -> bool:
    return run.state is State.PAUSED
