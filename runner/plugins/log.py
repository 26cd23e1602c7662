"""Writing to the execution's log."""

from __future__ import annotations

import json
from typing import Literal

from pydantic import Field, JsonValue

from runner.model.flow import TaskKind
from runner.model.logs import Level, LogLine
from runner.plugin import RunContext, Task, TaskError
from runner.plugins import _items
from runner.plugins._dates import moment


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


class Fetch(Task):
    """Write the log lines of an execution to a file (deprecated).

    Example:
        - id: lines
          type: io.kestra.plugin.core.log.Fetch
          level: WARN
    """

    superseded = "log.Fetch is deprecated: ask the API for logs"

    aliases = ("io.kestra.core.tasks.log.Fetch",)

    type: Literal["io.kestra.plugin.core.log.Fetch"] = "io.kestra.plugin.core.log.Fetch"
    execution_id: str | None = Field(default=None, description="default: this execution")
    namespace: str | None = Field(default=None, description="of the flow; the id says it already")
    flow_id: str | None = Field(default=None, description="the flow; the id says it already")
    tasks_id: list[str] = Field(default=[], description="only the lines of these tasks")
    level: Level = Field(default=Level.INFO, description="lowest level")

    class Outputs(Task.Outputs):
        uri: str = Field(description="file with one line of the log in each line")
        size: int = Field(description="number of lines")

    def run(self, ctx: RunContext) -> Outputs:
        ctx.log.flush()
        count = 0
        with _items.spool() as target:
            wanted = self.execution_id or ctx.identity.execution_id
            for line in ctx.server.logs(wanted, min_level=self.level):
                if not self.tasks_id or line.task_id in self.tasks_id:
                    target.write(json.dumps(_as_map(line)).encode() + b"\n")
                    count += 1
            return self.Outputs(uri=_items.stored(ctx, target, "logs.ion"), size=count)


class PurgeLogs(Task):
    """Remove old log lines.

    Example:
        - id: tidy_up
          type: io.kestra.plugin.core.log.PurgeLogs
          endDate: "{{ now() | dateAdd(-1, 'MONTHS') }}"
          logLevels: [TRACE, DEBUG]
    """

    type: Literal["io.kestra.plugin.core.log.PurgeLogs"] = "io.kestra.plugin.core.log.PurgeLogs"
    end_date: str = Field(description="lines before this date and time, with its time zone")
    start_date: str | None = Field(default=None, description="lines from this date and time on")
    namespace: str | None = Field(default=None, description="only of this namespace")
    flow_id: str | None = Field(default=None, description="only of this flow")
    execution_id: str | None = Field(default=None, description="only of this execution")
    log_levels: list[Level] = Field(default=[], description="only these levels; none: all")

    class Outputs(Task.Outputs):
        count: int = Field(description="removed lines")

    def run(self, ctx: RunContext) -> Outputs:
        count = ctx.server.purge_logs(
            since=moment("startDate", self.start_date) if self.start_date else None,
            until=moment("endDate", self.end_date),
            namespace=self.namespace,
            flow_id=self.flow_id,
            execution_id=self.execution_id,
            levels=self.log_levels,
        )
        return self.Outputs(count=count)


def _as_map(line: LogLine) -> dict[str, JsonValue]:
    found = {
        "namespace": line.namespace,
        "flowId": line.flow_id,
        "taskId": line.task_id,
        "executionId": line.execution_id,
        "taskRunId": line.task_run_id,
        "attemptNumber": line.attempt,
        "timestamp": line.at.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "level": str(line.level),
        "message": line.message,
    }
    return {name: value for name, value in found.items() if value is not None}


_KINDS = {bool: "boolean", int: "number", float: "number", dict: "map", list: "list"}


def _lines(message: JsonValue) -> list[str]:
    if isinstance(message, str):
        return [message]
    if not isinstance(message, list):
        raise _odd(message)
    return ["" if item is None else _text(item) for item in message]


def _text(item: JsonValue) -> str:
    if not isinstance(item, str):
        raise _odd(item)
    return item


def _odd(message: JsonValue) -> TaskError:
    return TaskError(f"Invalid message type '{_KINDS.get(type(message), 'null')}': write a text")
