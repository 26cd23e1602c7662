"""The dashboard: whole HTML pages that work without JavaScript."""

from __future__ import annotations

from flask import Flask

from web.pages import account, execution, executions, failures, flows, live, log, search, sources
from web.pages.counts import Counts
from web.pages.site import COUNTS, bp

__all__ = [
    "account", "execution", "executions", "flows", "install", "live", "log", "search", "sources",
]  # fmt: skip


def install(app: Flask) -> None:
    """Add the pages to an application."""
    app.extensions[COUNTS] = Counts()
    app.register_blueprint(bp)
    failures.install(app)
