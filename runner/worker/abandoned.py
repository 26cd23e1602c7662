"""Attempts that this worker holds by its lease, and that nothing here works on.

Whoever claims an attempt runs it at once; where that was cut short by something that nobody
expected (a full disk, a fault of ours) the worker lives on, so that no lease would ever end. What
is missed for a while is sent again, as after a death.
"""

from __future__ import annotations

import time
from collections.abc import Callable

import structlog

from runner import jobs
from runner.attempt import AttemptEnd, finish
from runner.engine.events import TaskFailed
from runner.runtime import Runtime
from runner.store.base import AttemptRow
from runner.worker.running import Key, Running

log = structlog.get_logger(__name__)

_SECONDS = 10.0


class Abandoned:
    """Finds them; `look` is called every now and then, by one thread."""

    def __init__(
        self,
        runtime: Runtime,
        worker_id: str,
        running: Running,
        *,
        seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self._runtime = runtime
        self._id = worker_id
        self._running = running
        self._seconds = seconds
        self._missed: dict[Key, float] = {}

    def look(self) -> None:
        """Send again what is missed for long enough. Raises HeadraceError."""
        rows, now = self._unattended(), self._seconds()
        self._missed = {key: self._missed.get(key, now) for key in rows}
        for key, since in self._missed.items():
            if now - since >= _SECONDS:
                self._send_again(rows[key])

    def _unattended(self) -> dict[Key, AttemptRow]:
        with self._runtime.store.read() as tx:
            rows = tx.attempts.of_worker(self._id)
        here = self._running.keys()
        held = {(row.task_run_id, row.attempt): row for row in rows if row.state == "RUNNING"}
        return {key: row for key, row in held.items() if key not in here}

    def _send_again(self, row: AttemptRow) -> None:
        log.error(
            "an attempt was abandoned; it is sent again",
            action="attempt_abandoned",
            task_run=row.task_run_id,
            attempt=row.attempt,
        )
        lost = TaskFailed(
            row.task_run_id,
            row.attempt,
            message="Its worker lost it",
            lost=True,
            started_at=row.started_at,
            ended_at=self._runtime.clock.now(),
            worker_id=row.worker_id,
        )
        wake = finish(self._runtime, row, AttemptEnd(lost))
        jobs.send(self._runtime, [wake] if wake else [])
