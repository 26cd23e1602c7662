"""Bodies in and out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO
from urllib.parse import quote

import orjson
from flask import Response, request

from web.refusals import BodyInvalid

_BLOCK = 64 * 1024
_OPTIONS = orjson.OPT_NON_STR_KEYS


def json_response(value: Any, status: int = 200) -> Response:
    """Return an answer of JSON."""
    return Response(json_bytes(value), status, content_type="application/json")


def json_bytes(value: Any) -> bytes:
    """Return plain data as JSON, also integers beyond 64 bits and halves of characters."""
    try:
        return orjson.dumps(value, _plain, _OPTIONS)
    except TypeError:
        text = json.dumps(value, default=_plain)
        finite = json.loads(text, parse_constant=lambda _: None)
        return json.dumps(finite).encode()


def empty(status: int = 204) -> Response:
    """Return an answer without body."""
    return Response(status=status)


def attachment(stream: BinaryIO, name: str, size: int | None = None) -> Response:
    """Return a file to save; the stream is closed at its end."""
    response = Response(_blocks(stream), content_type="application/octet-stream")
    response.headers["Content-Disposition"] = f"attachment; filename*=UTF-8''{quote(name)}"
    response.call_on_close(stream.close)
    if size is not None:
        response.content_length = size
    return response


def read_json() -> Any:
    """Return the body as plain data, whatever type it says to be; None if there is none.

    Raises:
        BodyInvalid: it is no JSON.
    """
    content = request.get_data()
    if not content.strip():
        return None
    try:
        return orjson.loads(content)
    except orjson.JSONDecodeError as exc:
        raise BodyInvalid(str(exc)) from exc


def read_object() -> dict[str, Any]:
    """Return the body as a JSON object; an absent one is empty. Raises BodyInvalid."""
    value: dict[str, Any] = _of(dict, {})
    return value


def read_list() -> list[Any]:
    """Return the body as a JSON list; an absent one is empty. Raises BodyInvalid."""
    value: list[Any] = _of(list, [])
    return value


def read_text() -> str:
    """Return the body as text. Raises BodyInvalid: it is not UTF-8."""
    return text_of(request.get_data(), "the body")


def text_of(content: bytes, what: str) -> str:
    """Return bytes from outside as text. Raises BodyInvalid: they are not UTF-8."""
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError as exc:
        raise BodyInvalid(f"{what} is not UTF-8") from exc


def list_in(body: Mapping[str, Any], name: str) -> list[Any]:
    """Return a list of the body; an absent one is empty. Raises BodyInvalid."""
    value = body.get(name) or []
    if not isinstance(value, list):
        raise BodyInvalid(f"{name} must be a list")
    return value


def _of(kind: type[Any], absent: Any) -> Any:
    value = read_json()
    if value is None:
        return absent
    if not isinstance(value, kind):
        raise BodyInvalid(f"a JSON {'object' if kind is dict else 'list'} is expected")
    return value


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        while block := stream.read(_BLOCK):
            yield block


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, set | frozenset):
        return sorted(value)
    return str(value)
