"""Functions that reach the outside world: secrets, keys, files, HTTP."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import urlencode, urlsplit

from runner.expressions.context import HttpRequest
from runner.expressions.errors import ExpressionError
from runner.expressions.frame import Frame
from runner.expressions.printing import json_text, text_form
from runner.expressions.registry import FUNCTIONS
from runner.expressions.values import describe, is_integer, is_list, is_map

function = FUNCTIONS.register


@function(
    "secret(key*, namespace, subkey, full=false)",
    ("{{ secret('DB_PASSWORD') }}", "correct horse"),
)
def secret(frame: Frame, key: Any, namespace: Any, subkey: Any, full: Any) -> str:
    """A secret, by default of the flow's namespace; `subkey` is an entry of one that is JSON."""
    name = _string(key, "secret", "key")
    value = frame.world.secret(name, _optional(namespace, "secret"), _optional(subkey, "secret"))
    return json_text({"value": value}, frame.budget) if full is True else value


@function(
    "kv(key*, namespace, errorOnMissing=true)",
    ("{{ kv('limits').rows + 1 }}", "101"),
    ("{{ kv('nothing', errorOnMissing=false) ?? 'none' }}", "none"),
)
def kv(frame: Frame, key: Any, namespace: Any, error_on_missing: Any) -> Any:
    """A value of the key-value store, with its type."""
    name = _string(key, "kv", "key")
    return frame.world.kv(name, _optional(namespace, "kv"), error_on_missing is not False)


# ---- files


@function("read(path*, namespace, version)", ("{{ read('queries/all.sql') }}", "SELECT 1"))
def read(frame: Frame, path: Any, namespace: Any, version: Any) -> str:
    """The content of a namespace file or of a file of the internal storage."""
    uri = file_uri_of(frame, path, namespace, "read")
    if version is not None and not is_integer(version):
        raise ExpressionError(f"a version is an integer, not {describe(version)}")
    content = frame.world.read(uri, version)
    frame.budget.allow_text(len(content))
    return content


@function("fileSize(path*, namespace)", ("{{ fileSize('queries/all.sql') }}", "8"))
def file_size(frame: Frame, path: Any, namespace: Any) -> int:
    """The size of a file in bytes."""
    return frame.world.file_size(file_uri_of(frame, path, namespace, "fileSize"))


@function("fileExists(path*, namespace)", ("{{ fileExists('other.sql') }}", "false"), since="1.0")
def file_exists(frame: Frame, path: Any, namespace: Any) -> bool:
    """Whether there is such a file."""
    return frame.world.file_exists(file_uri_of(frame, path, namespace, "fileExists"))


@function(
    "isFileEmpty(path*, namespace)",
    ("{{ isFileEmpty('queries/all.sql') }}", "false"),
    since="1.0",
)
def is_file_empty(frame: Frame, path: Any, namespace: Any) -> bool:
    """Whether the file has no content."""
    return frame.world.file_size(file_uri_of(frame, path, namespace, "isFileEmpty")) == 0


@function(
    "fileURI(path*, namespace)",
    (
        "{{ fileURI('data/a.csv') }}",
        "kestra:///company/team/_files/data/a.csv",
        {"flow": {"namespace": "company.team"}},
    ),
)
def file_uri(frame: Frame, path: Any, namespace: Any) -> str:
    """The storage address of a namespace file."""
    name = _string(path, "fileURI", "path").removeprefix("/")
    _refuse_climbing(name)
    owner = _optional(namespace, "fileURI") or _flow(frame, "namespace")
    return f"kestra:///{owner.replace('.', '/')}/_files/{name}"


def file_uri_of(frame: Frame, path: Any, namespace: Any, name: str) -> str:
    """The canonical URI of what a path names: `kestra:///…` or `nsfile://NAMESPACE/PATH`.

    Raises:
        ExpressionError: the path is none, climbs, or has a scheme that is not served.
    """
    text = _string(path, name, "path")
    _refuse_climbing(text)
    if "://" not in text:
        owner = _optional(namespace, name) or _flow(frame, "namespace")
        return f"nsfile://{owner}/{text.removeprefix('/')}"
    scheme, _, rest = text.partition("://")
    if scheme == "nsfile":
        host, _, below = rest.partition("/")
        owner = host or _optional(namespace, name) or _flow(frame, "namespace")
        return f"nsfile://{owner}/{below}"
    if scheme != "kestra" or not rest.startswith("/"):
        raise ExpressionError(f"{name} reads kestra:/// and nsfile:/// files, not {scheme}://")
    return text


def _refuse_climbing(path: str) -> None:
    if ".." in re.split(r"[/\\]", path) or "\0" in path:
        raise ExpressionError(f"the path {path!r} may not climb with ..")


def _flow(frame: Frame, field: str) -> str:
    flow: Any = frame.context.variables.get("flow")
    value = flow[field] if is_map(flow) and field in flow else None
    if not isinstance(value, str):
        raise ExpressionError(f"there is no flow.{field} here")
    return value


# ---- http


@function(
    "http(uri*, method='GET', query, body, contentType='application/json', headers, options, "
    "accept='application/json')",
    ("{{ http('https://api.example.org/status').state }}", "up"),
    since="1.0",
)
def http(
    frame: Frame,
    uri: Any,
    method: Any,
    query: Any,
    body: Any,
    content_type: Any,
    headers: Any,
    options: Any,
    accept: Any,
) -> Any:
    """The answer to an HTTP request, read as JSON or YAML. Off unless the operator allows it."""
    address = _string(uri, "http", "uri")
    if urlsplit(address).scheme not in ("http", "https"):
        raise ExpressionError(f"http needs an http:// or https:// address, not {address!r}")
    kinds = {
        "Content-Type": text_form(content_type, frame.budget),
        "Accept": text_form(accept, frame.budget),
    }
    request = HttpRequest(
        uri=_with_query(frame, address, query),
        method=_string(method, "http", "method").upper(),
        headers=kinds | _headers(frame, headers),
        body=_body(frame, body, kinds["Content-Type"]),
        options=options if is_map(options) else {},
    )
    answer = frame.world.http(request)
    return _answer(frame, answer, kinds["Accept"])


def _with_query(frame: Frame, address: str, query: Any) -> str:
    if query is None:
        return address
    pairs = [
        (text_form(name, frame.budget), text_form(item, frame.budget))
        for name, value in _map(query, "query").items()
        for item in (value if is_list(value) else [value])
    ]
    return f"{address}{'&' if '?' in address else '?'}{urlencode(pairs)}"


def _headers(frame: Frame, headers: Any) -> dict[str, str]:
    if headers is None:
        return {}
    return {
        text_form(name, frame.budget): text_form(
            value[-1] if is_list(value) and value else value, frame.budget
        )
        for name, value in _map(headers, "headers").items()
    }


def _body(frame: Frame, body: Any, content_type: str) -> bytes | None:
    if body is None:
        return None
    if not (is_map(body) or is_list(body)):
        raise ExpressionError(f"the body of http is a map or a list, not {describe(body)}")
    if "yaml" in content_type:
        from runner.expressions.yamltext import write_yaml

        return write_yaml(body, frame.budget).encode()
    return json_text(body, frame.budget).encode()


def _answer(frame: Frame, text: str, accept: str) -> Any:
    from runner.expressions.yamltext import read_yaml

    from .parsing import parse_json

    if not text.strip():
        return None
    if "yaml" in accept:
        return read_yaml(text, frame.budget)
    return parse_json(text, frame)


def _map(value: Any, name: str) -> Any:
    if is_map(value):
        return value
    raise ExpressionError(f"the {name} of http are a map, not {describe(value)}")


def _string(value: Any, function_name: str, parameter: str) -> str:
    if isinstance(value, str) and value:
        return value
    what = "an empty string" if value == "" else describe(value)
    raise ExpressionError(f"{function_name} needs a string as {parameter}, not {what}")


def _optional(value: Any, function_name: str) -> str | None:
    if value is None or isinstance(value, str):
        return value or None
    raise ExpressionError(f"{function_name} needs a string there, not {describe(value)}")
