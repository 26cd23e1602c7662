"""What a task may know of the worker: its environment without secrets, and some settings."""

from __future__ import annotations

import os
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from runner.errors import NotFound
from runner.runtime import Runtime

_HIDDEN_PREFIXES = ("SECRET_", "HEADRACE_")
_HIDDEN_NAMES = frozenset(
    {"REDIS_URL", "DATABASE_URL", "PGPASSWORD", "PGPASSFILE", "PGSERVICEFILE"}
)


def visible_environment(runtime: Runtime, environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that a task's process may see.

    Left out: secrets, Headrace's own settings, addresses of Redis and databases, and every variable
    that the settings refer to as a credential.
    """
    settings = runtime.settings
    referenced = runtime.credential_names
    addresses = {settings.database_url, settings.redis_url} - {None}
    return {
        name: value
        for name, value in environment.items()
        if not name.startswith(_HIDDEN_PREFIXES)
        and name not in _HIDDEN_NAMES
        and name not in referenced
        and value not in addresses
    }


@lru_cache(maxsize=8)
def worker_environment(runtime: Runtime) -> Mapping[str, str]:
    """Return what a task's process may see of this process's environment, as it was at the first
    task: a look at each variable takes as long as a commit.
    """
    return visible_environment(runtime, os.environ)


def setting(runtime: Runtime, source: str | None, name: str) -> Any:
    """Return a setting that plugins may read. Raises NotFound.

    ``git.source`` is the `SourceSettings` of the execution's source, or None.
    """
    settings = runtime.settings
    match name:
        case "task_runner.default":
            return runtime.default_task_runner
        case "docker.host":
            return settings.docker.host
        case "docker.network_mode":
            return settings.docker.network_mode
        case "docker.volumes_enabled":
            return settings.docker.volumes_enabled
        case "docker.package_cache":
            return settings.docker.package_cache
        case "git.source":
            return next((s for s in settings.sources if s.name == source), None)
        case "git.sources":
            return settings.sources
        case "limits.clones_bytes":
            return settings.limits.clones_bytes
        case "home":
            return settings.home
    raise NotFound(f"there is no setting {name!r} for tasks")
