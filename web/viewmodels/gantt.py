"""Task runs on a time axis: queue a line, run a block, wait for a retry dotted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from runner.model.execution import Attempt, TaskRun
from runner.model.flow import Flow, Task
from runner.model.states import State
from web.viewmodels import parts, words

_STEPS = (0.1, 0.25, 0.5, 1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200)
_MOST_ROWS = 40
_MOST_CHILDREN = 12
_THIN = 0.4


@dataclass(frozen=True, slots=True)
class Bar:
    """A part of a row, in per cent of the axis. *kind*: q, r, w, g (group) or t (text)."""

    kind: str
    x: str
    width: str
    end: str
    family: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True)
class GanttRow:
    """One task run, or a task that was not reached, or what was folded away."""

    key: str  # task run id; empty if there is none
    name: str
    value: str
    depth: str
    state: words.Shown
    word: str
    took: words.Took
    bars: tuple[Bar, ...]
    said: str
    href: str
    picked: bool = False
    reached: bool = True


@dataclass(frozen=True, slots=True)
class Gantt:
    """All rows and the axis."""

    rows: tuple[GanttRow, ...]
    ticks: tuple[str, ...]
    said: str


@dataclass(frozen=True, slots=True)
class Axis:
    """Where time lies: begin, and seconds from edge to edge."""

    start: datetime
    span: float

    def at(self, moment: datetime) -> float:
        """Return the place of a moment in per cent."""
        place: float = 100 * ((moment - self.start) / timedelta(seconds=1)) / self.span
        return min(max(place, 0.0), 100.0)


def gantt(
    runs: Sequence[TaskRun],
    flow: Flow | None,
    *,
    start: datetime,
    end: datetime | None,
    now: datetime,
    address: str,
    picked: str | None = None,
) -> Gantt:
    """Return the rows in the order of the flow's tree; what ended before *start* was reused."""
    step = _step((end or now) - start)
    axis = Axis(start, 4 * step)
    children = _by_parent(runs)
    drawn = _Drawn(axis, children, now, address, picked, len(runs) > _MOST_ROWS)
    rows = [row for run in children.get(None, ()) for row in drawn.rows(run, 0)]
    reached = {run.task_id for run in runs}
    if flow is not None and len(rows) < _MOST_ROWS:
        rows += [_unreached(task) for task in flow.enabled("tasks") if task.id not in reached]
    ticks = tuple(_tick(step * index) for index in range(4))
    return Gantt(tuple(rows), ticks, f"Task runs on a time axis of {_tick(4 * step)}")


@dataclass(frozen=True)
class _Drawn:
    axis: Axis
    children: Mapping[str | None, Sequence[TaskRun]]
    now: datetime
    address: str
    picked: str | None
    is_large: bool

    def rows(self, run: TaskRun, depth: int) -> list[GanttRow]:
        """Return a run's row and those below it."""
        below = self.children.get(run.id, ())
        found = [self._row(run, depth)]
        if self.is_large and len(below) > _MOST_CHILDREN:
            kept = _telling(below)
            found += [row for child in kept for row in self.rows(child, depth + 1)]
            found.append(self._folded(run, below, kept, depth + 1))
        else:
            found += [row for child in below for row in self.rows(child, depth + 1)]
        return found

    def _row(self, run: TaskRun, depth: int) -> GanttRow:
        state = words.shown(run.state)
        is_reused = _is_reused(run, self.axis.start)
        return GanttRow(
            key=run.id,
            name=run.task_id,
            value=_short_value(run),
            depth=f"d{min(depth, 4)}" if depth else "",
            state=state,
            word=state.word,
            took=words.Took("reused") if is_reused else self._took(run),
            bars=() if is_reused else self._bars(run),
            said="reused from the run before" if is_reused else _said(run, self.now),
            href=f"{self.address}?task={run.id}",
            picked=run.id == self.picked,
        )

    def _took(self, run: TaskRun) -> words.Took:
        if run.state.is_created or run.state is State.SUBMITTED:
            return words.Took("–")
        start = _started(run, self.axis.start)
        end = parts.ended_at(run)
        return words.Took(words.seconds(end - start)) if end else words.took(start, None, self.now)

    def _bars(self, run: TaskRun) -> tuple[Bar, ...]:
        if not parts.is_leaf(run) or not run.attempts:
            return self._whole(run)
        found: list[Bar] = []
        before = max(run.history[0][1], self.axis.start)
        for attempt in run.attempts:
            start, end = _ran(attempt)
            if end is not None and end < self.axis.start:
                continue
            kind = "w" if found else "q"
            if start > before:
                found.append(self._bar(kind, before, start))
            family = words.family(attempt.state if end else run.state)
            found.append(self._bar("r", start, end or self.now, family))
            before = end or self.now
        if run.state is State.RETRYING:
            found.append(self._bar("w", before, self.now))
        if sum(bar.kind == "r" for bar in found) > 1:
            found.append(self._text(before, f"{_ordinal(len(run.attempts))} try"))
        return tuple(found)

    def _whole(self, run: TaskRun) -> tuple[Bar, ...]:
        """A task without attempts: a group, or one that runs in the fold itself."""
        start, end = run.history[0][1], parts.ended_at(run) or self.now
        if not parts.is_leaf(run):
            return (self._bar("g", start, end),)
        if run.state.is_created or run.state is State.SUBMITTED:
            return (self._bar("q", start, end),)
        start = _started(run, self.axis.start)
        return (self._bar("r", start, end, words.family(run.state)),)

    def _bar(self, kind: str, start: datetime, end: datetime, family: str = "idle") -> Bar:
        x, to = self.axis.at(start), self.axis.at(end)
        x = min(x, 100 - _THIN)
        return Bar(kind, f"{x:.2f}%", f"{max(to - x, _THIN):.2f}%", f"{to:.2f}%", family)

    def _text(self, at: datetime, text: str) -> Bar:
        x = self.axis.at(at)
        return Bar("t", f"{x:.2f}%", "", "", text=text) if x < 85 else Bar("t", "0%", "", "")

    def _folded(
        self, run: TaskRun, below: Sequence[TaskRun], kept: Sequence[TaskRun], depth: int
    ) -> GanttRow:
        done = sum(1 for child in below if child.state.is_terminal)
        text = f"{words.number(done)} of {words.number(len(below))} ended"
        starts = min(child.history[0][1] for child in below)
        ends = max(child.history[-1][1] for child in below)
        return GanttRow(
            key="",
            name=f"{words.number(len(below) - len(kept))} more",
            value="",
            depth=f"d{min(depth, 4)}",
            state=words.shown(run.state),
            word="Folded",
            took=words.Took(""),
            bars=(self._bar("g", starts, ends),),
            said=text,
            href=f"{self.address}/logs",
        )


def _telling(below: Sequence[TaskRun]) -> Sequence[TaskRun]:
    """The children that are worth a row: failed, then running, then the first."""
    ranked = sorted(below, key=lambda run: (run.state is not State.FAILED, run.state.is_terminal))
    return sorted(ranked[: _MOST_CHILDREN - 1], key=lambda run: run.sequence)


def _by_parent(runs: Sequence[TaskRun]) -> dict[str | None, list[TaskRun]]:
    found: dict[str | None, list[TaskRun]] = {}
    for run in sorted(runs, key=lambda run: run.sequence):
        found.setdefault(run.parent_id, []).append(run)
    return found


def _unreached(task: Task) -> GanttRow:
    return GanttRow(
        key="",
        name=task.id,
        value="",
        depth="",
        state=words.shown(State.CREATED),
        word="Not reached",
        took=words.Took("–"),
        bars=(),
        said="not reached",
        href="",
        reached=False,
    )


def _is_reused(run: TaskRun, begin: datetime) -> bool:
    return run.state.is_terminal and run.history[-1][1] < begin


def _short_value(run: TaskRun) -> str:
    if run.value is None:
        return ""
    return run.value if len(run.value) <= 40 else run.value[:39] + "…"


def _started(run: TaskRun, since: datetime) -> datetime:
    """When it was first running, or else when it was made; nothing before *since* counts."""
    running = (at for state, at in run.history if state is State.RUNNING and at >= since)
    return next(running, max(run.history[0][1], since))


def _ran(attempt: Attempt) -> tuple[datetime, datetime | None]:
    start = next(
        (at for state, at in attempt.history if state is State.RUNNING), attempt.history[0][1]
    )
    end = attempt.history[-1][1] if attempt.state.is_terminal else None
    return start, end


def _said(run: TaskRun, now: datetime) -> str:
    if not run.attempts:
        return f"{words.shown(run.state).word.lower()}"
    said = []
    before = run.history[0][1]
    for index, attempt in enumerate(run.attempts):
        start, end = _ran(attempt)
        if start > before:
            said.append(f"{'waited' if index else 'queued'} {words.seconds(start - before)}")
        ran = words.seconds((end or now) - start)
        said.append(f"ran {ran}, {words.shown(attempt.state).word.lower()}")
        before = end or now
    return ", ".join(said)


def _step(span: timedelta) -> float:
    wanted = max(span.total_seconds(), 0.05) / 4
    for step in _STEPS:
        if wanted <= step:
            return step
    hours = int(wanted // 3600) + 1
    return hours * 3600.0


def _tick(value: float) -> str:
    if value < 60:
        return f"{value:g} s"
    return words.clock(timedelta(seconds=value))


def _ordinal(count: int) -> str:
    return f"{count}{ {1: 'st', 2: 'nd', 3: 'rd'}.get(count if count < 20 else count % 10, 'th') }"
