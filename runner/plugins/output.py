"""Outputs made from expressions."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from runner.model.flow import TaskKind
from runner.plugin import RunContext, Task


class OutputValues(Task):
    """Give back a map of values; every text in it, at any depth, is rendered.

    Example:
        - id: values
          type: io.kestra.plugin.core.output.OutputValues
          values:
            greeting: "Hello {{ inputs.name }}"
    """

    kind = TaskKind.INLINE

    type: Literal["io.kestra.plugin.core.output.OutputValues"] = (
        "io.kestra.plugin.core.output.OutputValues"
    )
    values: dict[str, JsonValue] = Field(default={}, description="what to give back")

    class Outputs(Task.Outputs):
        values: dict[str, JsonValue] = Field(default={}, description="the rendered values")

    def run(self, ctx: RunContext) -> Outputs:
        return self.Outputs(values=self.values)
