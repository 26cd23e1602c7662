"""Parts that several pages show: commit chips, task strips, sparks, triggers, tabs."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby, pairwise

from runner.model.execution import Execution, StartedBy, TaskRun
from runner.model.states import State
from runner.store.base import CommitRow
from web.viewmodels import words

_MOST_PARTS = 12
_LONGEST_MESSAGE = 100


@dataclass(frozen=True, slots=True)
class Rect:
    """A box in per cent of a chart."""

    family: str
    x: str
    y: str
    width: str
    height: str


@dataclass(frozen=True, slots=True)
class Chart:
    """Boxes, and what they say in words."""

    rects: tuple[Rect, ...]
    label: str


@dataclass(frozen=True, slots=True)
class Chip:
    """A commit: seven digits, the whole id, and what is known of it."""

    short: str
    sha: str
    href: str
    message: str = ""
    author: str = ""


@dataclass(frozen=True, slots=True)
class TriggerShown:
    """What started something, as an icon and a text."""

    icon: str
    text: str


@dataclass(frozen=True, slots=True)
class Tab:
    """A tab, which is an address."""

    key: str
    name: str
    href: str
    count: str = ""
    current: bool = False


def chip(sha: str | None, commit: CommitRow | None = None) -> Chip | None:
    """Return the chip of a commit."""
    if not sha:
        return None
    href = f"/commits/{words.short(sha)}"
    if commit is None:
        return Chip(words.short(sha), sha, href)
    message = words.first_line(commit.message)[:_LONGEST_MESSAGE]
    return Chip(words.short(sha), sha, href, message, commit.author)


_ICONS = {"Commit": "branch", "Schedule": "clock", "Webhook": "hook", "Flow": "flow"}


def trigger(started_by: StartedBy | None, labels: Iterable[tuple[str, str]] = ()) -> TriggerShown:
    """Return what started an execution."""
    if dict(labels).get("system.replay") == "true":
        return TriggerShown("replay", "replay")
    if started_by is None:
        origin = dict(labels).get("system.from")
        return TriggerShown("api", "API") if origin == "api" else TriggerShown("hand", "by hand")
    name = started_by.type.rpartition(".")[2]
    if name == "Commit":
        return TriggerShown("branch", _ref(started_by))
    return TriggerShown(_ICONS.get(name, "flow"), started_by.id)


def _ref(started_by: StartedBy) -> str:
    ref = str(started_by.variables.get("ref") or started_by.variables.get("branch") or "")
    return ref.removeprefix("refs/heads/").removeprefix("refs/tags/") or started_by.id


def is_leaf(run: TaskRun) -> bool:
    """Whether a task run does work itself, rather than hold others."""
    return run.scope is None


def ended_at(run: TaskRun) -> datetime | None:
    """Return when a task run ended; None while it goes on."""
    return run.history[-1][1] if run.state.is_terminal else None


def began(execution: Execution) -> datetime:
    """Return when it began, or began again: a replay carries the history of what it repeats."""
    steps = pairwise(execution.history)
    again = [
        at for (before, _), (state, at) in steps if before.is_terminal and not state.is_terminal
    ]
    return again[-1] if again else execution.created_at


def end_of(execution: Execution) -> datetime | None:
    """Return when an execution ended; None while it goes on."""
    return execution.history[-1][1] if execution.state.is_terminal else None


def strip(execution: Execution, runs: Sequence[TaskRun], now: datetime) -> Chart:
    """Return the task strip of an execution: parts in order, width by duration."""
    leaves = [run for run in runs if is_leaf(run)]
    if not leaves:
        rect = Rect(words.family(execution.state), "0", "30", "100", "40")
        return Chart((rect,), f"Tasks: {words.shown(execution.state).word.lower()}")
    drawn = _few([(run.state, _weight(run, now)) for run in leaves])
    total = sum(weight for _, weight in drawn)
    rects = []
    x = 0.0
    for state, weight in drawn:
        width = 100 * weight / total
        rects.append(_part(state, x, width))
        x += width
    return Chart(tuple(rects), f"Tasks: {_counted(run.state for run in leaves)}")


def _weight(run: TaskRun, now: datetime) -> float:
    span = (ended_at(run) or now) - run.history[0][1]
    seconds: float = max(span / timedelta(seconds=1), 0.05)
    return math.sqrt(seconds) + 0.3


def _few(drawn: list[tuple[State, float]]) -> list[tuple[State, float]]:
    """Neighbours of one state become one part where there are too many; the last of them stay."""
    if len(drawn) <= _MOST_PARTS:
        return drawn
    joined = [
        (state, sum(weight for _, weight in each))
        for state, each in groupby(drawn, key=lambda part: part[0])
    ]
    return joined[-_MOST_PARTS:]


def _part(state: State, x: float, width: float) -> Rect:
    is_short = state in (State.SKIPPED, State.CREATED, State.QUEUED, State.CANCELLED)
    y, height = ("30", "40") if is_short else ("0", "100")
    family = words.family(state) + (" low" if is_short else "")
    return Rect(family, f"{x:.0f}", y, f"{max(width - 1.2, 1):.0f}", height)


def spark(executions: Sequence[Execution], now: datetime) -> Chart:
    """Return up to twenty runs, the newest on the right, height by duration."""
    shown = list(reversed(executions[:20]))
    spans = [((end_of(each) or now) - began(each)) / timedelta(seconds=1) for each in shown]
    longest = max(spans, default=1.0) or 1.0
    rects = []
    for index, (each, span) in enumerate(zip(shown, spans, strict=True)):
        height = 18 + 82 * min(span / longest, 1.0)
        x = (20 - len(shown) + index) * 5
        rects.append(
            Rect(words.family(each.state), f"{x}", f"{100 - height:.0f}", "3.6", f"{height:.0f}")
        )
    label = f"Last {words.many(len(shown), 'run')}: {_counted(each.state for each in shown)}"
    return Chart(tuple(rects), label)


def usual(executions: Sequence[Execution]) -> timedelta | None:
    """Return the middle duration of the runs that ended well."""
    spans = sorted(
        end - began(each)
        for each in executions
        if each.state in (State.SUCCESS, State.WARNING) and (end := end_of(each))
    )
    return spans[len(spans) // 2] if spans else None


def _counted(states: Iterable[State]) -> str:
    counts = Counter(words.shown(state).word.lower() for state in states)
    return ", ".join(f"{count} {word}" for word, count in counts.items())
