"""The catalogue of types (rest-api §17)."""

from __future__ import annotations

import hashlib
from typing import Any

import orjson
from flask import Blueprint, Response, request

from web.api.bulk import flag
from web.auth import needs
from web.context import services
from web.paging import asked, page_of
from web.respond import json_response

bp = Blueprint("api_plugins", __name__, url_prefix="/api/v1/plugins")

READ = "server:read"


@bp.get("")
@needs(READ)
def catalogue() -> Response:
    """Return all types by their package; paged where pages are asked for."""
    groups = services().catalogue.groups()
    if "page" in request.args or "size" in request.args:
        return json_response(page_of(groups, asked(("name",))))
    return _kept(groups)


@bp.get("/groups/subgroups")
@needs(READ)
def subgroups() -> Response:
    """Return all types by their package."""
    return _kept(services().catalogue.groups())


@bp.get("/icons")
@bp.get("/icons/groups")
@needs(READ)
def icons() -> Response:
    """Return the icons of types: there are none."""
    return _kept({})


@bp.get("/schemas/<kind>")
@needs(READ)
def schema(kind: str) -> Response:
    """Return the JSON schema that editors check flows with."""
    found = services().catalogue.schema(kind)
    if flag("arrayOf"):
        definitions = found.pop("definitions")
        found = {"type": "array", "items": found, "definitions": definitions}
    return _kept(found)


@bp.get("/<name>")
@needs(READ)
def page(name: str) -> Response:
    """Return what there is to know of one type."""
    return _kept(services().catalogue.page(name))


def _kept(value: Any) -> Response:
    """An answer that a client may keep: types change with the installation only."""
    response = json_response(value)
    digest = hashlib.sha256(orjson.dumps(value, default=str)).hexdigest()
    response.set_etag(digest)
    response.cache_control.private = True
    response.cache_control.max_age = 3600
    response.make_conditional(request)
    return response
