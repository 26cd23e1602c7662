"""What the tasks that purge by namespace share."""

from __future__ import annotations

from collections.abc import Sequence
from fnmatch import fnmatchcase

from pydantic import Field

from runner.plugin import Task, TaskError


class OfNamespaces(Task):
    """Base of those that are told which namespaces they are about."""

    namespaces: list[str] | None = Field(default=None, description="default: all")
    namespace_pattern: str | None = Field(default=None, description="with * and ?, not both")
    include_child_namespaces: bool = Field(default=True, description="those below too")

    def chosen(self, known: Sequence[str]) -> Sequence[str]:
        """Return those that are meant. Raises TaskError: both ways to choose are given."""
        if self.namespaces and self.namespace_pattern:
            raise TaskError("either 'namespaces' or 'namespacePattern' may be set, not both")
        return [namespace for namespace in known if self._is_meant(namespace)]

    def _is_meant(self, namespace: str) -> bool:
        if self.namespace_pattern:
            return fnmatchcase(namespace, self.namespace_pattern)
        if not self.namespaces:
            return True
        below = self.include_child_namespaces
        return any(
            namespace == each or (below and namespace.startswith(f"{each}."))
            for each in self.namespaces
        )


def check_one_of_two(kind: str, before: str | None, keep_amount: int | None) -> None:
    """Refuse versions that are chosen in two ways, or in none. Raises ValueError."""
    if kind != "version":
        return
    if before is not None and keep_amount is not None:
        raise ValueError("Cannot set both 'before' and 'keepAmount' properties")
    if before is None and keep_amount is None:
        raise ValueError("one of 'before' and 'keepAmount' must be set")
