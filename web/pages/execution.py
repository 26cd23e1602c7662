"""One execution: its tabs, and what one can do with it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from flask import Response, request
from werkzeug.wrappers import Response as AnyResponse

from runner.errors import HeadraceError, NotFound, Refused
from runner.model.execution import TaskRun
from runner.model.flow import Input
from runner.model.logs import LogLine
from runner.model.states import State
from runner.services.executions import LATEST
from runner.services.glances import ExecutionDetail
from runner.store.base import LogQuery
from web.auth import needs
from web.context import now, principal, services
from web.pages import forms
from web.pages.rendering import dashboard, go, page, zone
from web.pages.site import bp
from web.respond import attachment
from web.viewmodels import execution as one
from web.viewmodels import pages, words
from web.viewmodels.confirming import Confirm
from web.viewmodels.execution import Header
from web.viewmodels.fields import Field

READ, WRITE, CREATE = "executions:read", "executions:write", "executions:create"
_EXCERPT_LINES = 200


@bp.get("/executions/<execution_id>")
@needs(READ)
def execution(execution_id: str) -> Response:
    """Show why it failed, or what it does."""
    detail = dashboard().execution(execution_id)
    task = request.args.get("task") or ""
    model = overview(detail, task)
    return page(
        "execution.html", model, topics=topics(detail, "overview", f"{task}:{model.log.run}")
    )


def overview(detail: ExecutionDetail, task: str | None) -> pages.Overview:
    """Return the first page of an execution."""
    run = pages.picked_run(detail, task)
    lines, is_cut = _last_lines(detail, run, pages.PANE_LINES)
    pane = pages.log_pane(detail.execution, run, lines, is_cut, zone())
    failed = one.failed_run(detail.runs)
    return pages.overview(
        detail,
        header(detail, "overview"),
        run,
        pane,
        lines if failed is run else _last_lines(detail, failed, _EXCERPT_LINES)[0],
        now(),
        zone(),
    )


@bp.get("/executions/<execution_id>/gantt")
@needs(READ)
def gantt(execution_id: str) -> Response:
    """Show all task runs on a time axis."""
    detail = dashboard().execution(execution_id)
    run = pages.picked_run(detail, request.args.get("task"))
    model = pages.GanttPage(
        header(detail, "gantt"),
        pages.gantt_of(detail, now(), run.id if run else None, "/gantt"),
        pages.attempts(detail, run, zone()),
    )
    return page("execution-gantt.html", model, topics=topics(detail, "gantt"))


@bp.get("/executions/<execution_id>/topology")
@needs(READ)
def topology(execution_id: str) -> Response:
    """Show what follows what, and how far it has come."""
    detail = dashboard().execution(execution_id)
    model = pages.TopologyPage(
        header(detail, "topology"),
        pages.topology_of(detail, now()),
        f"Topology of revision {detail.execution.revision}",
    )
    return page("execution-topology.html", model, topics=topics(detail, "topology"))


@bp.get("/executions/<execution_id>/outputs")
@needs(READ)
def outputs(execution_id: str) -> Response:
    """Show values and files."""
    detail = dashboard().execution(execution_id)
    found = one.outputs(detail.execution, detail.runs, detail.hide)
    is_live = not detail.execution.state.is_terminal
    model = pages.OutputsPage(
        header(detail, "outputs"),
        found,
        tuple(_file(execution_id, each) for each in found.files),
        "No outputs yet." if is_live else "This run made no outputs.",
    )
    return page("execution-outputs.html", model, topics=topics(detail, "outputs"))


def _file(execution_id: str, each: one.OutputFile) -> pages.FileShown:
    href = f"/executions/{execution_id}/file?path={each.uri}"
    try:
        size = words.size(services().stored.stat(execution_id, each.uri).size)
    except HeadraceError:  # of another execution, or gone: the page stands without its size
        size = "–"
    return pages.FileShown(each.name, each.task, size, href)


@bp.get("/executions/<execution_id>/file")
@needs(READ)
def file(execution_id: str) -> Response:
    """Send a file."""
    uri = request.args.get("path", "")
    stored = services().stored.stat(execution_id, uri)
    stream = services().stored.open(execution_id, uri)
    return attachment(stream, uri.rpartition("/")[2], stored.size)


# ── acts ─────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/executions/<execution_id>/replay")
@needs(READ)
def replay_form(execution_id: str) -> Response:
    """Ask where to start from and with which revision."""
    detail = dashboard().execution(execution_id)
    failed = one.failed_run(detail.runs)
    start = request.args.get("from", failed.id if failed else "")
    return _replay_form(detail, start, request.args.get("revision", LATEST))


def _replay_form(
    detail: ExecutionDetail, start: str | None, revision: str, problem: str = "", status: int = 200
) -> Response:
    model = pages.replay_page(detail, header(detail, ""), start, revision, problem)
    return page("execution-replay.html", model, topics="head", status=status)


@bp.post("/executions/<execution_id>/replay")
@needs(CREATE, body="application/x-www-form-urlencoded")
def replay(execution_id: str) -> AnyResponse:
    """Run it again as a new execution."""
    start = request.form.get("from") or None
    revision = request.form.get("revision") or None
    try:
        started = services().executions.replay(
            execution_id, by=principal(), from_task_run=start, revision=revision
        )
    except NotFound:
        raise
    except HeadraceError as exc:
        detail = dashboard().execution(execution_id)
        return _replay_form(detail, start, revision or "", exc.message, 409)
    return go(f"/executions/{started.id}", "replay")


@bp.post("/executions/<execution_id>/restart")
@needs(WRITE)
def restart(execution_id: str) -> AnyResponse:
    """Run again what failed, in place."""
    services().executions.restart(execution_id, by=principal())
    return _back(execution_id, "restart")


@bp.post("/executions/<execution_id>/pause")
@needs(WRITE)
def pause(execution_id: str) -> AnyResponse:
    """Let nothing new start."""
    services().executions.pause(execution_id, by=principal())
    return _back(execution_id, "pause")


@bp.get("/executions/<execution_id>/kill")
@needs(READ)
def kill_form(execution_id: str) -> AnyResponse:
    """Ask once more, and say what ends."""
    detail = dashboard().execution(execution_id)
    if detail.execution.state.is_terminal:
        return go(f"/executions/{execution_id}")
    live = [run for run in detail.runs if not run.state.is_terminal and not run.scope]
    points = [
        f"{words.many(len(live), 'task run')} will be stopped: "
        + (", ".join(run.task_id for run in live[:5]) or "none has begun"),
        "Outputs and logs so far stay.",
    ]
    if detail.children:
        points.append("Executions that it started and that have not ended are killed too.")
    model = Confirm(
        section="executions",
        question=f"Kill {detail.execution.flow_id} {execution_id[:8]}?",
        points=tuple(points),
        action=f"/executions/{execution_id}/kill",
        back=f"/executions/{execution_id}",
        verb="Kill it",
        keep="Let it run",
        danger=True,
    )
    return page("confirm.html", model)


@bp.post("/executions/<execution_id>/kill")
@needs(WRITE)
def kill(execution_id: str) -> AnyResponse:
    """Ask for the end of it."""
    services().executions.kill(execution_id, by=principal())
    return _back(execution_id, "kill")


@bp.get("/executions/<execution_id>/resume")
@needs(READ)
def resume_form(execution_id: str) -> AnyResponse:
    """Ask for what the pause wants to know."""
    if services().executions.head(execution_id).state is not State.PAUSED:
        return go(f"/executions/{execution_id}")
    return _resume_form(execution_id, forms.Entered())


@bp.post("/executions/<execution_id>/resume")
@needs(WRITE, body="multipart/form-data")
def resume(execution_id: str) -> AnyResponse:
    """Let it go on."""
    detail = dashboard().execution(execution_id)
    if detail.execution.state is State.BREAKPOINT:
        services().executions.resume_from_breakpoint(execution_id, by=principal())
        return _back(execution_id, "resume")
    entered = forms.read(_resume_inputs(detail))
    if _is_answered(detail, request.args.get("run")):
        told = Refused("That pause was answered already; this is the next one.")
        return _resume_form(execution_id, entered.refused(told), 422)
    try:
        services().executions.resume(execution_id, by=principal(), inputs=entered.given)
    except forms.REFUSALS as exc:
        return _resume_form(execution_id, entered.refused(exc), 422)
    return _back(execution_id, "resume")


def _is_answered(detail: ExecutionDetail, run_id: str | None) -> bool:
    """Say whether the form was opened for a pause that is over, and another one waits now."""
    waiting = [run.id for run in detail.runs if run.state is State.PAUSED]
    return run_id is not None and bool(waiting) and run_id not in waiting


def _resume_form(execution_id: str, entered: forms.Entered, status: int = 200) -> Response:
    detail = dashboard().execution(execution_id)
    it = detail.execution
    run = next((run for run in detail.runs if run.state is State.PAUSED), None)
    model = Confirm(
        section="executions",
        question=f"Resume {it.flow_id}{f' at {run.task_id}' if run else ''}?",
        points=(),
        action=f"/executions/{execution_id}/resume{f'?run={run.id}' if run else ''}",
        back=f"/executions/{execution_id}",
        verb="Resume",
        keep="Leave it paused",
        fields=_resume_fields(detail, entered),
        problem=entered.problem,
    )
    return page("confirm.html", model, status=status)


def _resume_fields(detail: ExecutionDetail, entered: forms.Entered) -> tuple[Field, ...]:
    if detail.flow is None:
        return ()
    return forms.of_pause(detail.flow, _resume_inputs(detail), entered)


def _resume_inputs(detail: ExecutionDetail) -> Sequence[Input]:
    run = next((run for run in detail.runs if run.state is State.PAUSED), None)
    if run is None or detail.flow is None:
        return ()
    return forms.asked_by_pause(detail.flow, run.task_id)


def _back(execution_id: str, done: str) -> AnyResponse:
    return go(f"/executions/{execution_id}", done)


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


def header(detail: ExecutionDetail, tab: str) -> Header:
    """Return the top of a page."""
    return one.header(detail, tab, _tab_counts(detail), now(), zone())


def _tab_counts(detail: ExecutionDetail) -> Mapping[str, str]:
    count = one.outputs(detail.execution, detail.runs, detail.hide).count
    return {"outputs": words.number(count) if count else ""}


def _last_lines(
    detail: ExecutionDetail, run: TaskRun | None, count: int
) -> tuple[Sequence[LogLine], bool]:
    """The last lines of a task run, or of the whole execution; and whether there are more."""
    query = LogQuery(execution_id=detail.execution.id, task_run_id=run.id if run else None)
    found = services().logs.search(query, limit=count, ascending=False)
    return list(reversed(found.items)), found.cursor is not None


def topics(detail: ExecutionDetail, tab: str, task: str = "") -> str:
    """Return what a page of an execution follows; one that has ended changes no more."""
    it = detail.execution
    if it.fully_ended:
        return "head"
    return f"head\nexecution:{it.id}:{it.version}:{tab}:{task}"
