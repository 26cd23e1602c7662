"""A flow as the engine sees it: parsed, checked, frozen.

`runner.model.parser` makes it from YAML with the catalogue of task types of `runner.registry`.
Properties of tasks and triggers stay *as written* (plain data, aliases of types resolved): they are
rendered and typed when they are used. Specification: flow-language §4–§16.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from functools import cached_property
from typing import Any, Literal

JsonMap = Mapping[str, Any]
ListName = str
"""``tasks errors finally afterExecution then else cases.KEY defaults onPause``: where a task stands
in its parent.
"""


class TaskKind(StrEnum):
    """How a task is executed."""

    FLOWABLE = "flowable"  # decided by runner.engine.flowables
    INLINE = "inline"  # light: runs inside the fold, in its transaction
    WORKER = "worker"  # effects outside: runs as a leased attempt


@dataclass(frozen=True, slots=True)
class Retry:
    """When a failed attempt is made again (flow-language §11)."""

    type: Literal["constant", "exponential", "random"]
    interval: timedelta = timedelta(0)
    max_interval: timedelta | None = None
    min_interval: timedelta | None = None
    delay_factor: float = 2.0
    max_attempts: int | None = None
    max_duration: timedelta | None = None
    warning_on_retry: bool = False
    behavior: Literal["RETRY_FAILED_TASK", "CREATE_NEW_EXECUTION"] = "RETRY_FAILED_TASK"


@dataclass(frozen=True, slots=True)
class TaskCache:
    """Outputs of an identical earlier run are used again, up to that age."""

    ttl: timedelta | None = None


@dataclass(frozen=True)
class Task:
    """One task of a flow, with its children.

    *properties* are all keys of the YAML map except the common ones below and the child lists.
    *children* maps a list's name to its tasks in order, disabled ones included.
    """

    id: str
    type: str
    kind: TaskKind
    properties: JsonMap = field(default_factory=dict)
    children: Mapping[ListName, tuple[Task, ...]] = field(default_factory=dict)
    description: str | None = None
    disabled: bool = False
    run_if: str | None = None
    retry: Retry | None = None
    timeout: str | None = None  # as written: a duration or an expression
    allow_failure: bool = False
    allow_warning: bool = False
    log_level: str = "TRACE"
    log_to_file: bool = False
    worker_group: str | None = None
    depends_on: tuple[str, ...] = ()  # inside a Dag
    cache: TaskCache | None = None

    def enabled(self, name: ListName) -> tuple[Task, ...]:
        """Return the tasks of one child list without the disabled ones."""
        return tuple(child for child in self.children.get(name, ()) if not child.disabled)

    def walk(self) -> Iterator[Task]:
        """Yield this task and all below it."""
        yield self
        for tasks in self.children.values():
            for child in tasks:
                yield from child.walk()


@dataclass(frozen=True, slots=True)
class Place:
    """Where a task stands: its parent (None: the flow), list, and index among enabled tasks."""

    task: Task
    parent: Task | None
    list_name: ListName
    index: int


@dataclass(frozen=True)
class Trigger:
    """One trigger; *properties* as written, without the common ones."""

    id: str
    type: str
    properties: JsonMap = field(default_factory=dict)
    description: str | None = None
    disabled: bool = False
    conditions: tuple[JsonMap, ...] = ()
    labels: tuple[tuple[str, str], ...] = ()
    inputs: JsonMap = field(default_factory=dict)
    stop_after: tuple[str, ...] = ()
    allow_concurrent: bool = False
    fail_on_trigger_error: bool = False
    log_level: str = "TRACE"
    log_to_file: bool = False
    worker_group: str | None = None


@dataclass(frozen=True)
class Input:
    """One input; *properties* are the own ones of its type (``min``, ``values`` …) as written."""

    id: str
    type: str
    required: bool = True
    defaults: Any = None
    prefill: Any = None
    description: str | None = None
    display_name: str | None = None
    depends_on: tuple[str, ...] = ()
    condition: str | None = None
    properties: JsonMap = field(default_factory=dict)


@dataclass(frozen=True)
class Output:
    """One flow output."""

    id: str
    type: str
    value: Any
    required: bool = True
    description: str | None = None
    display_name: str | None = None


@dataclass(frozen=True, slots=True)
class Concurrency:
    """How many executions of the flow may run at once."""

    limit: int
    behavior: Literal["QUEUE", "CANCEL", "FAIL"] = "QUEUE"


@dataclass(frozen=True)
class Sla:
    """What executions of the flow must keep to (flow-language §13)."""

    id: str
    type: Literal["MAX_DURATION", "EXECUTION_ASSERTION"]
    behavior: Literal["FAIL", "CANCEL", "NONE"]
    duration: timedelta | None = None
    assertion: str | None = None
    labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Check:
    """A condition on the inputs, looked at before an execution is made (flow-language §14)."""

    condition: str
    message: str
    style: Literal["ERROR", "SUCCESS", "WARNING", "INFO"] = "INFO"
    behavior: Literal["BLOCK_EXECUTION", "FAIL_EXECUTION", "CREATE_EXECUTION"] = "BLOCK_EXECUTION"


@dataclass(frozen=True)
class Listener:
    """Tasks that run after an execution for which all conditions hold (deprecated)."""

    conditions: tuple[JsonMap, ...]
    tasks: tuple[Task, ...]


@dataclass(frozen=True)
class Flow:
    """A checked flow."""

    id: str
    namespace: str
    tasks: tuple[Task, ...]
    description: str | None = None
    inputs: tuple[Input, ...] = ()
    outputs: tuple[Output, ...] = ()
    variables: JsonMap = field(default_factory=dict)
    labels: tuple[tuple[str, str], ...] = ()
    triggers: tuple[Trigger, ...] = ()
    errors: tuple[Task, ...] = ()
    finally_: tuple[Task, ...] = ()
    after_execution: tuple[Task, ...] = ()
    concurrency: Concurrency | None = None
    retry: Retry | None = None
    sla: tuple[Sla, ...] = ()
    checks: tuple[Check, ...] = ()
    listeners: tuple[Listener, ...] = ()
    disabled: bool = False
    revision: int = 0  # set when it comes out of the store
    source: str = ""  # the text, byte for byte
    document: JsonMap = field(default_factory=dict)  # the whole YAML as plain data, for the API

    @cached_property
    def lists(self) -> Mapping[ListName, tuple[Task, ...]]:
        """The flow's own task lists by name, disabled tasks included."""
        return {
            "tasks": self.tasks,
            "errors": self.errors,
            "finally": self.finally_,
            "afterExecution": self.after_execution,
            **{f"listeners.{n}": each.tasks for n, each in enumerate(self.listeners)},
        }

    def enabled(self, name: ListName) -> tuple[Task, ...]:
        """Return one of the flow's lists without the disabled tasks."""
        return self._enabled.get(name, ())

    @cached_property
    def _enabled(self) -> Mapping[ListName, tuple[Task, ...]]:
        return {
            name: tuple(t for t in tasks if not t.disabled) for name, tasks in self.lists.items()
        }

    @cached_property
    def places(self) -> Mapping[str, Place]:
        """Every task by id with its place; a disabled one has index -1."""
        found: dict[str, Place] = {}
        _collect(None, self.lists, found)
        return found

    def task(self, task_id: str) -> Task:
        """Return the task of that id. Raises KeyError."""
        return self.places[task_id].task


def _collect(
    parent: Task | None, lists: Mapping[ListName, tuple[Task, ...]], into: dict[str, Place]
) -> None:
    for name, tasks in lists.items():
        index = 0
        for task in tasks:
            into[task.id] = Place(task, parent, name, -1 if task.disabled else index)
            index += 0 if task.disabled else 1
            _collect(task, task.children, into)
