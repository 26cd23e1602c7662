"""What the parser asks about types; `runner.registry` answers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from runner.model.flow import JsonMap, ListName, TaskKind
from runner.model.problems import Severity
from runner.model.yaml import Path


class Category(StrEnum):
    """Where a type may stand."""

    TASK = "task"
    TRIGGER = "trigger"
    CONDITION = "condition"
    OTHER = "other"  # task runners and other objects inside a task


class ListShape(StrEnum):
    """How a property of a flowable holds its children."""

    TASKS = "tasks"  # a list of tasks
    CASES = "cases"  # a map: key → list of tasks
    WRAPPED = "wrapped"  # a list of {task, dependsOn}
    ONE = "one"  # a single task


@dataclass(frozen=True)
class TypeInfo:
    """A type that Kestra or Headrace has. *lists* are the properties that hold tasks.

    *available* is false for what is not built yet; nothing is then known of its own properties.
    *needs*: of each group of lists one must have a task, else the message is a problem.
    *input_lists* are properties that hold inputs. *parts*: the task stands for several, which
    get its id with these endings, these types, and its properties. *runnable*: it can run on a
    worker by itself; *takes_runnable*: all its children must be so, as they share its worker.
    *superseded*: what to use instead of a type that is deprecated. *takes_inputs*: a trigger gives
    inputs to what it starts. *deprecated*: lists that are, with advice.
    """

    name: str
    category: Category
    available: bool = True
    kind: TaskKind = TaskKind.WORKER
    lists: tuple[tuple[ListName, ListShape], ...] = ()
    needs: tuple[tuple[tuple[ListName, ...], str], ...] = ()
    input_lists: tuple[str, ...] = ()
    has_timeout: bool = True
    parts: tuple[tuple[str, str], ...] = ()
    runnable: bool = True
    takes_runnable: bool = False
    superseded: str | None = None
    takes_inputs: bool = True
    deprecated: tuple[tuple[ListName, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Finding:
    """What is wrong with the properties of one object; *path* begins at that object."""

    message: str
    code: str
    path: Path = ()
    severity: Severity = "error"
    of_key: bool = False  # it is the key that is wrong, not its value


class Catalogue(Protocol):
    """All types, by name."""

    def look_up(self, name: str) -> TypeInfo | None:
        """Return what is known of a type: full name, without ``io.kestra.plugin.``, or an alias."""

    def is_foreign(self, name: str) -> bool:
        """Say whether a type may belong to a plugin of Kestra that Headrace does not know."""

    def nearest(self, name: str, category: Category) -> str | None:
        """Return the type of that category whose name is most like *name*, if any is."""

    def properties(self, info: TypeInfo) -> Iterable[str]:
        """Return the names of the own properties of an available type."""

    def own_values(self, info: TypeInfo) -> Iterable[str]:
        """Return those that the type declares itself, not its family, and that are plain values."""

    def check(self, info: TypeInfo, properties: JsonMap) -> Iterable[Finding]:
        """Say what is wrong with the own properties of an available type, as they are written.

        Values with expressions in them are taken on trust.
        """
