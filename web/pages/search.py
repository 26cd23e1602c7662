"""Search and jump: executions by the beginning of their id, flows by name, commits."""

from __future__ import annotations

import re

from flask import Response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from runner.store.base import ExecutionFilter
from web.auth import needs
from web.context import now
from web.pages.rendering import dashboard, page, zone
from web.pages.site import bp
from web.viewmodels import flows, history

READ = "executions:read"
_SHA = re.compile(r"[0-9a-f]{7,40}")
_MOST = 20


@bp.get("/search")
@needs(READ)
def search() -> AnyResponse:
    """Show what a text finds; what it names exactly is opened."""
    text = request.args.get("q", "").strip()
    if ":" in text:
        return redirect(history.address(text), 303)
    if not text:
        return _page(text, (), ())
    found = dashboard().executions(ExecutionFilter(text=text), limit=_MOST)
    if len(found.executions) == 1 and found.executions[0].id == text:
        return redirect(f"/executions/{text}", 303)
    glances = dashboard().flows(text=text)[:_MOST]
    if not glances and not found.executions and _SHA.fullmatch(text.lower()):
        return redirect(history.address(f"commit:{text.lower()}"), 303)
    rows = tuple(
        history.row(each, found.runs.get(each.id, ()), found.commits, now(), zone())
        for each in found.executions
    )
    lines = flows.flow_list(glances, {}, text, now(), zone())
    return _page(text, rows, lines.groups)


@bp.get("/commits/<sha>")
@needs(READ)
def commit(sha: str) -> AnyResponse:
    """Lead to everything that ran at a commit."""
    return redirect(history.address(f"commit:{sha[:40]}"), 302)


def _page(text: str, rows: object, groups: object) -> Response:
    return page("search.html", {"text": text, "rows": rows, "groups": groups}, topics="head")
