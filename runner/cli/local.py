"""Running executions in this process: same engine, same task runners, no Redis, no server."""

from __future__ import annotations

import os
import queue
import socket
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from runner import ids, jobs
from runner.attempt import AttemptControl, Reason, run_attempt
from runner.engine.events import Kill, TimerFired
from runner.model.wake import Wake
from runner.runtime import Runtime
from runner.store.base import WorkerRow

_SLOTS = 32
_TIMER_SECONDS = 0.02
_LEASE_SECONDS = 24 * 3600.0


class LocalQueue:
    """Hands wake-ups to this process's loop."""

    def __init__(self) -> None:
        self.waiting: queue.Queue[Wake] = queue.Queue()

    def send(self, wakes: Sequence[Wake]) -> None:
        for wake in wakes:
            self.waiting.put(wake)

    def missing(self, wakes: Sequence[Wake]) -> Sequence[Wake]:
        return ()

    def hint_stop(self, worker_id: str) -> None:
        """The loop looks by itself."""

    def hands(self) -> Sequence[str]:
        return ()

    def give_back(self, worker_id: str) -> int:
        return 0


class LocalLoop:
    """Works one execution, and those it starts, to their end."""

    def __init__(self, runtime: Runtime, waiting: LocalQueue) -> None:
        self._runtime = runtime
        self._queue = waiting
        self._worker_id = f"local-{ids.new()}"
        self._controls: dict[tuple[str, int], AttemptControl] = {}
        self._lock = threading.Lock()
        self._folding = threading.Lock()

    def run(self, execution_id: str, watch: Callable[[], None]) -> None:
        """Work until the execution is fully ended; *watch* is called now and then."""
        self._register()
        with ThreadPoolExecutor(_SLOTS, "attempt") as pool:
            try:
                while not self._is_over(execution_id):
                    self._turn(pool)
                    watch()
            except KeyboardInterrupt:
                self._kill(execution_id, pool)
                raise
            finally:
                self._stop_all()
        watch()

    def _register(self) -> None:
        with self._runtime.store.begin() as tx:
            now = tx.now()
            row = WorkerRow(
                self._worker_id, socket.gethostname(), os.getpid(), ("default",), _SLOTS, now, now
            )
            tx.workers.register(row, lease_seconds=_LEASE_SECONDS)

    def _turn(self, pool: ThreadPoolExecutor) -> None:
        self._fire_timers()
        try:
            wake = self._queue.waiting.get(timeout=_TIMER_SECONDS)
        except queue.Empty:
            self._look_for_stops()
            return
        if wake.kind == "drive":
            self._fold(wake.execution_id)
        else:
            pool.submit(self._attempt, wake)

    def _fold(self, execution_id: str) -> None:
        with self._folding:
            jobs.fold(self._runtime, [execution_id])

    def _attempt(self, wake: Wake) -> None:
        run_id, number = wake.task_run_id or "", wake.attempt or 0
        claimed = jobs.claim(self._runtime, run_id, number, self._worker_id)
        if claimed is None:
            return
        control = AttemptControl()
        with self._lock:
            self._controls[run_id, number] = control
        try:
            following = jobs.end_attempt(
                self._runtime, claimed, run_attempt(self._runtime, claimed, control)
            )
        finally:
            with self._lock:
                del self._controls[run_id, number]
        if following is not None:
            self._queue.send([following])

    def _fire_timers(self) -> None:
        with self._runtime.store.read() as tx:
            due = tx.timers.due(self._runtime.clock.now(), limit=100)
        if not due:
            return
        with self._runtime.store.begin() as tx:
            wakes = [
                tx.events.add(timer.execution_id, TimerFired(timer.key))
                for timer in due
                if tx.timers.remove(timer.execution_id, timer.key)
            ]
        self._queue.send([wake for wake in wakes if wake is not None])

    def _look_for_stops(self) -> None:
        with self._lock:
            if not self._controls:
                return
        with self._runtime.store.read() as tx:
            stopping = tx.attempts.stopping(self._worker_id)
        with self._lock:
            told = [self._controls[key] for key in stopping if key in self._controls]
        for control in told:
            control.stop(Reason.KILL)

    def _is_over(self, execution_id: str) -> bool:
        with self._runtime.store.read() as tx:
            return tx.executions.get(execution_id).fully_ended

    def _kill(self, execution_id: str, pool: ThreadPoolExecutor) -> None:
        """End what runs before this process does."""
        with self._runtime.store.begin() as tx:
            wake = tx.events.add(execution_id, Kill(by="Ctrl-C"))
        self._queue.send([wake] if wake else [])
        end = time.monotonic() + 10
        while not self._is_over(execution_id) and time.monotonic() < end:
            self._turn(pool)

    def _stop_all(self) -> None:
        with self._lock:
            controls = list(self._controls.values())
        for control in controls:
            control.stop(Reason.KILL)
