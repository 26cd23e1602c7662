"""Signing in and out, the theme, the list of keys."""

from __future__ import annotations

from flask import Response, make_response, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from web.auth import OPEN, log_in, log_out, needs
from web.context import web
from web.pages.rendering import page, quiet_page
from web.pages.site import bp
from web.refusals import TooManyTries, Unauthorized
from web.viewmodels.keys import KEYS

_YEAR = 365 * 24 * 3600
_THEMES = frozenset({"light", "dark"})


@bp.get("/login")
@needs(OPEN)
def login_form() -> AnyResponse:
    """Ask for name and password."""
    if not web().credentials.are_configured:
        return redirect("/", 303)
    return _login("", "", 200)


@bp.post("/login")
@needs(OPEN, body="application/x-www-form-urlencoded")
def login() -> AnyResponse:
    """Start a session."""
    name = request.form.get("username", "")
    try:
        log_in(name, request.form.get("password", ""))
    except Unauthorized:
        return _login(name, "That name and password do not match.", 401)
    except TooManyTries:
        return _login(name, "Too many tries. Wait a minute, then try again.", 429)
    return redirect(_own_path(request.form.get("next")), 303)


def _login(name: str, problem: str, status: int) -> Response:
    model = {
        "host": request.host,
        "name": name,
        "problem": problem,
        "next": _own_path(request.values.get("next")),
    }
    return quiet_page("login.html", model, status=status)


@bp.post("/logout")
@needs(OPEN)
def logout() -> AnyResponse:
    """End the session."""
    return log_out(make_response(redirect("/login", 303)))


@bp.post("/theme")
@needs(OPEN, body="application/x-www-form-urlencoded")
def theme() -> AnyResponse:
    """Keep the theme in a cookie, so that the first paint is right."""
    response = redirect(_own_path(request.form.get("next")), 303)
    wanted = request.form.get("theme", "")
    if wanted in _THEMES:
        response.set_cookie("theme", wanted, max_age=_YEAR, samesite="Lax")
    else:
        response.delete_cookie("theme")
    return response


@bp.get("/keys")
@needs("executions:read")
def keys() -> Response:
    """Show the list of keys."""
    return page("keys.html", KEYS, topics="head")


def _own_path(given: str | None) -> str:
    """A path of ours; an address of elsewhere leads to the first page."""
    if not given or not given.startswith("/") or given.startswith(("//", "/\\")):
        return "/"
    return given if given.isprintable() else "/"
