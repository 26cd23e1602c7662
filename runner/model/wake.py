"""A wake-up of a worker: a row of the outbox, and an RQ job of the same id."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Wake:
    """A row of the outbox: the id is the RQ job id."""

    id: str
    kind: str  # drive | attempt
    execution_id: str
    queue: str
    created_at: datetime
    task_run_id: str | None = None
    attempt: int | None = None
