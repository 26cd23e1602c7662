"""The worker as RQ knows it: ``rq info`` lists it. Source: rq 3.0.0, ``worker/base.py``."""

from __future__ import annotations

import redis
from rq.worker.base import BaseWorker, WorkerStatus

from runner.queue.rq import connect

_TTL_SECONDS = 60


class Presence(BaseWorker):
    """Registration and heartbeats of a worker that takes and finishes its jobs by itself."""

    def __init__(self, client: redis.Redis, name: str, queues: list[str]) -> None:
        super().__init__(
            queues, name=name, connection=client, serializer="json", worker_ttl=_TTL_SECONDS
        )

    def enter(self) -> None:
        """Register."""
        self.register_birth()  # type: ignore[no-untyped-call]

    def beat(self, *, is_busy: bool) -> None:
        """Say that we are alive; after Redis has lost everything, register anew."""
        if not self.connection.exists(self.key):
            self.enter()
        self.heartbeat()
        self.set_state(WorkerStatus.BUSY if is_busy else WorkerStatus.IDLE)

    def leave(self) -> None:
        """Unregister."""
        self.register_death()  # type: ignore[no-untyped-call]


def announce(url: str, name: str, queues: list[str]) -> Presence:
    """Register a worker; a connection of its own, whose timeouts RQ sets. Raises RedisError."""
    presence = Presence(connect(url), name, queues)
    presence.enter()
    return presence
