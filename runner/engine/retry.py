"""Whether and when a failed attempt is made again (execution-semantics §8.3)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.model.execution import Attempt, Execution, TaskRun
from runner.model.flow import Flow, Retry
from runner.model.states import State


@dataclass(frozen=True, slots=True)
class NextAttempt:
    """When: at a moment, or at a random one before *until*."""

    at: datetime
    until: datetime | None = None


def policy(flow: Flow, task_id: str) -> Retry | None:
    """Return the retry that holds for a task: its own, the nearest ancestor's, or the flow's.

    A task whose failure is allowed has no other than its own: its failure is none to them.
    """
    place = flow.places[task_id]
    if place.task.retry or place.task.allow_failure:
        return place.task.retry
    parent = place.parent
    while parent is not None:
        if parent.retry:
            return parent.retry
        parent = flow.places[parent.id].parent
    return flow.retry


def counted(attempts: tuple[Attempt, ...]) -> tuple[Attempt, ...]:
    """Return the attempts without those that were lost with their worker."""
    return tuple(attempt for attempt in attempts if attempt.state is not State.RESUBMITTED)


def next_attempt(retry: Retry, run: TaskRun, now: datetime) -> NextAttempt | None:
    """Return when the next attempt starts, or None when the retries are over."""
    attempts = counted(run.attempts)
    first = attempts[0].history[0][1] if attempts else run.history[0][1]
    return _next(retry, len(attempts), first, now)


def next_execution(retry: Retry, execution: Execution, now: datetime) -> NextAttempt | None:
    """The same for ``CREATE_NEW_EXECUTION``: executions count, from the first one on."""
    first = execution.original_created_at or execution.created_at
    return _next(retry, execution.attempt_number, first, now)


def _next(retry: Retry, number: int, first: datetime, now: datetime) -> NextAttempt | None:
    if retry.max_attempts is not None and number >= retry.max_attempts:
        return None
    following = _after(retry, max(1, number), now)
    if retry.max_duration is not None and following.at > first + retry.max_duration:
        return None
    return following


def _after(retry: Retry, number: int, now: datetime) -> NextAttempt:
    match retry.type:
        case "constant":
            return NextAttempt(now + retry.interval)
        case "exponential":
            longest = retry.max_interval or timedelta(days=1)
            return NextAttempt(now + _exponential(retry, number, longest))
        case "random":
            shortest = retry.min_interval or timedelta(0)
            return NextAttempt(now + shortest, now + (retry.max_interval or shortest))


def _exponential(retry: Retry, number: int, longest: timedelta) -> timedelta:
    """min(interval · factor^(n-1), longest), without overflow for large n."""
    wait = retry.interval
    for _ in range(number - 1):
        if wait >= longest:
            break
        wait = wait * retry.delay_factor
    return min(wait, longest)
