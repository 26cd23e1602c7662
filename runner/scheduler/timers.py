"""Timers of executions: a due one becomes an event, with a wake-up, in the same transaction."""

from __future__ import annotations

from datetime import timedelta

from runner.engine.events import TimerFired
from runner.errors import NotFound
from runner.model.wake import Wake
from runner.runtime import Runtime
from runner.services.firing import send_wakes
from runner.store.base import Timer, Tx

LOOK_SECONDS = 0.2
_BATCH = 200


def fire_due(runtime: Runtime) -> float:
    """Fire what is due; returns when to look again."""
    now = runtime.clock.now()
    with runtime.store.read() as tx:
        next_at = tx.timers.next_at()
    if next_at is None or next_at > now + timedelta(seconds=LOOK_SECONDS):
        return LOOK_SECONDS
    if next_at > now:
        return (next_at - now).total_seconds()
    with runtime.store.begin() as tx:
        fired = [_fire(tx, timer) for timer in tx.timers.due(now, limit=_BATCH)]
    send_wakes(runtime, fired)
    return 0.0 if len(fired) == _BATCH else 0.01


def _fire(tx: Tx, timer: Timer) -> Wake | None:
    if not tx.timers.remove(timer.execution_id, timer.key):
        return None
    try:
        return tx.events.add(timer.execution_id, TimerFired(timer.key))
    except NotFound:
        return None  # the execution was deleted
