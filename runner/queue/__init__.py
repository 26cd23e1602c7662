"""Waking workers through Redis. The database is the truth: losing all of Redis loses nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from runner.model.wake import Wake


class Queue(Protocol):
    """Sends wake-ups. `send` is called after the commit that wrote the rows; a failure is harmless
    (the sweep sends again), so callers log it and go on."""

    def send(self, wakes: Sequence[Wake]) -> None:
        """Make an RQ job of each, id = wake id, in one pipeline. Raises Unavailable."""

    def missing(self, wakes: Sequence[Wake]) -> Sequence[Wake]:
        """Return those that no worker will meet any more. Raises Unavailable."""

    def hint_stop(self, worker_id: str) -> None:
        """Tell a worker to look for attempts that are to stop. Raises Unavailable."""

    def hands(self) -> Sequence[str]:
        """Return the ids of the workers that have something in hand. Raises Unavailable."""

    def give_back(self, worker_id: str) -> int:
        """Put what a dead worker had in hand back into its queues; returns how many.

        Raises Unavailable.
        """


class NoQueue:
    """Wakes nobody: whoever uses it folds by itself (``headrace run``, tests)."""

    def send(self, wakes: Sequence[Wake]) -> None:
        """Nobody waits."""

    def missing(self, wakes: Sequence[Wake]) -> Sequence[Wake]:
        return ()

    def hint_stop(self, worker_id: str) -> None:
        """Nobody waits."""

    def hands(self) -> Sequence[str]:
        return ()

    def give_back(self, worker_id: str) -> int:
        return 0
