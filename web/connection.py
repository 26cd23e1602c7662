"""Whether the client of a long answer is still there."""

from __future__ import annotations

import select
import socket
from collections.abc import Callable

from flask import request

IsGone = Callable[[], bool]


def watch_client() -> IsGone:
    """Return what says whether the client of this request has hung up (gunicorn gives its socket).

    Without that socket nobody ever seems to have gone.
    """
    connection = request.environ.get("gunicorn.socket")
    if not isinstance(connection, socket.socket):
        return lambda: False
    return lambda: _has_hung_up(connection)


def _has_hung_up(connection: socket.socket) -> bool:
    """Look, without taking anything: a closed connection is readable and has nothing to read."""
    try:
        poll = select.poll()
        poll.register(connection, select.POLLIN)
        if not poll.poll(0):
            return False
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except (OSError, ValueError):
        return True
