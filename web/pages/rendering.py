"""Pages and partials out of templates, with the shell around them and the icons that they use."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, tzinfo
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote
from zoneinfo import ZoneInfo

from flask import Response, get_template_attribute, redirect, render_template, request
from werkzeug.wrappers import Response as AnyResponse

from runner.services.dashboard import Dashboard
from web.context import now, principal, services, web
from web.viewmodels import shell, words
from web.viewmodels.shell import Head, Section

STATIC = Path(__file__).parent.parent / "static"
_DONE = "done"
_SPRITE = "@@sprite@@"
_SYMBOL = re.compile(r'(?s)<symbol id="([\w-]+)".*?</symbol>')
_LATER = frozenset({"i-down", "i-replay", "i-play", "i-stop", "i-sync", "i-right", "i-get"})
_USED = re.compile(r'"#([si]-[\w-]+)"')
_BLANK_LINES = re.compile(r"\n\s*\n+")
_EMPTY_CLASS = re.compile(r' class="\s*"')
_THEMES = ("", "light", "dark")


@dataclass(frozen=True, slots=True)
class Shell:
    """What the frame of a page shows."""

    sections: tuple[Section, ...]
    head: Head | None
    theme: str
    next_theme: str
    here: str
    who: str
    initials: str
    can_sign_out: bool
    topics: str
    toast: str
    keys_off: bool
    style: str
    script: str | None
    now: str

    @staticmethod
    def asset(name: str) -> str:
        """Return the address of a static file."""
        return asset(name)


def dashboard() -> Dashboard:
    """Return the reads of the pages."""
    return Dashboard(services().runtime)


def zone() -> tzinfo:
    """Return the viewer's time zone, which the browser tells in a cookie."""
    return _zone(unquote(request.cookies.get("tz", "")))


@lru_cache(maxsize=256)
def _zone(name: str) -> tzinfo:
    if not re.fullmatch(r"[A-Za-z][\w+-]*(?:/[A-Za-z][\w+-]*){0,2}", name):
        return UTC
    try:
        return ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return UTC


def page(template: str, model: Any, *, topics: str = "", status: int = 200) -> Response:
    """Return a whole page; *topics* are followed while it is open."""
    answer = html(render_template(template, page=model, shell=_shell(topics, True)), status)
    if _DONE in request.cookies:
        answer.delete_cookie(_DONE)
    return answer


def quiet_page(template: str, model: Any, *, status: int = 200) -> Response:
    """Return a page that asks no database."""
    return html(render_template(template, page=model, shell=_shell("", False)), status)


def html(text: str, status: int = 200) -> Response:
    """Return an answer of HTML, with the icons that it uses."""
    text = _EMPTY_CLASS.sub("", _BLANK_LINES.sub("\n", text))
    return Response(with_icons(text), status, content_type="text/html; charset=utf-8")


def go(to: str, done: str = "") -> AnyResponse:
    """Send the browser elsewhere after something was *done*; htmx is told in its own way."""
    if request.headers.get("HX-Request") == "true":
        answer: AnyResponse = Response(status=204, headers={"HX-Redirect": to})
    else:
        answer = redirect(to, 303)
    if done:
        answer.set_cookie(_DONE, done, max_age=10, httponly=True, samesite="Lax")
    return answer


def partial(template: str, macro: str, *arguments: Any) -> str:
    """Return a part of a page."""
    made: str = get_template_attribute(template, macro)(*arguments)
    return _EMPTY_CLASS.sub("", _BLANK_LINES.sub("\n", made)).strip()


def asset(name: str) -> str:
    """Return the address of a static file, which changes with its content."""
    path = STATIC / name
    stamp = int(path.stat().st_mtime) if path.exists() else 0
    return f"/static/{name}?v={stamp:x}"


def keep_assets(response: Response) -> Response:
    """Let browsers keep static files that were asked for by their stamp."""
    if request.endpoint == "static" and "v" in request.args and response.status_code == 200:
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response


def with_icons(text: str) -> str:
    """Put in the symbols that a page uses, and those that may come with its changes."""
    symbols = _symbols()
    used = set(_USED.findall(text)) | _LATER | {name for name in symbols if name.startswith("s-")}
    sprite = "".join(symbols[name] for name in symbols if name in used)
    svg = f'<svg class="sprite" width="0" height="0" aria-hidden="true">{sprite}</svg>'
    return text.replace(_SPRITE, svg, 1)


@lru_cache(maxsize=1)
def _symbols() -> Mapping[str, str]:
    text = (STATIC / "icons.svg").read_text("utf-8")
    return {match[1]: match[0] for match in _SYMBOL.finditer(text)}


def _shell(topics: str, may_read: bool) -> Shell:
    theme = request.cookies.get("theme", "")
    theme = theme if theme in _THEMES else ""
    who = principal().name if may_read else ""
    built = (STATIC / "built/style.css").exists()
    return Shell(
        sections=shell.SECTIONS,
        head=shell.head(dashboard().sources()) if may_read else None,
        theme=theme,
        next_theme=_THEMES[(_THEMES.index(theme) + 1) % len(_THEMES)] or "system",
        here=request.full_path.rstrip("?"),
        who=who,
        initials=words.initials(who),
        can_sign_out=may_read and web().credentials.are_configured,
        topics=topics if may_read else "",
        toast=_TOASTS.get(request.cookies.get(_DONE, ""), ""),
        keys_off=request.cookies.get("keys") == "off",
        style=asset("built/style.css" if built else "style.css"),
        script=asset("built/app.js") if (STATIC / "built/app.js").exists() else None,
        now=words.iso(now()),
    )


_TOASTS = {
    "replay": "Replay started",
    "restart": "Restarted in place",
    "run": "Run started",
    "kill": "Kill asked for",
    "pause": "Pausing",
    "resume": "Resumed",
    "sync": "Sync asked for",
}
