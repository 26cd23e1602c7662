"""From errors to answers: one table, and Kestra's shape of them (rest-api §5)."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

import structlog
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from runner.errors import (
    ArgumentInvalid,
    Conflict,
    Expired,
    Forbidden,
    HeadraceError,
    InputInvalid,
    NotFound,
    Refused,
    TooLarge,
    Unavailable,
)
from runner.expressions import ExpressionError
from runner.model.problems import FlowInvalid
from runner.services.executions import StillRunning
from runner.services.shapes import problem
from runner.services.webhooks import EvaluationFailed
from web.refusals import (
    BadRequest,
    BodyInvalid,
    BulkInvalid,
    FilterInvalid,
    NotBuilt,
    TooManyTries,
    Unauthorized,
)
from web.respond import json_response

log = structlog.get_logger(__name__)


TABLE: tuple[tuple[type[HeadraceError], int, str], ...] = (
    (BulkInvalid, 400, ""),
    (FilterInvalid, 400, "Invalid query filters"),
    (BadRequest, 400, "Bad Request"),
    (StillRunning, 400, "Bad Request"),
    (Unauthorized, 401, "Unauthorized"),
    (Forbidden, 403, "Forbidden"),
    (Expired, 410, "Resource has expired"),
    (NotFound, 404, "Not Found"),
    (Refused, 409, "Illegal state"),
    (Conflict, 409, "Illegal state"),
    (TooLarge, 413, "Request Entity Too Large"),
    (FlowInvalid, 422, "Invalid entity"),
    (InputInvalid, 422, "Invalid entity"),
    (ArgumentInvalid, 422, "Illegal argument"),
    (ExpressionError, 422, "Illegal argument"),
    (BodyInvalid, 422, "Invalid json"),
    (TooManyTries, 429, "Too Many Requests"),
    (NotBuilt, 501, "Not Implemented"),
    (Unavailable, 503, "Service Unavailable"),
    (EvaluationFailed, 500, "Internal server error"),
)
"""Class, status, and the reason that its message begins with; the first that fits counts."""


def install(app: Flask) -> None:
    """Answer errors of an application."""
    app.register_error_handler(HeadraceError, answer)
    app.register_error_handler(HTTPException, answer_http)
    app.register_error_handler(Exception, answer_unexpected)


def status_of(error: HeadraceError) -> tuple[int, str]:
    """Return the status and the reason of an error."""
    for kind, status, reason in TABLE:
        if isinstance(error, kind):
            return status, reason
    return 500, "Internal server error"


def body_of(error: HeadraceError) -> dict[str, Any]:
    """Return the body that tells an error."""
    status, reason = status_of(error)
    message = f"{reason}: {error.message}" if reason else error.message
    found = _body(status, message, error.message)
    found["code"] = error.code
    if isinstance(error, FlowInvalid):
        found["_embedded"] = {
            "errors": [{"message": p.message, "path": p.path} for p in error.problems]
        }
        found["problems"] = [problem(p) for p in error.problems]
    if isinstance(error, BulkInvalid):
        found["invalids"] = list(error.invalids)
    return found


def answer(error: HeadraceError) -> Response:
    """Return the answer that tells one of our errors."""
    status, _ = status_of(error)
    if status == 500:
        log.error("a request failed", action="request_failed", path=request.path, exc_info=error)
    response = json_response(body_of(error), status)
    if status == 401 and not request.headers.get("Referer", "").endswith("/login"):
        response.headers["WWW-Authenticate"] = 'Basic realm="Headrace"'
    if status in (429, 503):
        response.headers["Retry-After"] = "5"
    return response


def answer_http(error: HTTPException) -> Response:
    """Return the answer that tells an error of HTTP itself."""
    status = error.code or 500
    detail = error.description or ""
    reason = _phrase(status)
    response = json_response(
        _body(status, f"{reason}: {detail}" if detail else reason, detail), status
    )
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after", "location"):
            response.headers[name] = value
    return response


def answer_unexpected(error: Exception) -> Response:
    """Return the answer that tells as little as it may; the log has the rest."""
    log.error("a request failed", action="request_failed", path=request.path, exc_info=error)
    reason = "Internal server error"
    return json_response(_body(500, reason, "see the server's log"), 500)


def _body(status: int, message: str, detail: str) -> dict[str, Any]:
    path = request.environ.get("headrace.path", request.path)
    return {
        "message": message,
        "_links": {"self": {"href": path, "templated": False}},
        "type": "about:blank",
        "title": _phrase(status),
        "status": status,
        "detail": detail,
    }


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return "Error"
