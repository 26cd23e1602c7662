"""What Git sync needs, and what a poll comes to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from gitsync.apply import Arm
from gitsync.changes import Plan
from gitsync.firing import PushFiring
from gitsync.reading import Parse
from gitsync.repo import GitRunner
from runner.clock import Clock
from runner.storage.base import Storage
from runner.store.base import Store

NEW, SYNCING, SYNCED = "NEW", "SYNCING", "SYNCED"
UNREACHABLE, EMPTY_STATE, FAILED = "UNREACHABLE", "EMPTY", "FAILED"


@dataclass(frozen=True)
class World:
    """The neighbours of Git sync, handed in by `gitsync.wiring`."""

    store: Store
    storage: Storage
    home: Path
    clock: Clock
    runner: GitRunner
    parse: Parse
    arm: Arm
    firing: PushFiring
    flow_bytes: int = 3 * 1024 * 1024


@dataclass(frozen=True)
class Outcome:
    """What a poll came to. *wrote*: more changed in the database than the time of the poll."""

    source: str
    state: str
    error: str | None = None
    plan: Plan | None = None
    started: int = 0
    failures: int = 0
    wrote: bool = False

    @property
    def is_well(self) -> bool:
        return self.state in (SYNCED, EMPTY_STATE)
