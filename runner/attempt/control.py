"""Ending an attempt before its time: kill, timeout, shutdown."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import Enum
from typing import Any

_logger = logging.getLogger(__name__)


class Reason(Enum):
    """Why an attempt is to end; the first one given counts."""

    KILL = "kill"
    TIMEOUT = "timeout"
    SHUTDOWN = "shutdown"  # of its worker: it is sent again


class AttemptControl:
    """Tells a running attempt to end. Any thread may call `stop`, more than once."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._actions: dict[int, Callable[[], Any]] = {}
        self._next = 0
        self.reason: Reason | None = None
        self._made_at = time.monotonic()

    @property
    def seconds(self) -> float:
        """How long ago the attempt was claimed."""
        return time.monotonic() - self._made_at

    @property
    def stopping(self) -> bool:
        return self.reason is not None

    def stop(self, reason: Reason) -> None:
        """Ask the attempt to end; returns when those that listen have been told."""
        with self._lock:
            if self.reason is not None:
                return
            self.reason = reason
            actions = list(self._actions.values())
        self._stopped.set()
        for action in actions:
            _call(action)

    @contextmanager
    def on_stop(self, action: Callable[[], Any]) -> Iterator[None]:
        """Inside the block, call *action()* when the attempt is to end (or is already)."""
        with self._lock:
            number, self._next = self._next, self._next + 1
            self._actions[number] = action
            is_late = self.reason is not None
        if is_late:
            _call(action)
        try:
            yield
        finally:
            with self._lock:
                del self._actions[number]

    def wait(self, duration: timedelta) -> bool:
        """Wait; True: the attempt is to end."""
        return self._stopped.wait(duration.total_seconds())

    @contextmanager
    def limited_to(self, duration: timedelta | None) -> Iterator[None]:
        """Inside the block, stop the attempt when the time is over."""
        if duration is None:
            yield
            return
        timer = threading.Timer(duration.total_seconds(), self.stop, [Reason.TIMEOUT])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


def _call(action: Callable[[], Any]) -> None:
    try:
        action()
    except Exception:
        _logger.exception("an action on stop failed", extra={"action": "attempt_stop"})
