"""Flows (rest-api §10)."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any

from flask import Blueprint, Response, request

from runner.errors import ArgumentInvalid, HeadraceError, NotFound
from runner.model.flow import Flow, Task
from runner.model.parser import Parsed
from runner.services import graphs, shapes
from runner.services.archives import unzipped
from runner.services.dependencies import Place, around
from runner.services.flows import StoredFlow, split_documents
from runner.store.base import FlowRow
from web.api.bulk import all_or_nothing, counted, flag, number
from web.auth import needs
from web.context import now, principal, services
from web.filters import condition, read
from web.paging import asked, ordered, page_of
from web.refusals import NotBuilt
from web.respond import attachment, empty, json_response, read_list, read_text, text_of
from web.searching import scope_of

bp = Blueprint("api_flows", __name__, url_prefix="/api/v1/flows")

READ, WRITE = "flows:read", "flows:write"
_YAML = "application/x-yaml"
_FIELDS = ("q", "namespace", "flowId", "labels", "scope", "id", "disabled")
_PLAIN = ("q", "scope", "namespace", "labels")
_SORTS = ("id", "namespace", "revision", "updated")
_MOST_ZIPPED_BYTES = 64 * 1024 * 1024


# ── one flow ─────────────────────────────────────────────────────────────────────────────────────


@bp.post("")
@needs(WRITE, body=_YAML)
def create() -> Response:
    """Store a new flow."""
    stored = services().flows.create(read_text(), by=principal())
    return json_response(_shape(stored, with_source=True))


@bp.get("/<namespace>/<flow_id>")
@needs(READ)
def get(namespace: str, flow_id: str) -> Response:
    """Return a flow, with its text if ``source=true``."""
    stored = services().flows.get(
        namespace,
        flow_id,
        revision=number("revision"),
        with_deleted=flag("allowDeleted"),
    )
    return json_response(_shape(stored, with_source=flag("source")))


@bp.put("/<namespace>/<flow_id>")
@needs(WRITE, body=_YAML)
def update(namespace: str, flow_id: str) -> Response:
    """Store a new revision of a flow."""
    stored = services().flows.update(namespace, flow_id, read_text(), by=principal())
    return json_response(_shape(stored, with_source=True))


@bp.delete("/<namespace>/<flow_id>")
@needs(WRITE)
def delete(namespace: str, flow_id: str) -> Response:
    """Delete a flow; its history stays."""
    services().flows.delete(namespace, flow_id, by=principal())
    return empty()


@bp.get("/<namespace>/<flow_id>/revisions")
@needs(READ)
def revisions(namespace: str, flow_id: str) -> Response:
    """Return all revisions, oldest first."""
    found = services().flows.revisions(namespace, flow_id)
    with_deleted = flag("allowDelete")
    return json_response(
        [
            _shape(each, with_source=True)
            for each in found
            if with_deleted or not each.revision.deleted
        ]
    )


@bp.get("/<namespace>/<flow_id>/tasks/<task_id>")
@needs(READ)
def task(namespace: str, flow_id: str, task_id: str) -> Response:
    """Return one task as it is written, nested ones too."""
    stored = services().flows.get(namespace, flow_id, revision=number("revision"))
    place = stored.parsed.places.get(task_id) if stored.parsed else None
    if place is None:
        raise NotFound("Task not found")
    return json_response(_task(place.task))


@bp.get("/<namespace>/<flow_id>/graph")
@needs(READ)
def graph(namespace: str, flow_id: str) -> Response:
    """Return the flow as a graph."""
    stored = services().flows.get(namespace, flow_id, revision=number("revision"))
    return json_response(graph_of(stored.parsed))


@bp.post("/graph")
@needs(READ, body=_YAML)
def graph_of_text() -> Response:
    """Return the graph of a text."""
    parsed = services().flows.parse(read_text())
    if parsed.flow is None:
        raise ArgumentInvalid("the flow is not valid")
    return json_response(graph_of(parsed.flow))


@bp.get("/<namespace>/<flow_id>/dependencies")
@needs(READ)
def dependencies(namespace: str, flow_id: str) -> Response:
    """Return the flows that this one starts, and those that start it."""
    services().flows.get(namespace, flow_id)
    return dependencies_of([(namespace, flow_id)])


# ── many flows ───────────────────────────────────────────────────────────────────────────────────


@bp.get("/search")
@needs(READ)
def search() -> Response:
    """Return flows that match."""
    group = read(request.args, _FIELDS, _PLAIN)
    paging = asked(_SORTS)
    holds = condition(group, now())
    found = [row for row in services().flows.every() if holds(_record(row))]
    page = page_of(ordered(found, paging, _key), paging)
    page["results"] = [_shape(_stored(row), with_source=False) for row in page["results"]]
    return json_response(page)


@bp.get("/distinct-namespaces")
@needs(READ)
def distinct_namespaces() -> Response:
    """Return the namespaces that have flows."""
    wanted = request.args.get("q", "").lower()
    names = sorted({row.namespace for row in services().flows.every()})
    return json_response([name for name in names if wanted in name.lower()])


@bp.get("/<namespace>")
@needs(READ)
def of_namespace(namespace: str) -> Response:
    """Return the flows of exactly one namespace."""
    found = [stored for stored in _every(namespace) if stored.row.namespace == namespace]
    return json_response([_shape(stored, with_source=False) for stored in found])


@bp.get("/source")
@needs(READ)
def search_sources() -> Response:
    """Return flows whose text contains ``q``."""
    wanted = request.args.get("q", "")
    paging = asked(_SORTS)
    found = [
        stored
        for stored in _every(request.args.get("namespace") or None)
        if wanted.lower() in stored.revision.source.lower()
    ]
    page = page_of(found, paging)
    page["results"] = [_fragment(stored, wanted) for stored in page["results"]]
    return json_response(page)


@bp.post("/validate")
@needs(READ, body=_YAML)
def validate() -> Response:
    """Return what there is to say about each document; the status is 200 also for bad ones."""
    shown = []
    for index, (filename, source) in enumerate(_documents()):
        (parsed,) = services().flows.validate([source])
        shape = shapes.validation(
            index, _names(parsed), parsed.problems, is_outdated=parsed.is_outdated
        )
        if filename:
            shape["filename"] = filename
        shape["problems"] = [shapes.problem(each) for each in parsed.problems]
        shown.append(shape)
    return json_response(shown)


@bp.post("/validate/task")
@needs(READ)
def validate_task() -> Response:
    """Return what there is to say about one task, or about a trigger (``section=TRIGGERS``)."""
    is_trigger = request.args.get("section", "TASKS").upper() == "TRIGGERS"
    return _validated_part("triggers" if is_trigger else "tasks")


@bp.post("/validate/trigger")
@needs(READ)
def validate_trigger() -> Response:
    """Return what there is to say about one trigger."""
    return _validated_part("triggers")


def _validated_part(section: str) -> Response:
    problems = services().flows.validate_part(read_text(), section)
    shape = shapes.validation(0, {}, problems)
    shape["problems"] = [shapes.problem(each) for each in problems]
    return json_response(shape)


@bp.post("/<namespace>")
@needs(WRITE, body=_YAML)
def save_namespace(namespace: str) -> Response:
    """Store many flows of one namespace, all or none."""
    return _save_all(
        namespace,
        delete=flag("delete", default=True),
        override=flag("override"),
        allow_children=False,
    )


@bp.post("/bulk")
@needs(WRITE, body=_YAML)
def save_bulk() -> Response:
    """Store many flows, all or none."""
    return _save_all(
        request.args.get("namespace") or None,
        delete=flag("delete", default=True) and "namespace" in request.args,
        override=False,
        allow_children=flag("allowNamespaceChild"),
    )


@bp.post("/import")
@needs(WRITE, body="multipart/form-data")
def import_flows() -> Response:
    """Store flows of a YAML file or a zip, each for itself; return those that failed."""
    upload = request.files.get("fileUpload")
    if upload is None:
        raise ArgumentInvalid("the part fileUpload is missing")
    content = upload.stream.read()
    failed: list[str] = []
    for name, source in _texts(upload.filename or "", content):
        try:
            _import(source)
        except HeadraceError:
            if flag("failOnError"):
                raise
            failed.append(name)
    return json_response(failed)


@bp.post("/export/by-ids")
@needs(READ, body="application/json")
def export_by_ids() -> Response:
    """Return flows as a zip."""
    return _zip([services().flows.get(*_id_pair(each)) for each in read_list()])


@bp.get("/export/by-query")
@needs(READ)
def export_by_query() -> Response:
    """Return all flows that match as a zip."""
    return _zip(list(_matching()))


@bp.post("/<any(enable, disable):action>/by-ids")
@needs(WRITE, body="application/json")
def switch_by_ids(action: str) -> Response:
    """Switch flows on or off."""
    pairs = [_id_pair(each) for each in read_list()]
    for pair in pairs:
        services().flows.get(*pair)
    for pair in pairs:
        services().flows.set_disabled(*pair, action == "disable", by=principal())
    return counted(len(pairs))


@bp.post("/<any(enable, disable):action>/by-query")
@needs(WRITE)
def switch_by_query(action: str) -> Response:
    """Switch all flows that match."""
    rows = [stored.row for stored in _matching()]
    for row in rows:
        services().flows.set_disabled(
            row.namespace, row.flow_id, action == "disable", by=principal()
        )
    return counted(len(rows))


@bp.delete("/delete/by-ids")
@needs(WRITE, body="application/json")
def delete_by_ids() -> Response:
    """Delete flows."""
    pairs = [_id_pair(each) for each in read_list()]
    all_or_nothing("delete", pairs, lambda pair: services().flows.get(*pair), "flow")
    for pair in pairs:
        services().flows.delete(*pair, by=principal())
    return counted(len(pairs))


@bp.delete("/delete/by-query")
@needs(WRITE)
def delete_by_query() -> Response:
    """Delete all flows that match."""
    rows = [stored.row for stored in _matching()]
    for row in rows:
        services().flows.delete(row.namespace, row.flow_id, by=principal())
    return counted(len(rows))


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


def dependencies_of(start: list[Place]) -> Response:
    """Return what is around some flows."""
    found = around(
        services().dependencies.edges(),
        start,
        destination_only=flag("destinationOnly"),
        expand_all=flag("expandAll"),
    )
    return json_response(shapes.dependencies(found))


def graph_of(flow: Flow | None) -> Any:
    """Return Kestra's graph of a flow."""
    if flow is None:
        raise ArgumentInvalid("the flow is not valid")
    if request.args.get("subflows"):
        raise NotBuilt("showing subflows inside a graph is not available yet")
    return graphs.of_flow(flow)


def _save_all(
    namespace: str | None, *, delete: bool, override: bool, allow_children: bool
) -> Response:
    gone, stored = services().flows.save_all(
        [source for _, source in _documents()],
        by=principal(),
        namespace=namespace,
        delete=delete,
        override=override,
        allow_children=allow_children,
    )
    return json_response([_shape(each, with_source=True) for each in (*gone, *stored)])


def _import(source: str) -> None:
    flows = services().flows
    parsed = flows.parse(source)
    flow = parsed.flow
    try:
        if flow is None:
            raise NotFound
        flows.get(flow.namespace, flow.id)
    except NotFound:
        flows.create(source, by=principal())
    else:
        flows.update(flow.namespace, flow.id, source, by=principal())


def _documents() -> list[tuple[str, str]]:
    """The documents of the request with their file names: parts ``flows``, or the body."""
    parts = request.files.getlist("flows") if request.mimetype == "multipart/form-data" else []
    if parts:
        texts = [
            (part.filename or "", text_of(part.stream.read(), part.filename or "flows"))
            for part in parts
        ]
    else:
        texts = [("", read_text())]
    return [(name, document) for name, text in texts for document in split_documents(text)]


def _texts(filename: str, content: bytes) -> Iterator[tuple[str, str]]:
    if content.startswith(b"PK"):
        for name, packed in unzipped(io.BytesIO(content), _MOST_ZIPPED_BYTES):
            if name.endswith((".yml", ".yaml")):
                yield name, text_of(packed, name)
        return
    extension = filename.rpartition(".")[2].lower() if "." in filename else ""
    if extension not in ("", "yml", "yaml"):
        raise ArgumentInvalid("cannot import file, it must be a YAML file or a zip archive")
    for index, document in enumerate(split_documents(text_of(content, filename or "flows"))):
        yield f"{filename or 'flows'}#{index}", document


def _zip(found: list[StoredFlow]) -> Response:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for stored in found:
            name = f"{stored.row.namespace}.{stored.row.flow_id}.yml"
            archive.writestr(name, stored.revision.source)
    size = content.tell()
    content.seek(0)
    return attachment(content, "flows.zip", size)


def _every(namespace: str | None = None) -> Iterator[StoredFlow]:
    cursor: str | None = None
    while True:
        page = services().flows.search(namespace=namespace, limit=500, cursor=cursor)
        yield from page.items
        cursor = page.cursor
        if cursor is None:
            return


def _matching() -> Iterator[StoredFlow]:
    holds = condition(read(request.args, _FIELDS, _PLAIN), now())
    return (_stored(row) for row in list(services().flows.every()) if holds(_record(row)))


def _stored(row: FlowRow) -> StoredFlow:
    return services().flows.get(row.namespace, row.flow_id)


def _record(row: FlowRow) -> Mapping[str, Any]:
    labels = dict(row.labels)
    return {
        "id": row.flow_id,
        "flowId": row.flow_id,
        "namespace": row.namespace,
        "labels": labels,
        "disabled": row.disabled,
        "scope": scope_of(row.namespace),
        "q": " ".join([row.namespace, row.flow_id, row.description or "", *labels.values()]),
    }


def _key(row: FlowRow, name: str) -> Any:
    return {
        "id": row.flow_id,
        "namespace": row.namespace,
        "revision": row.revision,
        "updated": row.updated_at,
    }[name]


def _fragment(stored: StoredFlow, wanted: str) -> dict[str, Any]:
    lines = stored.revision.source.splitlines()
    found = [line for line in lines if wanted.lower() in line.lower()][:5]
    fragments = [
        line.replace(wanted, f"[mark]{wanted}[/mark]") if wanted else line for line in found
    ]
    return {
        "model": _shape(stored, with_source=False),
        "fragments": fragments,
        "namespace": stored.row.namespace,
        "flowId": stored.row.flow_id,
        "id": stored.row.flow_id,
    }


def _shape(stored: StoredFlow, *, with_source: bool) -> dict[str, Any]:
    return shapes.flow(
        stored.row, stored.revision, stored.parsed, with_source=with_source, error=stored.error
    )


def _task(found: Task) -> dict[str, Any]:
    shape = {"id": found.id, "type": found.type, **found.properties}
    for name, children in found.children.items():
        shape[name] = [_task(child) for child in children]
    return shapes.without_none(shape)


def _names(parsed: Parsed) -> dict[str, Any]:
    return {"namespace": parsed.namespace, "id": parsed.flow_id}


def _id_pair(value: Any) -> tuple[str, str]:
    if not isinstance(value, dict) or not {"namespace", "id"} <= set(value):
        raise ArgumentInvalid("a flow is named by namespace and id")
    return str(value["namespace"]), str(value["id"])
