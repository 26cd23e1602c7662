"""What a commit changes, as values: they can be printed, compared and judged. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal

from gitsync.tree import NamespaceFile
from runner.model.flow import Flow
from runner.model.problems import Problem
from runner.store.base import FlowRow

Key = tuple[str, str]
"""Namespace and id of a flow."""
Missing = Literal["disable", "delete", "keep"]
API = "api"


class Act(StrEnum):
    """What happens to a flow."""

    ADDED = "added"
    CHANGED = "changed"
    MOVED = "moved"  # another file, the same text
    RETURNED = "returned"  # was absent or deleted
    ACTIVATED = "activated"  # was blocked by what was not available then
    REMOVED = "removed"  # absent: shown, but its triggers are off
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Known:
    """A flow that the store knows, with the digest of its active text."""

    row: FlowRow
    digest: str

    @property
    def key(self) -> Key:
        return self.row.namespace, self.row.flow_id

    @property
    def is_present(self) -> bool:
        return not (self.row.absent or self.row.deleted)


@dataclass(frozen=True)
class Target:
    """The commit to go to, and the source's rules. *owners*: all that may own a flow now."""

    source: str
    after: str
    before: str | None = None
    namespace: str | None = None
    missing: Missing = "disable"
    ref: str = ""
    owners: frozenset[str] = frozenset()
    files_id: str = ""  # Git's id of the folder of files

    @property
    def owner(self) -> str:
        return f"git:{self.source}"


@dataclass(frozen=True)
class FlowChange:
    """One flow's change. *revision* is the active one afterwards; *text* is given if it is new."""

    act: Act
    namespace: str
    flow_id: str
    path: str
    revision: int
    digest: str = ""
    text: str | None = None
    old_path: str | None = None
    flow: Flow | None = None
    blocked: bool = False
    row: FlowRow | None = None  # as it was

    @property
    def key(self) -> Key:
        return self.namespace, self.flow_id

    def __str__(self) -> str:
        moved = f" (was {self.old_path})" if self.old_path else ""
        blocked = ", not activated" if self.blocked else ""
        name = f"{self.namespace}/{self.flow_id}"
        return f"{self.act:<9} {name} revision {self.revision}{blocked}  {self.path}{moved}"


@dataclass(frozen=True)
class Refusal:
    """A file that is not followed, and why. *keeps*: the revision that stays active meanwhile."""

    path: str
    problems: tuple[Problem, ...]
    frames: tuple[str | None, ...] = ()
    namespace: str | None = None
    flow_id: str | None = None
    keeps: int | None = None

    def __str__(self) -> str:
        kept = f" (revision {self.keeps} stays active)" if self.keeps else ""
        lines = [f"refused   {self.path}{kept}"]
        for problem in self.problems:
            place = f":{problem.line}" if problem.line else ""
            place += f":{problem.column}" if problem.line and problem.column else ""
            lines.append(f"            {self.path}{place} {problem.message}")
        return "\n".join(lines)


@dataclass(frozen=True)
class FilesChange:
    """Namespace files: *tree* is the id of the whole manifest; the others are its difference."""

    tree: str = ""
    added: tuple[NamespaceFile, ...] = ()
    changed: tuple[NamespaceFile, ...] = ()
    removed: tuple[NamespaceFile, ...] = ()
    sizes: Mapping[str, int] = field(default_factory=dict)

    @property
    def written(self) -> tuple[NamespaceFile, ...]:
        return (*self.added, *self.changed)

    @property
    def count(self) -> int:
        return len(self.added) + len(self.changed) + len(self.removed)

    def lines(self) -> Iterator[str]:
        for act, files in (
            ("added", self.added),
            ("changed", self.changed),
            ("removed", self.removed),
        ):
            for file in files:
                yield f"{act:<9} file {file.namespace}: {file.path}  {file.origin}"


@dataclass(frozen=True)
class Plan:
    """Everything that one commit of a source changes."""

    target: Target
    flows: tuple[FlowChange, ...] = ()
    refused: tuple[Refusal, ...] = ()
    files: FilesChange = FilesChange()
    unchanged: int = 0

    @cached_property
    def by_key(self) -> Mapping[Key, FlowChange]:
        return {change.key: change for change in self.flows}

    @property
    def changes_nothing(self) -> bool:
        """Say whether no flow and no file is touched (what was refused may still be new)."""
        return not self.flows and not self.files.count

    def summary(self) -> dict[str, int]:
        """Return counts by act, for a sync run's row."""
        counts = {act.value: sum(1 for c in self.flows if c.act is act) for act in Act}
        counts = {act: count for act, count in counts.items() if count}
        files = {"files": self.files.count} if self.files.count else {}
        refused = {"refused": len(self.refused)} if self.refused else {}
        return {**counts, **files, **refused, "unchanged": self.unchanged}

    def as_json(self) -> dict[str, Any]:
        """Return the plan as plain data."""
        return {
            "source": self.target.source,
            "before": self.target.before,
            "after": self.target.after,
            "summary": self.summary(),
            "flows": [_change_json(change) for change in self.flows],
            "refused": [_refusal_json(refusal) for refusal in self.refused],
            "files": [line.split("  ")[0] for line in self.files.lines()],
        }

    def __str__(self) -> str:
        before = self.target.before[:10] if self.target.before else "nothing"
        lines = [f"{self.target.source}: {before} → {self.target.after[:10]}"]
        lines += [f"  {change}" for change in self.flows]
        lines += [f"  {line}" for line in self.files.lines()]
        lines += [f"  {line}" for refusal in self.refused for line in str(refusal).splitlines()]
        lines.append(f"  {self.unchanged} unchanged")
        return "\n".join(lines)


def _change_json(change: FlowChange) -> dict[str, Any]:
    return {
        "act": change.act.value,
        "namespace": change.namespace,
        "id": change.flow_id,
        "path": change.path,
        "oldPath": change.old_path,
        "revision": change.revision,
        "blocked": change.blocked,
    }


def _refusal_json(refusal: Refusal) -> dict[str, Any]:
    return {
        "path": refusal.path,
        "keeps": refusal.keeps,
        "problems": [
            {
                "line": problem.line,
                "column": problem.column,
                "path": problem.path,
                "code": problem.code,
                "message": problem.message,
            }
            for problem in refusal.problems
        ],
    }
