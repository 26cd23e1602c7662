"""From what a task gave back or raised to the event that the engine hears."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import orjson
from pydantic import BaseModel

from runner import durations
from runner.attempt.control import Reason
from runner.engine.events import TaskFailed, TaskKilled, TaskSucceeded
from runner.errors import HeadraceError, TooLarge
from runner.model.nulls import without_nulls
from runner.model.states import State
from runner.plugin import Outputs, TaskError

End = TaskSucceeded | TaskFailed | TaskKilled


@dataclass(frozen=True, slots=True)
class Span:
    """Which attempt, where it ran, and when."""

    task_run_id: str
    attempt: int
    started_at: datetime
    worker_id: str | None = None


def succeeded(span: Span, given: Any, ended_at: datetime, max_bytes: int) -> TaskSucceeded:
    """Return the event of a normal end.

    Raises:
        TooLarge, TaskError: what it gave back is no outputs.
    """
    return TaskSucceeded(
        span.task_run_id,
        span.attempt,
        outputs=as_data(given, max_bytes),
        state=given.ended if isinstance(given, Outputs) else State.SUCCESS,
        started_at=span.started_at,
        ended_at=ended_at,
        worker_id=span.worker_id,
    )


def cached(span: Span, outputs: Mapping[str, Any], ended_at: datetime) -> TaskSucceeded:
    """Return the event of a task that need not run again."""
    return TaskSucceeded(
        span.task_run_id,
        span.attempt,
        outputs=outputs,
        started_at=span.started_at,
        ended_at=ended_at,
        worker_id=span.worker_id,
    )


def failed(span: Span, exc: BaseException, ended_at: datetime, max_bytes: int) -> TaskFailed:
    """Return the event of a failure, with the outputs that it kept."""
    outputs = getattr(exc, "outputs", None) if isinstance(exc, TaskError) else None
    try:
        kept = as_data(outputs, max_bytes) if outputs is not None else None
    except HeadraceError:
        kept = None
    return TaskFailed(
        span.task_run_id,
        span.attempt,
        message=reason_of(exc),
        outputs=kept,
        started_at=span.started_at,
        ended_at=ended_at,
        worker_id=span.worker_id,
    )


def stopped(
    span: Span, reason: Reason, ended_at: datetime, timeout: timedelta | None
) -> TaskFailed | TaskKilled:
    """Return the event of an attempt that was told to end."""
    if reason is Reason.KILL:
        return TaskKilled(span.task_run_id, span.attempt, span.started_at, ended_at, span.worker_id)
    is_timeout = reason is Reason.TIMEOUT
    return TaskFailed(
        span.task_run_id,
        span.attempt,
        message=f"Timeout after {durations.clock_text(timeout or timedelta())}"
        if is_timeout
        else "Its worker was shut down",
        lost=not is_timeout,
        handed_back=not is_timeout,
        started_at=span.started_at,
        ended_at=ended_at,
        worker_id=span.worker_id,
    )


def as_data(given: Any, max_bytes: int) -> Mapping[str, Any]:
    """Return outputs as plain data under the names that flows use; entries that are null are left
    out of every map, so that `??` and `is defined` tell them from values.

    Raises:
        TooLarge: with the size and what to do. TaskError: they are no outputs.
    """
    if given is None:
        return {}
    if not isinstance(given, BaseModel):
        raise TaskError(f"the task gave back a {type(given).__name__} instead of outputs")
    data = given.model_dump(mode="json", by_alias=True)
    if not data:
        return data
    packed = _packed(data)
    size = len(packed)
    if size > max_bytes:
        raise TooLarge(
            f"the outputs have {size} bytes, more than the limit of {max_bytes}: "
            "write large data to a file and give back its URI"
        )
    if b":null" not in packed or (isinstance(given, Outputs) and given.keeps_nulls):
        return data
    kept: Mapping[str, Any] = without_nulls(data)
    return kept


def reason_of(exc: BaseException) -> str:
    """Return what an error says to people."""
    if isinstance(exc, HeadraceError):
        return exc.message
    return f"{type(exc).__name__}: {exc}" if str(exc) else type(exc).__name__


def trace_of(exc: BaseException) -> str | None:
    """Return the stack trace of an error that is not one of ours."""
    if isinstance(exc, HeadraceError):
        return None
    return "".join(traceback.format_exception(exc)).rstrip()


def _packed(data: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(data)
    except TypeError as exc:
        raise TaskError(f"the outputs are no plain data: {exc}") from exc
