"""Sending again what was lost, and giving up on workers that are gone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

import structlog

from runner.engine.events import TaskFailed
from runner.errors import NotFound
from runner.model.wake import Wake
from runner.runtime import Runtime
from runner.services import announcements
from runner.services.firing import send_wakes
from runner.store.base import AttemptRow, Tx

log = structlog.get_logger(__name__)

SWEEP_SECONDS = 1.0
_AGE = timedelta(seconds=1)
_PAGE = 500
_PAGES = 20  # looked at in one sweep; a longer outbox is gone through in turns
_LOST_BATCH = 200
_QUARANTINE = 1_000
_FIRINGS_AGE = timedelta(days=90)
_LEFTOVERS_AGE = timedelta(days=1)  # of content whose writer died
_HANDS_EVERY = 5
_PURGE_EVERY = 3_600


class Sweep:
    """One look at the outbox, the hands of dead workers, and lost attempts, each second."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._after: str | None = None
        self._count = 0

    def step(self) -> float:
        """Do one sweep. Raises Unavailable: database or Redis do not answer."""
        end_lost(self._runtime)
        self._send_missing()
        if self._count % _HANDS_EVERY == 0:
            empty_dead_hands(self._runtime)
        if self._count % _PURGE_EVERY == 0:
            self._purge()
        self._count += 1
        announcements.settle(self._runtime)
        return SWEEP_SECONDS

    def _send_missing(self) -> None:
        for _ in range(_PAGES):
            with self._runtime.store.read() as tx:
                before = tx.now() - _AGE
                page = tx.wakes.older_than(before, limit=_PAGE, after=self._after)
            missing = self._runtime.queue.missing(page) if page else ()
            if missing:
                wanted = _without_quarantined(self._runtime, missing)
                self._runtime.queue.send(wanted)
                log.info("sent wake-ups again", action="sweep", count=len(wanted))
            self._after = page[-1].id if len(page) == _PAGE else None
            if self._after is None:
                return

    def _purge(self) -> None:
        with self._runtime.store.begin() as tx:
            tx.firings.purge(tx.now() - _FIRINGS_AGE)
            tx.stored_files.remove_leftovers(tx.now() - _LEFTOVERS_AGE)


def end_lost(runtime: Runtime) -> int:
    """Post the loss of attempts whose worker's lease is over, and forget such workers."""
    with runtime.store.read() as tx:
        if not tx.attempts.orphans(limit=1) and not tx.workers.dead():
            return 0
    with runtime.store.begin() as tx:
        orphans = tx.attempts.orphans(limit=_LOST_BATCH)
        wakes = [_lose(tx, row) for row in orphans]
        if len(orphans) < _LOST_BATCH:
            for worker in tx.workers.dead():
                tx.workers.remove(worker.id)
    for row in orphans:
        log.warning(
            "an attempt was lost with its worker",
            action="attempt_lost",
            task_run=row.task_run_id,
            attempt=row.attempt,
            worker=row.worker_id,
        )
    send_wakes(runtime, wakes)
    return len(orphans)


def empty_dead_hands(runtime: Runtime) -> None:
    """Give back what workers without a lease have in hand: told by the lease alone."""
    for worker_id in runtime.queue.hands():
        with runtime.store.read() as tx:
            is_alive = tx.workers.is_alive(worker_id)
        if not is_alive:
            count = runtime.queue.give_back(worker_id)
            log.info("emptied a dead worker's hand", action="sweep", worker=worker_id, count=count)


def _lose(tx: Tx, row: AttemptRow) -> Wake | None:
    if not tx.attempts.end(row.task_run_id, row.attempt, row.fence):
        return None
    lost = TaskFailed(
        row.task_run_id,
        row.attempt,
        message="Its worker died",
        lost=True,
        started_at=row.started_at,
        ended_at=tx.now(),
        worker_id=row.worker_id,
    )
    try:
        return tx.events.add(row.execution_id, lost)
    except NotFound:
        tx.attempts.remove(row.task_run_id, row.attempt)
        return None


def _without_quarantined(runtime: Runtime, wakes: Sequence[Wake]) -> list[Wake]:
    """Leave out executions that are set aside for now, or for good."""
    with runtime.store.read() as tx:
        now = tx.now()
        aside = {
            row.subject
            for row in tx.quarantine.list(limit=_QUARANTINE)
            if row.until is None or row.until > now
        }
    return [wake for wake in wakes if f"execution:{wake.execution_id}" not in aside]


__all__ = ["SWEEP_SECONDS", "Sweep", "empty_dead_hands", "end_lost"]
