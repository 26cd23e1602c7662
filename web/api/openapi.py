"""The description of the API, made from the routes themselves."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flask import current_app
from werkzeug.routing import Rule

from web.auth import BODY, OPEN, PERMISSION

_PARAMETER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")
_METHODS = frozenset({"GET", "POST", "PUT", "PATCH", "DELETE"})


def describe() -> dict[str, Any]:
    """Return the OpenAPI description of all routes below ``/api/``."""
    paths: dict[str, dict[str, Any]] = {}
    for rule in sorted(current_app.url_map.iter_rules(), key=lambda each: each.rule):
        if rule.rule.startswith("/api/"):
            path = _PARAMETER.sub(r"{\1}", rule.rule)
            for method, operation in _operations(rule):
                paths.setdefault(path, {})[method] = operation
    return {
        "openapi": "3.1.0",
        "info": {"title": "Headrace", "version": "v1"},
        "servers": [{"url": "/"}],
        "paths": paths,
        "components": {
            "securitySchemes": {
                "basic": {"type": "http", "scheme": "basic"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
            "schemas": {"Error": _ERROR},
        },
    }


def _operations(rule: Rule) -> Iterator[tuple[str, dict[str, Any]]]:
    view = current_app.view_functions[rule.endpoint]
    permission = getattr(view, PERMISSION, "")
    for method in sorted(_METHODS & set(rule.methods or ())):
        operation: dict[str, Any] = {
            "operationId": _operation_id(rule, method),
            "summary": (view.__doc__ or "").strip().splitlines()[0] if view.__doc__ else "",
            "tags": [rule.endpoint.partition(".")[0].removeprefix("api_")],
            "parameters": [
                {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
                for name in sorted(rule.arguments)
                if f"{name}>" in rule.rule
            ],
            "responses": {
                "2XX": {"description": "done"},
                "default": {
                    "description": "an error",
                    "content": {
                        "application/json": {"schema": {"$ref": "#/components/schemas/Error"}}
                    },
                },
            },
            "security": [] if permission == OPEN else [{"basic": []}, {"bearer": []}],
            "x-permission": permission,
        }
        if body := getattr(view, BODY, None):
            operation["requestBody"] = {"content": {body: {}}}
        yield method.lower(), operation


def _operation_id(rule: Rule, method: str) -> str:
    words = re.findall(r"\w+", f"{method} {rule.rule}")
    return "_".join(words).lower()


_ERROR = {
    "type": "object",
    "properties": {
        "message": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
        "code": {"type": "string"},
    },
}
