"""The server: gunicorn with threads, never Flask's own.

    serve(runtime)                 # until SIGTERM or SIGINT

The application is made before the worker forks. Threads that work in the background (streams,
creations) start when first needed, so after the fork; the store forgets its connections by itself.
"""

from __future__ import annotations

import socket
import struct
from collections.abc import Callable
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication
from gunicorn.workers.gthread import ThreadWorker

from runner.errors import SettingsInvalid
from runner.runtime import Runtime
from runner.settings import WebSettings
from web.app import create_app
from web.context import Ready
from web.security import check_may_listen

GRACE_SECONDS = 5
READ_SECONDS = 10
WRITE_SECONDS = 30
_LONGEST_LINE = 8190


class _Stop:
    """Whether the worker is to end; known once there is one."""

    def __init__(self) -> None:
        self._worker: ThreadWorker | None = None

    def watch(self, worker: ThreadWorker) -> None:
        self._worker = worker

    def __call__(self) -> bool:
        return self._worker is not None and not self._worker.alive


class Server(BaseApplication):
    """Gunicorn with one worker of many threads."""

    def __init__(
        self,
        app: Flask,
        settings: WebSettings,
        *,
        listener: socket.socket | None = None,
        on_ready: Callable[[], None] | None = None,
        watch: Callable[[ThreadWorker], None] | None = None,
    ) -> None:
        self._flask = app
        self._settings = settings
        self._listener = listener
        self._on_ready = on_ready
        self._watch = watch
        super().__init__()

    def load_config(self) -> None:
        for name, value in self._options().items():
            self.cfg.set(name, value)

    def load(self) -> Any:
        return self._flask

    def _options(self) -> dict[str, Any]:
        return {
            "bind": _address(self._settings, self._listener),
            "workers": 1,
            "worker_class": "gthread",
            "threads": self._settings.threads,
            "preload_app": True,
            "graceful_timeout": GRACE_SECONDS,
            "timeout": 60,
            "keepalive": 30,
            "limit_request_line": _LONGEST_LINE,
            "forwarded_allow_ips": "",  # proxies are the settings' business (ProxyFix)
            "loglevel": "warning",
            "post_worker_init": self._started,
            "control_socket_disable": True,
        }

    def _started(self, worker: ThreadWorker) -> None:
        for listener in worker.sockets:
            _limit_waiting(listener)
        if self._watch is not None:
            self._watch(worker)
        if self._on_ready is not None:
            self._on_ready()


def serve(
    runtime: Runtime,
    *,
    listener: socket.socket | None = None,
    ready: Ready | None = None,
    on_ready: Callable[[], None] | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT.

    *listener* is a listening socket (else: host and port of the settings). *on_ready* is called in
    the worker when it accepts requests.

    Raises:
        SettingsInvalid: it would listen beyond loopback without credentials.
    """
    settings = runtime.settings.web
    check_may_listen(settings)
    if listener is not None:
        _check_listener(listener, settings)
    stop = _Stop()
    app = create_app(runtime, ready=ready, is_stopping=stop)
    Server(app, settings, listener=listener, on_ready=on_ready, watch=stop.watch).run()


def _limit_waiting(listener: socket.socket) -> None:
    """Give up on clients that stop in the middle: each holds a thread. Accepted ones inherit it."""
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _timeval(READ_SECONDS))
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, _timeval(WRITE_SECONDS))


def _timeval(seconds: int) -> bytes:
    return struct.pack("ll", seconds, 0)


def _check_listener(listener: socket.socket, settings: WebSettings) -> None:
    name = listener.getsockname()
    if not isinstance(name, tuple):
        raise SettingsInvalid("the web server listens on TCP only")
    check_may_listen(settings.model_copy(update={"host": str(name[0])}))


def _address(settings: WebSettings, listener: socket.socket | None) -> str:
    if listener is not None:
        listener.set_inheritable(True)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted ones inherit it
        return f"fd://{listener.fileno()}"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{host}:{settings.port}"
