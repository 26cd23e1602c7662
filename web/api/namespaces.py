"""Namespaces, their files and keys (rest-api §16)."""

from __future__ import annotations

import posixpath
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, BinaryIO, cast

from flask import Blueprint, Response, request

from runner.errors import ArgumentInvalid, NotFound, Refused
from runner.services import shapes
from runner.services.files import NamespaceFile, check_namespace, checked_path
from runner.services.flows import with_namespace
from runner.services.kv import typed
from runner.store.base import KvRow
from web.api.bulk import number
from web.api.flows import dependencies_of
from web.auth import needs
from web.context import now, principal, services
from web.filters import condition, read, span
from web.paging import asked, ordered, page_of
from web.refusals import BadRequest
from web.respond import attachment, empty, json_response, list_in, read_object, read_text, text_of

bp = Blueprint("api_namespaces", __name__, url_prefix="/api/v1/namespaces")
keys = Blueprint("api_keys", __name__, url_prefix="/api/v1/kv")
secrets = Blueprint("api_secrets", __name__, url_prefix="/api/v1/secrets")

READ = "namespaces:read"
FILES_READ, FILES_WRITE = "files:read", "files:write"
KV_READ, KV_WRITE = "kv:read", "kv:write"
SECRETS_READ = "secrets:read"
_KV_FIELDS = ("q", "namespace", "key", "created", "updated", "expirationDate")
_KV_SORTS = ("key", "namespace", "creationDate", "updateDate", "expirationDate")
_FLOW_FOLDER = "_flows/"
_ZIP_IN_MEMORY = 4 * 1024 * 1024


# ── namespaces ───────────────────────────────────────────────────────────────────────────────────


@bp.get("/search")
@needs(READ)
def search() -> Response:
    """Return namespaces with flows, keys or files, and their parents."""
    paging = asked(("id",))
    holds = condition(read(request.args, ("q", "existingOnly"), ("q",)), now())
    names = [name for name in _all_names() if holds({"q": name})]
    page = page_of(ordered(names, paging, lambda name, _: name), paging)
    page["results"] = [shapes.namespace(name) for name in page["results"]]
    return json_response(page)


@bp.get("/<namespace>")
@needs(READ)
def get(namespace: str) -> Response:
    """Return a namespace; any legal name is one."""
    check_namespace(namespace)
    return json_response(shapes.namespace(namespace))


@bp.post("/autocomplete")
@needs(READ, body="application/json")
def autocomplete() -> Response:
    """Return names that contain a text."""
    wanted = str(read_object().get("q") or "").lower()
    return json_response([name for name in _all_names() if wanted in name.lower()])


@bp.get("/<namespace>/inherited-variables")
@needs(READ)
def inherited_variables(namespace: str) -> Response:
    """Return the variables of a namespace: there are none."""
    return json_response({})


@bp.get("/<namespace>/dependencies")
@needs(READ)
def dependencies(namespace: str) -> Response:
    """Return the flows of a namespace, with those that they start or are started by."""
    rows = services().flows.every(namespace)
    return dependencies_of([(row.namespace, row.flow_id) for row in rows])


def _all_names() -> Sequence[str]:
    named = {"system", *services().flows.namespaces()}
    return sorted({each for name in named for each in _with_parents(name)})


def _with_parents(namespace: str) -> Sequence[str]:
    """A namespace and those around it, nearest first."""
    parts = namespace.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]


# ── secrets: names only ──────────────────────────────────────────────────────────────────────────


@bp.get("/<namespace>/secrets")
@needs(SECRETS_READ)
def secrets_of(namespace: str) -> Response:
    """Return the names of secrets."""
    return json_response(_secrets_page(namespace))


@bp.get("/<namespace>/inherited-secrets")
@needs(SECRETS_READ)
def inherited_secrets(namespace: str) -> Response:
    """Return the names of secrets by namespace."""
    return json_response({namespace: services().runtime.secrets.names()})


@secrets.get("")
@needs(SECRETS_READ)
def all_secrets() -> Response:
    """Return the names of secrets."""
    return json_response(_secrets_page(""))


@bp.route("/<namespace>/secrets", methods=["PUT"])
@bp.route("/<namespace>/secrets/<key>", methods=["PATCH", "DELETE"])
@needs("secrets:write")
def write_secret(namespace: str, key: str = "") -> Response:
    """Refuse: secrets come from the server's environment and secrets file."""
    raise Refused(
        "secrets are read from the server's environment and secrets file: change them there"
    )


def _secrets_page(namespace: str) -> dict[str, Any]:
    wanted = request.args.get("q", "").lower()
    names = [name for name in services().runtime.secrets.names() if wanted in name.lower()]
    page = page_of(names, asked(("key",)))
    page["results"] = [
        {"key": name, "namespace": namespace, "tags": []} for name in page["results"]
    ]
    return {"readOnly": True, **page}


# ── files ────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/<namespace>/files")
@needs(FILES_READ)
def read_file(namespace: str) -> Response:
    """Return the content of a file."""
    found = services().files.get(namespace, _path(), number("revision"))
    stream = services().files.open(namespace, found.path, found.version)
    return attachment(stream, posixpath.basename(found.path), found.size)


@bp.post("/<namespace>/files")
@needs(FILES_WRITE, body="multipart/form-data")
def write_file(namespace: str) -> Response:
    """Create or replace a file; a zip is unpacked."""
    upload = request.files.get("fileContent")
    if upload is None:
        raise ArgumentInvalid("the part fileContent is missing")
    path, content = _path(), cast(BinaryIO, upload.stream)
    if path.strip("/").startswith(_FLOW_FOLDER):
        _store_flow(namespace, text_of(content.read(), path))
    elif (upload.filename or "").endswith(".zip"):
        services().files.write_archive(namespace, path, content, by=principal())
    else:
        services().files.write(namespace, path, content, by=principal())
    return empty(200)


@bp.put("/<namespace>/files")
@needs(FILES_WRITE)
def move_file(namespace: str) -> Response:
    """Rename a file or a directory."""
    services().files.move(namespace, _path("from"), _path("to"), by=principal())
    return empty(200)


@bp.delete("/<namespace>/files")
@needs(FILES_WRITE)
def delete_file(namespace: str) -> Response:
    """Remove a file, or a directory with all in it."""
    services().files.delete(namespace, _path(), by=principal())
    return empty(200)


@bp.get("/<namespace>/files/stats")
@needs(FILES_READ)
def file_stats(namespace: str) -> Response:
    """Return what is known of a file or directory."""
    path = checked_path(request.args.get("path", ""))
    files = services().files.list(namespace)
    if not path:
        return json_response(shapes.directory("_files", now()))
    for each in files:
        if each.path == path:
            return json_response(_file_shape(each))
    below = [each for each in files if each.path.startswith(f"{path}/")]
    if not below:
        raise NotFound("File not found")
    changed = max(each.modified_at for each in below)
    return json_response(shapes.directory(posixpath.basename(path), changed))


@bp.get("/<namespace>/files/directory")
@needs(FILES_READ)
def list_directory(namespace: str) -> Response:
    """Return what is in a directory."""
    path = checked_path(request.args.get("path", ""))
    prefix = f"{path}/" if path else ""
    below = [each for each in services().files.list(namespace) if each.path.startswith(prefix)]
    if path and not below:
        raise NotFound("Directory not found")
    return json_response(_entries(below, len(prefix)))


@bp.post("/<namespace>/files/directory")
@needs(FILES_WRITE)
def make_directory(namespace: str) -> Response:
    """Accept a directory: it is there as soon as a file is in it."""
    check_namespace(namespace)
    checked_path(_path())
    return empty(200)


@bp.get("/<namespace>/files/search")
@needs(FILES_READ)
def search_files(namespace: str) -> Response:
    """Return the paths that contain a text."""
    wanted = request.args.get("q", "").lower()
    files = services().files.list(namespace)
    return json_response([f"/{each.path}" for each in files if wanted in each.path.lower()])


@bp.get("/<namespace>/files/revisions")
@needs(FILES_READ)
def file_revisions(namespace: str) -> Response:
    """Return the numbers of a file's versions."""
    versions = services().files.versions(namespace, _path())
    return json_response([{"revision": version} for version in versions])


@bp.get("/<namespace>/files/export")
@needs(FILES_READ)
def export_files(namespace: str) -> Response:
    """Return all files of a namespace as a zip, with its flows below ``_flows``."""
    check_namespace(namespace)
    content = tempfile.SpooledTemporaryFile(_ZIP_IN_MEMORY)  # noqa: SIM115 - closed when it is sent
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for each in services().files.list(namespace):
            path = each.path
            with services().files.open(namespace, path) as file, archive.open(path, "w") as entry:
                shutil.copyfileobj(file, entry)
        for flow_id, source in _flow_sources(namespace):
            archive.writestr(f"{_FLOW_FOLDER}{flow_id}.yml", source)
    size = content.tell()
    content.seek(0)
    return attachment(cast(BinaryIO, content), f"{namespace}_files.zip", size)


def _flow_sources(namespace: str) -> Iterator[tuple[str, str]]:
    """Yield the texts of a namespace's flows, to who may read flows."""
    if not principal().may("flows:read"):
        return
    for row in services().flows.every(namespace):
        if row.namespace == namespace:
            yield row.flow_id, services().flows.get(namespace, row.flow_id).revision.source


def _path(name: str = "path") -> str:
    path = request.args.get(name)
    if not path:
        raise BadRequest(f"Required QueryValue [{name}] not specified")
    return path


def _store_flow(namespace: str, source: str) -> None:
    text = with_namespace(source, namespace)
    flow = services().flows.parse(text).flow
    try:
        if flow is None:
            raise NotFound
        services().flows.get(namespace, flow.id)
    except NotFound:
        services().flows.create(text, by=principal())
    else:
        services().flows.update(namespace, flow.id, text, by=principal())


def _entries(below: Sequence[NamespaceFile], skipped: int) -> list[dict[str, Any]]:
    files = []
    folders: dict[str, datetime] = {}
    for each in below:
        name, slash, _ = each.path[skipped:].partition("/")
        if slash:
            folders[name] = max(folders.get(name, each.modified_at), each.modified_at)
        else:
            files.append(_file_shape(each))
    return [shapes.directory(name, at) for name, at in sorted(folders.items())] + files


def _file_shape(each: NamespaceFile) -> dict[str, Any]:
    name = posixpath.basename(each.path)
    return shapes.file(name, each.size, each.modified_at, each.created_at)


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────


@bp.get("/<namespace>/kv")
@needs(KV_READ)
def list_keys(namespace: str) -> Response:
    """Return the keys of exactly this namespace."""
    return json_response([shapes.kv_entry(row) for row in services().kv.list(namespace)])


@bp.get("/<namespace>/kv/inheritance")
@needs(KV_READ)
def inherited_keys(namespace: str) -> Response:
    """Return the keys of a namespace and its parents."""
    names = _with_parents(namespace)
    return json_response(
        [shapes.kv_entry(row) for name in names for row in services().kv.list(name)]
    )


@bp.get("/<namespace>/kv/<key>")
@needs(KV_READ)
def get_key(namespace: str, key: str) -> Response:
    """Return the value of a key."""
    return json_response(shapes.kv_value(services().kv.get(namespace, key)))


@bp.put("/<namespace>/kv/<key>")
@needs(KV_WRITE, body="text/plain")
def put_key(namespace: str, key: str) -> Response:
    """Create or replace a key."""
    check_namespace(namespace)
    value, kind = typed(read_text())
    ttl = request.headers.get("ttl")
    services().kv.set(
        namespace,
        key,
        value,
        kind,
        by=principal(),
        ttl=span(ttl) if ttl else None,
        description=request.headers.get("description"),
    )
    return empty(200)


@bp.delete("/<namespace>/kv/<key>")
@needs(KV_WRITE)
def delete_key(namespace: str, key: str) -> Response:
    """Remove a key; say whether there was one."""
    return json_response(services().kv.delete(namespace, key, by=principal()))


@bp.delete("/<namespace>/kv")
@needs(KV_WRITE, body="application/json")
def delete_keys(namespace: str) -> Response:
    """Remove several keys; return those that were there."""
    wanted = [str(key) for key in list_in(read_object(), "keys")]
    gone = [key for key in wanted if services().kv.delete(namespace, key, by=principal())]
    return json_response({"keys": gone})


@keys.get("")
@needs(KV_READ)
def all_keys() -> Response:
    """Return the keys of all namespaces."""
    paging = asked(_KV_SORTS)
    holds = condition(read(request.args, _KV_FIELDS, ("q", "namespace")), now())
    rows = [row for row in _every_key() if holds(_record(row))]
    page = page_of(ordered(rows, paging, _key), paging)
    page["results"] = [shapes.kv_entry(row) for row in page["results"]]
    return json_response(page)


def _every_key() -> Iterator[KvRow]:
    for name in services().kv.namespaces():
        yield from services().kv.list(name)


def _record(row: KvRow) -> Mapping[str, Any]:
    return {
        "namespace": row.namespace,
        "key": row.key,
        "created": row.created_at,
        "updated": row.updated_at,
        "expirationDate": row.expires_at,
        "q": f"{row.namespace} {row.key}",
    }


def _key(row: KvRow, name: str) -> Any:
    return {
        "key": row.key,
        "namespace": row.namespace,
        "creationDate": row.created_at,
        "updateDate": row.updated_at,
        "expirationDate": row.expires_at,
    }[name]
