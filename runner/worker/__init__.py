"""The worker: folds executions in one thread, runs attempts in its slots.

A job is one move from RQ's queue into the worker's hand and one command that forgets it: the id
says all. Whoever ends an attempt posts it and folds the execution at once, so a chain of tasks
needs no queue. One fold runs at a time; slots are for attempts, whose work is done outside.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Sequence

import redis
import structlog

from runner import ids, jobs
from runner.attempt import AttemptControl, AttemptEnd, Reason, broken, run_attempt
from runner.errors import HeadraceError, Unavailable
from runner.executor import Driven, WorkerIdentity
from runner.model.wake import Wake
from runner.queue.keys import DRIVES, JobId, attempts_queue
from runner.queue.rq import Hand, connect
from runner.runtime import Runtime
from runner.store.base import AttemptRow
from runner.taskrunners.process import close_supervisor
from runner.worker.abandoned import Abandoned
from runner.worker.housekeeping import reap_containers, reap_dead, reap_folders
from runner.worker.lease import Lease
from runner.worker.polling import Polling
from runner.worker.presence import Presence, announce
from runner.worker.running import Running, Slots
from runner.worker.watch import Watch

log = structlog.get_logger(__name__)

BATCH = 16
_WAIT_SECONDS = 1.0
_STOP_SECONDS = 8.0
_BEAT_SECONDS = 15.0
_REAP_SECONDS = 60.0


class Worker:
    """One worker process. `run` blocks; a signal handler may call `drain` and `stop_now`."""

    def __init__(self, runtime: Runtime, redis_url: str) -> None:
        settings = runtime.settings.worker
        self._runtime = runtime
        self._url = redis_url
        self.id = f"{socket.gethostname()}-{os.getpid()}-{ids.new()[:6]}"
        self._identity = WorkerIdentity(self.id, frozenset(settings.queues))
        self._queues = [attempts_queue(group) for group in settings.queues]
        self._grace_seconds = settings.grace.total_seconds()
        client = connect(redis_url)
        self._drives = Hand(client, self.id, "drive", [DRIVES])
        self._attempts = Hand(connect(redis_url), self.id, "attempt", self._queues)
        self._slots = Slots(settings.slots)
        self._running = Running()
        self._lease = Lease(runtime, self.id, settings.queues, settings.slots, self._lost)
        self._watch = Watch(runtime, connect(redis_url), self.id, self._running)
        self._polling = Polling(runtime, self._slots, settings.queues)
        self._abandoned = Abandoned(runtime, self.id, self._running)
        self._presence: Presence | None = None
        self._folding = threading.Lock()
        self._draining = threading.Event()
        self._at_once = threading.Event()

    # ── life ─────────────────────────────────────────────────────────────────────────────────────

    def run(self) -> None:
        """Work until told to stop. Raises Unavailable: the database did not answer at the start."""
        reap_dead(self._runtime)
        reap_folders(self._runtime)
        self._lease.open()
        log.info("worker started", action="worker_start", worker=self.id, queues=self._queues)
        self._watch.start()
        self._polling.start()
        for target in (self._take_attempts, self._keep_house):
            threading.Thread(target=target, name=target.__name__, daemon=True).start()
        try:
            self._fold_jobs()
        finally:
            self._leave()

    def drain(self) -> None:
        """Take nothing new; end when the running attempts have ended, at most after the grace."""
        self._draining.set()

    def stop_now(self) -> None:
        """Stop the running attempts too: they are sent again, to start anew elsewhere."""
        self._draining.set()
        self._at_once.set()

    def _leave(self) -> None:
        self._draining.set()
        self._polling.drain()
        self._lease.drain()
        end = time.monotonic() + self._grace_seconds
        while time.monotonic() < end and not self._at_once.is_set():
            if self._slots.wait_until_idle(0.2):
                break
        self._running.end(Reason.SHUTDOWN)
        self._polling.stop()
        if not self._slots.wait_until_idle(_STOP_SECONDS):
            log.error("attempts do not stop", action="worker_stop", count=self._slots.busy)
        self._watch.stop()
        self._sign_off()
        close_supervisor()
        log.info("worker stopped", action="worker_stop", worker=self.id)

    def _sign_off(self) -> None:
        try:
            self._runtime.queue.give_back(self.id)
            if self._presence is not None:
                self._presence.leave()
        except (redis.RedisError, Unavailable) as exc:
            log.warning("cannot sign off at Redis", reason=str(exc))
        try:
            self._lease.close()
        except HeadraceError as exc:
            log.warning("cannot sign off at the database", reason=exc.message)

    # ── folding: the main thread ─────────────────────────────────────────────────────────────────

    def _fold_jobs(self) -> None:
        is_connected = False
        while not self._draining.is_set():
            try:
                if not is_connected:
                    self._drives.open()
                    self._fold_batch(self._drives.held())
                    is_connected = True
                self._fold_batch(self._drives.take(BATCH) or self._drives.wait(_WAIT_SECONDS))
            except (redis.RedisError, Unavailable) as exc:
                is_connected = False
                log.warning("waiting for a neighbour", action="worker_wait", reason=str(exc))
                self._draining.wait(_WAIT_SECONDS)

    def _fold_batch(self, job_ids: Sequence[str]) -> None:
        if not job_ids:
            return
        executions = list(dict.fromkeys(JobId.parse(job_id).subject for job_id in job_ids))
        reserved = self._slots.reserve(len(executions))
        try:
            worker = self._identity if reserved else None
            with self._folding:
                driven = jobs.fold(self._runtime, executions, worker, own=reserved)
            for each in driven:
                if each.run_here is not None:
                    reserved -= 1
                    self._start(each)
        finally:
            self._slots.release(reserved)
        self._drives.done(job_ids)

    # ── attempts ─────────────────────────────────────────────────────────────────────────────────

    def _take_attempts(self) -> None:
        while not self._draining.is_set():
            if not self._slots.wait_for_one(_WAIT_SECONDS):
                continue
            try:
                for job_id in self._attempts.take(1) or self._attempts.wait(_WAIT_SECONDS):
                    self._take(job_id)
            except (redis.RedisError, Unavailable):
                self._draining.wait(_WAIT_SECONDS)

    def _take(self, job_id: str) -> None:
        if self._draining.is_set() or not self._slots.reserve(1):
            self._attempts.put_back(job_id)
            return
        job = JobId.parse(job_id)
        try:
            claimed = jobs.claim(self._runtime, job.subject, job.number, self.id)
        except BaseException:
            self._slots.release()
            raise
        if claimed is None:
            self._slots.release()
        else:
            self._start(Driven(claimed.execution_id, run_here=claimed))
        self._attempts.done([job_id])

    def _start(self, driven: Driven) -> None:
        """Work on the attempt that a fold has left here, in a reserved slot."""
        threading.Thread(target=self._work_on, args=[driven], name="slot", daemon=True).start()

    def _work_on(self, driven: Driven) -> None:
        following: Driven | None = driven
        try:
            while following is not None:
                following = self._run_one(following)
        except Exception:
            log.exception("a slot stumbled; its attempt is looked for", action="slot_failed")
        finally:
            self._slots.release()

    def _run_one(self, driven: Driven) -> Driven | None:
        """Run the attempt that a fold has left here, post its end and fold on; None: it was the
        last for this slot.
        """
        claimed = driven.run_here
        if claimed is None:
            return None
        control = self._running.add(claimed)
        try:
            ended = self._ended(claimed, driven, control)
            with self._folding:
                following = jobs.end_and_fold(
                    self._runtime, claimed, ended, self._folder, driven.left
                )
            if following is not None:
                return following
            wake = jobs.end_attempt(self._runtime, claimed, ended)
        finally:
            self._running.remove(claimed)
        return None if wake is None else self._go_on(wake)

    def _ended(self, claimed: AttemptRow, driven: Driven, control: AttemptControl) -> AttemptEnd:
        """Run an attempt; what it cannot even say (the disk is full …) is its failure."""
        try:
            return run_attempt(self._runtime, claimed, control, driven.known)
        except Exception as exc:
            log.exception("an attempt could not end by itself", action="attempt_broken")
            return broken(self._runtime, claimed, exc)

    def _go_on(self, wake: Wake) -> Driven | None:
        try:
            with self._folding:
                driven = jobs.fold(self._runtime, [wake.execution_id], self._folder)
        except Unavailable:
            jobs.send(self._runtime, [wake])
            return None
        return driven[0] if driven else None

    @property
    def _folder(self) -> WorkerIdentity | None:
        """Who folds: one that drains takes no attempts any more."""
        return None if self._draining.is_set() else self._identity

    def _lost(self) -> None:
        """Our lease had been over: what others have taken since is not ours any more."""
        with self._runtime.store.read() as tx:
            ours = {
                (row.task_run_id, row.attempt)
                for row in tx.attempts.of_worker(self.id)
                if row.state == "RUNNING"
            }
        self._running.stop(self._running.keys() - ours, Reason.KILL)

    # ── house ────────────────────────────────────────────────────────────────────────────────────

    def _keep_house(self) -> None:
        reaped_at = time.monotonic()
        while True:
            self._beat()
            self._look_for_abandoned()
            if time.monotonic() - reaped_at > _REAP_SECONDS:
                reaped_at = time.monotonic()
                reap_containers(self._runtime)
            time.sleep(_BEAT_SECONDS if self._presence is not None else _WAIT_SECONDS)

    def _look_for_abandoned(self) -> None:
        try:
            self._abandoned.look()
        except Exception:
            log.exception("cannot look for abandoned attempts", action="worker_house")

    def _beat(self) -> None:
        try:
            if self._presence is None:
                self._presence = announce(self._url, self.id, [DRIVES, *self._queues])
            self._presence.beat(is_busy=self._slots.busy > 0)
            self._drives.open()
        except redis.RedisError as exc:
            self._presence = None
            log.warning("cannot tell Redis of this worker", action="beat", reason=str(exc))
