"""Tasks that are made of text."""

from __future__ import annotations

from typing import Any, Literal

import yaml
from pydantic import Field

from runner.model.flow import TaskKind
from runner.plugin import RunContext, Task, TaskError


class TemplatedTask(Task):
    """Run a task whose YAML is the result of an expression; its outputs are this one's.

    Common properties inside (retry, timeout …) are without effect: give them to this task.

    Example:
        - id: any
          type: io.kestra.plugin.core.templating.TemplatedTask
          spec: |
            type: io.kestra.plugin.core.http.{{ inputs.what }}
            uri: "{{ inputs.uri }}"
    """

    aliases = ("io.kestra.core.tasks.templating.TemplatedTask",)

    type: Literal["io.kestra.plugin.core.templating.TemplatedTask"] = (
        "io.kestra.plugin.core.templating.TemplatedTask"
    )
    spec: str = Field(description="YAML of one runnable task")

    class Outputs(Task.Outputs):
        """Those of the task."""

    def run(self, ctx: RunContext) -> Any:
        task = ctx.build(_read(self.spec))
        if isinstance(task, TemplatedTask):
            raise TaskError("The templated task cannot be of type TemplatedTask")
        if task.kind is TaskKind.FLOWABLE:
            raise TaskError(f"The templated task must be a runnable task, not a {_name(task)}")
        return task.run(ctx)


def _read(spec: str) -> dict[str, Any]:
    try:
        raw = yaml.safe_load(spec)
    except yaml.YAMLError as exc:
        raise TaskError(f"'spec' is no YAML: {exc}") from exc
    if not isinstance(raw, dict) or "type" not in raw:
        raise TaskError("'spec' must be a task: a map with a type")
    return raw


def _name(task: Task) -> str:
    return type(task).__name__
