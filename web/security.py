"""What is refused before anything else: loopback is no protection from web pages.

A page of another origin in the same browser can send requests to a server on loopback, and by a
name of its own that resolves to 127.0.0.1 (DNS rebinding) it can even read the answers. So:

- without credentials configured, the Host must be loopback, and whatever a browser says comes from
  elsewhere (Sec-Fetch-Site, Origin; for webhooks called by GET also Referer) is refused, but for
  following a link to a page;
- with credentials, unsafe requests from elsewhere are refused unless they carry a token, which no
  browser sends by itself.
"""

from __future__ import annotations

import ipaddress
import secrets
from collections.abc import Sequence
from functools import lru_cache
from urllib.parse import urlsplit

from flask import Flask, Response, g, request

from runner.errors import Forbidden, SettingsInvalid
from runner.settings import WebSettings

SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES = frozenset({"same-origin", "none"})
_API = ("/api/", "/hooks/", "/health", "/ping")

_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
}
_POLICY = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}'; style-src 'self' 'nonce-{nonce}';"
    " img-src 'self' data:; connect-src 'self'; object-src 'none'; base-uri 'none';"
    " form-action 'self'; frame-ancestors 'none'"
)


@lru_cache(maxsize=256)
def is_loopback(host: str) -> bool:
    """Whether a host name or address, without port, is this machine's loopback."""
    name = host.strip("[]").rstrip(".").lower()
    if name == "localhost" or name.endswith(".localhost"):
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def check_may_listen(settings: WebSettings) -> None:
    """Raise SettingsInvalid for a server beyond loopback without credentials."""
    has_credentials = bool((settings.username and settings.password) or settings.tokens)
    if not has_credentials and not is_loopback(settings.host):
        raise SettingsInvalid(
            f"the server does not listen on {settings.host} without credentials: set web.username"
            " and web.password (or web.tokens), or keep web.host on 127.0.0.1"
        )


def check_request(*, protected: bool) -> None:
    """Refuse what comes from elsewhere. *protected*: there are credentials to present.

    Raises:
        Forbidden: with what was wrong.
    """
    if not protected:
        if not is_loopback(_host_name(request.host)):
            raise Forbidden(
                f"the host '{request.host}' is not this machine's loopback; configure credentials"
                " to serve it"
            )
        if _comes_from_elsewhere() and not _follows_a_link():
            raise Forbidden("requests from other origins are refused")
    elif request.method not in SAFE_METHODS and _comes_from_elsewhere() and not _has_token():
        raise Forbidden("requests from other origins are refused")


def secure(response: Response) -> Response:
    """Add the headers that every answer has; pages also get their content policy."""
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    if response.mimetype == "text/html":
        response.headers.setdefault("Content-Security-Policy", _POLICY.format(nonce=nonce()))
        response.headers.setdefault("Cache-Control", "no-store")
    return response


def nonce() -> str:
    """Return the nonce of this answer's inline styles and scripts."""
    if "nonce" not in g:
        g.nonce = secrets.token_urlsafe(16)
    return str(g.nonce)


def install(app: Flask) -> None:
    """Add headers and the nonce to an application."""
    app.after_request(secure)
    app.jinja_env.globals["csp_nonce"] = nonce


def own_origins(public_url: str | None) -> Sequence[str]:
    """Return the origins that are ours: of this request, and of the public address."""
    found = [request.host_url.rstrip("/")]
    if public_url:
        parts = urlsplit(public_url)
        found.append(f"{parts.scheme}://{parts.netloc}")
    return found


def _comes_from_elsewhere() -> bool:
    """What the browser says; programs that are no browsers say nothing."""
    site = request.headers.get("Sec-Fetch-Site")
    if site is not None and site not in _OWN_SITES:
        return True
    origin = request.headers.get("Origin")
    if origin is not None and origin not in own_origins(_public_url()):
        return True
    referrer = request.headers.get("Referer")
    return referrer is not None and _is_webhook() and _origin_of(referrer) not in own_origins(None)


def _follows_a_link() -> bool:
    """A top-level visit of a page: it shows nothing to the page that had the link."""
    return (
        request.method == "GET"
        and request.headers.get("Sec-Fetch-Mode") == "navigate"
        and request.headers.get("Sec-Fetch-Dest") == "document"
        and not request.path.startswith(_API)
    )


def _has_token() -> bool:
    return request.headers.get("Authorization", "").lower().startswith("bearer ")


def _is_webhook() -> bool:
    return "/executions/webhook/" in request.path


def _public_url() -> str | None:
    from web.context import web

    return web().settings.public_url


def _origin_of(address: str) -> str:
    parts = urlsplit(address)
    return f"{parts.scheme}://{parts.netloc}"


def _host_name(host: str) -> str:
    if host.startswith("["):
        return host.partition("]")[0].lstrip("[")
    return host.partition(":")[0]
