"""All task, trigger, condition and task-runner types, by name. (contract; the catalogue is filled from
`runner.plugins`, `gitsync.tasks` and the entry point group ``headrace.plugins``)"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from runner.model.flow import Task
from runner.plugin import Plugin
from runner.plugin import Task as TaskType

Render = Callable[[Any, bool], Any]
"""(value, typed) → rendered value; raises ExpressionError."""


class Registry(Protocol):
    """Looks types up and turns what a flow says into typed objects."""

    def find(self, name: str) -> type[Plugin] | None:
        """Return the class of a type name: full, without ``io.kestra.plugin.``, or an alias."""

    def canonical(self, name: str) -> str | None:
        """Return the full type name of any spelling."""

    def is_known_later(self, name: str) -> bool:
        """Say whether Kestra has this type and Headrace does not have it yet."""

    def build(self, task: Task, render: Render) -> TaskType:
        """Render a task's properties by their `Read` marks and validate them.

        Raises:
            TaskError: a value does not fit, with the field and what was expected. ExpressionError.
        """

    def build_plugin(self, raw: Mapping[str, Any], render: Render) -> Plugin:
        """The same for any nested object with a ``type`` (trigger, condition, task runner)."""
