"""What a handler reaches: the services of this process, and who asks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, cast

from flask import current_app, g, request

from runner.services.bundle import Services
from runner.services.principal import Principal
from runner.settings import WebSettings

if TYPE_CHECKING:
    from web.auth import Credentials
    from web.stream import Streams

KEY = "headrace"

Ready = Callable[[], Mapping[str, bool]]
"""Says of each neighbour whether it answers."""


@dataclass(frozen=True)
class Web:
    """What an application is made of."""

    services: Services
    settings: WebSettings
    credentials: Credentials
    streams: Streams
    ready: Ready


def web() -> Web:
    """Return the parts of the current application."""
    return cast(Web, current_app.extensions[KEY])


def services() -> Services:
    """Return the services."""
    return web().services


def principal() -> Principal:
    """Return who asks."""
    return cast(Principal, g.principal)


def now() -> datetime:
    """Return the present moment."""
    return services().runtime.clock.now()


def public_url(path: str) -> str:
    """Return the address of a path: below ``public_url``, else where the request went."""
    base = web().settings.public_url or request.host_url
    return base.rstrip("/") + path
