"""Log lines (rest-api §13)."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Blueprint, Response, request

from runner.model.logs import Level
from runner.services import shapes
from runner.store.base import LogQuery
from web import searching
from web.api.bulk import number
from web.api.executions import event_stream
from web.auth import needs
from web.connection import IsGone, watch_client
from web.context import now, principal, services, web
from web.refusals import NotBuilt
from web.respond import json_response
from web.stream import Frame, log_frame

bp = Blueprint("api_logs", __name__, url_prefix="/api/v1/logs")

READ, WRITE = "logs:read", "logs:write"


@bp.get("/<execution_id>")
@needs(READ)
def of_execution(execution_id: str) -> Response:
    """Return the lines of an execution, oldest first."""
    lines = services().logs.of_execution(_query(execution_id))
    return json_response([shapes.log_line(line) for line in lines])


@bp.get("/<execution_id>/download")
@needs(READ)
def download(execution_id: str) -> Response:
    """Return the log of an execution as text."""
    execution = services().executions.head(execution_id)
    lines = services().logs.of_execution(_query(execution_id))
    response = Response(
        (shapes.log_text(line).encode() for line in lines), content_type="text/plain; charset=utf-8"
    )
    response.headers["Content-Disposition"] = f'attachment; filename="{execution.id}.log"'
    if not execution.fully_ended:
        response.headers["Cache-Control"] = "no-cache"
    return response


@bp.get("/<execution_id>/follow")
@needs(READ)
def follow(execution_id: str) -> Response:
    """Follow the log of an execution by server-sent events."""
    services().executions.head(execution_id)
    return event_stream(_frames(execution_id, _level(), watch_client()))


@bp.get("/search")
@needs(READ)
def search() -> Response:
    """Return lines that match, newest first."""
    found = searching.logs(services(), now())
    return json_response(
        {
            "results": [shapes.log_line(line) for line in found.items],
            "total": found.total,
            "type": "OFFSET",
        }
    )


@bp.delete("/<execution_id>")
@needs(WRITE)
def delete(execution_id: str) -> Response:
    """Delete the log of an execution."""
    if set(request.args) & {"minLevel", "taskRunId", "taskId", "attempt"}:
        raise NotBuilt("deleting a part of a log is not available yet")
    services().executions.head(execution_id)
    services().logs.delete(execution_id, by=principal())
    return json_response({})


@bp.delete("/<namespace>/<flow_id>")
@needs(WRITE)
def delete_of_trigger(namespace: str, flow_id: str) -> Response:
    """Say that it is not built yet."""
    raise NotBuilt("deleting the log of a trigger is not available yet")


def _frames(execution_id: str, level: Level, is_gone: IsGone) -> Iterator[Frame]:
    streams = web().streams
    for each in streams.follow_logs(execution_id, min_level=level, is_gone=is_gone):
        yield each if isinstance(each, Frame) else log_frame(each)


def _query(execution_id: str) -> LogQuery:
    return LogQuery(
        execution_id=execution_id,
        task_run_id=request.args.get("taskRunId") or None,
        task_id=request.args.get("taskId") or None,
        attempt=number("attempt"),
        min_level=_level(),
    )


def _level() -> Level:
    text = request.args.get("minLevel")
    return searching.level(text) if text else Level.TRACE
