"""Running a light task inside the fold: in its transaction, in some tens of microseconds.

Nothing is made before it is asked for. Whatever the task writes comes back as values: the fold
stores log lines before its transaction, keys and metrics in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

from pydantic import JsonValue

from runner.attempt import outcome
from runner.attempt.files import TaskFiles
from runner.attempt.kv import KvBuffer, TaskKv, buffered
from runner.attempt.logs import LineLog, error_lines, file_text
from runner.attempt.subject import Subject
from runner.engine.events import TaskFailed, TaskSucceeded
from runner.expressions import Context, render_value
from runner.model.directives import Directives
from runner.model.evolve import replace
from runner.model.execution import Execution, TaskRun
from runner.model.flow import Task
from runner.model.logs import LogLine
from runner.model.states import State
from runner.plugin import Identity, RunContext, TaskError
from runner.store.base import KvRow, Metric

if TYPE_CHECKING:
    from runner.runtime import Runtime


@dataclass(frozen=True, slots=True)
class InlineRun:
    """What came of it."""

    event: TaskSucceeded | TaskFailed
    lines: Sequence[LogLine] = ()
    kv_writes: Sequence[KvRow | tuple[str, str]] = ()
    metrics: Sequence[Metric] = field(default=())


def run_inline(
    runtime: Runtime,
    execution: Execution,
    run: TaskRun,
    task: Task,
    context: Context,
    kv: KvBuffer,
    *,
    attempt: int,
    now: datetime,
) -> InlineRun:
    """Run one attempt; a failure is a result, never raised.

    *context* is what its expressions see; *kv* is shared by all tasks of one fold, so that each
    sees the writes of those before it.
    """
    ctx = InlineContext(runtime, Subject(execution, run, task, attempt), context, kv)
    span = outcome.Span(run.id, attempt, now)
    max_bytes = runtime.settings.limits.outputs_bytes
    written = len(kv.writes)
    event: TaskSucceeded | TaskFailed
    try:
        given = runtime.registry.build(task, ctx.render_as).run(cast(RunContext, ctx))
        directives = given if isinstance(given, Directives) else None
        outputs = None if directives else given
        event = outcome.succeeded(span, outputs, runtime.clock.now(), max_bytes)
        if directives:
            event = replace(event, directives=directives)
    except Exception as exc:  # noqa: BLE001 - whatever a task raises is its failure
        event = outcome.failed(span, exc, runtime.clock.now(), max_bytes)
        error_lines(ctx.log, event.message, outcome.trace_of(exc))
    if ctx.made:
        event = replace(event, made=tuple(ctx.made))
    if task.log_to_file:
        event = replace(event, log_file=ctx.log_file())
    lines = () if task.log_to_file else ctx.lines
    return InlineRun(event, lines, kv.writes[written:], ctx.metrics)


class InlineContext:
    """The world of a light task: a `runner.plugin.RunContext` without files and waiting."""

    __slots__ = (
        "_identity",
        "_kv",
        "_log",
        "_runtime",
        "_subject",
        "context",
        "kv_rows",
        "made",
        "metrics",
    )

    deadline: datetime | None = None
    stopping = False

    def __init__(
        self, runtime: Runtime, subject: Subject, context: Context, kv_rows: KvBuffer
    ) -> None:
        self._runtime = runtime
        self._subject = subject
        self.context = context
        self.kv_rows = kv_rows
        self.metrics: list[Metric] = []
        self.made: list[Mapping[str, Any]] = []
        self._identity: Identity | None = None
        self._log: LineLog | None = None
        self._kv: TaskKv | None = None

    @property
    def identity(self) -> Identity:
        if self._identity is None:
            self._identity = self._subject.identity()
        return self._identity

    @property
    def log(self) -> LineLog:
        if self._log is None:
            runtime, subject = self._runtime, self._subject
            limit = runtime.settings.limits.log_bytes
            self._log = LineLog(
                subject.line(), runtime.mask, runtime.clock, subject.task.log_level, limit
            )
        return self._log

    @property
    def lines(self) -> Sequence[LogLine]:
        """The lines that were written."""
        return self._log.lines if self._log is not None else ()

    def log_file(self) -> str:
        """Store the lines as a file; returns its URI."""
        files = TaskFiles(self._runtime, self._subject)
        return files.put(file_text(self.lines), f"attempt-{self._subject.attempt}.log")

    @property
    def kv(self) -> TaskKv:
        if self._kv is None:
            namespace = self._subject.execution.namespace
            self._kv = buffered(self.kv_rows, namespace, self._runtime.clock)
        return self._kv

    @property
    def variables(self) -> Mapping[str, Any]:
        return self.context.variables

    def render_as(self, value: JsonValue, typed: bool) -> Any:
        """Render for the registry."""
        return render_value(value, self.context, typed=typed)

    def render(
        self, value: JsonValue, *, typed: bool = False, extra: Mapping[str, Any] | None = None
    ) -> Any:
        return render_value(value, with_extra(self.context, extra), typed=typed)

    def add_run(
        self,
        task_id: str,
        *,
        state: State = State.SUCCESS,
        value: str | None = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        shown = {"task_id": task_id, "state": str(state), "value": value, "outputs": outputs}
        self.made.append({name: each for name, each in shown.items() if each is not None})

    def sealed(self, text: str) -> Mapping[str, str]:
        self._runtime.mask.add(text)
        return self._runtime.seal.close_output(text)

    def metric(
        self, name: str, kind: str, value: float, tags: Mapping[str, str] | None = None
    ) -> None:
        subject = self._subject
        self.metrics.append(
            Metric(
                subject.execution.id,
                subject.run.id,
                subject.attempt,
                len(self.metrics),
                subject.task.id,
                name,
                kind,
                value,
                self._runtime.clock.now(),
                tags or {},
            )
        )

    def on_stop(self, action: Any) -> AbstractContextManager[None]:
        return nullcontext()

    def setting(self, name: str) -> Any:
        _refuse("settings")

    def build(self, raw: Mapping[str, Any]) -> Any:
        _refuse("another task")

    @property
    def server(self) -> Any:
        _refuse("what is beyond its execution")

    @property
    def files(self) -> Any:
        _refuse("files")

    @property
    def namespace_files(self) -> Any:
        _refuse("namespace files")

    @property
    def working_dir(self) -> Path:
        _refuse("a working directory")

    def sleep(self, duration: timedelta) -> None:
        _refuse("waiting")

    def environment(self) -> Mapping[str, str]:
        _refuse("the environment")

    def spawn_marker(self, marker: str) -> None:
        _refuse("anything outside")


def with_extra(context: Context, extra: Mapping[str, Any] | None) -> Context:
    """Return the context with more variables on top."""
    if not extra:
        return context
    return Context({**context.variables, **extra}, context.world, context.settings)


def _refuse(what: str) -> NoReturn:
    raise TaskError(f"a task that runs inside the fold cannot use {what}")
