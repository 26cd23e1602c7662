"""The web application: its parts, listed."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from flask import Flask, request
from werkzeug.middleware.proxy_fix import ProxyFix

from runner.errors import HeadraceError
from runner.runtime import Runtime
from runner.services.bundle import Services, open_services
from runner.services.creation import Creator, GroupCreator
from web import auth, errors, hooks, security
from web.api import (
    execution_actions,
    execution_files,
    executions,
    executions_bulk,
    flows,
    logs,
    metrics,
    namespaces,
    platform,
    plugins,
    sources,
    triggers,
)
from web.context import KEY, Ready, Web
from web.stream import Streams
from web.tenant import Tenant

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

BLUEPRINTS = (
    platform.bp,
    hooks.bp,
    flows.bp,
    executions_bulk.bp,
    executions.bp,
    execution_actions.bp,
    execution_files.bp,
    logs.bp,
    metrics.bp,
    metrics.outputs,
    triggers.bp,
    namespaces.bp,
    namespaces.keys,
    namespaces.secrets,
    sources.bp,
    plugins.bp,
)

_MULTIPART = "multipart/form-data"
_FORM_FIELD_BYTES = 16 * 1024 * 1024


def create_app(
    runtime: Runtime,
    *,
    ready: Ready | None = None,
    creator: Creator | None = None,
    is_stopping: Callable[[], bool] = lambda: False,
    pages: bool = True,
) -> Flask:
    """Make the application of a process.

    *ready* says of each neighbour whether it answers (default: database, Redis, sources).
    *creator* commits creations (default: many in one commit). *is_stopping* ends live streams.
    Without *pages* there is the API alone.
    """
    settings = runtime.settings.web
    services = open_services(runtime, creator or GroupCreator(runtime))
    app = Flask("web", static_folder="static", static_url_path="/static")
    app.url_map.strict_slashes = False
    app.config.update(
        MAX_CONTENT_LENGTH=settings.max_body_bytes,
        MAX_FORM_MEMORY_SIZE=_FORM_FIELD_BYTES,
        MAX_FORM_PARTS=1_000,
        SESSION_COOKIE_NAME="headrace",
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        SESSION_COOKIE_SECURE=(settings.public_url or "").startswith("https:"),
    )
    credentials = auth.configured(settings)
    streams = Streams(services, most=settings.max_streams, is_stopping=is_stopping)
    app.extensions[KEY] = Web(
        services=services,
        settings=settings,
        credentials=credentials,
        streams=streams,
        ready=ready or neighbours(services),
    )
    app.before_request(_limit_body)
    auth.install(app, credentials)
    errors.install(app)
    security.install(app)
    for blueprint in BLUEPRINTS:
        app.register_blueprint(blueprint)
    if pages:
        _add_pages(app)
    _static_is_open(app)
    app.wsgi_app = _behind(app.wsgi_app, settings.trusted_proxies)  # type: ignore[method-assign]
    return app


def neighbours(services: Services) -> Ready:
    """Return the check of what a server needs: database, Redis, each source polled once."""
    runtime = services.runtime
    names = [source.name for source in runtime.settings.sources]
    done = {"sources": not names}

    def ready() -> Mapping[str, bool]:
        done["sources"] = done["sources"] or _holds(lambda: services.sources.were_polled(names))
        return {
            "database": _holds(lambda: _reads(runtime)),
            "redis": _holds(lambda: runtime.queue.hands() is not None),
            **done,
        }

    return ready


def _holds(check: Callable[[], bool]) -> bool:
    try:
        return check()
    except HeadraceError:
        return False


def _reads(runtime: Runtime) -> bool:
    with runtime.store.read() as tx:
        return tx.now() is not None


def _limit_body() -> None:
    """Uploads may be larger than other bodies."""
    if request.mimetype == _MULTIPART:
        limits = request_limits()
        request.max_content_length = limits


def request_limits() -> int:
    """Return how many bytes a form with files may have."""
    from web.context import web

    return web().settings.max_upload_bytes + _FORM_FIELD_BYTES


def _add_pages(app: Flask) -> None:
    """Pages are a part that may be left out: `web.pages.install(app)` adds them."""
    found = importlib.util.find_spec("web.pages")
    if found is not None and found.origin is not None:
        importlib.import_module("web.pages").install(app)


def _static_is_open(app: Flask) -> None:
    """Scripts and styles are no secret."""
    setattr(app.view_functions["static"], auth.PERMISSION, auth.OPEN)


def _behind(wsgi_app: Any, proxies: int) -> Any:
    inner: WSGIApplication = Tenant(wsgi_app)
    if not proxies:
        return inner
    return ProxyFix(
        inner, x_for=proxies, x_proto=proxies, x_host=proxies, x_port=proxies, x_prefix=proxies
    )
