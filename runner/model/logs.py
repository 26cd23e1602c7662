"""Log lines of executions and triggers."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

ENGINE_NUMBERS = 10_000_000
"""Lines of the engine are numbered from here, so that they never meet those of the attempt."""


class Level(StrEnum):
    """How loud a line is; `rank` orders them."""

    TRACE = "TRACE"
    DEBUG = "DEBUG"
    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"

    @property
    def rank(self) -> int:
        return list(Level).index(self)


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line. (execution, task run, attempt, number) is unique: writing it again overwrites.

    Lines of an execution itself have no task run; lines of a trigger have no execution.
    """

    namespace: str
    flow_id: str
    at: datetime
    level: Level
    message: str
    number: int
    execution_id: str | None = None
    task_id: str | None = None
    task_run_id: str | None = None
    attempt: int = 0
    trigger_id: str | None = None
