"""What ids, namespaces, labels and the like may look like (flow-language §3)."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class NameRule:
    """A pattern for whole names, and their longest length."""

    pattern: str
    longest: int | None = None

    def fault(self, name: str) -> str | None:
        """Say in Kestra's words what is wrong with *name*; None if nothing is."""
        if not name.strip():
            return "must not be blank"
        if self.longest is not None and len(name) > self.longest:
            return f"size must be between 1 and {self.longest}"
        if not re.fullmatch(self.pattern, name, re.ASCII):
            return f'must match "^{self.pattern}"'
        return None


FLOW_ID = NameRule("[a-zA-Z0-9][a-zA-Z0-9._-]*", 100)
NAMESPACE = NameRule("[a-z0-9][a-z0-9._-]*", 150)
TASK_ID = NameRule("[a-zA-Z0-9][a-zA-Z0-9_-]*", 256)
TRIGGER_ID = NameRule("[a-zA-Z0-9][a-zA-Z0-9_-]*")
INPUT_ID = NameRule("[a-zA-Z0-9][.a-zA-Z0-9_-]*")
TYPE = NameRule(r"[A-Za-z_$][A-Za-z0-9_$]*(?:\.[A-Za-z_$][A-Za-z0-9_$]*)*")
KV_KEY = NameRule("[a-zA-Z0-9][a-zA-Z0-9._-]*")

RESERVED_FLOW_IDS = (
    "pause", "resume", "force-run", "change-status", "kill", "executions", "search", "source",
    "disable", "enable",
)  # fmt: skip

SYSTEM_LABEL = "system."
WRITABLE_SYSTEM_LABEL = "system.readOnly"

_LABEL_KEY = re.compile(r"[^\W\d_](?:[^\W\d_]|[0-9._-])*")


def label_key_fault(key: str) -> str | None:
    """Say what is wrong with the key of a label; None if nothing is."""
    if _LABEL_KEY.fullmatch(key) and key[0].islower():
        return None
    return (
        "Invalid label key. A valid key contains only lowercase letters numbers hyphens (-) "
        "underscores (_) or periods (.) and must begin with a lowercase letter."
    )


def nearest(name: str, known: Iterable[str], cutoff: float = 0.75) -> str | None:
    """Return the known name that is most like *name*, ignoring case; None if none is like it."""
    spellings = {spelling.lower(): spelling for spelling in known}
    found = difflib.get_close_matches(name.lower(), spellings, n=1, cutoff=cutoff)
    return spellings[found[0]] if found else None
