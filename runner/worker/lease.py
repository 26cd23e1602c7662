"""A worker's row and its lease: while it is renewed, the worker's attempts are its own.

A thread renews it at a fifth of its time: with 15 s, twelve are left when the interpreter is held
up for ten by something that does not let go of it.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Callable
from datetime import timedelta

import structlog

from runner.errors import HeadraceError
from runner.runtime import Runtime
from runner.store.base import WorkerRow

log = structlog.get_logger(__name__)

_SHARE = 5
_RETRY_SECONDS = 0.5


class Lease:
    """Registers a worker and keeps its lease; *on_lost* is called when it had been over."""

    def __init__(
        self,
        runtime: Runtime,
        worker_id: str,
        queues: tuple[str, ...],
        slots: int,
        on_lost: Callable[[], None],
    ) -> None:
        self._runtime = runtime
        self._id = worker_id
        self._queues = queues
        self._slots = slots
        self._on_lost = on_lost
        self._seconds = runtime.settings.worker.lease.total_seconds()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._keep, name="lease", daemon=True)

    def open(self) -> None:
        """Register, and begin to renew. Raises Unavailable."""
        self._register()
        self._thread.start()

    def drain(self) -> None:
        """Note that nothing new is taken."""
        try:
            with self._runtime.store.begin() as tx:
                tx.workers.set_draining(self._id)
        except HeadraceError as exc:
            log.warning("cannot note that the worker drains", reason=exc.message)

    def close(self) -> None:
        """Leave: the row goes."""
        self._ended.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        with self._runtime.store.begin() as tx:
            tx.workers.remove(self._id)

    def _register(self) -> None:
        with self._runtime.store.begin() as tx:
            now = tx.now()
            row = WorkerRow(
                self._id,
                socket.gethostname(),
                os.getpid(),
                self._queues,
                self._slots,
                started_at=now,
                lease_until=now + timedelta(seconds=self._seconds),
            )
            tx.workers.register(row, lease_seconds=self._seconds)

    def _keep(self) -> None:
        wait = self._seconds / _SHARE
        while not self._ended.wait(wait):
            wait = self._seconds / _SHARE if self._renewed() else _RETRY_SECONDS

    def _renewed(self) -> bool:
        try:
            with self._runtime.store.begin() as tx:
                is_known = tx.workers.renew(self._id, lease_seconds=self._seconds)
            if not is_known:
                log.warning(
                    "the worker's lease had been over", action="lease_lost", worker=self._id
                )
                self._register()
                self._on_lost()
        except HeadraceError as exc:
            log.warning("the lease cannot be renewed", action="lease", reason=exc.message)
            return False
        return True
