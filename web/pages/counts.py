"""Counts of executions, kept for a few seconds: each page and each stream asks for them."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from threading import Lock
from typing import Any, TypeVar

from runner.services.dashboard import Dashboard
from runner.store.base import ExecutionFilter
from web.viewmodels.history import BAR, BARS
from web.viewmodels.query import LIVE

_FRESH_SECONDS = 5.0
_MOST_KEPT = 500

Made = TypeVar("Made")


class Counts:
    """Counts of one process, safe for many threads."""

    def __init__(self) -> None:
        self._kept: dict[Hashable, tuple[float, Any]] = {}
        self._lock = Lock()

    def day(
        self, dashboard: Dashboard, filter: ExecutionFilter, end: datetime
    ) -> Sequence[Mapping[str, int]]:
        """Return counts by state for each half hour before *end*."""
        wanted = _of_any_time(filter)
        return self._of(("day", wanted, end), lambda: dashboard.counts(wanted, end, BAR, BARS))

    def live(self, dashboard: Dashboard, filter: ExecutionFilter) -> int:
        """Return how many of those asked for have not ended."""
        wanted = replace(_of_any_time(filter), states=(*LIVE, "PAUSED", "BREAKPOINT"))
        return self._of(("live", wanted), lambda: dashboard.count(wanted))

    def view(self, dashboard: Dashboard, name: str, filter: ExecutionFilter) -> int:
        """Return how many executions a saved view has."""
        return self._of(("view", name), lambda: dashboard.count(filter))

    def shared(self, key: Hashable, seconds: float, make: Callable[[], Made]) -> Made:
        """Return what was made a moment ago, by whomever, or make it."""
        return self._of(("shared", key), make, seconds)

    def _of(self, key: Hashable, make: Callable[[], Made], seconds: float = _FRESH_SECONDS) -> Made:
        with self._lock:
            kept = self._kept.get(key)
        if kept is not None and kept[0] > time.monotonic():
            found: Made = kept[1]
            return found
        made = make()
        with self._lock:
            if len(self._kept) > _MOST_KEPT:
                self._kept.clear()
            self._kept[key] = (time.monotonic() + seconds, made)
        return made


def _of_any_time(filter: ExecutionFilter) -> ExecutionFilter:
    return replace(filter, since=None, until=None)
