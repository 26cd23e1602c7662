"""What wakes up workers, by name: `drive` an execution, run an `attempt`.

A stock ``rq worker headrace headrace-default`` calls these two functions by the names in its jobs.
Our own worker uses the parts below them, with its lease and slots.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import traceback
from collections.abc import Iterator, Sequence
from datetime import timedelta
from functools import lru_cache

import structlog

from runner import ids
from runner.attempt import AttemptControl, AttemptEnd, broken, finish, run_attempt
from runner.errors import Conflict, Unavailable
from runner.executor import Driven, Folding, WorkerIdentity, drive_many, go_on
from runner.model.wake import Wake
from runner.runtime import Runtime
from runner.services import announcements
from runner.settings import load
from runner.store.base import AttemptRow, QuarantineRow, WorkerRow

log = structlog.get_logger(__name__)

MAX_TRIES = 8
_RETRY_SECONDS = 0.5


# ── for stock workers ────────────────────────────────────────────────────────────────────────────


def drive(execution_id: str) -> None:
    """Fold what waits for an execution; its attempts go to the queues."""
    fold(_stock_runtime(), [execution_id])


def attempt(task_run_id: str, number: int) -> None:
    """Run an attempt, if nobody has taken it, and fold what follows."""
    runtime = _stock_runtime()
    with _leased(runtime) as worker_id:
        claimed = claim(runtime, task_run_id, number, worker_id)
        if claimed is None:
            return
        end_attempt(runtime, claimed, run_attempt(runtime, claimed, AttemptControl()))
    fold(runtime, [claimed.execution_id])


@lru_cache(maxsize=1)
def _stock_runtime() -> Runtime:
    from runner import wiring

    return wiring.make_runtime(load())


@contextlib.contextmanager
def _leased(runtime: Runtime) -> Iterator[str]:
    """Be a worker for the time of one job: a row with a lease, renewed by a thread."""
    worker_id = f"rq-{ids.new()}"
    lease = runtime.settings.worker.lease.total_seconds()
    ended = threading.Event()

    def renew() -> None:
        while not ended.wait(lease / 5):
            with contextlib.suppress(Unavailable), runtime.store.begin() as tx:
                tx.workers.renew(worker_id, lease_seconds=lease)

    with runtime.store.begin() as tx:
        now = tx.now()
        row = WorkerRow(worker_id, socket.gethostname(), os.getpid(), (), 1, now, now)
        tx.workers.register(row, lease_seconds=lease)
    threading.Thread(target=renew, name="lease", daemon=True).start()
    try:
        yield worker_id
    finally:
        ended.set()
        with runtime.store.begin() as tx:
            tx.workers.remove(worker_id)


# ── for all workers ──────────────────────────────────────────────────────────────────────────────


def claim(runtime: Runtime, task_run_id: str, number: int, worker_id: str) -> AttemptRow | None:
    """Take an attempt that waits; None: it is taken, gone, or not wanted any more."""
    with runtime.store.begin() as tx:
        claimed = tx.attempts.claim(task_run_id, number, worker_id)
        tx.wakes.remove([f"attempt_{task_run_id}_{number}"])
    return claimed


def end_attempt(runtime: Runtime, claimed: AttemptRow, ended: AttemptEnd) -> Wake | None:
    """Post how an attempt ended, patiently; None: it was too late.

    Nothing is raised: while its worker lives, nobody else would end the attempt.
    """
    while True:
        try:
            return finish(runtime, claimed, ended)
        except (Unavailable, Conflict) as exc:
            log.warning("an end waits for the database", action="attempt_end", reason=exc.message)
        except Exception as exc:
            log.exception("an end cannot be stored", action="attempt_end")
            ended = broken(runtime, claimed, exc)
        time.sleep(_RETRY_SECONDS)


def end_and_fold(
    runtime: Runtime,
    claimed: AttemptRow,
    ended: AttemptEnd,
    worker: WorkerIdentity | None = None,
    left: Folding | None = None,
) -> Driven | None:
    """Post how an attempt ended and fold what follows, in one transaction.

    None: it could not be done so, and nothing was written: use `end_attempt`, then `fold`.
    """
    try:
        driven = go_on(runtime, claimed, ended, worker, left)
    except Exception as exc:  # noqa: BLE001 - the long way tells what to do about it
        log.info("an end is posted by itself", action="attempt_end", reason=str(exc))
        return None
    if driven is not None:
        act(runtime, [driven])
    return driven


def fold(
    runtime: Runtime,
    execution_ids: Sequence[str],
    worker: WorkerIdentity | None = None,
    *,
    own: int = 1_000,
) -> list[Driven]:
    """Fold executions and do what follows; one that cannot be folded holds up no other.

    Raises:
        Unavailable: the database does not answer; the sweep wakes them up again.
    """
    driven = _driven(runtime, execution_ids, worker, own)
    act(runtime, driven)
    return driven


def act(runtime: Runtime, driven: Sequence[Driven]) -> None:
    """After the commit: send wake-ups, tell workers to stop attempts, pass on changes of state."""
    send(runtime, [wake for each in driven for wake in each.wakes])
    for each in driven:
        if each.stopped:
            hint_stop(runtime, each.execution_id)
    if any(each.announced for each in driven):
        announcements.settle(runtime)


def send(runtime: Runtime, wakes: Sequence[Wake]) -> None:
    """Send wake-ups; the sweep will if this cannot."""
    if not wakes:
        return
    try:
        runtime.queue.send(wakes)
    except Unavailable as exc:
        log.warning("wake-ups wait for the sweep", action="send", reason=exc.message)


def hint_stop(runtime: Runtime, execution_id: str) -> None:
    """Tell the workers that hold attempts of an execution to look."""
    with runtime.store.read() as tx:
        rows = tx.attempts.of_execution(execution_id)
    with contextlib.suppress(Unavailable):  # they look each second anyway
        for worker_id in sorted({row.worker_id for row in rows if row.worker_id and row.stopping}):
            runtime.queue.hint_stop(worker_id)


def _driven(
    runtime: Runtime, execution_ids: Sequence[str], worker: WorkerIdentity | None, own: int
) -> list[Driven]:
    try:
        return drive_many(runtime, execution_ids, worker, own=own)
    except Unavailable:
        raise
    except Exception as exc:  # noqa: BLE001 - whatever it is, the others go on
        if len(execution_ids) == 1:
            _quarantine(runtime, execution_ids[0], exc)
            return []
    found = []
    for number, execution_id in enumerate(execution_ids):
        found += _driven(runtime, [execution_id], worker if number < own else None, 1)
    return found


def _quarantine(runtime: Runtime, execution_id: str, exc: Exception) -> None:
    """Note what went wrong; it is tried later and later again, at last not any more."""
    subject = f"execution:{execution_id}"
    trace = "".join(traceback.format_exception(exc))
    with runtime.store.begin() as tx:
        known = tx.quarantine.find(subject)
        tries = known.tries + 1 if known else 1
        now = tx.now()
        until = now + timedelta(seconds=2**tries) if tries < MAX_TRIES else None
        tx.quarantine.save(QuarantineRow(subject, tries, runtime.mask.apply(trace), now, until))
    log.error(
        "an execution cannot be folded",
        action="quarantine",
        execution=execution_id,
        tries=tries,
        again=until is not None,
        exc_info=exc,
    )
