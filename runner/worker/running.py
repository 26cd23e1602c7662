"""Slots of a worker, and the attempts that run in them."""

from __future__ import annotations

import threading
from collections.abc import Iterable

from runner.attempt import AttemptControl, Reason
from runner.store.base import AttemptRow

Key = tuple[str, int]


class Slots:
    """Counts free slots. Safe for many threads."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._count = count
        self._changed = threading.Condition()

    @property
    def busy(self) -> int:
        """How many are taken."""
        return self._count - self._free

    def reserve(self, at_most: int) -> int:
        """Take up to *at_most* slots at once; returns how many."""
        with self._changed:
            taken = min(self._free, at_most)
            self._free -= taken
            return taken

    def release(self, count: int = 1) -> None:
        """Give slots back."""
        with self._changed:
            self._free += count
            self._changed.notify_all()

    def wait_for_one(self, seconds: float) -> bool:
        """Wait until one is free, without taking it."""
        with self._changed:
            return self._changed.wait_for(lambda: self._free > 0, seconds)

    def wait_until_idle(self, seconds: float) -> bool:
        """Wait until all are free."""
        with self._changed:
            return self._changed.wait_for(lambda: self._free == self._count, seconds)


class Running:
    """The attempts that run here, each with its control. Safe for many threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._controls: dict[Key, AttemptControl] = {}
        self._end_reason: Reason | None = None

    def __len__(self) -> int:
        return len(self._controls)

    def add(self, claimed: AttemptRow) -> AttemptControl:
        """Take an attempt in; in a worker that ends, it is told to end at once."""
        control = AttemptControl()
        with self._lock:
            self._controls[_key(claimed)] = control
            reason = self._end_reason
        if reason is not None:
            control.stop(reason)
        return control

    def remove(self, claimed: AttemptRow) -> None:
        with self._lock:
            self._controls.pop(_key(claimed), None)

    def keys(self) -> set[Key]:
        with self._lock:
            return set(self._controls)

    def stop(self, keys: Iterable[Key], reason: Reason) -> None:
        """Tell some of them to end; what takes time happens in threads."""
        with self._lock:
            controls = [c for key in keys if (c := self._controls.get(key)) and not c.stopping]
        for control in controls:
            threading.Thread(target=control.stop, args=[reason], name="stop", daemon=True).start()

    def end(self, reason: Reason) -> None:
        """Tell all of them to end, and those that are still to come."""
        with self._lock:
            self._end_reason = reason
        self.stop(self.keys(), reason)


def _key(claimed: AttemptRow) -> Key:
    return claimed.task_run_id, claimed.attempt
