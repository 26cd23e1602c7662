"""What a client asks before anything else, and whether we are well (rest-api §17, §20)."""

from __future__ import annotations

import os
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from runner.expressions import FILTERS, FUNCTIONS
from web.api.openapi import describe
from web.auth import OPEN, needs
from web.context import services, web
from web.refusals import NotBuilt
from web.respond import json_response

bp = Blueprint("platform", __name__)

COMPATIBLE_VERSION = "1.3.25"
"""Kestra's version that clients are told: they choose their dialect by it."""


@bp.get("/api/v1/configs")
@needs(OPEN)
def configs() -> Response:
    """Return what clients want to know of a server."""
    protected = web().credentials.are_configured
    return json_response(
        {
            "uuid": "headrace",
            "version": COMPATIBLE_VERSION,
            "edition": "OSS",
            "headrace": {"version": own_version()},
            "chartDefaultDuration": "P30D",
            "isCustomDashboardsEnabled": False,
            "isTaskRunEnabled": True,
            "isTemplateEnabled": False,
            "isAnonymousUsageEnabled": False,
            "isUiAnonymousUsageEnabled": False,
            "isAiEnabled": False,
            "isConcurrencyViewEnabled": False,
            "isBasicAuthInitialized": True,
            "isBasicAuthEnabled": protected,
            "url": (web().settings.public_url or request.host_url).rstrip("/"),
            "preview": {"initial": 100, "max": 5000},
            "systemNamespace": "system",
            "hiddenLabelsPrefixes": ["system."],
        }
    )


@bp.get("/api/v1/basicAuthValidationErrors")
@needs(OPEN)
def basic_auth_errors() -> Response:
    """Return what is wrong with the configured user: nothing."""
    return json_response([])


@bp.get("/api/v1/pebble/filters")
@needs("server:read")
def pebble_filters() -> Response:
    """Return the names of the filters of expressions."""
    return json_response(FILTERS.names())


@bp.get("/api/v1/pebble/functions")
@needs("server:read")
def pebble_functions() -> Response:
    """Return the names of the functions of expressions."""
    return json_response(FUNCTIONS.names())


@bp.get("/api/v1/openapi.json")
@needs("server:read")
def openapi() -> Response:
    """Return the description of this API."""
    return json_response(describe())


@bp.get("/ping")
@needs(OPEN)
def ping() -> Response:
    """Answer."""
    return Response("pong", content_type="text/plain")


@bp.get("/version")
@needs(OPEN)
def version_of() -> Response:
    """Return the version that clients are told, and our own."""
    return json_response(
        {"version": COMPATIBLE_VERSION, "type": "OSS", "headrace": {"version": own_version()}}
    )


@bp.get("/health")
@bp.get("/health/readiness")
@needs(OPEN)
def health() -> Response:
    """Say whether everything needed answers: 200 or 503.

    A source that fails is told and changes nothing: the others, and what is stored, work on.
    """
    found = web().ready()
    is_up = all(found.values())
    details = {name: _detail(name, fine) for name, fine in found.items()}
    shape = {"name": "headrace", "status": "UP" if is_up else "DOWN", "details": details}
    return json_response(shape, 200 if is_up else 503)


def _detail(name: str, fine: bool) -> dict[str, Any]:
    if not fine:
        return {"status": "DOWN"}
    failing = services().sources.failing() if name == "sources" else {}
    if not failing:
        return {"status": "UP"}
    states = {source: {"status": row.state} for source, row in failing.items()}
    return {"status": "DEGRADED", "details": states}


@bp.get("/health/liveness")
@needs(OPEN)
def liveness() -> Response:
    """Say that this process answers."""
    return json_response({"name": "headrace", "status": "UP", "details": {"pid": os.getpid()}})


@bp.get("/prometheus")
@needs(OPEN)
def prometheus() -> Response:
    """Say that it is not built yet."""
    raise NotBuilt("metrics for Prometheus are not available yet")


@bp.route(
    "/api/v1/<any(dashboards, stats, blueprints, templates, taskruns, usages, dependencies,"
    " 'concurrency-limit', basicAuth):group>",
    defaults={"rest": ""},
    methods=["GET", "POST", "PUT", "DELETE"],
)
@bp.route(
    "/api/v1/<any(dashboards, stats, blueprints, templates, taskruns, usages, dependencies,"
    " 'concurrency-limit', basicAuth):group>/<path:rest>",
    methods=["GET", "POST", "PUT", "DELETE"],
)
@needs("server:read")
def later(group: str, rest: str) -> Response:
    """Say that a whole group of resources is not built yet."""
    raise NotBuilt(f"{group} is not available yet")


@bp.get("/ui")
@bp.get("/ui/<path:rest>")
@needs(OPEN)
def ui(rest: str = "") -> AnyResponse:
    """Lead Kestra's links to our pages."""
    return redirect(_page_of([part for part in rest.split("/") if part and part != "main"]))


def _page_of(parts: list[str]) -> str:
    match parts:
        case ["executions", _namespace, _flow, execution_id, *_]:
            return f"/executions/{execution_id}"
        case ["flows", "edit", namespace, flow_id, *_]:
            return f"/flows/{namespace}/{flow_id}"
        case ["executions" | "flows" as group, *_]:
            return f"/{group}"
        case _:
            return "/"


def own_version() -> str:
    """Return the version of the distribution."""
    try:
        return version("headrace")
    except PackageNotFoundError:
        return "0"
