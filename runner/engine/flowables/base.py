"""What each kind of control flow answers: what it wants, which children now, how it ends."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from runner.engine.commands import Command, Evaluate
from runner.engine.step import OwnerId
from runner.model.evolve import replace
from runner.model.execution import Scope, TaskRun
from runner.model.flow import Task
from runner.model.states import State

_NUMBERING = ("ForEach", "EachSequential", "EachParallel", "LoopUntil")


def numbers_its_children(task: Task | None) -> bool:
    """Say whether the runs below carry the number of a value or round as their iteration."""
    return task is not None and task.type.rpartition(".")[2] in _NUMBERING


@dataclass(frozen=True, slots=True)
class Child:
    """A child to create now."""

    task: Task
    value: str | None = None
    iteration: int | None = None


@dataclass(frozen=True, slots=True)
class Next:
    """Children to create, the scope after that, and whether more could be created at once."""

    children: tuple[Child, ...]
    scope: Scope
    more: bool = False

    @property
    def is_done(self) -> bool:
        """Nothing is open and nothing will be."""
        return not self.children and not self.more and self.scope.open == 0


@dataclass(frozen=True, slots=True)
class Begun:
    """How a flowable starts: its run (with outputs), what to do, and whether children follow.

    *ends* with a state: it is over already.
    """

    run: TaskRun
    commands: tuple[Command, ...] = ()
    children: bool = True
    ends: State | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Situation:
    """What a flowable may look at to say which children are next."""

    owner: OwnerId
    run: TaskRun | None
    tasks: tuple[Task, ...]
    scope: Scope
    ended: TaskRun | None = None
    ended_index: int = 0  # of the ended child's task in the list
    flowable: Task | None = None


class Flowable:
    """A flowable that does nothing special: its tasks one after another."""

    purpose = "fields"

    def wants(self, task: Task) -> Mapping[str, Any]:
        """Return the fields that must be rendered before it begins."""
        return {}

    def evaluate(self, task: Task, run: TaskRun) -> Evaluate | None:
        """Return the command that renders them, if there are any."""
        fields = self.wants(task)
        return Evaluate(run.id, self.purpose, fields) if fields else None

    def begin(self, task: Task, run: TaskRun, now: datetime) -> Begun:
        """Start, with `run.evaluated` filled."""
        return Begun(run)

    def main(self, task: Task, run: TaskRun) -> str | None:
        """Return the name of the list that decides its end; None: there is none (an error)."""
        return "tasks"

    def next(self, situation: Situation) -> Next:
        """Return the children of the main list that may start now."""
        return sequential(situation)

    def at_end(self, task: Task, run: TaskRun) -> Evaluate | None:
        """Return what to ask when its main list has ended well; None: that is its end."""
        return None

    def child_ended(self, task: Task, run: TaskRun, state: State) -> None:
        """Look at the end of an execution that it waits for; ValueError: it cannot take it."""

    def outcome(self, task: Task, run: TaskRun, state: State) -> State:
        """Return how it ends, given what its children say."""
        return state


def sequential(situation: Situation) -> Next:
    """One after another, whatever the state of the last one was."""
    scope = closed(situation)
    if scope.open or scope.cursor >= len(situation.tasks):
        return Next((), scope)
    child = Child(situation.tasks[scope.cursor])
    return Next((child,), replace(scope, cursor=scope.cursor + 1, open=1))


def closed(situation: Situation) -> Scope:
    """Return the scope without the child that has just ended."""
    scope = situation.scope
    return replace(scope, open=max(0, scope.open - 1)) if situation.ended else scope


@dataclass(frozen=True, slots=True)
class Fields:
    """Static properties of a task, read leniently: the validator has seen them."""

    task: Task
    properties: Mapping[str, Any] = field(default_factory=dict)

    def flag(self, name: str, default: bool) -> bool:
        """Return a boolean property."""
        return flag(self.task.properties.get(name, default))


def flag(value: Any) -> bool:
    """Return a boolean, written as such or as rendered text."""
    return value.strip().lower() == "true" if isinstance(value, str) else bool(value)


def text(value: Any) -> str:
    """Return a value as expressions see its text: booleans in small letters."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def number(value: Any, default: int) -> int:
    """Return a rendered whole number, or the default when there is none. Raises ValueError."""
    if value is None or value == "":
        return default
    return int(value)
