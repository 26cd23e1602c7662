"""What ``http()`` in an expression fetches: from hosts that the operator has named, and no others.

An expression is rendered while the execution is decided on, so a request is short: it has a time
limit as a whole, and its answer a size. Each redirect is judged like a request of its own.
"""

from __future__ import annotations

import threading
import time
from base64 import b64encode
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from runner.expressions import ExpressionError, HttpRequest

if TYPE_CHECKING:
    import httpx2

_SECONDS = 10.0
_MAX_BYTES = 4 * 2**20
_MOST_REDIRECTS = 5
_OPTIONS = ("allowFailed", "auth", "followRedirects")
_KNOWN = ", ".join(_OPTIONS)
_UNCOMMON = ("idna", "punycode")  # no encodings of texts, and slow
_ROOM = threading.BoundedSemaphore(16)  # requests that nobody waits for any more count, too


def fetch(request: HttpRequest, hosts: Sequence[str]) -> str:
    """Return the answer's text.

    Raises:
        ExpressionError: the host is not one of *hosts*; no answer in time, one that is too long, or
        whose status is an error.
    """
    if not _ROOM.acquire(timeout=_SECONDS / 10):
        raise ExpressionError("http() waits for too many other requests")
    answer = Future[str]()
    threading.Thread(target=_ask, args=(answer, request, hosts), name="http", daemon=True).start()
    try:
        return answer.result(_SECONDS)
    except TimeoutError:  # in looking up the name, or one byte of a header after the other
        raise _too_slow(request) from None


def _ask(answer: Future[str], request: HttpRequest, hosts: Sequence[str]) -> None:
    try:
        answer.set_result(_asked(request, hosts))
    except BaseException as exc:  # noqa: BLE001 - it is raised where the answer is waited for
        answer.set_exception(exc)
    finally:
        _ROOM.release()


def _asked(request: HttpRequest, hosts: Sequence[str]) -> str:
    import httpx2

    unknown = [str(name) for name in request.options if name not in _OPTIONS]
    if unknown:
        raise ExpressionError(f"http() has no option {min(unknown)!r}: it has {_KNOWN}")
    end = time.monotonic() + _SECONDS
    try:
        with httpx2.Client(timeout=_SECONDS / 2, trust_env=False) as client:
            return _answered(client, request, hosts, end)
    except (httpx2.HTTPError, httpx2.InvalidURL, OSError, ValueError, TypeError) as exc:
        raise ExpressionError(f"http() cannot ask {request.uri}: {exc}") from exc


def _too_slow(request: HttpRequest) -> ExpressionError:
    return ExpressionError(f"{request.uri} does not answer http() in {_SECONDS:g} s")


def _answered(client: httpx2.Client, request: HttpRequest, hosts: Sequence[str], end: float) -> str:
    headers = {"Accept-Encoding": "identity", **request.headers, **_authorization(request.options)}
    asked: httpx2.Request | None = client.build_request(
        request.method, request.uri, headers=headers, content=request.body
    )
    for _ in range(_MOST_REDIRECTS + 1):
        assert asked is not None
        _check(str(asked.url), hosts)
        if time.monotonic() > end:
            raise _too_slow(request)
        response = client.send(asked, stream=True)
        try:
            asked = response.next_request
            if asked is None or request.options.get("followRedirects") is False:
                return _text(response, request, end)
        finally:
            response.close()
    raise ExpressionError(f"http() was sent from place to place by {request.uri}")


def _check(uri: str, hosts: Sequence[str]) -> None:
    host = urlsplit(uri).hostname or ""
    if "*" not in hosts and host not in hosts:
        raise ExpressionError(
            f"http() may not ask {host}: the operator allows hosts in the setting "
            "expressions.http_hosts; a core.http.Request task needs no such leave"
        )


def _text(response: httpx2.Response, request: HttpRequest, end: float) -> str:
    if response.status_code >= 400 and request.options.get("allowFailed") is not True:
        raise ExpressionError(
            f"{request.uri} answers http() with the status {response.status_code}"
        )
    body = bytearray()
    for chunk in response.iter_bytes():
        body += chunk
        if len(body) > _MAX_BYTES:
            raise ExpressionError(f"{request.uri} answers http() with more than {_MAX_BYTES} bytes")
        if time.monotonic() > end:
            raise _too_slow(request)
    return _decoded(bytes(body), response.charset_encoding or "utf-8")


def _decoded(body: bytes, encoding: str) -> str:
    """Return text by the encoding that a server names, where that is one of texts."""
    try:
        return body.decode("utf-8" if encoding.lower() in _UNCOMMON else encoding, "replace")
    except (LookupError, UnicodeError):
        return body.decode("utf-8", "replace")


def _authorization(options: Mapping[str, Any]) -> Mapping[str, str]:
    auth = options.get("auth")
    if auth is None:
        return {}
    if not isinstance(auth, Mapping):
        raise ExpressionError("the auth of http() is a map")
    match str(auth.get("type", "")).upper():
        case "BASIC":
            pair = f"{auth.get('username', '')}:{auth.get('password', '')}"
            return {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
        case "BEARER":
            return {"Authorization": f"Bearer {auth.get('token', '')}"}
    raise ExpressionError("the auth of http() has the type BASIC or BEARER")
