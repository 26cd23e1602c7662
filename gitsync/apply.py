"""Writing a plan down: one transaction, and nothing where nothing changed.

Blobs of namespace files are stored before (`gitsync.files`); a crash in between leaves blobs that
the next try finds. The transaction begins with the source's row, compared by version, so that two
syncs never write one after the other what both planned from the same past.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gitsync.changes import Act, FilesChange, FlowChange, Plan, Refusal
from gitsync.firing import PushFiring, Start, Started
from gitsync.objects import Commit
from runner.clock import EPOCH
from runner.errors import Conflict
from runner.model.flow import Flow
from runner.store.base import (
    CommitRow,
    FlowRow,
    ProblemRow,
    Revision,
    SourceRow,
    SyncRun,
    TreeFile,
    TriggerRow,
    Tx,
)

_GONE = frozenset({Act.REMOVED, Act.DELETED})


Arm = Callable[[Tx, Flow], None]
"""Brings the rows of a flow's triggers in line with its text; nothing of the past is caught up."""


@dataclass(frozen=True)
class Snapshot:
    """A commit to remember, with its manifest of namespace files as a difference from *base*."""

    commit: Commit
    files: FilesChange
    base: str | None = None  # tree that the difference starts from


@dataclass(frozen=True)
class Change:
    """All that one poll has to write. *row* is the source's row as it shall be."""

    row: SourceRow
    plan: Plan | None = None
    snapshots: tuple[Snapshot, ...] = ()
    starts: Sequence[Start] = ()
    took_ms: int = 0


def apply(
    tx: Tx, change: Change, *, arm: Arm, firing: PushFiring, now: datetime
) -> Sequence[Started]:
    """Write a change and return what was started (to send after the commit).

    Raises:
        Conflict: the source or one of its flows was changed by someone else meanwhile; plan again.
    """
    if not tx.sources.save(change.row):
        raise Conflict(f"another process synced {change.row.name}; try again")
    tx.quarantine.remove(f"source:{change.row.name}")
    if change.plan is not None:
        _write_plan(tx, change.plan, change, arm, now)
    for snapshot in change.snapshots:
        _write_snapshot(tx, change.row.name, snapshot)
    return firing.start(tx, change.starts)


def _write_plan(tx: Tx, plan: Plan, change: Change, arm: Arm, now: datetime) -> None:
    for flow_change in plan.flows:
        _check_unmoved(tx, flow_change)
        _write_flow(tx, plan, flow_change, arm, now)
    _write_problems(tx, plan, now)
    tx.sync_runs.add(
        SyncRun(
            source=plan.target.source,
            from_commit=plan.target.before,
            to_commit=plan.target.after,
            summary=plan.summary(),
            at=now,
            took_ms=change.took_ms,
        )
    )


def _check_unmoved(tx: Tx, change: FlowChange) -> None:
    find = tx.flows.find if change.row is None else tx.flows.lock
    row = find(change.namespace, change.flow_id)
    if _standing(row) != _standing(change.row):
        name = f"{change.namespace}/{change.flow_id}"
        raise Conflict(f"the flow {name} was changed meanwhile; try again")


def _standing(row: FlowRow | None) -> tuple[object, ...] | None:
    if row is None:
        return None
    return row.revision, row.last_revision, row.owner, row.absent, row.deleted


def _write_flow(tx: Tx, plan: Plan, change: FlowChange, arm: Arm, now: datetime) -> None:
    if change.text is not None:
        tx.revisions.add(_revision(plan, change, now))
    row = _gone(change, now) if change.act in _GONE else _row(plan, change, now)
    tx.flows.save(row)
    _write_triggers(tx, row, change, arm, now)


def _revision(plan: Plan, change: FlowChange, now: datetime) -> Revision:
    return Revision(
        namespace=change.namespace,
        flow_id=change.flow_id,
        revision=change.revision,
        source=change.text or "",
        digest=change.digest,
        created_at=now,
        created_by=plan.target.owner,
        source_name=plan.target.source,
        ref=plan.target.ref,
        commit=plan.target.after,
        path=change.path,
    )


def _row(plan: Plan, change: FlowChange, now: datetime) -> FlowRow:
    flow, old = change.flow, change.row
    kept = old.commit if old and change.text is None else plan.target.after
    return FlowRow(
        namespace=change.namespace,
        flow_id=change.flow_id,
        revision=change.revision,
        last_revision=max(change.revision, old.last_revision if old else 0),
        owner=plan.target.owner,
        updated_at=now,
        disabled=flow.disabled if flow else False,
        blocked=change.blocked,
        path=change.path,
        commit=kept,
        labels=flow.labels if flow else (),
        description=flow.description if flow else None,
        running=old.running if old else 0,
    )


def _gone(change: FlowChange, now: datetime) -> FlowRow:
    if change.row is None:
        raise ValueError(f"{change.act} of a flow that nobody knows")
    deleted = change.act is Act.DELETED
    return replace(change.row, absent=not deleted, deleted=deleted, updated_at=now)


def _write_triggers(tx: Tx, row: FlowRow, change: FlowChange, arm: Arm, now: datetime) -> None:
    if change.flow is not None:
        arm(tx, change.flow)
        return
    for trigger in tx.triggers.of_flow(*change.key) if change.row else ():
        _switch_off(tx, trigger, row, now)


def _switch_off(tx: Tx, trigger: TriggerRow, row: FlowRow, now: datetime) -> None:
    """Let a trigger of an absent or blocked flow wait for nothing; a return arms it anew."""
    if row.deleted:
        tx.triggers.delete(trigger.namespace, trigger.flow_id, trigger.trigger_id)
    else:
        tx.triggers.save(replace(trigger, next_at=None, key=None, digest="", updated_at=now))


def _write_problems(tx: Tx, plan: Plan, now: datetime) -> None:
    source = plan.target.source
    old = {(row.path, row.number): row for row in tx.source_problems.of_source(source)}
    rows = list(_problem_rows(plan, now))
    kept = [_since(row, old.get((row.path, row.number))) for row in rows]
    if {(row.path, row.number): row for row in kept} != old:
        tx.source_problems.replace(source, kept)


def _since(row: ProblemRow, old: ProblemRow | None) -> ProblemRow:
    """Keep since when a problem has been known, as long as it is the same."""
    if old is None or replace(row, commit=old.commit, at=old.at) != old:
        return row
    return old


def _problem_rows(plan: Plan, now: datetime) -> Iterable[ProblemRow]:
    numbers: dict[str, int] = {}
    for refusal in plan.refused:
        for index, problem in enumerate(refusal.problems):
            numbers[refusal.path] = numbers.get(refusal.path, -1) + 1
            yield ProblemRow(
                source=plan.target.source,
                path=refusal.path,
                number=numbers[refusal.path],
                code=problem.code,
                message=problem.message,
                commit=plan.target.after,
                at=now,
                line=problem.line,
                column=problem.column,
                frame=_frame(refusal, index),
                namespace=refusal.namespace,
                flow_id=refusal.flow_id,
            )


def _frame(refusal: Refusal, index: int) -> str | None:
    return refusal.frames[index] if index < len(refusal.frames) else None


def problems_differ(plan: Plan, known: Sequence[ProblemRow]) -> bool:
    """Say whether the plan refuses something else than what is already written down."""
    epoch = EPOCH
    now = {replace(row, commit="", at=epoch) for row in _problem_rows(plan, epoch)}
    return now != {replace(row, commit="", at=epoch) for row in known}


def _write_snapshot(tx: Tx, source: str, snapshot: Snapshot) -> None:
    commit = snapshot.commit
    tx.commits.add(
        [CommitRow(source, commit.sha, commit.author, commit.email, commit.message, commit.at)]
    )
    tree = snapshot.files.tree
    if tree and not tx.trees.has(tree):
        _write_manifest(tx, snapshot)
    tx.trees.set_commit(source, commit.sha, tree)


def _write_manifest(tx: Tx, snapshot: Snapshot) -> None:
    files = snapshot.files
    written = [
        TreeFile(file.namespace, file.path, file.blob, files.sizes[file.blob])
        for file in files.written
    ]
    if snapshot.base:
        gone = [(file.namespace, file.path) for file in (*files.removed, *files.changed)]
        tx.trees.derive(files.tree, snapshot.base, without=gone, files=written)
    else:
        tx.trees.add(files.tree, written)
