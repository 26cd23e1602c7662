"""Evaluating polling triggers in the slots that are free."""

from __future__ import annotations

import threading
from collections.abc import Collection

import structlog

from runner.attempt import AttemptControl, Reason
from runner.errors import HeadraceError
from runner.plugin import TaskStopped
from runner.runtime import Runtime
from runner.services import polling
from runner.services.polling import Poll
from runner.worker.running import Slots

log = structlog.get_logger(__name__)

_LOOK_SECONDS = 1.0
_RENEW_EVERY = 20  # looks


class Polling:
    """A thread that takes triggers of some worker groups whose time has come; each is evaluated in
    a slot.
    """

    def __init__(self, runtime: Runtime, slots: Slots, groups: Collection[str]) -> None:
        self._runtime = runtime
        self._groups = groups
        self._slots = slots
        self._types = polling.types_of(runtime)
        self._ended = threading.Event()
        self._lock = threading.Lock()
        self._running: dict[str, tuple[Poll, AttemptControl]] = {}

    def start(self) -> None:
        """Begin; returns at once."""
        threading.Thread(target=self._look_often, name="polling", daemon=True).start()

    def drain(self) -> None:
        """Take nothing new."""
        self._ended.set()

    def stop(self) -> None:
        """End the evaluations: others will look at those triggers."""
        self.drain()
        with self._lock:
            controls = [control for _, control in self._running.values()]
        for control in controls:
            control.stop(Reason.SHUTDOWN)

    def look(self) -> None:
        """Take what can be taken. Raises Unavailable."""
        while not self._ended.is_set() and self._slots.reserve(1):
            poll = None
            try:
                poll = polling.take(self._runtime, self._types, self._groups)
            finally:
                if poll is None:
                    self._slots.release()
            if poll is None:
                return
            threading.Thread(target=self._evaluate, args=[poll], name="poll", daemon=True).start()

    def _look_often(self) -> None:
        count = 0
        while not self._ended.wait(_LOOK_SECONDS):
            count += 1
            try:
                self.look()
                if count % _RENEW_EVERY == 0:
                    self._renew()
            except HeadraceError as exc:
                log.warning("cannot look for triggers", action="poll", reason=exc.message)
            except Exception:
                log.exception("looking for triggers failed and goes on", action="poll")

    def _renew(self) -> None:
        with self._lock:
            polls = [poll for poll, _ in self._running.values()]
        if polls:
            polling.renew(self._runtime, polls)

    def _evaluate(self, poll: Poll) -> None:
        control = AttemptControl()
        with self._lock:
            self._running[poll.execution_id] = (poll, control)
        try:
            verdict = polling.evaluate(self._runtime, poll, control)
            polling.finish(self._runtime, poll, verdict)
        except TaskStopped:
            polling.give_back(self._runtime, poll)
        except Exception:
            log.exception("an evaluation was left to its lease", action="poll_abandoned")
        finally:
            with self._lock:
                del self._running[poll.execution_id]
            self._slots.release()
