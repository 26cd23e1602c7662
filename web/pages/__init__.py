"""The dashboard: whole HTML pages that work without JavaScript."""

from __future__ import annotations

from importlib import import_module

from flask import Flask

MODULES = ("account", "execution", "executions", "flows", "live", "log", "search", "sources")
"""Each adds its routes to the blueprint when it is imported."""


def install(app: Flask) -> None:
    """Add the pages to an application."""
    from web.pages import failures
    from web.pages.counts import Counts
    from web.pages.rendering import keep_assets
    from web.pages.site import COUNTS, bp

    for name in MODULES:
        import_module(f"web.pages.{name}")
    app.extensions[COUNTS] = Counts()
    app.register_blueprint(bp)
    app.after_request(keep_assets)
    failures.install(app)
