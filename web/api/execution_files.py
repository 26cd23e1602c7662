"""Files of executions, and expressions tried on them (rest-api §11.2)."""

from __future__ import annotations

from urllib.parse import quote

from flask import Blueprint, Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from runner.errors import HeadraceError, NotFound
from runner.services.stored import Elsewhere
from web.api.bulk import number
from web.api.executions import READ, WRITE
from web.auth import needs
from web.context import services
from web.refusals import BadRequest
from web.respond import attachment, json_response, read_text

bp = Blueprint("api_execution_files", __name__, url_prefix="/api/v1/executions")


@bp.get("/<execution_id>/file")
@needs(READ)
def file(execution_id: str) -> AnyResponse:
    """Return a file that belongs to the execution."""
    uri = _file_uri()
    try:
        size = services().stored.stat(execution_id, uri).size
        stream = services().stored.open(execution_id, uri)
    except Elsewhere as exc:
        target = f"/api/v1/main/executions/{exc.execution_id}/file?path={quote(uri)}"
        return redirect(target, 302)
    return attachment(stream, uri.rpartition("/")[2], size)


@bp.get("/<execution_id>/file/metas")
@needs(READ)
def file_metas(execution_id: str) -> Response:
    """Return the size of a file."""
    return json_response({"size": services().stored.stat(execution_id, _file_uri()).size})


@bp.get("/<execution_id>/file/preview")
@needs(READ)
def file_preview(execution_id: str) -> Response:
    """Return the beginning of a file."""
    preview = services().stored.preview(
        execution_id,
        _file_uri(),
        max_rows=number("maxRows") or 100,
        encoding=request.args.get("encoding") or "utf-8",
    )
    return json_response(
        {
            "extension": preview.extension,
            "type": preview.type,
            "content": preview.content,
            "maxLine": preview.max_line,
            "truncated": preview.truncated,
        }
    )


@bp.post("/<execution_id>/eval")
@bp.post("/<execution_id>/actions/eval")
@bp.post("/<execution_id>/eval/<task_run_id>")
@bp.post("/<execution_id>/actions/eval/<task_run_id>")
@needs(WRITE, body="text/plain")
def evaluate(execution_id: str, task_run_id: str | None = None) -> Response:
    """Render an expression as the execution sees it; secrets are masked."""
    services().executions.head(execution_id)
    try:
        result = services().expressions.evaluate(execution_id, read_text(), task_run_id)
    except NotFound:
        raise
    except HeadraceError as exc:
        return json_response({"error": exc.message, "stackTrace": ""})
    return json_response({"result": result})


def _file_uri() -> str:
    uri = request.args.get("path")
    if not uri:
        raise BadRequest("Required QueryValue [path] not specified")
    return uri
