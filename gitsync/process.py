"""The sync process of ``headrace up``: Git sync and the scheduler, until SIGTERM."""

from __future__ import annotations

import socket
from collections.abc import Sequence
from pathlib import Path

from gitsync.cli import serve
from gitsync.sync import SyncDuty
from gitsync.wiring import world_of
from runner import logs, wiring
from runner.settings import Settings, SourceSettings, load


def serve_process(
    settings: Settings, config: Path | None, listener: socket.socket | None = None
) -> None:
    """Do the duties; SIGHUP reads the sources again (the demo's stays while none is configured)."""
    first = [settings.sources]

    def sources() -> Sequence[SourceSettings]:
        if first:
            return first.pop()
        return load(config, home=settings.home).sources or settings.sources

    with wiring.open_runtime(settings) as runtime:
        logs.configure(runtime.mask.apply)
        world = world_of(runtime)
        try:
            serve(runtime, SyncDuty(world, sources))
        finally:
            world.runner.close()
