"""From two trees to what follows: `plan`. Pure.

Nothing is decided later: `gitsync.apply` only writes a plan down.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from gitsync.changes import (
    API,
    Act,
    FilesChange,
    FlowChange,
    Key,
    Known,
    Plan,
    Refusal,
    Target,
)
from gitsync.reading import ReadFlow, Reading, frame, line_of
from gitsync.tree import Comparison, lfs_problem, printable
from runner.model.problems import Problem
from runner.store.base import FlowRow


def to_read(trees: Comparison, own: Iterable[Known], troubled: frozenset[str]) -> frozenset[str]:
    """Return the paths of flows to read: changed and unknown ones, and those that had problems."""
    known = {item.row.path for item in own if item.is_present}
    return frozenset(
        path
        for path, file in trees.new.flows.items()
        if trees.old.flows.get(path) != file or path not in known or path in troubled
    )


def plan(
    target: Target,
    trees: Comparison,
    reading: Reading,
    known: Mapping[Key, Known],
    *,
    claims: Mapping[Key, str] | None = None,
    troubled: frozenset[str] = frozenset(),
    present: int | None = None,
) -> Plan:
    """Say what follows from a commit.

    *known* holds the source's own flows at the paths spoken of, and every flow that the read texts
    name; *present* counts all of its own that are there; *claims* are the namespace files
    (namespace, path) of other owners; *troubled* the paths with problems before.
    """
    planner = _FlowPlanner(target, trees, reading, known)
    changes, refused = planner.run()
    files, refused_files = files_of(target, trees, reading, claims or {}, troubled)
    others = [_refused_path(path, problem) for path, problem in trees.new.problems.items()]
    unchanged = planner.unchanged(changes, len(planner.own) if present is None else present)
    everything = sorted((*refused, *refused_files, *others), key=lambda refusal: refusal.path)
    return Plan(target, changes, tuple(everything), files, unchanged)


class _FlowPlanner:
    """One run of the flows' part; a class only to share its tables among short methods."""

    def __init__(
        self, target: Target, trees: Comparison, reading: Reading, known: Mapping[Key, Known]
    ) -> None:
        self.target = target
        self.known = known
        self.read = {flow.path: flow for flow in reading.flows}
        own = [item for item in known.values() if item.row.owner == target.owner]
        self.own = {item.key: item for item in own if item.is_present}
        self.by_path = {item.row.path: item for item in self.own.values()}
        self.taken = {
            item.key: path
            for path, item in self.by_path.items()
            if path is not None and self._stands(path, trees)
        }
        self.refused: list[Refusal] = []
        self.kept: set[Key] = set()

    def _stands(self, path: str, trees: Comparison) -> bool:
        """Say whether a flow's file is there and need not be read."""
        if path in trees.new.flows:
            return path not in self.read
        return not trees.is_whole and path not in trees.touched

    def unchanged(self, changes: Iterable[FlowChange], present: int) -> int:
        """Return how many of the flows that were there stay just as they are."""
        moved = {change.key for change in changes if change.key in self.own}
        return present - len(moved | (self.kept & set(self.own)))

    def run(self) -> tuple[tuple[FlowChange, ...], tuple[Refusal, ...]]:
        accepted = {key: flow for key, flow in self._chosen().items() if self._may_own(key, flow)}
        changes = [self._change(key, flow) for key, flow in accepted.items()]
        present = [change for change in changes if change is not None]
        removed = self._removed({*accepted, *self.taken, *self.kept})
        ordered = sorted((*present, *removed), key=lambda change: (change.path, change.key))
        return tuple(ordered), tuple(self.refused)

    def _chosen(self) -> dict[Key, ReadFlow]:
        """Return one usable file for each flow; refuse the others."""
        chosen: dict[Key, ReadFlow] = {}
        for flow in sorted(self.read.values(), key=self._rank):
            if (key := self._usable(flow)) is None:
                continue
            rival = self.taken.get(key) or (chosen[key].path if key in chosen else None)
            if rival is None:
                chosen[key] = flow
            else:
                self._refuse(flow, _duplicate(key, flow, rival))
        return chosen

    def _rank(self, flow: ReadFlow) -> tuple[bool, str]:
        """The file that had the flow before comes first, then by path."""
        owner = self.by_path.get(flow.path)
        holds_it = owner is not None and owner.key == (flow.namespace, flow.flow_id)
        return not holds_it, flow.path

    def _usable(self, flow: ReadFlow) -> Key | None:
        """Return the flow's key if its text may be followed; else refuse it."""
        if not (flow.is_valid or flow.is_blocked):
            self._refuse(flow, *flow.problems)
            return None
        if flow.namespace is None or flow.flow_id is None:
            self._refuse(
                flow, Problem("the flow has no namespace and no folder gives one", "namespace")
            )
            return None
        if not within(flow.namespace, self.target.namespace):
            self._refuse(flow, _border(flow, self.target))
            return None
        key = (flow.namespace, flow.flow_id)
        if flow.is_blocked and (item := self.own.get(key)) and not item.row.blocked:
            self._refuse(flow, *flow.problems)  # the last good revision stays
            return None
        return key

    def _may_own(self, key: Key, flow: ReadFlow) -> bool:
        item = self.known.get(key)
        if item is None or item.row.owner == self.target.owner or not item.is_present:
            return True
        if item.row.owner != API and item.row.owner not in self.target.owners:
            return True  # its source is not configured any more
        self._refuse(flow, _owned(key, flow, item.row, self.target))
        return False

    def _refuse(self, flow: ReadFlow, *problems: Problem) -> None:
        keeper = self.by_path.get(flow.path)
        if keeper is None and flow.namespace and flow.flow_id:
            keeper = self.own.get((flow.namespace, flow.flow_id))
        named = keeper.key if keeper else (flow.namespace, flow.flow_id)
        if keeper:
            self.kept.add(keeper.key)
        self.refused.append(
            Refusal(
                path=flow.path,
                problems=problems,
                frames=tuple(frame(flow.text, problem.line) for problem in problems),
                namespace=named[0],
                flow_id=named[1],
                keeps=keeper.row.revision if keeper and not keeper.row.blocked else None,
            )
        )

    def _change(self, key: Key, flow: ReadFlow) -> FlowChange | None:
        """Return what changes for an accepted file; None if nothing does."""
        if flow.is_blocked:
            self._refuse(flow, *flow.problems)
        item = self.known.get(key)
        made = FlowChange(
            act=Act.ADDED,
            namespace=key[0],
            flow_id=key[1],
            path=flow.path,
            revision=1,
            digest=flow.digest,
            text=flow.text,
            flow=flow.flow if not flow.is_blocked else None,
            blocked=flow.is_blocked,
        )
        return made if item is None else _compared(made, item, self.target)

    def _removed(self, present: set[Key]) -> list[FlowChange]:
        if self.target.missing == "keep":
            return []
        act = Act.DELETED if self.target.missing == "delete" else Act.REMOVED
        return [
            FlowChange(act, *key, item.row.path or "", item.row.revision, item.digest, row=item.row)
            for key, item in self.own.items()
            if key not in present
        ]


def within(namespace: str, border: str | None) -> bool:
    """Say whether a namespace is the border's own or below it."""
    return border is None or namespace == border or namespace.startswith(border + ".")


def _compared(made: FlowChange, item: Known, target: Target) -> FlowChange | None:
    row = item.row
    same_text = item.digest == made.digest
    moved = row.path is not None and row.path != made.path and row.owner == target.owner
    change = replace(
        made,
        revision=row.revision if same_text else row.last_revision + 1,
        text=None if same_text else made.text,
        old_path=row.path if moved else None,
        row=row,
    )
    act = _act(change, item, same_text, target)
    return None if act is None else replace(change, act=act)


def _act(change: FlowChange, item: Known, same_text: bool, target: Target) -> Act | None:
    if not item.is_present or item.row.owner != target.owner:
        return Act.RETURNED
    if not same_text:
        return Act.CHANGED
    if item.row.blocked != change.blocked:
        return Act.ACTIVATED
    return Act.MOVED if item.row.path != change.path else None


def _duplicate(key: Key, flow: ReadFlow, rival: str) -> Problem:
    name = f"{key[0]}/{key[1]}"
    message = f"the flow {name} is defined twice: here and in {rival}, which is followed"
    return Problem(message, "duplicate", path="id", line=line_of(flow.text, "id"), column=1)


def _border(flow: ReadFlow, target: Target) -> Problem:
    return Problem(
        f"the namespace {flow.namespace} is outside of {target.namespace}, "
        f"the border of source {target.source}",
        "border",
        path="namespace",
        line=line_of(flow.text, "namespace"),
        column=1,
    )


def _owned(key: Key, flow: ReadFlow, row: FlowRow, target: Target) -> Problem:
    holder = _name(row.owner) + (f" ({row.path})" if row.path else "")
    return Problem(
        f"the flow {key[0]}/{key[1]} belongs to {holder}; source {target.source} claims it too",
        "owner",
        path="id",
        line=line_of(flow.text, "id"),
        column=1,
    )


def _name(owner: str) -> str:
    return "the API" if owner == API else f"source {owner.removeprefix('git:')}"


def _refused_path(path: str, problem: Problem) -> Refusal:
    return Refusal(printable(path), (problem,), (None,))


def files_of(
    target: Target,
    trees: Comparison,
    reading: Reading,
    claims: Mapping[Key, str],
    troubled: frozenset[str],
) -> tuple[FilesChange, list[Refusal]]:
    """Return how namespace files differ from those of the old tree, and which are refused."""
    refused = dict(_refused_files(target, trees, reading, claims, troubled))
    before = {p: f for p, f in trees.old.files.items() if p not in troubled}
    after = {p: f for p, f in trees.new.files.items() if p not in refused}
    change = FilesChange(
        tree=_manifest_id(target, refused),
        added=tuple(f for p, f in after.items() if p not in before),
        changed=tuple(f for p, f in after.items() if p in before and before[p] != f),
        removed=tuple(f for p, f in before.items() if p not in after),
        sizes=reading.sizes,
    )
    return change, [_refused_path(path, problem) for path, problem in refused.items()]


def _refused_files(
    target: Target,
    trees: Comparison,
    reading: Reading,
    claims: Mapping[Key, str],
    troubled: frozenset[str],
) -> Iterator[tuple[str, Problem]]:
    for path, file in trees.new.files.items():
        if file.blob in reading.lfs:
            yield path, lfs_problem(path)
        elif (owner := claims.get((file.namespace, file.path))) and (
            path in troubled or trees.old.files.get(path) is None
        ):
            yield (
                path,
                Problem(
                    f"the file {file.path} of {file.namespace} belongs to {_name(owner)}; "
                    f"source {target.source} claims it too",
                    "owner",
                ),
            )


def _manifest_id(target: Target, refused: Iterable[str]) -> str:
    """Return an id that is the same for the same content: empty where there is no file."""
    if not target.files_id:
        return ""
    parts = [target.files_id, target.namespace or "", *sorted(map(printable, refused))]
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:40]
