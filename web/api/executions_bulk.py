"""Acting on many executions (rest-api §11.4). By ids it is all or nothing; by query what fits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, request

from runner.engine.creation import SYSTEM_PREFIX, merge_labels
from runner.errors import ArgumentInvalid, HeadraceError, Refused
from runner.model.execution import Execution
from runner.model.states import State
from runner.services.executions import LATEST
from web import searching
from web.api.bulk import all_or_nothing, counted, flag
from web.api.executions import CREATE, WRITE, labels_in
from web.auth import needs
from web.context import now, principal, services
from web.respond import list_in, read_json, read_list, read_object

bp = Blueprint("api_executions_bulk", __name__, url_prefix="/api/v1/executions")

Act = Callable[[str], Any]
Check = Callable[[Execution], None]


# ── by ids ───────────────────────────────────────────────────────────────────────────────────────


@bp.delete("/kill/by-ids")
@needs(WRITE, body="application/json")
def kill_by_ids() -> Response:
    """Kill executions."""
    return _by_ids("kill", _is_running, _kill)


@bp.delete("/by-ids")
@needs(WRITE, body="application/json")
def delete_by_ids() -> Response:
    """Delete executions that have ended."""
    return _by_ids("delete", _has_ended, _delete)


@bp.post("/pause/by-ids")
@needs(WRITE, body="application/json")
def pause_by_ids() -> Response:
    """Pause running executions."""
    return _by_ids("pause", _has_state(State.RUNNING), _pause)


@bp.post("/resume/by-ids")
@needs(WRITE, body="application/json")
def resume_by_ids() -> Response:
    """Resume paused executions."""
    return _by_ids("resume", _has_state(State.PAUSED), _resume)


@bp.post("/restart/by-ids")
@needs(WRITE, body="application/json")
def restart_by_ids() -> Response:
    """Restart executions that failed."""
    return _by_ids("restart", _may_restart, _restart)


@bp.post("/replay/by-ids")
@needs(CREATE, body="application/json")
def replay_by_ids() -> Response:
    """Replay executions."""
    return _by_ids("replay", lambda execution: None, _replay)


@bp.post("/labels/by-ids")
@needs(WRITE, body="application/json")
def labels_by_ids() -> Response:
    """Add labels to executions that have ended."""
    body = read_object()
    added = labels_in(list_in(body, "executionLabels"))
    wanted = [str(each) for each in list_in(body, "executionsId")]
    all_or_nothing("labels", wanted, lambda id: _has_ended(_head(id)), "execution")
    for execution_id in wanted:
        _add_labels(execution_id, added)
    return counted(len(wanted))


@bp.post("/change-status/by-ids")
@needs(WRITE, body="application/json")
def change_status_by_ids() -> Response:
    """Put executions that have ended into another terminal state."""
    state = _new_status()
    return _by_ids(
        "change-status",
        _has_ended,
        lambda id: services().executions.change_status(id, state, by=principal()),
    )


# ── by query ─────────────────────────────────────────────────────────────────────────────────────


@bp.delete("/kill/by-query")
@needs(WRITE)
def kill_by_query() -> Response:
    """Kill all executions that match."""
    return _by_query(_kill, _is_running)


@bp.delete("/by-query")
@needs(WRITE)
def delete_by_query() -> Response:
    """Delete all executions that match and have ended."""
    return _by_query(_delete, _has_ended)


@bp.post("/pause/by-query")
@needs(WRITE)
def pause_by_query() -> Response:
    """Pause all executions that match and run."""
    return _by_query(_pause, _has_state(State.RUNNING))


@bp.post("/resume/by-query")
@needs(WRITE)
def resume_by_query() -> Response:
    """Resume all executions that match and are paused."""
    return _by_query(_resume, _has_state(State.PAUSED))


@bp.post("/restart/by-query")
@needs(WRITE)
def restart_by_query() -> Response:
    """Restart all executions that match and may be restarted."""
    return _by_query(_restart, _may_restart)


@bp.post("/replay/by-query")
@needs(CREATE)
def replay_by_query() -> Response:
    """Replay all executions that match."""
    return _by_query(_replay, lambda execution: None)


@bp.post("/labels/by-query")
@needs(WRITE, body="application/json")
def labels_by_query() -> Response:
    """Add labels to all executions that match and have ended."""
    added = labels_in(read_json() or [])
    return _by_query(lambda id: _add_labels(id, added), _has_ended)


@bp.post("/change-status/by-query")
@needs(WRITE)
def change_status_by_query() -> Response:
    """Put all executions that match and have ended into another terminal state."""
    state = _new_status()
    return _by_query(
        lambda id: services().executions.change_status(id, state, by=principal()), _has_ended
    )


@bp.post("/unqueue/by-ids")
@needs(WRITE, body="application/json")
def unqueue_by_ids() -> Response:
    """Take executions out of their flows' queues."""
    return _by_ids("unqueue", _has_state(State.QUEUED), _unqueue("state"))


@bp.post("/unqueue/by-query")
@needs(WRITE)
def unqueue_by_query() -> Response:
    """Take all executions that match out of their flows' queues."""
    return _by_query(_unqueue("newState"), _has_state(State.QUEUED))


@bp.post("/force-run/by-ids")
@needs(WRITE, body="application/json")
def force_run_by_ids() -> Response:
    """Let executions run that wait."""
    return _by_ids("force-run", _is_running, _force_run)


@bp.post("/force-run/by-query")
@needs(WRITE)
def force_run_by_query() -> Response:
    """Let all executions run that match and wait."""
    return _by_query(_force_run, _is_running)


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


def _by_ids(verb: str, check: Check, act: Act) -> Response:
    wanted = [str(each) for each in read_list()]
    all_or_nothing(verb, wanted, lambda id: check(_head(id)), "execution")
    for execution_id in wanted:
        act(execution_id)
    return counted(len(wanted))


def _by_query(act: Act, check: Check) -> Response:
    count = 0
    for execution in searching.every_execution(services(), now()):
        try:
            check(execution)
            act(execution.id)
        except HeadraceError:
            continue  # unfit, or no longer fit: it is not counted
        count += 1
    return counted(count)


def _head(execution_id: str) -> Execution:
    return services().executions.head(execution_id)


def _kill(execution_id: str) -> None:
    services().executions.kill(execution_id, by=principal())


def _delete(execution_id: str) -> None:
    services().executions.delete(
        execution_id,
        by=principal(),
        logs=flag("deleteLogs", default=True),
        storage=flag("deleteStorage", default=True),
    )


def _pause(execution_id: str) -> None:
    services().executions.pause(execution_id, by=principal())


def _resume(execution_id: str) -> None:
    services().executions.resume(execution_id, by=principal())


def _restart(execution_id: str) -> None:
    services().executions.restart(execution_id, by=principal())


def _replay(execution_id: str) -> None:
    revision = LATEST if flag("latestRevision") else None
    services().executions.replay(execution_id, by=principal(), revision=revision)


def _add_labels(execution_id: str, added: tuple[tuple[str, str], ...]) -> None:
    own = [each for each in _head(execution_id).labels if not each[0].startswith(SYSTEM_PREFIX)]
    services().executions.set_labels(execution_id, merge_labels(own, added), by=principal())


def _unqueue(parameter: str) -> Act:
    state = _state(request.args.get(parameter) or State.RUNNING)
    return lambda id: services().executions.unqueue(id, by=principal(), state=state)


def _force_run(execution_id: str) -> None:
    services().executions.force_run(execution_id, by=principal())


def _new_status() -> State:
    return _state(request.args.get("newStatus", ""))


def _state(text: str) -> State:
    try:
        return State(text.upper())
    except ValueError as exc:
        raise ArgumentInvalid(f"there is no state '{text}'") from exc


def _is_running(execution: Execution) -> None:
    if execution.state.is_terminal:
        raise Refused("execution is already finished")


def _has_ended(execution: Execution) -> None:
    if not execution.state.is_terminal:
        raise Refused("execution is not finished")


def _has_state(state: State) -> Check:
    def check(execution: Execution) -> None:
        if execution.state is not state:
            raise Refused(f"execution is not in state {state}")

    return check


def _may_restart(execution: Execution) -> None:
    is_over = execution.state.is_terminal or execution.state is State.PAUSED
    if not is_over or execution.state is State.KILLED:
        raise Refused("execution cannot be restarted")
