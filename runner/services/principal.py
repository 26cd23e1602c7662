"""Who asks for a change."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Principal:
    """A person, token or part of the system. *kind*: user, token, system."""

    name: str
    kind: str = "user"
    permissions: frozenset[str] = frozenset({"*"})

    def may(self, permission: str) -> bool:
        """Say whether this one may do what *permission* (``executions:write`` …) names."""
        return "*" in self.permissions or permission in self.permissions


LOCAL = Principal("local administrator")
SYSTEM = Principal("system", kind="system")
