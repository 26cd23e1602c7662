"""Flows: the list, and one flow with source, runs, revisions, triggers and run form."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flask import Response, request
from werkzeug.wrappers import Response as AnyResponse

from runner.errors import NotFound
from runner.model.flow import Flow
from runner.services.executions import Order
from runner.services.glances import FlowGlance
from runner.store.base import CommitRow, ExecutionFilter, ProblemRow, Revision
from web.auth import needs
from web.context import now, principal, services
from web.pages import forms
from web.pages.rendering import dashboard, go, page, zone
from web.pages.site import bp
from web.viewmodels import flows as views
from web.viewmodels import history

READ, RUN = "flows:read", "executions:create"
_ROWS = 50


@dataclass(frozen=True, slots=True)
class _Known:
    """What all pages of one flow start from."""

    glance: FlowGlance
    revisions: Sequence[Revision]
    commits: Mapping[str, CommitRow]
    problems: Sequence[ProblemRow]

    def header(self, tab: str) -> views.FlowHeader:
        """Return the top of a page."""
        commit = self.commits.get(self.glance.row.commit or "")
        return views.flow_header(self.glance, tab, commit, len(self.revisions), self.problems)


@bp.get("/flows")
@needs(READ)
def flows() -> Response:
    """Show all flows by namespace."""
    text = request.args.get("q", "").strip()
    glances = dashboard().flows(text=text or None)
    commits: dict[str, CommitRow] = {}
    for source in {each.row.owner.removeprefix(views.GIT) for each in glances}:
        shas = [each.row.commit for each in glances]
        commits.update(dashboard().commits_of(shas, source))
    model = views.flow_list(glances, commits, text, now(), zone())
    return page("flows.html", model, topics="head")


@bp.get("/flows/<namespace>/<flow_id>")
@needs(READ)
def flow(namespace: str, flow_id: str) -> Response:
    """Show what a flow says, when it runs next, and how it went."""
    known = _known(namespace, flow_id)
    header = known.header("source")
    parsed = services().flows.parse(_live_source(known))
    model = views.flow_page(
        known.glance,
        header,
        known.revisions,
        known.commits,
        parsed.problems,
        known.problems,
        _run_form(known, header, forms.Entered(), None) if header.may_run else None,
        now(),
        zone(),
    )
    return page("flow.html", model, topics="head")


@bp.get("/flows/<namespace>/<flow_id>/executions")
@needs(READ)
def flow_executions(namespace: str, flow_id: str) -> Response:
    """Show the runs of one flow."""
    known = _known(namespace, flow_id)
    wanted = ExecutionFilter(namespaces=(namespace,), flow_ids=(flow_id,), kinds=("NORMAL",))
    found = dashboard().executions(wanted, limit=_ROWS)
    rows = tuple(
        history.row(each, found.runs.get(each.id, ()), found.commits, now(), zone())
        for each in found.executions
        if each.namespace == namespace
    )
    href = history.address(f"ns:{namespace} flow:{flow_id}")
    model = views.FlowRunsPage(known.header("executions"), rows, href)
    return page("flow-executions.html", model, topics="head")


@bp.get("/flows/<namespace>/<flow_id>/topology")
@needs(READ)
def flow_topology(namespace: str, flow_id: str) -> Response:
    """Show what follows what."""
    known = _known(namespace, flow_id)
    header = known.header("topology")
    model = views.topology_page(header, known.glance, _live_source(known))
    return page("flow-topology.html", model, topics="head")


@bp.get("/flows/<namespace>/<flow_id>/revisions")
@needs(READ)
def flow_revisions(namespace: str, flow_id: str) -> Response:
    """Show all revisions, and what changed between two."""
    known = _known(namespace, flow_id)
    model = views.revisions_page(
        known.header("revisions"),
        known.glance.row,
        known.revisions,
        known.commits,
        request.args.get("from", type=int),
        request.args.get("to", type=int),
        now(),
        zone(),
    )
    return page("flow-revisions.html", model, topics="head")


@bp.get("/flows/<namespace>/<flow_id>/triggers")
@needs(READ)
def flow_triggers(namespace: str, flow_id: str) -> Response:
    """Show what starts a flow."""
    known = _known(namespace, flow_id)
    model = views.triggers_page(known.glance, known.header("triggers"), now(), zone())
    return page("flow-triggers.html", model, topics="head")


@bp.get("/flows/<namespace>/<flow_id>/run")
@needs(READ)
def run_form(namespace: str, flow_id: str) -> Response:
    """Ask for the inputs; ``like`` fills them as in an earlier run."""
    known = _known(namespace, flow_id)
    like = request.args.get("like")
    inputs = services().executions.head(like).inputs if like else None
    return _run_page(known, forms.Entered(), inputs, 200)


@bp.post("/flows/<namespace>/<flow_id>/run")
@needs(RUN, body="multipart/form-data")
def run(namespace: str, flow_id: str) -> AnyResponse:
    """Start a flow."""
    known = _known(namespace, flow_id)
    asked = known.glance.flow.inputs if known.glance.flow else ()
    entered = forms.read(asked)
    order = Order(namespace, flow_id, entered.given, origin="ui")
    try:
        creation = services().executions.create(order, by=principal())
    except forms.REFUSALS as exc:
        return _run_page(known, entered.refused(exc), None, 422)
    return go(f"/executions/{creation.execution.id}", "run")


@bp.post("/flows/<namespace>/<flow_id>/run/fields")
@needs(RUN, body="application/x-www-form-urlencoded")
def run_fields(namespace: str, flow_id: str) -> Response:
    """Show the form anew for what is entered: inputs that depend on others come and go."""
    known = _known(namespace, flow_id)
    asked = known.glance.flow.inputs if known.glance.flow else ()
    return _run_page(known, forms.read(asked), None, 200)


def _run_page(
    known: _Known, entered: forms.Entered, like: Mapping[str, Any] | None, status: int
) -> Response:
    header = known.header("run")
    model = views.RunPage(header, _run_form(known, header, entered, like))
    return page("flow-run.html", model, topics="head", status=status)


def _run_form(
    known: _Known,
    header: views.FlowHeader,
    entered: forms.Entered,
    like: Mapping[str, Any] | None,
) -> views.RunForm:
    parsed: Flow | None = known.glance.flow
    return views.RunForm(
        action=f"{header.href}/run",
        fields=forms.of_run(parsed, entered, like) if parsed else (),
        revision=f"revision {known.glance.row.revision}",
        problem=entered.problem,
        hint=_queue_hint(known.glance),
        refresh=f"{header.href}/run/fields" if _depend(parsed) else "",
    )


def _depend(flow: Flow | None) -> bool:
    return flow is not None and any(each.depends_on for each in flow.inputs)


def _queue_hint(glance: FlowGlance) -> str:
    limit = glance.flow.concurrency if glance.flow else None
    if limit is None or glance.row.running < limit.limit:
        return ""
    held = f"{glance.row.running} of {limit.limit} at once run already"
    verb = {"QUEUE": "it waits", "CANCEL": "it is cancelled", "FAIL": "it fails"}[limit.behavior]
    return f"{held}: {verb}."


def _known(namespace: str, flow_id: str) -> _Known:
    glance = dashboard().flow(namespace, flow_id)
    revisions = dashboard().revisions(namespace, flow_id)
    owner = glance.row.owner
    source = owner.removeprefix(views.GIT) if owner.startswith(views.GIT) else None
    problems = dashboard().flow_problems(namespace, flow_id)
    shas = [glance.row.commit, *(each.commit for each in revisions)]
    shas += [each.commit for each in problems]
    return _Known(glance, revisions, dashboard().commits_of(shas, source), problems)


def _live_source(known: _Known) -> str:
    number = known.glance.row.revision
    found = next((each for each in known.revisions if each.revision == number), None)
    if found is None:
        raise NotFound(f"revision {number} is gone")
    return found.source
