"""The few calls of the REST API that the Action needs."""

from __future__ import annotations

import base64
import json
import secrets
import time
import urllib.request
from collections.abc import Iterator
from http.client import HTTPException, HTTPMessage
from pathlib import Path
from typing import IO, Any
from urllib.error import HTTPError, URLError
from urllib.parse import quote, urlencode

from errors import ActionFailed
from settings import Settings

TIMEOUT_SECONDS = 60.0
PAUSES_SECONDS = {"GET": (1, 2, 4, 8, 16), "POST": (1, 2)}
"""How long to wait before each further try."""
_BUSY = (429, 503)


class Server:
    """A Headrace server, or another that speaks the same API."""

    def __init__(self, settings: Settings) -> None:
        self._address = settings.server
        self._root = f"{settings.server}/api/v1/{quote(settings.tenant, safe='')}"
        self._headers = {"Accept": "*/*", "User-Agent": "headrace-action"} | _authorization(
            settings
        )
        self._opener = urllib.request.build_opener(_NoRedirects)

    def start(self, settings: Settings) -> dict[str, Any]:
        """Create an execution of the flow, with one key however often it is sent."""
        namespace, flow_id = settings.flow or ("", "")
        query = [("labels", f"{key}:{value}") for key, value in settings.labels]
        query += [("revision", settings.revision)] if settings.revision else []
        content_type, body = multipart(settings.inputs)
        path = (
            f"/executions/{quote(namespace, safe='')}/{quote(flow_id, safe='')}?{urlencode(query)}"
        )
        headers = {"Content-Type": content_type, "Idempotency-Key": secrets.token_hex(16)}
        return dict(self._json("POST", path.rstrip("?"), body, headers))

    def execution(self, execution_id: str) -> dict[str, Any]:
        return dict(self._json("GET", f"/executions/{execution_id}"))

    def logs(self, execution_id: str) -> list[dict[str, Any]]:
        return list(self._json("GET", f"/logs/{execution_id}"))

    def follow_logs(self, execution_id: str) -> Iterator[dict[str, Any]]:
        """Yield log entries from the first one on, until the server ends the stream."""
        request = self._request("GET", f"/logs/{execution_id}/follow")
        try:
            with self._opener.open(request, timeout=TIMEOUT_SECONDS) as stream:
                yield from _entries(stream)
        except (OSError, HTTPException, ValueError):
            return  # `logs` gives what the stream did not

    def validate(self, source: bytes) -> list[dict[str, Any]]:
        headers = {"Content-Type": "application/x-yaml"}
        return list(self._json("POST", "/flows/validate", source, headers))

    def _request(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> urllib.request.Request:
        return urllib.request.Request(  # noqa: S310 - http or https, see settings
            self._root + path, data=body, headers=self._headers | (headers or {}), method=method
        )

    def _json(
        self,
        method: str,
        path: str,
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> Any:
        request = self._request(method, path, body, headers)
        for pause in (*PAUSES_SECONDS[method], None):
            try:
                with self._opener.open(request, timeout=TIMEOUT_SECONDS) as answer:
                    return json.load(answer)
            except HTTPError as exc:
                with exc:
                    if pause is None or not _is_passing(method, exc.code):
                        raise ActionFailed(self._refusal(method, path, exc)) from exc
            except (URLError, TimeoutError, HTTPException) as exc:
                if pause is None or not _may_repeat(method, exc):
                    raise ActionFailed(f"{self._address} does not answer: {exc}") from exc
            except ValueError as exc:
                raise ActionFailed(f"{method} {path}: the answer is no JSON: {exc}") from exc
            time.sleep(pause)
        raise AssertionError("the last try raises")

    def _refusal(self, method: str, path: str, answer: HTTPError) -> str:
        if answer.code in (301, 302, 303, 307, 308):
            return (
                f"{self._address} has moved to {answer.headers.get('Location')}: use that address"
            )
        return f"{method} {path}: {answer.code} {_message(answer.read())}"


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """Credentials go to the server that was named and to no other."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: HTTPMessage,
        newurl: str,
    ) -> None:
        return None


def multipart(inputs: tuple[tuple[str, str | Path], ...]) -> tuple[str, bytes]:
    """Return content type and body of a form with one part an input (RFC 7578)."""
    boundary = secrets.token_hex(16)
    parts = [_part(boundary, name, value) for name, value in inputs]
    body = b"".join(parts) + f"--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body


def _part(boundary: str, name: str, value: str | Path) -> bytes:
    disposition = f'form-data; name="{_quoted(name)}"'
    if isinstance(value, Path):
        disposition += f'; filename="{_quoted(value.name)}"'
        content = value.read_bytes()
    else:
        content = value.encode()
    head = f"--{boundary}\r\nContent-Disposition: {disposition}\r\n\r\n"
    return head.encode() + content + b"\r\n"


def _quoted(text: str) -> str:
    return text.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")


def _authorization(settings: Settings) -> dict[str, str]:
    if settings.token:
        return {"Authorization": f"Bearer {settings.token}"}
    if settings.user:
        pair = f"{settings.user}:{settings.password or ''}".encode()
        return {"Authorization": "Basic " + base64.b64encode(pair).decode()}
    return {}


def _entries(stream: IO[bytes]) -> Iterator[dict[str, Any]]:
    """Read server-sent events; Kestra writes the event's name into `id` (one line of data each)."""
    name = ""
    for line in stream:
        field, _, value = line.decode("utf-8", "replace").rstrip("\r\n").partition(": ")
        if field in ("id", "event"):
            name = value
        if name == "end":
            return
        if field == "data" and (entry := json.loads(value)):
            yield entry


def _is_passing(method: str, status: int) -> bool:
    return status in _BUSY or (method == "GET" and status >= 500)


def _may_repeat(method: str, exc: Exception) -> bool:
    """Whether the server cannot have acted on the request yet, or acting twice is harmless."""
    refused = isinstance(exc, URLError) and isinstance(exc.reason, ConnectionRefusedError)
    return method == "GET" or refused


def _message(body: bytes) -> str:
    """Return the sentence and the findings of an error's body."""
    try:
        error = json.loads(body)
        findings = [finding["message"] for finding in error.get("_embedded", {}).get("errors", [])]
        return "; ".join([error["message"], *findings])
    except (ValueError, KeyError, TypeError, AttributeError):
        return body.decode(errors="replace")[:500]
