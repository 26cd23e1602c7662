"""Git sources."""

from __future__ import annotations

from flask import Response, request
from werkzeug.wrappers import Response as AnyResponse

from runner.durations import format as duration_text
from runner.settings import SourceSettings
from runner.store.base import SourceRow
from web.auth import needs
from web.context import now, principal, services
from web.pages.rendering import dashboard, go, page, zone
from web.pages.site import bp
from web.viewmodels import sources as views

READ, WRITE = "sources:read", "sources:write"
_RUNS, _ALL_RUNS = 5, 50


@bp.get("/sources")
@needs(READ)
def sources() -> Response:
    """Show every source, its problems and last commits."""
    facts = [_facts(row, _RUNS) for row in services().sources.list()]
    return page("sources.html", views.sources_page(facts, now(), zone()), topics="head\nsources:")


@bp.get("/sources/<name>")
@needs(READ)
def source(name: str) -> Response:
    """Show one source."""
    row = services().sources.get(name).row
    model = views.sources_page([_facts(row, _ALL_RUNS)], now(), zone(), one=True)
    return page("sources.html", model, topics=f"head\nsources:{name}")


@bp.post("/sources/<name>/sync")
@needs(WRITE)
def sync(name: str) -> AnyResponse:
    """Ask for a poll now."""
    services().sources.get(name)
    services().sources.hurry(name, by=principal())
    to = "/sources" if request.form.get("to") == "all" else f"/sources/{name}"
    return go(to, "sync")


@bp.post("/sources/sync")
@needs(WRITE)
def sync_all() -> AnyResponse:
    """Ask for a poll of every source."""
    for row in services().sources.list():
        services().sources.hurry(row.name, by=principal())
    return go("/sources", "sync")


def shown(name: str, *, one: bool = False) -> views.SourceShown:
    """Return one source as the list shows it, or its own page."""
    facts = _facts(services().sources.get(name).row, _ALL_RUNS if one else _RUNS)
    return views.sources_page([facts], now(), zone(), one=one).sources[0]


def _facts(row: SourceRow, most: int) -> views.SourceFacts:
    view = services().sources.get(row.name)
    runs = services().sources.runs(row.name, limit=most).items
    reads = dashboard()
    settings = _settings(row.name)
    commits = reads.commits_of([row.head, *(run.to_commit for run in runs)], row.name)
    return views.SourceFacts(
        row=view.row,
        problems=view.problems,
        commits=list(commits.values()),
        runs=runs,
        flows=reads.flows_of_problems(view.problems),
        ran={run.to_commit: reads.runs_of_commit(run.to_commit) for run in runs},
        owned=reads.owned(row.name),
        poll=_poll(settings),
        border=settings.namespace or "" if settings else "",
    )


def _settings(name: str) -> SourceSettings | None:
    known = services().runtime.settings.sources
    return next((each for each in known if each.name == name), None)


def _poll(settings: SourceSettings | None) -> str:
    if settings is None:
        return ""
    seconds = settings.poll.total_seconds()
    return f"{seconds:g} s" if seconds < 120 else duration_text(settings.poll)
