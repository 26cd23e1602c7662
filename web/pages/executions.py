"""The history of executions."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import cast

from flask import Response, current_app, request

from runner.store.base import ExecutionFilter
from web.auth import needs
from web.context import now
from web.pages.counts import Counts
from web.pages.rendering import dashboard, page, zone
from web.pages.site import COUNTS, bp
from web.viewmodels import history
from web.viewmodels.query import Query, parse
from web.viewmodels.sources import BROKEN

READ = "executions:read"
ROWS = 40  # as many as fit into the budget of a page


@bp.get("/")
@bp.get("/executions")
@needs(READ)
def executions() -> Response:
    """Show the history, newest first."""
    moment = now()
    text = request.args.get("q", "")
    after = request.args.get("after")
    query = parse(text, moment)
    if not text and after is None and _nothing_yet():
        return page("welcome.html", _welcome(), topics="head\nexecutions::")
    model = history.history(
        query,
        _slice(query, after),
        day(query, moment),
        _view_counts(moment),
        moment,
        zone(),
        after=after,
    )
    topics = "head"
    if after is None and not query.problems:
        topics += f"\nexecutions:{model.newest}:{query.text}"
    return page("executions.html", model, topics=topics)


def day(query: Query, moment: datetime) -> history.Day:
    """Return the last day of what a query asks for."""
    end = moment.replace(minute=moment.minute // 30 * 30, second=0, microsecond=0)
    end += timedelta(minutes=30)
    counts = _counts().day(dashboard(), query.filter, end)
    return history.day(counts, end, _counts().live(dashboard(), query.filter), zone())


def _slice(query: Query, after: str | None) -> history.Slice:
    if query.problems:
        return history.Slice((), {}, {}, None, 0)
    found = dashboard().executions(query.filter, limit=ROWS, cursor=after)
    total = dashboard().count(query.filter)
    return history.Slice(found.executions, found.runs, found.commits, found.cursor, total)


def _view_counts(moment: datetime) -> Mapping[str, int]:
    return {
        key: _counts().view(dashboard(), key, parse(text, moment).filter)
        for key, text in history.view_queries()
    }


def _nothing_yet() -> bool:
    return not dashboard().heads(ExecutionFilter(), limit=1)


def _welcome() -> Mapping[str, object]:
    sources = dashboard().sources()
    broken = [row.name for row, _ in sources if row.state in BROKEN]
    return {
        "has_source": bool(sources) and not broken,
        "broken": broken,
        "has_flow": bool(dashboard().flows()),
    }


def _counts() -> Counts:
    return cast(Counts, current_app.extensions[COUNTS])
