"""Triggers (rest-api §15)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from flask import Blueprint, Response, request
from pydantic import AwareDatetime, BaseModel, ValidationError

from runner.errors import ArgumentInvalid, InputInvalid
from runner.services import shapes
from runner.services.triggers import StoredTrigger
from runner.store.base import TriggerRow
from web.api.bulk import counted, flag
from web.auth import needs
from web.context import now, principal, services
from web.filters import condition, read
from web.paging import asked, ordered, page_of
from web.respond import empty, json_response, list_in, read_list, read_object
from web.searching import scope_of

bp = Blueprint("api_triggers", __name__, url_prefix="/api/v1/triggers")

READ, WRITE = "triggers:read", "triggers:write"
_FIELDS = (
    "q", "namespace", "flowId", "triggerId", "triggerState", "workerId", "scope", "startDate",
    "endDate", "timeRange", "locked", "disabled",
)  # fmt: skip
_PLAIN = ("q", "scope", "namespace", "flowId", "triggerId", "workerId")
_SORTS = (
    "triggerId", "flowId", "namespace", "executionId", "nextExecutionDate", "date", "updatedDate",
    "nextEvaluationDate", "lastTriggeredDate", "updatedAt",
)  # fmt: skip


class Label(BaseModel):
    """A label of an order."""

    key: str
    value: str


class BackfillOrder(BaseModel):
    """What a backfill is to do."""

    start: AwareDatetime
    end: AwareDatetime | None = None
    inputs: dict[str, Any] = {}
    labels: list[Label] = []


@bp.get("/search")
@needs(READ)
def search() -> Response:
    """Return triggers that match."""
    page = _page(services().triggers.every())
    page["results"] = [_both(each) for each in page["results"]]
    return json_response(page)


@bp.get("/<namespace>/<flow_id>")
@needs(READ)
def of_flow(namespace: str, flow_id: str) -> Response:
    """Return the triggers of a flow."""
    page = _page(services().triggers.every(namespace, flow_id))
    page["results"] = [shapes.trigger(each.declared, each.row) for each in page["results"]]
    return json_response(page)


@bp.put("")
@needs(WRITE, body="application/json")
def put() -> Response:
    """Switch a trigger on or off."""
    body = read_object()
    return _begun(body) if body.get("backfill") else _switched(body)


@bp.put("/set-disabled")
@needs(WRITE, body="application/json")
def set_disabled() -> Response:
    """Switch a trigger on or off."""
    return _switched(read_object())


@bp.post("/set-disabled/by-triggers")
@needs(WRITE, body="application/json")
def set_disabled_by_triggers() -> Response:
    """Switch several triggers."""
    body = read_object()
    triples = [_triple(each) for each in list_in(body, "triggers")]
    for triple in triples:
        services().triggers.get(*triple)
    for triple in triples:
        services().triggers.set_disabled(*triple, bool(body.get("disabled")), by=principal())
    return counted(len(triples))


@bp.post("/set-disabled/by-query")
@needs(WRITE)
def set_disabled_by_query() -> Response:
    """Switch all triggers that match."""
    found = list(_matching())
    for row in found:
        services().triggers.set_disabled(
            *_triple_of(row), flag("disabled", default=True), by=principal()
        )
    return counted(len(found))


@bp.post("/<namespace>/<flow_id>/<trigger_id>/unlock")
@needs(WRITE)
def unlock(namespace: str, flow_id: str, trigger_id: str) -> Response:
    """Forget the execution that a trigger waits for."""
    stored = services().triggers.unlock(namespace, flow_id, trigger_id, by=principal())
    return json_response(shapes.trigger(stored.declared, stored.row))


@bp.put("/backfill/create")
@needs(WRITE, body="application/json")
def create_backfill() -> Response:
    """Make up for dates of the past."""
    return _begun(read_object())


@bp.put("/backfill/pause")
@needs(WRITE, body="application/json")
def pause_backfill() -> Response:
    """Start nothing more of a backfill for now."""
    return _stepped(read_object(), "pause")


@bp.put("/backfill/unpause")
@needs(WRITE, body="application/json")
def unpause_backfill() -> Response:
    """Go on with a backfill."""
    return _stepped(read_object(), "unpause")


@bp.post("/backfill/delete")
@needs(WRITE, body="application/json")
def delete_backfill() -> Response:
    """End a backfill."""
    return _stepped(read_object(), "delete")


@bp.post("/backfill/<any(pause, unpause, delete):action>/by-triggers")
@needs(WRITE, body="application/json")
def step_backfills(action: str) -> Response:
    """Pause, go on with or end several backfills."""
    triples = [_triple(each) for each in read_list()]
    for triple in triples:
        services().triggers.get(*triple)
    for triple in triples:
        _step(triple, action)
    return counted(len(triples))


@bp.post("/backfill/<any(pause, unpause, delete):action>/by-query")
@needs(WRITE)
def step_backfills_by_query(action: str) -> Response:
    """Pause, go on with or end the backfills of all triggers that match."""
    found = [row for row in _matching() if row.backfill]
    for row in found:
        _step(_triple_of(row), action)
    return counted(len(found))


@bp.post("/<namespace>/<flow_id>/<trigger_id>/restart")
@needs(WRITE)
def restart(namespace: str, flow_id: str, trigger_id: str) -> Response:
    """Look at a polling trigger at once."""
    stored = services().triggers.restart(namespace, flow_id, trigger_id, by=principal())
    return json_response(shapes.trigger(stored.declared, stored.row))


@bp.delete("/<namespace>/<flow_id>/<trigger_id>")
@needs(WRITE)
def delete(namespace: str, flow_id: str, trigger_id: str) -> Response:
    """Forget a trigger's state."""
    services().triggers.delete(namespace, flow_id, trigger_id, by=principal())
    return empty()


@bp.post("/unlock/by-triggers")
@needs(WRITE, body="application/json")
def unlock_by_triggers() -> Response:
    """Unlock several triggers; those that are not locked are passed over."""
    return counted(_unlocked(services().triggers.get(*_triple(each)).row for each in read_list()))


@bp.post("/unlock/by-query")
@needs(WRITE)
def unlock_by_query() -> Response:
    """Unlock all triggers that match."""
    return counted(_unlocked(_matching()))


@bp.delete("/delete/by-triggers")
@needs(WRITE, body="application/json")
def delete_by_triggers() -> Response:
    """Forget the states of several triggers."""
    triples = [_triple(each) for each in read_list()]
    for triple in triples:
        services().triggers.delete(*triple, by=principal())
    return counted(len(triples))


@bp.delete("/delete/by-query")
@needs(WRITE)
def delete_by_query() -> Response:
    """Forget the states of all triggers that match."""
    found = list(_matching())
    for row in found:
        services().triggers.delete(*_triple_of(row), by=principal())
    return counted(len(found))


def _matching() -> Iterator[TriggerRow]:
    holds = condition(read(request.args, _FIELDS, _PLAIN), now())
    return (row for row in services().triggers.every() if holds(_record(row)))


def _unlocked(rows: Iterable[TriggerRow]) -> int:
    locked = [row for row in rows if row.execution_id is not None]
    for row in locked:
        services().triggers.unlock(*_triple_of(row), by=principal())
    return len(locked)


def _begun(body: Mapping[str, Any]) -> Response:
    triple = _triple(body)
    order = _order(body.get("backfill"))
    services().backfills.create(
        triple,
        start=order.start,
        end=order.end,
        inputs=order.inputs,
        labels=tuple((label.key, label.value) for label in order.labels),
        by=principal(),
    )
    return _shown(triple)


def _order(written: Any) -> BackfillOrder:
    try:
        return BackfillOrder.model_validate(written)
    except ValidationError as exc:
        first = exc.errors()[0]
        where = ".".join(map(str, ("backfill", *first["loc"])))
        raise InputInvalid(f"{where}: {first['msg']}") from exc


def _stepped(body: Mapping[str, Any], action: str) -> Response:
    triple = _triple(body)
    _step(triple, action)
    return _shown(triple)


def _step(triple: Sequence[str], action: str) -> None:
    getattr(services().backfills, action)(triple, by=principal())


def _shown(triple: tuple[str, str, str]) -> Response:
    stored = services().triggers.get(*triple)
    return json_response(shapes.trigger(stored.declared, stored.row))


def _switched(body: Mapping[str, Any]) -> Response:
    stored = services().triggers.set_disabled(
        *_triple(body), bool(body.get("disabled")), by=principal()
    )
    return json_response(shapes.trigger(stored.declared, stored.row))


def _page(found: Sequence[TriggerRow]) -> dict[str, Any]:
    """One page, with the declarations of its triggers alone."""
    holds = condition(read(request.args, _FIELDS, _PLAIN), now())
    paging = asked(_SORTS)
    matching = [row for row in found if holds(_record(row))]
    page = page_of(ordered(matching, paging, _key), paging)
    page["results"] = services().triggers.with_declarations(page["results"])
    return page


def _both(stored: StoredTrigger) -> dict[str, Any]:
    """A row for both generations of clients."""
    state = shapes.trigger(stored.declared, stored.row)
    declared = (
        shapes.declared_trigger(stored.declared)
        if stored.declared
        else {"id": stored.row.trigger_id, "type": stored.row.type}
    )
    return {
        "abstractTrigger": declared,
        "triggerContext": state,
        "trigger": declared,
        "state": state,
    }


def _record(row: TriggerRow) -> Mapping[str, Any]:
    return {
        "namespace": row.namespace,
        "flowId": row.flow_id,
        "triggerId": row.trigger_id,
        "triggerState": "DISABLED" if row.disabled else "ENABLED",
        "scope": scope_of(row.namespace),
        "startDate": row.last_at or row.created_at,
        "locked": row.execution_id is not None,
        "disabled": row.disabled,
        "q": f"{row.namespace} {row.flow_id} {row.trigger_id}",
    }


def _key(row: TriggerRow, name: str) -> Any:
    match name:
        case "triggerId":
            return row.trigger_id
        case "flowId":
            return row.flow_id
        case "namespace":
            return row.namespace
        case "executionId":
            return row.execution_id
        case "nextExecutionDate" | "nextEvaluationDate":
            return row.next_at
        case "updatedDate" | "updatedAt":
            return row.updated_at
        case _:
            return row.last_at or row.created_at


def _triple(body: Any) -> tuple[str, str, str]:
    names = ("namespace", "flowId", "triggerId")
    if not isinstance(body, dict) or not set(names) <= set(body):
        raise ArgumentInvalid("a trigger is named by namespace, flowId and triggerId")
    namespace, flow_id, trigger_id = (str(body[name]) for name in names)
    return namespace, flow_id, trigger_id


def _triple_of(row: TriggerRow) -> tuple[str, str, str]:
    return row.namespace, row.flow_id, row.trigger_id
