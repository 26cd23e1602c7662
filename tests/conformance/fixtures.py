"""Test-only types that Kestra's cases name; a server under test has them through an entry point."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Field

from runner.engine.flowables import Flowable as Decisions
from runner.engine.flowables import register
from runner.engine.flowables.waiting import Subflow
from runner.model.evolve import replace
from runner.model.flow import TaskKind
from runner.model.states import State
from runner.plugin import Read, RunContext, Task, TaskError, TriggerType

_TASKS = "io.kestra.core.tasks.test."
_RUNNERS = "io.kestra.core.runners."


class NullOutputTask(Task):
    """One output that is null."""

    kind = TaskKind.INLINE

    type: Literal["io.kestra.core.tasks.test.NullOutputTask"] = (
        "io.kestra.core.tasks.test.NullOutputTask"
    )

    class Outputs(Task.Outputs):
        keeps_nulls = True
        value: str | None = None

    def run(self, ctx: RunContext) -> Outputs:
        return self.Outputs()


class Encrypted(Task):
    """An output that is stored encrypted."""

    kind = TaskKind.INLINE

    type: Literal["io.kestra.core.tasks.test.Encrypted"] = "io.kestra.core.tasks.test.Encrypted"
    format: str

    class Outputs(Task.Outputs):
        value: Mapping[str, str]

    def run(self, ctx: RunContext) -> Outputs:
        return self.Outputs(value=ctx.sealed(self.format))


class DynamicTask(Task):
    """Shows a task run of its own."""

    kind = TaskKind.INLINE

    type: Literal["io.kestra.core.tasks.test.DynamicTask"] = "io.kestra.core.tasks.test.DynamicTask"
    fail: bool = False

    def run(self, ctx: RunContext) -> None:
        run_id = ctx.identity.task_run_id
        state = State.FAILED if self.fail else State.SUCCESS
        ctx.add_run(f"dynamic-{run_id}", state=state, value=run_id)
        if self.fail:
            raise TaskError("Task failed")


class ReadFile(Task):
    """The text of a file in the working directory."""

    type: Literal["io.kestra.core.tasks.test.Read"] = "io.kestra.core.tasks.test.Read"
    path: str

    class Outputs(Task.Outputs):
        value: str

    def run(self, ctx: RunContext) -> Outputs:
        return self.Outputs(value=(ctx.working_dir / self.path.lstrip("/")).read_text("utf-8"))


class TaskThatFail(Task):
    """Fails, with an output."""

    kind = TaskKind.INLINE

    type: Literal["io.kestra.core.runners.test.TaskThatFail"] = (
        "io.kestra.core.runners.test.TaskThatFail"
    )
    message: str

    class Outputs(Task.Outputs):
        message: str

    def run(self, ctx: RunContext) -> None:
        raise TaskError("It always fails", outputs=self.Outputs(message=self.message))


class TaskWithAlias(Task):
    """Logs its message."""

    kind = TaskKind.INLINE
    aliases = (_RUNNERS + "test.task.Alias",)

    type: Literal["io.kestra.core.runners.test.TaskWithAlias"] = (
        "io.kestra.core.runners.test.TaskWithAlias"
    )
    message: str | None = None

    def run(self, ctx: RunContext) -> None:
        ctx.log.info(self.message or "")


class ListenersTestTask(Task):
    """The execution's fields as a text."""

    kind = TaskKind.INLINE

    type: Literal["io.kestra.core.runners.ListenersTestTask"] = (
        "io.kestra.core.runners.ListenersTestTask"
    )

    class Outputs(Task.Outputs):
        value: str

    def run(self, ctx: RunContext) -> Outputs:
        return self.Outputs(value=str(dict(ctx.variables["execution"])))


class TriggerWithAlias(TriggerType):
    """A trigger that never fires."""

    aliases = (_RUNNERS + "test.trigger.Alias",)
    evaluated_by: ClassVar[str] = "polling"

    type: Literal["io.kestra.core.runners.test.TriggerWithAlias"] = (
        "io.kestra.core.runners.test.TriggerWithAlias"
    )


class _Sequential(Task):
    kind = TaskKind.FLOWABLE
    lists = ("tasks", "errors", "finally")
    has_timeout: ClassVar[bool] = False


class BadSequential(_Sequential):
    """A Sequential whose state cannot be worked out."""

    type: Literal["io.kestra.core.tasks.test.BadSequential"] = (
        "io.kestra.core.tasks.test.BadSequential"
    )


class DefaultSequential1(_Sequential):
    """A Sequential with an output."""

    type: Literal["io.kestra.core.runners.PluginDefaultsCaseTest$DefaultSequential1"] = (
        "io.kestra.core.runners.PluginDefaultsCaseTest$DefaultSequential1"
    )
    def_: Annotated[str | None, Read.TEXT] = Field(default=None, alias="def")


class DefaultSequential2(_Sequential):
    """The same."""

    type: Literal["io.kestra.core.runners.PluginDefaultsCaseTest$DefaultSequential2"] = (
        "io.kestra.core.runners.PluginDefaultsCaseTest$DefaultSequential2"
    )
    def_: Annotated[str | None, Read.TEXT] = Field(default=None, alias="def")


class DefaultSequential3(_Sequential):
    """The same."""

    type: Literal["io.kestra.core.runners.PluginDefaultsCaseTest$DefaultSequential3"] = (
        "io.kestra.core.runners.PluginDefaultsCaseTest$DefaultSequential3"
    )
    def_: Annotated[str | None, Read.TEXT] = Field(default=None, alias="def")


class BadExecutable(Task):
    """A Subflow that cannot take the result of its child."""

    kind = TaskKind.FLOWABLE

    type: Literal["io.kestra.core.tasks.test.BadExecutable"] = (
        "io.kestra.core.tasks.test.BadExecutable"
    )
    namespace: str
    flow_id: str
    wait: Annotated[bool, Read.STATIC] = True


class _BadSubflow(Subflow):
    def child_ended(self, task: Any, run: Any, state: Any) -> None:
        raise ValueError("An error!")


class _Bad(Decisions):
    def outcome(self, task: Any, run: Any, state: Any) -> Any:
        raise ValueError("BAM")


class _WithOutput(Decisions):
    def wants(self, task: Any) -> Any:
        return {"def": task.properties.get("def")} if task.properties.get("def") else {}

    def begin(self, task: Any, run: Any, now: Any) -> Any:
        begun = super().begin(task, run, now)
        return replace(begun, run=replace(begun.run, outputs=dict(run.evaluated)))


register(_TASKS + "BadSequential", _Bad())
register(_TASKS + "BadExecutable", _BadSubflow())
for _number in "123":
    register(f"{_RUNNERS}PluginDefaultsCaseTest$DefaultSequential{_number}", _WithOutput())
