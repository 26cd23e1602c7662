"""What the dashboard shows together: rows joined in one read."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from runner.errors import NotFound, Refused
from runner.model.execution import Execution
from runner.model.flow import Flow
from runner.model.problems import FlowInvalid
from runner.runtime import Runtime
from runner.services.dates import upcoming
from runner.services.glances import ExecutionDetail, ExecutionList, FlowGlance
from runner.store.base import (
    CommitRow,
    ExecutionFilter,
    FlowRow,
    ProblemRow,
    Revision,
    SourceRow,
    SyncRun,
    Tx,
)

MOST_COUNTED = 10_000
_MOST_RUNS = 200  # an execution with more shows no task strip in lists
_RECENT = 20
_MOST_FLOWS = 200


class Dashboard:
    """Reads for pages."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    # ── history

    def executions(
        self,
        filter: ExecutionFilter,
        *,
        limit: int,
        cursor: str | None = None,
        ascending: bool = False,
    ) -> ExecutionList:
        """Return a page of executions, newest first."""
        with self._runtime.store.read() as tx:
            page = tx.executions.search(filter, limit=limit, cursor=cursor, ascending=ascending)
            return _listed(tx, page.items, page.cursor)

    def heads(self, filter: ExecutionFilter, *, limit: int) -> Sequence[Execution]:
        """Return the newest executions alone."""
        with self._runtime.store.read() as tx:
            heads: Sequence[Execution] = tx.executions.search(filter, limit=limit).items
            return heads

    def rows_of(self, ids: Iterable[str]) -> ExecutionList:
        """Return some executions by id; those that are gone are left out."""
        with self._runtime.store.read() as tx:
            found = [each for each in map(tx.executions.find, ids) if each is not None]
            return _listed(tx, found, None)

    def counts(
        self, filter: ExecutionFilter, end: datetime, step: timedelta, steps: int
    ) -> Sequence[Mapping[str, int]]:
        """Return counts by state for each step of time before *end*, oldest first."""
        starts = [end - step * (steps - index) for index in range(steps)]
        with self._runtime.store.read() as tx:
            return [
                tx.executions.counts_by_state(
                    replace(filter, since=start, until=start + step), at_most=MOST_COUNTED
                )
                for start in starts
            ]

    def count(self, filter: ExecutionFilter) -> int:
        """Return how many match, counted up to a bound."""
        with self._runtime.store.read() as tx:
            return tx.executions.count(filter, at_most=MOST_COUNTED)

    # ── one execution

    def execution(self, execution_id: str) -> ExecutionDetail:
        """Return one execution and what stands around it. Raises NotFound."""
        with self._runtime.store.read() as tx:
            execution = tx.executions.find(execution_id)
            if execution is None:
                raise NotFound(f"there is no execution {execution_id}")
            return self._detail(tx, execution)

    def _detail(self, tx: Tx, execution: Execution) -> ExecutionDetail:
        row = tx.flows.find(execution.namespace, execution.flow_id)
        own = tx.revisions.find(execution.namespace, execution.flow_id, execution.revision)
        attempts = tx.attempts.of_execution(execution.id)
        workers = tx.workers.all()
        commit, synced = _commit(tx, execution)
        upstream_id, _ = tx.executions.upstream(execution.id)
        return ExecutionDetail(
            execution=execution,
            runs=tx.task_runs.of_execution(execution.id),
            flow=self._flow(tx, execution.namespace, execution.flow_id, execution.revision),
            flow_row=row,
            created_by=tx.executions.created_by(execution.id),
            commit=commit,
            synced=synced,
            live=_newer(tx, execution, row),
            own=own,
            last_success=_last_success(tx, execution),
            upstream=tx.executions.find(upstream_id) if upstream_id else None,
            original=tx.executions.find(execution.original_id) if execution.original_id else None,
            replays=_replays(tx, execution),
            children=tx.executions.children(execution.id, limit=_RECENT),
            attempts=attempts,
            timers=tx.timers.of_execution(execution.id),
            workers=sum(1 for worker in workers if tx.workers.is_alive(worker.id)),
            hosts={worker.id: worker.host for worker in workers},
            ahead=_ahead(tx, execution),
            hide=self._hiding(execution),
        )

    def _hiding(self, execution: Execution) -> Callable[[Any], Any]:
        """Return what takes the secrets known here, and those of the execution, out of a value."""
        self._runtime.secrets.names()  # learns those that were added meanwhile
        own: list[str] = []
        with suppress(Refused):  # made with another key: nobody can read it
            self._runtime.seal.opened(dict(execution.inputs), own.append)
        return self._runtime.mask.including(own).hide

    def like(self, text: str, *, limit: int = 5) -> Sequence[Execution]:
        """Return executions whose id begins like *text*."""
        with self._runtime.store.read() as tx:
            for length in (len(text), 8, 5, 3):
                found = tx.executions.search(ExecutionFilter(text=text[:length]), limit=limit).items
                if found:
                    return [each for each in found if each.id.startswith(text[:length])]
        return ()

    # ── flows

    def flows(self, *, text: str | None = None) -> Sequence[FlowGlance]:
        """Return flows with their last runs, by namespace and id."""
        with self._runtime.store.read() as tx:
            rows = tx.flows.search(text=text, limit=_MOST_FLOWS).items
            return [self._glance(tx, row) for row in rows]

    def flow(self, namespace: str, flow_id: str) -> FlowGlance:
        """Return one flow with its last runs. Raises NotFound."""
        with self._runtime.store.read() as tx:
            row = tx.flows.find(namespace, flow_id)
            if row is None or row.deleted:
                raise NotFound(f"there is no flow {flow_id} in {namespace}")
            glance = self._glance(tx, row)
        now = self._runtime.clock.now()
        return replace(glance, upcoming=upcoming(self._runtime, glance.flow, glance.triggers, now))

    def flow_problems(self, namespace: str, flow_id: str) -> Sequence[ProblemRow]:
        """Return what Git's newest text of a flow was refused for."""
        with self._runtime.store.read() as tx:
            return tx.source_problems.of_flow(namespace, flow_id)

    def revisions(self, namespace: str, flow_id: str) -> Sequence[Revision]:
        """Return all revisions of a flow, newest first."""
        with self._runtime.store.read() as tx:
            known = tx.revisions.of_flow(namespace, flow_id)
            return sorted(known, key=lambda each: -each.revision)

    def _glance(self, tx: Tx, row: FlowRow) -> FlowGlance:
        wanted = ExecutionFilter(
            namespaces=(row.namespace,), flow_ids=(row.flow_id,), kinds=("NORMAL",)
        )
        recent = tx.executions.search(wanted, limit=_RECENT).items
        return FlowGlance(
            row=row,
            flow=self._flow(tx, row.namespace, row.flow_id, row.revision),
            recent=[each for each in recent if each.namespace == row.namespace],
            triggers=tx.triggers.of_flow(row.namespace, row.flow_id),
            problems=len(tx.source_problems.of_flow(row.namespace, row.flow_id)),
        )

    def _flow(self, tx: Tx, namespace: str, flow_id: str, revision: int) -> Flow | None:
        try:
            return self._runtime.flows.get(tx, namespace, flow_id, revision)
        except (FlowInvalid, NotFound):
            return None

    # ── sources and commits

    def sources(self) -> Sequence[tuple[SourceRow, int]]:
        """Return all sources with the number of their problems."""
        with self._runtime.store.read() as tx:
            counts = tx.source_problems.counts()
            return [(row, counts.get(row.name, 0)) for row in tx.sources.list()]

    def owned(self, source: str) -> tuple[int, int]:
        """Return how many flows and files a source has."""
        with self._runtime.store.read() as tx:
            row = tx.sources.find(source)
            files = tx.trees.files(row.tree) if row is not None and row.tree else ()
            return tx.flows.count_present(f"git:{source}"), len(files)

    def flows_of_problems(
        self, problems: Iterable[ProblemRow]
    ) -> Mapping[tuple[str, str], FlowRow]:
        """Return the flows that problems speak of, as far as they exist."""
        names = {(each.namespace, each.flow_id) for each in problems}
        found = {}
        with self._runtime.store.read() as tx:
            for namespace, flow_id in names:
                row = tx.flows.find(namespace, flow_id) if namespace and flow_id else None
                if row is not None:
                    found[row.namespace, row.flow_id] = row
        return found

    def runs_of_commit(self, sha: str) -> Mapping[str, int]:
        """Return counts by state of the executions at a commit."""
        with self._runtime.store.read() as tx:
            return tx.executions.counts_by_state(ExecutionFilter(commit=sha), at_most=1000)

    def commits_of(self, shas: Iterable[str | None], source: str | None) -> Mapping[str, CommitRow]:
        """Return what is known of some commits, by id."""
        with self._runtime.store.read() as tx:
            return _commits(tx, ((source, sha) for sha in shas))


def _listed(tx: Tx, executions: Sequence[Execution], cursor: str | None) -> ExecutionList:
    small = [each.id for each in executions if each.sequence <= _MOST_RUNS]
    return ExecutionList(
        executions=executions,
        runs=tx.task_runs.of_executions(small),
        commits=_commits(tx, ((each.source, each.commit) for each in executions)),
        cursor=cursor,
    )


def _commits(tx: Tx, wanted: Iterable[tuple[str | None, str | None]]) -> Mapping[str, CommitRow]:
    found = {}
    for source, sha in set(wanted):
        if sha and (commit := _find_commit(tx, source, sha)):
            found[sha] = commit
    return found


def _find_commit(tx: Tx, source: str | None, sha: str) -> CommitRow | None:
    if source is not None:
        return tx.commits.find(source, sha)
    return next(iter(tx.commits.with_prefix(sha, limit=1)), None)


def _commit(tx: Tx, execution: Execution) -> tuple[CommitRow | None, SyncRun | None]:
    if execution.source is None or execution.commit is None:
        return None, None
    runs = tx.sync_runs.of_source(execution.source, limit=50).items
    synced = next((run for run in runs if run.to_commit == execution.commit), None)
    return tx.commits.find(execution.source, execution.commit), synced


def _newer(tx: Tx, execution: Execution, row: FlowRow | None) -> Revision | None:
    if row is None or row.deleted or row.revision == execution.revision:
        return None
    return tx.revisions.find(execution.namespace, execution.flow_id, row.revision)


def _last_success(tx: Tx, execution: Execution) -> Execution | None:
    wanted = ExecutionFilter(
        namespaces=(execution.namespace,),
        flow_ids=(execution.flow_id,),
        states=("SUCCESS", "WARNING"),
        until=execution.created_at,
    )
    found = tx.executions.search(wanted, limit=3).items
    return next((each for each in found if each.namespace == execution.namespace), None)


def _replays(tx: Tx, execution: Execution) -> Sequence[Execution]:
    found = tx.executions.search(ExecutionFilter(original_id=execution.id), limit=5).items
    return [each for each in found if each.id != execution.id]


def _ahead(tx: Tx, execution: Execution) -> Sequence[Execution]:
    if execution.state != "QUEUED":
        return ()
    wanted = ExecutionFilter(
        namespaces=(execution.namespace,),
        flow_ids=(execution.flow_id,),
        states=("RUNNING", "PAUSED", "BREAKPOINT", "RETRYING", "KILLING", "RESTARTED"),
    )
    found = tx.executions.search(wanted, limit=3).items
    return [each for each in found if each.namespace == execution.namespace]
