"""States of executions, task runs and attempts (spec: execution-semantics §3)."""

from __future__ import annotations

from enum import StrEnum


class State(StrEnum):
    """One word for where an execution, a task run or an attempt is."""

    CREATED = "CREATED"
    SUBMITTED = "SUBMITTED"
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    BREAKPOINT = "BREAKPOINT"
    RESTARTED = "RESTARTED"
    RETRYING = "RETRYING"
    KILLING = "KILLING"
    SUCCESS = "SUCCESS"
    WARNING = "WARNING"
    FAILED = "FAILED"
    KILLED = "KILLED"
    CANCELLED = "CANCELLED"
    RETRIED = "RETRIED"
    SKIPPED = "SKIPPED"
    RESUBMITTED = "RESUBMITTED"

    @property
    def is_terminal(self) -> bool:
        return self in TERMINAL

    @property
    def stands_still(self) -> bool:
        """It waits for somebody; what runs is recorded, but nothing is decided (§4)."""
        return self in (State.PAUSED, State.BREAKPOINT)

    @property
    def is_created(self) -> bool:
        """Chosen to run, but nothing was started yet."""
        return self in (State.CREATED, State.RESTARTED)


TERMINAL = frozenset(
    {
        State.SUCCESS,
        State.WARNING,
        State.FAILED,
        State.KILLED,
        State.CANCELLED,
        State.RETRIED,
        State.SKIPPED,
        State.RESUBMITTED,
    }
)
