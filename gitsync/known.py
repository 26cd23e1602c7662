"""What the store knows of a source's flows and files, as `plan` wants it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from gitsync.changes import API, Key, Known
from gitsync.reading import ReadFlow
from gitsync.tree import Comparison
from runner.store.base import FlowRow, ProblemRow, Tx


def own_flows(tx: Tx, owner: str, trees: Comparison) -> dict[Key, Known]:
    """Return the source's flows, at the paths that the comparison speaks of."""
    if trees.is_whole:
        digests = tx.revisions.active_digests(owner)
        rows = tx.flows.of_owner(owner)
        return {key: Known(row, digests.get(key, "")) for row in rows for key in [_key(row)]}
    return {_key(row): _known(tx, row) for row in tx.flows.of_paths(owner, trees.touched)}


def named_flows(
    tx: Tx, flows: Iterable[ReadFlow], own: Mapping[Key, Known]
) -> Iterator[tuple[Key, Known]]:
    """Yield the flows that the read texts name and that are not among *own*."""
    for flow in flows:
        if flow.namespace is None or flow.flow_id is None:
            continue
        key = (flow.namespace, flow.flow_id)
        if key not in own and (row := tx.flows.find(*key)) is not None:
            yield key, _known(tx, row)


def _key(row: FlowRow) -> Key:
    return row.namespace, row.flow_id


def _known(tx: Tx, row: FlowRow) -> Known:
    active = tx.revisions.find(row.namespace, row.flow_id, row.revision)
    return Known(row, active.digest if active and not active.deleted else "")


def file_claims(tx: Tx, source: str, trees: Comparison, again: frozenset[str]) -> dict[Key, str]:
    """Return which of the new files others have: (namespace, path) → owner."""
    new = [
        file
        for path, file in trees.new.files.items()
        if path not in trees.old.files or path in again
    ]
    others = {other.name: other.tree for other in tx.sources.list() if other.name != source}
    claims: dict[Key, str] = {}
    for namespace in {file.namespace for file in new}:
        claims |= {(namespace, row.path): API for row in tx.namespace_files.list(namespace)}
        for name, tree in others.items():
            files = tx.trees.files(tree, namespace) if tree else ()
            claims |= {(namespace, file.path): f"git:{name}" for file in files}
    return claims


def is_freed(tx: Tx, problems: Iterable[ProblemRow], source: str) -> bool:
    """Say whether a flow that belonged to another owner may be taken now."""
    for problem in problems:
        if problem.code != "owner" or problem.namespace is None or problem.flow_id is None:
            continue
        row = tx.flows.find(problem.namespace, problem.flow_id)
        if row is None or row.absent or row.deleted or row.owner == f"git:{source}":
            return True
    return False
