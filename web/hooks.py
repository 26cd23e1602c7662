"""Calls from outside without our credentials: webhooks of flows, push events of Git hosts.

The first is a hot path (rest-api §11.5): plain Flask, no validation layers.
"""

from __future__ import annotations

from functools import lru_cache

from flask import Blueprint, Response, request

from gitsync.webhooks import MAX_BYTES, receive
from runner.errors import NotFound
from runner.model.execution import Execution
from runner.model.flow import Trigger
from runner.model.states import State
from runner.services import shapes
from runner.services.principal import SYSTEM
from runner.services.webhooks import Call
from runner.settings import SourceSettings, resolve
from web.auth import OPEN, needs
from web.connection import watch_client
from web.context import now, public_url, services, web
from web.respond import empty, json_response

bp = Blueprint("hooks", __name__)

_METHODS = ["GET", "POST", "PUT"]


@bp.route("/api/v1/executions/webhook/<namespace>/<flow_id>/<key>", methods=_METHODS)
@needs(OPEN)
def flow_webhook(namespace: str, flow_id: str, key: str) -> Response:
    """Start a flow; the key in the path is all that is asked for."""
    if request.environ.get("headrace.trailing_slash"):
        raise NotFound("Webhook not found")
    answer = services().webhooks.call(
        Call(
            namespace=namespace,
            flow_id=flow_id,
            key=key,
            body=request.get_data(),
            headers=_headers(),
            parameters=request.args.to_dict(flat=False) if request.query_string else {},
        )
    )
    if answer.creation is None:
        return empty(204)
    execution = answer.creation.execution
    if _is_true(answer.trigger, "wait"):
        return _waited(answer.trigger, execution, answer.response_code)
    url = public_url(shapes.execution_path(execution))
    return json_response(shapes.webhook_answer(execution, url, now()))


@bp.route("/api/v1/executions/webhook/<namespace>/<flow_id>/<key>/<path:rest>", methods=_METHODS)
@needs(OPEN)
def flow_webhook_with_path(namespace: str, flow_id: str, key: str, rest: str) -> Response:
    """Refuse: a longer path is no webhook."""
    raise NotFound("Webhook not found")


@bp.post("/api/v1/sources/<name>/push")
@bp.post("/hooks/git/<name>")
@needs(OPEN)
def push(name: str) -> Response:
    """Note that a repository has news; the request carries its own proof."""
    source = _source(name)
    request.max_content_length = MAX_BYTES
    secret = resolve(source.webhook_secret) if source.webhook_secret else None
    reply = receive(
        {header.lower(): value for header, value in request.headers.items()},
        request.get_data(),
        secret=secret,
        hurry=lambda: services().sources.hurry(name, by=SYSTEM),
    )
    return empty(reply.status) if reply.body is None else json_response(reply.body, reply.status)


def _source(name: str) -> SourceSettings:
    for source in services().runtime.settings.sources:
        if source.name == name:
            return source
    raise NotFound(f"there is no source '{name}'")


def _headers() -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        found.setdefault(_lower(name), []).append(value)
    return found


@lru_cache(maxsize=1024)
def _lower(name: str) -> str:
    return name.lower()


def _waited(trigger: Trigger, execution: Execution, code: int | None) -> Response:
    """The answer of a webhook that waits for the end."""
    ended = web().streams.wait_for_end(execution.id, is_gone=watch_client())
    default = 500 if ended.state is State.FAILED else 200
    status = default if code is None else code
    if not _is_true(trigger, "returnOutputs"):
        url = public_url(shapes.execution_path(ended))
        return json_response(shapes.webhook_answer(ended, url, now()), status)
    outputs = dict(ended.outputs or {})
    if trigger.properties.get("responseContentType") == "text/plain":
        only = next(iter(outputs.values()), "") if len(outputs) == 1 else outputs
        return Response(str(only), status, content_type="text/plain; charset=utf-8")
    return json_response(outputs, status)


def _is_true(trigger: Trigger, name: str) -> bool:
    return str(trigger.properties.get(name, False)).lower() == "true"
