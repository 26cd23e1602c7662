"""Looking at what an expression gives."""

from __future__ import annotations

import time
from typing import Literal

from pydantic import Field

from runner.model.flow import TaskKind
from runner.model.logs import Level
from runner.plugin import RunContext, Task


class Return(Task):
    """Give back a rendered text as output.

    Example:
        - id: answer
          type: io.kestra.plugin.core.debug.Return
          format: "{{ flow.id }} started at {{ execution.startDate }}"
    """

    kind = TaskKind.INLINE
    aliases = ("io.kestra.core.tasks.debugs.Return",)

    type: Literal["io.kestra.plugin.core.debug.Return"] = "io.kestra.plugin.core.debug.Return"
    format: str | None = Field(default=None, description="the text to give back")

    class Outputs(Task.Outputs):
        value: str | None = Field(default=None, description="the rendered text")

    def run(self, ctx: RunContext) -> Outputs | None:
        if self.format is None:
            return None
        start = time.perf_counter()
        ctx.log.debug(self.format)
        ctx.metric("length", "counter", len(self.format))
        ctx.metric("duration", "timer", time.perf_counter() - start)
        return self.Outputs(value=self.format)


class Echo(Task):
    """Write one line (deprecated: use Log).

    Example:
        - id: hello
          type: io.kestra.plugin.core.debug.Echo
          format: "Hello from {{ flow.id }}"
    """

    superseded = "Echo is deprecated: write log.Log with message"

    kind = TaskKind.INLINE
    aliases = ("io.kestra.core.tasks.debugs.Echo",)
    type: Literal["io.kestra.plugin.core.debug.Echo"] = "io.kestra.plugin.core.debug.Echo"
    format: str | None = Field(default=None, description="the text")
    level: Level = Field(default=Level.INFO, description="TRACE, DEBUG, INFO, WARN or ERROR")

    def run(self, ctx: RunContext) -> None:
        ctx.log.write(self.level, self.format or "")
