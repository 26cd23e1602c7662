"""Actions on one execution (rest-api §11.3).

Each is served at ``/ID/ACTION`` and ``/ID/actions/ACTION``; the second form always answers 200 with
the execution.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from flask import Blueprint, Response, request

from runner.errors import ArgumentInvalid
from runner.model.execution import Execution
from runner.model.states import State
from runner.services import shapes
from runner.services.executions import LATEST, Shown
from runner.services.inputs import Given
from web.api.bulk import flag, number, words
from web.api.executions import CREATE, FORM, READ, WRITE, given_inputs, labels_in, shape_of
from web.auth import needs
from web.context import principal, services
from web.refusals import BadRequest
from web.respond import empty, json_response, read_list, read_object

bp = Blueprint("api_execution_actions", __name__, url_prefix="/api/v1/executions")

Action = Callable[[str], Execution | Shown]


def _answer(execution_id: str, act: Action, status: int) -> Response:
    """Do it, and answer as the path's generation of clients expects."""
    done = act(execution_id)
    if "/actions/" in request.path:
        status = 200
    if status == 204:
        return empty()
    shown = (
        done if isinstance(done, Shown) else Shown(done, services().executions.get(done.id).runs)
    )
    return json_response(shape_of(shown), status)


@bp.delete("/<execution_id>/kill")
@bp.delete("/<execution_id>/actions/kill")
@needs(WRITE)
def kill(execution_id: str) -> Response:
    """Kill an execution, and those that it started."""
    cascade = flag("isOnKillCascade", default=True)
    return _answer(
        execution_id,
        lambda id: services().executions.kill(id, by=principal(), cascade=cascade),
        202,
    )


@bp.post("/<execution_id>/pause")
@bp.post("/<execution_id>/actions/pause")
@needs(WRITE)
def pause(execution_id: str) -> Response:
    """Let nothing new of a running execution start."""
    return _answer(execution_id, lambda id: services().executions.pause(id, by=principal()), 204)


@bp.post("/<execution_id>/resume")
@bp.post("/<execution_id>/actions/resume")
@needs(WRITE, body=FORM)
def resume(execution_id: str) -> Response:
    """Let a paused execution go on."""
    inputs = given_inputs()
    return _answer(
        execution_id,
        lambda id: services().executions.resume(id, by=principal(), inputs=inputs),
        204,
    )


@bp.post("/<execution_id>/restart")
@bp.post("/<execution_id>/actions/restart")
@needs(WRITE)
def restart(execution_id: str) -> Response:
    """Run again what failed."""
    revision = number("revision")
    return _answer(
        execution_id,
        lambda id: services().executions.restart(id, by=principal(), revision=revision),
        200,
    )


@bp.post("/<execution_id>/replay")
@bp.post("/<execution_id>/actions/replay")
@needs(CREATE)
def replay(execution_id: str) -> Response:
    """Start a new execution from an old one, from a task run on or from the beginning."""
    return _answer(execution_id, lambda id: _replay(id, None), 200)


@bp.post("/<execution_id>/replay-with-inputs")
@bp.post("/<execution_id>/actions/replay-with-inputs")
@needs(CREATE, body=FORM)
def replay_with_inputs(execution_id: str) -> Response:
    """Start a new execution from an old one, with other inputs."""
    inputs = given_inputs()
    return _answer(execution_id, lambda id: _replay(id, inputs or None), 200)


def _replay(execution_id: str, inputs: Mapping[str, Given] | None) -> Shown:
    return services().executions.replay(
        execution_id,
        by=principal(),
        from_task_run=request.args.get("taskRunId") or None,
        revision=_revision(),
        inputs=inputs,
        breakpoints=words("breakpoints"),
        key=request.headers.get("Idempotency-Key"),
    )


@bp.post("/<execution_id>/state")
@bp.post("/<execution_id>/actions/state")
@needs(WRITE, body="application/json")
def task_run_state(execution_id: str) -> Response:
    """Put a task run into another state, and go on behind it."""
    body = read_object()
    if "taskRunId" not in body or "state" not in body:
        raise BadRequest("taskRunId and state are needed")
    task_run_id, state = str(body["taskRunId"]), _state(str(body["state"]))
    return _answer(
        execution_id,
        lambda id: services().executions.change_task_run_state(
            id, task_run_id, state, by=principal()
        ),
        200,
    )


@bp.post("/<execution_id>/change-status")
@bp.post("/<execution_id>/actions/change-status")
@needs(WRITE)
def change_status(execution_id: str) -> Response:
    """Put an ended execution into another terminal state."""
    state = _state(request.args.get("status", ""))
    return _answer(
        execution_id,
        lambda id: services().executions.change_status(id, state, by=principal()),
        200,
    )


@bp.post("/<execution_id>/labels")
@bp.post("/<execution_id>/actions/labels")
@needs(WRITE, body="application/json")
def labels(execution_id: str) -> Response:
    """Replace the labels of an ended execution."""
    given = labels_in(read_list())
    return _answer(
        execution_id,
        lambda id: services().executions.set_labels(id, given, by=principal()),
        200,
    )


@bp.post("/<execution_id>/unqueue")
@bp.post("/<execution_id>/actions/unqueue")
@needs(WRITE)
def unqueue(execution_id: str) -> Response:
    """Take an execution out of its flow's queue."""
    state = _state(request.args.get("state") or State.RUNNING)
    return _answer(
        execution_id,
        lambda id: services().executions.unqueue(id, by=principal(), state=state),
        200,
    )


@bp.post("/<execution_id>/force-run")
@bp.post("/<execution_id>/actions/force-run")
@needs(WRITE)
def force_run(execution_id: str) -> Response:
    """Let an execution run that waits for its date, for a slot, or is paused."""
    return _answer(
        execution_id, lambda id: services().executions.force_run(id, by=principal()), 200
    )


@bp.post("/<execution_id>/resume-from-breakpoint")
@bp.post("/<execution_id>/actions/resume-from-breakpoint")
@needs(WRITE)
def resume_from_breakpoint(execution_id: str) -> Response:
    """Let an execution go on that stands at a breakpoint, perhaps to the next one."""
    given = words("breakpoints") if "breakpoints" in request.args else None
    return _answer(
        execution_id,
        lambda id: services().executions.resume_from_breakpoint(
            id, by=principal(), breakpoints=given
        ),
        204,
    )


@bp.post("/<execution_id>/resume/validate")
@bp.post("/<execution_id>/actions/resume/validate")
@needs(READ, body=FORM)
def validate_resume(execution_id: str) -> Response:
    """Say of each input of a Pause whether its value fits, without resuming."""
    flow, examined = services().executions.examine_resume(execution_id, given_inputs())
    return json_response(shapes.inputs_validation(flow, examined))


def _state(text: str) -> State:
    try:
        return State(text.upper())
    except ValueError as exc:
        raise ArgumentInvalid(f"there is no state '{text}'") from exc


def _revision() -> int | str | None:
    if request.args.get("revision") == LATEST or flag("latestRevision"):
        return LATEST
    return number("revision")
