"""Git sources: our own resource."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from runner.clock import iso
from runner.services.shapes import without_none
from runner.store.base import CommitRow, ProblemRow, SourceRow
from web.auth import needs
from web.context import principal, services
from web.respond import json_response

bp = Blueprint("api_sources", __name__, url_prefix="/api/v1/sources")

READ, WRITE = "sources:read", "sources:write"


@bp.get("")
@needs(READ)
def list_sources() -> Response:
    """Return all sources with their state."""
    counts = services().sources.problem_counts()
    return json_response(
        [{**_source(row), "problems": counts.get(row.name, 0)} for row in services().sources.list()]
    )


@bp.get("/<name>")
@needs(READ)
def get(name: str) -> Response:
    """Return one source with its problems and last commits."""
    view = services().sources.get(name)
    return json_response(
        {
            **_source(view.row),
            "problems": [_problem(each) for each in view.problems],
            "commits": [_commit(each) for each in view.commits],
        }
    )


@bp.post("/<name>/sync")
@needs(WRITE)
def sync(name: str) -> Response:
    """Ask for a poll now."""
    services().sources.get(name)
    services().sources.hurry(name, by=principal())
    return json_response({"accepted": True}, 202)


def _source(row: SourceRow) -> dict[str, Any]:
    return without_none(
        {
            "name": row.name,
            "url": row.url,
            "branch": row.branch,
            "state": row.state,
            "head": row.head,
            "remoteHead": row.remote_head,
            "error": row.error,
            "failures": row.failures,
            "polledDate": iso(row.polled_at) if row.polled_at else None,
            "nextPollDate": iso(row.next_poll_at) if row.next_poll_at else None,
            "syncedDate": iso(row.synced_at) if row.synced_at else None,
        }
    )


def _problem(row: ProblemRow) -> dict[str, Any]:
    return without_none(
        {
            "path": row.path,
            "line": row.line,
            "column": row.column,
            "code": row.code,
            "message": row.message,
            "frame": row.frame,
            "namespace": row.namespace,
            "flowId": row.flow_id,
            "commit": row.commit,
            "date": iso(row.at),
        }
    )


def _commit(row: CommitRow) -> dict[str, Any]:
    return {
        "sha": row.sha,
        "author": row.author,
        "email": row.email,
        "message": row.message,
        "date": iso(row.at),
    }
