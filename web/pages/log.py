"""The log of one execution: its tab, and the whole of it as text."""

from __future__ import annotations

from collections.abc import Iterator

from flask import Response, request

from runner.clock import iso
from runner.store.base import LogQuery
from web.auth import needs
from web.context import services
from web.pages.execution import READ, header, topics
from web.pages.rendering import dashboard, page, zone
from web.pages.site import bp
from web.viewmodels import log, pages

_MOST_LINES = 5_000
_LEVELS = frozenset({"debug", "info", "warn", "error"})


@bp.get("/executions/<execution_id>/logs")
@needs(READ)
def logs(execution_id: str) -> Response:
    """Show the log by task run."""
    detail = dashboard().execution(execution_id)
    found = services().logs.search(
        LogQuery(execution_id=execution_id), limit=_MOST_LINES, ascending=False
    )
    task = request.args.get("task")
    query = log.GroupQuery(
        levels=frozenset(request.args.get("level", "").split(",")) & _LEVELS,
        word=request.args.get("q", "").strip(),
        open="" if task == "execution" else task,
    )
    top = header(detail, "logs")
    model = pages.log_page(
        detail,
        top,
        list(reversed(found.items)),
        query,
        zone(),
        is_cut=found.cursor is not None,
    )
    return page("execution-logs.html", model, topics=topics(detail, "logs"))


@bp.get("/executions/<execution_id>/log.txt")
@needs(READ)
def log_text(execution_id: str) -> Response:
    """Send the whole log."""
    lines = services().logs.of_execution(LogQuery(execution_id=execution_id))

    def text() -> Iterator[str]:
        for each in lines:
            name = each.task_id or "execution"
            yield f"{iso(each.at)} {each.level:5} {name} {log.plain(each.message)}\n"

    response = Response(text(), content_type="text/plain; charset=utf-8")
    name = f"headrace-{execution_id}.log"
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
