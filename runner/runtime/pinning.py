"""What a new execution of a flow is pinned to: its Git source, and that source's head."""

from __future__ import annotations

from runner.store.base import FlowRow, Tx

GIT_OWNER = "git:"


def source_of(row: FlowRow) -> str | None:
    """Return the name of the Git source that owns the flow."""
    return row.owner.removeprefix(GIT_OWNER) if row.owner.startswith(GIT_OWNER) else None


def head_of(tx: Tx, row: FlowRow) -> str | None:
    """Return the commit that a new execution of the flow is pinned to: the head of its source."""
    name = source_of(row)
    if name is None:
        return None
    return tx.sources.head(name) or row.commit
