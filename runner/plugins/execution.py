"""Steering the execution."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from runner.model.flow import TaskKind
from runner.plugin import RunContext, Task, TaskError

_FALSY = frozenset({"", "false", "0", "-0"})


class Fail(Task):
    """Fail, always or on a condition.

    Example:
        - id: stop_here
          type: io.kestra.plugin.core.execution.Fail
          condition: "{{ inputs.amount > 100 }}"
          errorMessage: The amount is too high
    """

    kind = TaskKind.INLINE
    aliases = ("io.kestra.core.tasks.executions.Fail",)

    type: Literal["io.kestra.plugin.core.execution.Fail"] = "io.kestra.plugin.core.execution.Fail"
    condition: str | None = Field(
        default=None,
        description="fails when this is neither empty, false, 0 nor -0; without it: always",
    )
    error_message: str = Field(default="Task failure", description="the text of the failure")

    def run(self, ctx: RunContext) -> None:
        if self.condition is None:
            raise TaskError(self.error_message)
        if self.condition.strip() not in _FALSY:
            ctx.log.error(self.error_message)
            raise TaskError("Fail on a condition")
