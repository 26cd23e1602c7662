"""What every process needs, made once in `runner.wiring` and handed on."""

from __future__ import annotations

from dataclasses import dataclass, field

from runner.clock import Clock, SystemClock
from runner.queue import Queue
from runner.registry import Registry
from runner.runtime.flows import FlowCache
from runner.secrets import Mask, Secrets
from runner.settings import Settings
from runner.storage.base import Storage
from runner.store.base import Store


@dataclass(frozen=True)
class Runtime:
    """The neighbours of a process. *environment* is what expressions may show as ``envs``."""

    settings: Settings
    store: Store
    storage: Storage
    queue: Queue
    secrets: Secrets
    mask: Mask
    registry: Registry
    flows: FlowCache
    clock: Clock = field(default_factory=SystemClock)
    default_task_runner: str = "process"  # docker | process, decided at start
