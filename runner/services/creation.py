"""Many creations in one commit.

SQLite has one writer at a time and its lock is not fair: a busy committer starves the workers. So
web creations may pass one thread that commits what waits together (`AT_ONCE`), sends the wake-ups
in one pipeline, and then rests for as long as the commit took.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Protocol

import structlog

from runner.errors import HeadraceError, Unavailable
from runner.runtime import Runtime
from runner.services.firing import Creation, send
from runner.store.base import Tx

log = structlog.get_logger(__name__)

AT_ONCE = 64
REST_SECONDS = 0.002
WAIT_SECONDS = 60.0

Write = Callable[[Tx], Creation]
"""Writes a creation. It raises before it has written anything, or not at all."""


class Creator(Protocol):
    """Commits a creation and sends its wake-up."""

    def run(self, write: Write) -> Creation:
        """Return when it is committed; errors of *write* come out."""


class DirectCreator:
    """A transaction for each creation."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def run(self, write: Write) -> Creation:
        with self._runtime.store.begin() as tx:
            creation = write(tx)
        send(self._runtime, creation)
        return creation


class GroupCreator:
    """One thread commits what waits together.

    It starts with the first creation (so: after a fork) and ends with `close` or the process.
    """

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._waiting: SimpleQueue[tuple[Write, Future[Creation]] | None] = SimpleQueue()
        self._thread: Thread | None = None
        self._lock = Lock()

    def run(self, write: Write) -> Creation:
        self._start()
        future: Future[Creation] = Future()
        self._waiting.put((write, future))
        try:
            return future.result(timeout=WAIT_SECONDS)
        except TimeoutError as exc:
            raise Unavailable("the database did not take the execution in time") from exc

    def close(self) -> None:
        """End the thread after what waits."""
        if self._thread is not None:
            self._waiting.put(None)
            self._thread.join(timeout=WAIT_SECONDS)

    def _start(self) -> None:
        if self._thread is not None:
            return
        with self._lock:
            if self._thread is None:
                self._thread = Thread(target=self._work, name="creations", daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while True:
            first = self._waiting.get()
            if first is None:
                return
            batch = [first]
            closing = False
            while len(batch) < AT_ONCE:
                try:
                    following = self._waiting.get_nowait()
                except Empty:
                    break
                if following is None:
                    closing = True
                    break
                batch.append(following)
            started = time.perf_counter()
            self._commit(batch)
            if closing:
                return
            time.sleep(max(REST_SECONDS, time.perf_counter() - started))

    def _commit(self, batch: Sequence[tuple[Write, Future[Creation]]]) -> None:
        try:
            done, refused = self._together(batch)
        except Exception as exc:  # noqa: BLE001  whatever it was, each is told or tried alone
            if len(batch) == 1:
                batch[0][1].set_exception(exc)
                return
            log.warning("a group of creations failed, each is tried alone", action="group_failed")
            for one in batch:
                self._commit([one])
            return
        for future, creation in done:
            future.set_result(creation)
        for future, error in refused:
            future.set_exception(error)
        send(self._runtime, [creation for _, creation in done])

    def _together(
        self, batch: Sequence[tuple[Write, Future[Creation]]]
    ) -> tuple[list[tuple[Future[Creation], Creation]], list[tuple[Future[Creation], Exception]]]:
        done: list[tuple[Future[Creation], Creation]] = []
        refused: list[tuple[Future[Creation], Exception]] = []
        with self._runtime.store.begin() as tx:
            for write, future in batch:
                try:
                    done.append((future, write(tx)))
                except HeadraceError as exc:
                    if isinstance(exc, Unavailable):
                        raise
                    refused.append((future, exc))
        return done, refused
