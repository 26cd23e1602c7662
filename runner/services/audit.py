"""Who changed what, and when: one row for each change by a person or token."""

from __future__ import annotations

from typing import Any

from runner.runtime import Runtime
from runner.services.principal import Principal
from runner.store.base import AuditRow, Page, Tx


def record(
    runtime: Runtime, tx: Tx, by: Principal, action: str, subject: str, **details: Any
) -> None:
    """Write the row of a change into its transaction; the system's own are not recorded."""
    if by.kind != "system":
        tx.audit.add(AuditRow(runtime.clock.now(), by.name, action, subject, details))


class Audit:
    """Reads the record of changes."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def list(
        self, *, subject: str | None = None, limit: int = 100, cursor: str | None = None
    ) -> Page:
        """Return changes, newest first."""
        with self._runtime.store.read() as tx:
            return tx.audit.list(subject=subject, limit=limit, cursor=cursor)
