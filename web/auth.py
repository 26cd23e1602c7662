"""Who asks, and what they may do.

Basic for the one configured user, bearer tokens of the settings, and a session cookie of the login
page. Without any of them configured everybody is the local administrator (see `web.security` for
who can then reach us). Every route declares with `needs` what it asks for.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeVar

from flask import Flask, Response, current_app, g, request, session

from runner.errors import Forbidden
from runner.services.principal import LOCAL, Principal
from runner.settings import WebSettings, resolve
from web.context import web
from web.refusals import TooManyTries, Unauthorized
from web.security import SAFE_METHODS, check_request

OPEN = "open"
"""The permission of a route that anybody may call."""
PERMISSION = "__permission__"
BODY = "__body__"

_ANONYMOUS = Principal("anonymous", kind="anonymous", permissions=frozenset())
_USER, _CSRF, _EXPIRES = "user", "csrf", "expires"
_SESSION_SECONDS = 14 * 24 * 3600
_KESTRA_COOKIE = "BASIC_AUTH"

View = TypeVar("View", bound=Callable[..., Any])


def needs(permission: str, *, body: str | None = None) -> Callable[[View], View]:
    """Declare what a route asks of its caller; *body* describes what it reads, for OpenAPI."""

    def mark(view: View) -> View:
        setattr(view, PERMISSION, permission)
        setattr(view, BODY, body)
        return view

    return mark


# ── credentials ──────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Credentials:
    """What is configured, as digests, so that comparing takes the same time whatever is given."""

    username: str | None
    password: bytes | None
    tokens: Mapping[bytes, Principal]
    session_key: bytes

    @property
    def are_configured(self) -> bool:
        return self.password is not None or bool(self.tokens)

    def user(self, username: str, password: str) -> Principal | None:
        """Return the user if both fit."""
        if self.password is None or self.username is None:
            return None
        name_fits = hmac.compare_digest(_digest(username), _digest(self.username))
        password_fits = hmac.compare_digest(_digest(password), self.password)
        return Principal(self.username) if name_fits and password_fits else None

    def token(self, text: str) -> Principal | None:
        """Return whose token it is."""
        return self.tokens.get(_digest(text))


def configured(settings: WebSettings) -> Credentials:
    """Return the credentials of the settings. Raises SettingsInvalid: a variable is not set."""
    password = resolve(settings.password) if settings.password else None
    has_user = bool(settings.username and password)
    tokens = {
        _digest(resolve(each.token)): Principal(
            each.name, kind="token", permissions=frozenset(each.permissions)
        )
        for each in settings.tokens
    }
    return Credentials(
        username=settings.username if has_user else None,
        password=_digest(password) if has_user and password else None,
        tokens=tokens,
        session_key=_session_key(settings, password),
    )


def _session_key(settings: WebSettings, password: str | None) -> bytes:
    """The key of session cookies: configured, or made from the password.

    So all processes agree, and a new password ends all sessions.
    """
    if settings.session_secret:
        return hashlib.sha256(resolve(settings.session_secret).encode()).digest()
    if password is None:
        return secrets.token_bytes(32)
    return hashlib.scrypt(password.encode(), salt=b"headrace session", n=2**14, r=8, p=1, dklen=32)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()


class Tries:
    """Wrong passwords by address and user: more than ten within a minute are too many.

    Tokens are too long to be guessed, so they are not counted.
    """

    def __init__(self, most: int = 10, seconds: float = 60.0) -> None:
        self._most, self._seconds = most, seconds
        self._failed: dict[str, deque[float]] = {}
        self._lock = Lock()

    def check(self, who: str) -> None:
        """Raise TooManyTries."""
        with self._lock:
            failed = self._failed.get(who)
            if failed is None:
                return
            while failed and failed[0] < time.monotonic() - self._seconds:
                failed.popleft()
            if len(failed) >= self._most:
                raise TooManyTries
            if not failed:
                del self._failed[who]

    def note(self, who: str) -> None:
        """Remember a wrong password."""
        with self._lock:
            if len(self._failed) > 10_000:
                self._failed.clear()
            self._failed.setdefault(who, deque(maxlen=self._most)).append(time.monotonic())


TRIES = Tries()

# ── requests ─────────────────────────────────────────────────────────────────────────────────────


def install(app: Flask, credentials: Credentials) -> None:
    """Check every request of an application."""
    app.secret_key = credentials.session_key
    app.before_request(check)
    app.jinja_env.globals["csrf_token"] = csrf_token


def check() -> None:
    """Find out who asks, and whether they may.

    Raises:
        Forbidden: it comes from elsewhere, or a right is missing. Unauthorized.
    """
    permission = _permission()
    credentials = web().credentials
    protected = credentials.are_configured
    check_request(protected=protected)
    g.principal = _principal(credentials) if protected else LOCAL
    if permission in (None, OPEN):
        return
    if g.principal is _ANONYMOUS:
        raise Unauthorized
    if not g.principal.may(permission):
        raise Forbidden(f"the permission '{permission}' is missing")


def _permission() -> str | None:
    """What the route declares; None: there is no such route, so that the answer is 404."""
    if request.endpoint is None:
        return None
    view = current_app.view_functions[request.endpoint]
    return getattr(view, PERMISSION, "undeclared")


def _principal(credentials: Credentials) -> Principal:
    given = request.headers.get("Authorization")
    if given:
        return _from_header(given, credentials)
    return _from_cookie(credentials) or _ANONYMOUS


def _from_header(given: str, credentials: Credentials) -> Principal:
    scheme, _, rest = given.partition(" ")
    match scheme.lower():
        case "basic":
            found = _basic(rest, credentials)
        case "bearer":
            found = credentials.token(rest.strip())
        case _:
            found = credentials.token(given.strip())
    return found or _ANONYMOUS


def _basic(encoded: str, credentials: Credentials) -> Principal | None:
    try:
        text = base64.b64decode(encoded.strip(), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None
    username, _, password = text.partition(":")
    return _user(credentials, username, password)


def _user(credentials: Credentials, username: str, password: str) -> Principal | None:
    """The user if the password is right. Raises TooManyTries after too many wrong ones."""
    who = f"{request.remote_addr} {username}"
    TRIES.check(who)
    found = credentials.user(username, password)
    if found is None:
        TRIES.note(who)
    return found


def _from_cookie(credentials: Credentials) -> Principal | None:
    """Cookies come by themselves, so an unsafe request needs the form's token, or must say that it
    comes from here (`web.security` has refused what says that it comes from elsewhere)."""
    found = None
    if session.get(_USER) == credentials.username and session.get(_EXPIRES, 0) > time.time():
        found = Principal(str(credentials.username)) if credentials.username else None
    elif cookie := request.cookies.get(_KESTRA_COOKIE):
        found = _basic(cookie, credentials)
    if found and request.method not in SAFE_METHODS and not (_says_own_origin() or _has_csrf()):
        raise Forbidden("the form has expired; load the page again")
    return found


def _says_own_origin() -> bool:
    site = request.headers.get("Sec-Fetch-Site")
    return site == "same-origin" or (site is None and request.headers.get("Origin") is not None)


def _has_csrf() -> bool:
    given = request.headers.get("X-CSRF-Token") or request.form.get("_csrf", "")
    expected = str(session.get(_CSRF, ""))
    return bool(expected) and hmac.compare_digest(given.encode(), expected.encode())


# ── login ────────────────────────────────────────────────────────────────────────────────────────


def log_in(username: str, password: str) -> Principal:
    """Start a session. Raises Unauthorized, TooManyTries."""
    found = _user(web().credentials, username, password)
    if found is None:
        raise Unauthorized("The user name or the password is wrong.")
    session.clear()
    session.permanent = True
    session[_USER] = found.name
    session[_CSRF] = secrets.token_urlsafe(24)
    session[_EXPIRES] = int(time.time()) + _SESSION_SECONDS
    return found


def log_out(response: Response) -> Response:
    """End the session."""
    session.clear()
    response.delete_cookie(_KESTRA_COOKIE)
    return response


def csrf_token() -> str:
    """Return what a form sends back as ``_csrf``."""
    return str(session.get(_CSRF, ""))
