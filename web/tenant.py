"""Paths with the tenant ``main`` and without it are the same (rest-api §2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import orjson

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ROOT = "/api/v1/"
TENANT = "main"
GROUPS = frozenset(
    {
        "flows", "executions", "logs", "metrics", "outputs", "triggers", "namespaces", "kv",
        "secrets", "dashboards", "stats", "blueprints", "templates", "taskruns", "usages",
        "basicAuth", "concurrency-limit", "dependencies", "configs", "basicAuthValidationErrors",
        "plugins", "pebble", "sources", "openapi.json",
    }
)  # fmt: skip
"""What may come first behind the root when no tenant is named."""


class Tenant:
    """Takes the tenant out of the path, and a slash from its end."""

    def __init__(self, app: WSGIApplication) -> None:
        self._app = app

    def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        path: str = environ.get("PATH_INFO", "")
        if not path.startswith(ROOT):
            return self._app(environ, start_response)
        environ["headrace.path"] = path
        first, _, rest = path[len(ROOT) :].partition("/")
        if first == TENANT:
            path = ROOT + rest
        elif first not in GROUPS:
            return _refused(start_response, first)
        if path.endswith("/"):
            environ["headrace.trailing_slash"] = True
            path = path.rstrip("/")
        environ["PATH_INFO"] = path
        return self._app(environ, start_response)


def _refused(start_response: StartResponse, tenant: str) -> Iterable[bytes]:
    message = f"Bad Request: Tenant must be 'main', not '{tenant}'"
    body: dict[str, Any] = {
        "message": message,
        "type": "about:blank",
        "title": "Bad Request",
        "status": 400,
        "detail": message,
    }
    content = orjson.dumps(body)
    start_response(
        "400 Bad Request",
        [("Content-Type", "application/json"), ("Content-Length", str(len(content)))],
    )
    return [content]
