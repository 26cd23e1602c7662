"""Executions: start, look, act on one (rest-api §8, §11). Bulk calls are in `executions_bulk`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, BinaryIO, cast

from flask import Blueprint, Response, request

from runner.errors import ArgumentInvalid
from runner.model.execution import Execution, Labels
from runner.services import graphs, shapes
from runner.services.executions import Order, Shown
from runner.services.inputs import Given, Upload
from runner.store.base import ExecutionFilter
from web import searching
from web.api.bulk import flag, number, words
from web.auth import needs
from web.connection import watch_client
from web.context import now, principal, public_url, services, web
from web.filters import moment
from web.refusals import BadRequest, NotBuilt
from web.respond import (
    empty,
    json_response,
    read_json,
    read_list,
)
from web.stream import Frame

bp = Blueprint("api_executions", __name__, url_prefix="/api/v1/executions")

READ, WRITE, CREATE = "executions:read", "executions:write", "executions:create"
FORM = "multipart/form-data"
_KINDS = ("NORMAL", "TEST", "PLAYGROUND")


# ── start ────────────────────────────────────────────────────────────────────────────────────────


@bp.post("/<namespace>/<flow_id>")
@bp.post("/trigger/<namespace>/<flow_id>")
@needs(CREATE, body=FORM)
def create(namespace: str, flow_id: str) -> Response:
    """Start a flow; with ``wait=true`` the answer comes when it has ended."""
    order = Order(
        namespace=namespace,
        flow_id=flow_id,
        inputs=given_inputs(),
        labels=_query_labels(),
        revision=number("revision"),
        schedule_at=_date("scheduleDate"),
        kind=_kind(),
        breakpoints=words("breakpoints"),
        key=request.headers.get("Idempotency-Key"),
    )
    execution = services().executions.create(order, by=principal()).execution
    if flag("wait"):
        web().streams.wait_for_end(execution.id, is_gone=watch_client())
        return json_response(shape_of(services().executions.get(execution.id), with_url=True))
    return json_response(shape_of(Shown(execution), with_url=True))


@bp.post("/<namespace>/<flow_id>/validate")
@needs(READ, body=FORM)
def validate(namespace: str, flow_id: str) -> Response:
    """Say of each input whether its value fits, without starting anything."""
    stored = services().flows.get(namespace, flow_id, revision=number("revision"))
    if stored.parsed is None:
        raise ArgumentInvalid(stored.error)
    examined = services().inputs.examine(stored.parsed, given_inputs())
    checks = services().inputs.failed_checks(stored.parsed, examined)
    return json_response(shapes.inputs_validation(stored.parsed, examined, checks))


# ── look ─────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/<execution_id>")
@needs(READ)
def get(execution_id: str) -> Response:
    """Return an execution with its task runs."""
    return json_response(shape_of(services().executions.get(execution_id)))


@bp.get("/search")
@needs(READ)
def search() -> Response:
    """Return executions that match, newest first."""
    found = searching.executions(services(), now())
    return json_response({"results": _with_runs(found.items), "total": found.total})


@bp.get("")
@needs(READ)
def of_flow() -> Response:
    """Return the executions of one flow."""
    for name in ("namespace", "flowId"):
        if not request.args.get(name):
            raise BadRequest(f"Required QueryValue [{name}] not specified")
    return search()


@bp.get("/<execution_id>/follow")
@needs(READ)
def follow(execution_id: str) -> Response:
    """Follow an execution by server-sent events."""
    services().executions.head(execution_id)
    return event_stream(web().streams.follow_execution(execution_id, is_gone=watch_client()))


@bp.get("/<execution_id>/follow-dependencies")
@needs(READ)
def follow_dependencies(execution_id: str) -> Response:
    """Say that dependencies cannot be followed yet."""
    raise NotBuilt("following dependencies is not available yet")


@bp.get("/<execution_id>/flow")
@needs(READ)
def flow_of(execution_id: str) -> Response:
    """Return the flow of an execution, as far as who executes it needs it."""
    execution = services().executions.head(execution_id)
    return json_response(shapes.flow_for_execution(services().executions.flow_of(execution)))


@bp.get("/flows/<namespace>/<flow_id>")
@needs(READ)
def flow_to_execute(namespace: str, flow_id: str) -> Response:
    """Return a flow as far as who executes it needs it."""
    stored = services().flows.get(namespace, flow_id, revision=number("revision"))
    if stored.parsed is None:
        raise ArgumentInvalid(stored.error)
    return json_response(shapes.flow_for_execution(stored.parsed))


@bp.get("/<execution_id>/graph")
@needs(READ)
def graph(execution_id: str) -> Response:
    """Return the execution as a graph."""
    if request.args.get("subflows"):
        raise NotBuilt("showing subflows inside a graph is not available yet")
    shown = services().executions.get(execution_id)
    flow = services().executions.flow_of(shown.execution)
    return json_response(graphs.of_execution(flow, shown.execution, shown.runs, now()))


@bp.get("/namespaces")
@needs(READ)
def namespaces() -> Response:
    """Return the namespaces with flows that may be executed."""
    return json_response(sorted({row.namespace for row in services().flows.every()}))


@bp.get("/namespaces/<namespace>/flows")
@needs(READ)
def flows_of_namespace(namespace: str) -> Response:
    """Return the flows of a namespace that may be executed."""
    found = services().flows.search(namespace=namespace, limit=1000).items
    return json_response(
        [
            shapes.flow_for_execution(each.parsed)
            for each in found
            if each.parsed and each.row.namespace == namespace and each.row.is_active
        ]
    )


@bp.post("/latest")
@needs(READ, body="application/json")
def latest() -> Response:
    """Return the newest execution of each flow named."""
    found: list[Execution] = []
    for each in read_list():
        if not isinstance(each, dict) or "namespace" not in each:
            raise ArgumentInvalid("a flow is named by namespace and id")
        flow_ids = (str(each["id"]),) if each.get("id") else ()
        filter = ExecutionFilter(namespaces=(str(each["namespace"]),), flow_ids=flow_ids)
        found.extend(services().executions.search(filter, limit=1).items)
    return json_response([shapes.latest_execution(each) for each in found])


@bp.delete("/<execution_id>")
@needs(WRITE)
def delete(execution_id: str) -> Response:
    """Delete an ended execution."""
    services().executions.delete(
        execution_id,
        by=principal(),
        logs=flag("deleteLogs", default=True),
        storage=flag("deleteStorage", default=True),
    )
    return empty()


# ── parts that other modules use ─────────────────────────────────────────────────────────────────


def given_inputs() -> dict[str, Given]:
    """Return the inputs of the request: form parts, or a JSON object; none at all is fine too."""
    if request.mimetype == FORM or request.mimetype == "application/x-www-form-urlencoded":
        return dict(_form_inputs())
    if request.mimetype == "application/json":
        value = read_json()
        return dict(value) if isinstance(value, dict) else {}
    return {}


def _form_inputs() -> Iterator[tuple[str, Given]]:
    yield from request.form.items()
    for name, part in request.files.items(multi=True):
        filename = part.filename or ""
        if not filename:
            continue  # an empty file field of a form
        if name == "files":  # the old form: the file's name is the input's
            yield filename, Upload(filename, cast(BinaryIO, part.stream))
        else:
            yield name, Upload(filename, cast(BinaryIO, part.stream))


def labels_in(value: Any) -> Labels:
    """Return labels given as a list of key and value, or as a map. Raises ArgumentInvalid."""
    if isinstance(value, dict):
        return tuple((str(key), str(text)) for key, text in value.items())
    if not isinstance(value, list):
        raise ArgumentInvalid("labels are a list of key and value, or a map")
    found = []
    for each in value:
        if not isinstance(each, dict) or each.get("key") is None or each.get("value") is None:
            raise ArgumentInvalid("a label has a key and a value")
        found.append((str(each["key"]), str(each["value"])))
    return tuple(found)


def event_stream(frames: Iterator[Frame]) -> Response:
    """Return frames as Kestra's clients read them; what fails before the first is an error."""
    first = next(frames)

    def body() -> Iterator[bytes]:
        yield first.kestra()
        for frame in frames:
            yield frame.kestra()

    response = Response(body(), content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-cache"
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(frames.close)  # type: ignore[attr-defined]
    return response


def shape_of(shown: Shown, *, with_url: bool = False) -> dict[str, Any]:
    """Return an execution as clients read it; *with_url* in answers to a creation."""
    execution = shown.execution
    url = public_url(shapes.execution_path(execution)) if with_url else None
    return shapes.execution(execution, shown.runs, now=now(), url=url)


def _with_runs(executions: Any) -> list[dict[str, Any]]:
    runs = services().executions.runs_of([each.id for each in executions])
    return [shape_of(Shown(each, runs.get(each.id, ()))) for each in executions]


def _query_labels() -> Labels:
    found = []
    for text in request.args.getlist("labels"):
        key, colon, value = text.partition(":")
        if not colon or not key or not value:
            raise ArgumentInvalid(f"a label is key:value, not '{text}'")
        found.append((key, value))
    return tuple(found)


def _kind() -> str:
    kind = request.args.get("kind") or "NORMAL"
    if kind not in _KINDS:
        raise ArgumentInvalid(f"there is no kind of execution '{kind}'")
    return kind


def _date(name: str) -> Any:
    text = request.args.get(name)
    return moment(text) if text else None
