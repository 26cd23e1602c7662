"""Looking for attempts that are to stop: at once when hinted, and each second."""

from __future__ import annotations

import threading
from typing import Any

import redis
import structlog

from runner.attempt import Reason
from runner.errors import HeadraceError
from runner.queue.keys import hint_key
from runner.runtime import Runtime
from runner.worker.running import Running

log = structlog.get_logger(__name__)

_SECONDS = 1


class Watch:
    """A thread that stops what is to stop."""

    def __init__(
        self, runtime: Runtime, client: redis.Redis, worker_id: str, running: Running
    ) -> None:
        self._runtime = runtime
        self._redis = client
        self._id = worker_id
        self._running = running
        self._ended = threading.Event()

    def start(self) -> None:
        threading.Thread(target=self._look_often, name="watch", daemon=True).start()

    def stop(self) -> None:
        self._ended.set()

    def look(self) -> None:
        """Stop the attempts here that are to stop. Raises Unavailable."""
        if not len(self._running):
            return
        with self._runtime.store.read() as tx:
            keys = tx.attempts.stopping(self._id)
        self._running.stop(keys, Reason.KILL)

    def _look_often(self) -> None:
        while not self._ended.is_set():
            self._await_hint()
            try:
                self.look()
            except HeadraceError as exc:
                log.warning("cannot look for attempts to stop", reason=exc.message)

    def _await_hint(self) -> None:
        try:
            _: Any = self._redis.blpop([hint_key(self._id)], _SECONDS)
        except redis.RedisError:
            self._ended.wait(_SECONDS)
