"""The web process of ``headrace up``."""

from __future__ import annotations

import socket
from pathlib import Path

from runner import logs, wiring
from runner.settings import Settings
from web.server import serve


def serve_process(
    settings: Settings, config: Path | None, listener: socket.socket | None = None
) -> None:
    """Serve dashboard and API on the supervisor's socket until SIGTERM."""
    with wiring.open_runtime(settings) as runtime:
        logs.configure(runtime.mask.apply)
        serve(runtime, listener=listener)
