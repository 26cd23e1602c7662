"""One attempt at work: the task is built, run under its timeout, and its end told as an event."""

from __future__ import annotations

from datetime import timedelta
from typing import cast

from runner import durations
from runner.attempt import outcome
from runner.attempt.caching import OutputCache
from runner.attempt.context import AttemptContext
from runner.attempt.control import AttemptControl, Reason
from runner.attempt.logs import error_lines
from runner.attempt.subject import Subject
from runner.engine.events import TaskFailed
from runner.model.states import State
from runner.plugin import RunContext, TaskError
from runner.runtime import Runtime


def run_task(
    runtime: Runtime,
    ctx: AttemptContext,
    subject: Subject,
    control: AttemptControl,
    span: outcome.Span,
) -> outcome.End:
    """Run a task to its end, however it ends; nothing is raised for what it does."""
    timeout: timedelta | None = None
    max_bytes = runtime.settings.limits.outputs_bytes
    try:
        timeout = _timeout(subject, ctx)
        if timeout is not None:
            ctx.deadline = runtime.clock.now() + timeout
        cache = OutputCache(runtime, subject, ctx) if subject.task.cache else None
        if cache is not None and (known := cache.find()) is not None:
            ctx.log.debug("The outputs are those of an earlier run")
            return outcome.cached(span, known, runtime.clock.now())
        with control.limited_to(timeout):
            task = runtime.registry.build(subject.task, ctx.render_as)
            given = task.run(cast(RunContext, ctx))
        ended = outcome.succeeded(span, given, runtime.clock.now(), max_bytes)
        if cache is not None and ended.state in (State.SUCCESS, State.WARNING):
            cache.keep(ended)
        return ended
    except Exception as exc:  # noqa: BLE001 - whatever a task raises is its failure
        now = runtime.clock.now()
        if control.reason is None:
            event: outcome.End = outcome.failed(span, exc, now, max_bytes)
            error_lines(ctx.log, outcome.reason_of(exc), outcome.trace_of(exc))
            return event
        event = outcome.stopped(span, control.reason, now, timeout)
        if control.reason is Reason.TIMEOUT and isinstance(event, TaskFailed):
            error_lines(ctx.log, event.message)
        return event


def _timeout(subject: Subject, ctx: AttemptContext) -> timedelta | None:
    written = subject.task.timeout
    if written is None:
        return None
    text = str(ctx.render(written)).strip()
    try:
        return durations.parse(text) if text else None
    except ValueError as exc:
        raise TaskError(f"timeout: {exc}") from exc
