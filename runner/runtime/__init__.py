"""What every process needs, made once in `runner.wiring` and handed on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from runner.clock import Clock, SystemClock
from runner.queue import Queue
from runner.registry import Registry
from runner.runtime.flows import FlowCache
from runner.sealing import Seal
from runner.secrets import Mask, Secrets
from runner.settings import Settings
from runner.storage.base import Storage
from runner.store.base import Store

_REFERENCE = re.compile(r"\$\{(\w+)\}")


@dataclass(frozen=True, eq=False)
class Runtime:
    """The neighbours of a process. *envs* is what expressions may show: ``ENV_…`` variables, in
    lower case.
    """

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
    envs: Mapping[str, str] = field(default_factory=dict)
    seal: Seal = field(default_factory=lambda: Seal(None))  # of values that are stored encrypted

    @cached_property
    def work_folder(self) -> Path:
        """Where working directories of attempts are made."""
        return self.settings.home.resolve() / "work"

    @cached_property
    def credential_names(self) -> frozenset[str]:
        """Environment variables that the settings refer to as credentials."""
        return frozenset(_references(self.settings.model_dump()))

    def opened(self, value: Any) -> Any:
        """Return plain data with what was encrypted in it as text; the log will not show it."""
        return self.seal.opened(value, self.mask.add)

    @cached_property
    def shared_variables(self) -> Mapping[str, Any]:
        """Variables that every expression sees."""
        return {
            "envs": self.envs,
            "globals": self.settings.globals,
            "kestra": {"environment": "headrace", "url": self.settings.web.public_url or ""},
        }


def _references(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield from _REFERENCE.findall(value)
    elif isinstance(value, Mapping):
        for item in value.values():
            yield from _references(item)
    elif isinstance(value, list | tuple):
        for item in value:
            yield from _references(item)
