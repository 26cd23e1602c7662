"""The answer of `advance`, and the look-ups it may make."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from runner.engine.commands import Command
from runner.model.execution import Execution, TaskRun


class TaskRuns(Protocol):
    """The task runs of one execution, as far as the engine asks for them.

    The shell may load them lazily: one event touches a handful, however many there are.
    """

    def get(self, task_run_id: str) -> TaskRun | None:
        """Return the run of that id."""

    def live(self) -> Iterable[TaskRun]:
        """Return all that are not terminal, in order of creation."""

    def live_below(self, parent_id: str) -> Iterable[TaskRun]:
        """Return the direct children of a run that are not terminal."""

    def of_tasks(self, task_ids: Sequence[str], since: int) -> Iterable[TaskRun]:
        """Return the runs of these tasks whose sequence is greater than *since*."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What follows from one event: the new head, the *changed* task runs (new ones too), what to
    do,
    and the ids of task runs that are gone.

    An event that is late, repeated or unexpected gives back the same head, no changes, no commands.
    """

    execution: Execution
    changes: tuple[TaskRun, ...] = ()
    commands: tuple[Command, ...] = ()
    removed: tuple[str, ...] = ()
