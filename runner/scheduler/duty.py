"""What exactly one process of many does: a loop that runs while it holds a lease."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import structlog

from runner.errors import HeadraceError
from runner.runtime import Runtime

log = structlog.get_logger(__name__)

LEASE_SECONDS = 10.0
_RENEW_SECONDS = LEASE_SECONDS / 3
_RETRY_SECONDS = 1.0

Step = Callable[[], float]
"""Does what is due; returns after how many seconds to look again."""


class Duty:
    """Runs *step* again and again in a thread, as long as no other process does."""

    def __init__(self, runtime: Runtime, name: str, holder: str, step: Step) -> None:
        self.name = name
        self._runtime = runtime
        self._holder = holder
        self._step = step
        self._ended = threading.Event()
        self._held_until = 0.0
        self._renew_at = 0.0
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        """Ask the loop to end."""
        self._ended.set()

    def join(self, seconds: float) -> None:
        """Wait for the loop's end, and give the duty back."""
        self._thread.join(seconds)
        try:
            with self._runtime.store.begin() as tx:
                tx.duties.release(self.name, self._holder)
        except HeadraceError as exc:
            log.warning("a duty was not given back", duty=self.name, reason=exc.message)

    def _run(self) -> None:
        while not self._ended.wait(self._once()):
            pass

    def _once(self) -> float:
        try:
            return self._step() if self._is_held() else _RETRY_SECONDS
        except HeadraceError as exc:
            log.warning("a duty waits", action="duty", duty=self.name, reason=exc.message)
        except Exception:
            log.exception("a duty failed and goes on", action="duty", duty=self.name)
        return _RETRY_SECONDS

    def _is_held(self) -> bool:
        now = time.monotonic()
        if now < self._renew_at:
            return True
        with self._runtime.store.begin() as tx:
            is_ours = tx.duties.take(self.name, self._holder, seconds=LEASE_SECONDS)
        self._renew_at = now + _RENEW_SECONDS if is_ours else 0.0
        return is_ours
