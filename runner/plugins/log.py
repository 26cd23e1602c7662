"""Writing to the execution's log."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from runner.model.flow import TaskKind
from runner.model.logs import Level
from runner.plugin import RunContext, Task, TaskError


class Log(Task):
    """Write one line, or one for each text of a list.

    Example:
        - id: hello
          type: io.kestra.plugin.core.log.Log
          message: "Hello from {{ flow.id }}"
    """

    kind = TaskKind.INLINE
    aliases = ("io.kestra.core.tasks.log.Log",)

    type: Literal["io.kestra.plugin.core.log.Log"] = "io.kestra.plugin.core.log.Log"
    message: JsonValue = Field(description="a text, or a list of texts")
    level: Level = Field(default=Level.INFO, description="TRACE, DEBUG, INFO, WARN or ERROR")

    def run(self, ctx: RunContext) -> None:
        for line in _lines(self.message):
            ctx.log.write(self.level, line)


def _lines(message: JsonValue) -> list[str]:
    if isinstance(message, str):
        return [message]
    if isinstance(message, list):
        return [item if isinstance(item, str) else str(item) for item in message]
    raise TaskError(f"Invalid message type '{type(message).__name__}'")
