"""Errors as pages, where a person asked; programs get JSON (`web.errors`)."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote

import structlog
from flask import Flask, Response, redirect, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from runner.errors import Forbidden as ForbiddenError
from runner.errors import HeadraceError, NotFound
from runner.services.stored import Elsewhere
from web import errors
from web.pages.rendering import dashboard, page, quiet_page
from web.refusals import Unauthorized

log = structlog.get_logger(__name__)

_PROGRAMS = ("/api/", "/hooks/", "/health", "/ping", "/static/", "/events", "/metrics")


@dataclass(frozen=True, slots=True)
class Failure:
    """What happened, what still holds, what to do."""

    status: int
    title: str
    text: str
    links: Sequence[tuple[str, str]] = ()
    number: str = ""


def install(app: Flask) -> None:
    """Answer people with pages, and everybody else as before."""
    app.register_error_handler(HeadraceError, _ours)
    app.register_error_handler(HTTPException, _of_http)
    app.register_error_handler(Exception, _unexpected)


def _is_for_people() -> bool:
    if request.path.startswith(_PROGRAMS):
        return False
    return "text/html" in request.headers.get("Accept", "") or (
        request.endpoint is not None and (request.endpoint.startswith("pages."))
    )


def _ours(error: HeadraceError) -> AnyResponse:
    if not _is_for_people():
        return errors.answer(error)
    if isinstance(error, Unauthorized):
        return redirect(f"/login?next={quote(request.full_path.rstrip('?'))}", 303)
    if isinstance(error, Elsewhere):
        path = quote(request.args.get("path", ""), safe="/:")
        return redirect(f"/executions/{error.execution_id}/file?path={path}", 303)
    if isinstance(error, ForbiddenError):
        return _forbidden(error)
    status, _ = errors.status_of(error)
    if isinstance(error, NotFound):
        return _not_found(error.message)
    if status >= 500 and status != 503:
        return _broken(error)
    title = "That was refused" if status < 500 else "Not at the moment"
    links = ((request.referrer or "/", "Back"), ("/executions", "All executions"))
    return _show(Failure(status, title, _sentence(error.message), links))


def _of_http(error: HTTPException) -> AnyResponse:
    if not _is_for_people():
        return errors.answer_http(error)
    status = error.code or 500
    if status == 404:
        return _not_found("there is no such page")
    if status >= 500:
        return _broken(error)
    response = _show(Failure(status, error.name, error.description or "", (("/", "Executions"),)))
    for name, value in error.get_headers():
        if name.lower() in ("allow", "retry-after", "location"):
            response.headers[name] = value
    return response


def _unexpected(error: Exception) -> AnyResponse:
    return _broken(error) if _is_for_people() else errors.answer_unexpected(error)


def _forbidden(error: HeadraceError) -> Response:
    text = f"{_sentence(error.message)} Ask whoever runs this server for the right."
    model = Failure(403, "That is not yours to do", text, (("/executions", "All executions"),))
    return quiet_page("failure.html", model, status=403)


def _not_found(message: str) -> Response:
    parts = [part for part in request.path.split("/") if part]
    links: list[tuple[str, str]] = []
    title = _sentence(message).rstrip(".").replace("There is no ", "No ")
    if parts[:1] == ["executions"] and len(parts) > 1:
        links = [
            (f"/executions/{each.id}", f"{each.flow_id} {each.id[:8]}")
            for each in dashboard().like(parts[1])
        ]
    elif parts[:1] == ["flows"] and len(parts) > 2:
        links = [
            (f"/flows/{each.row.namespace}/{each.row.flow_id}", each.row.flow_id)
            for each in dashboard().flows(text=parts[2][:4])[:5]
        ]
    text = "It may have been deleted, or the address is cut short."
    if links:
        text += " These are the nearest:"
    return _show(Failure(404, title, text, (*links, ("/executions", "All executions"))))


def _show(model: Failure) -> Response:
    return page("failure.html", model, status=model.status)


def _broken(error: Exception) -> Response:
    number = f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}-{secrets.token_hex(2)}"
    log.error(
        "a page failed",
        action="page_failed",
        path=request.path,
        number=number,
        exc_info=error,
    )
    text = "Workers and sync go on without the dashboard. The error is in the server's log under this number:"  # noqa: E501
    model = Failure(500, "This page broke, your runs did not", text, number=number)
    return quiet_page("broken.html", model, status=500)


def _sentence(text: str) -> str:
    text = text.strip() or "Something was refused"
    text = text[:1].upper() + text[1:]
    return text if text.endswith((".", "!", "?")) else f"{text}."
