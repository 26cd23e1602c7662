"""Live views: one reader per process looks at the rows and feeds every stream and every `wait`.

It looks only while somebody follows something. Handlers' threads wait for it, at most `max_streams`
of them; they hold no database connection. Frames come at most twice a second.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Condition, Thread
from typing import Any

import structlog

from runner.errors import HeadraceError, NotFound
from runner.model.execution import Execution
from runner.model.logs import Level, LogLine
from runner.services import shapes
from runner.services.bundle import Services
from web.connection import IsGone
from web.refusals import TooBusy
from web.respond import json_bytes

log = structlog.get_logger(__name__)

FRAME_SECONDS = 0.5
PING_SECONDS = 15.0
_PACES = ((0.1, 0.002), (0.5, 0.005), (2.0, 0.02))
"""Up to which age of a watch (seconds) it is looked at how often: short runs end soon."""
_CALM_SECONDS = 0.1
_SHARE = 3  # the reader rests this many times as long as it has looked
_KEPT_LINES = 5_000
_AT_ONCE = 1_000
_LONGEST_WAIT = 3600.0


@dataclass(frozen=True, slots=True)
class Frame:
    """One event: Kestra's clients read its name from ``id``. A ping has neither name nor data."""

    name: str = ""
    data: bytes = b"{}"

    def kestra(self) -> bytes:
        """The frame as Kestra sends it: no ``event`` field (it breaks clients)."""
        if not self.name:
            return b": ping\n\n"
        return b"id: " + self.name.encode() + b"\ndata: " + self.data + b"\n\n"

    def named(self) -> bytes:
        """The frame with an ``event`` field, as the dashboard wants it."""
        if not self.name:
            return b": ping\n\n"
        return b"event: " + self.name.encode() + b"\n" + self.kestra()


@dataclass
class _Watch:
    """What is known of one followed execution. Changed by the reader, under the condition."""

    execution_id: str
    since: float
    look_at: float = 0.0  # not before
    followers: int = 0
    with_runs: int = 0  # followers that want whole executions
    with_lines: int = 0  # followers that want log lines
    head: Execution | None = None
    data: bytes = b"{}"
    changes: int = 0  # counts frames
    shown_at: float = 0.0
    shown_version: int = -1
    lines: list[LogLine] = field(default_factory=list)
    dropped: int = 0  # lines that are no longer kept
    cursor: dict[tuple[str, int], int] = field(default_factory=dict)
    is_drained: bool = False  # no line came after the end
    is_gone: bool = False  # it was deleted

    @property
    def is_over(self) -> bool:
        return self.is_gone or (self.head is not None and self.head.fully_ended)


class Streams:
    """The reader and those who follow it."""

    def __init__(
        self,
        services: Services,
        *,
        most: int,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._services = services
        self._most = most
        self.is_stopping = is_stopping
        self._watches: dict[str, _Watch] = {}
        self._condition = Condition()
        self._thread: Thread | None = None
        self._open = 0

    # ── for handlers

    def wait_for_end(
        self,
        execution_id: str,
        seconds: float = _LONGEST_WAIT,
        *,
        is_gone: IsGone = lambda: False,
    ) -> Execution:
        """Return the execution once it has ended, or as it is when the time is over.

        *is_gone* says that nobody waits any more.

        Raises:
            NotFound: there is no such execution. TooBusy.
        """
        until = time.monotonic() + min(seconds, _LONGEST_WAIT)
        with self._follow(execution_id) as watch, self._condition:
            while not watch.is_over and not self.is_stopping():
                left = until - time.monotonic()
                if left <= 0 or is_gone():
                    break
                self._condition.wait(min(left, 1.0))
        return self._services.executions.head(execution_id)

    def follow_execution(
        self, execution_id: str, *, is_gone: IsGone = lambda: False
    ) -> Iterator[Frame]:
        """Yield ``start``, ``progress`` on each change, and ``end``; pings between them.

        The execution exists. Raises TooBusy with the first frame.
        """
        with self._follow(execution_id, runs=True) as watch:
            seen = 0
            name = "start"
            for frame_is_new in self._changes(
                watch,
                lambda: watch.changes != seen or watch.is_gone,  # noqa: B023
                is_gone,
            ):
                if not frame_is_new:
                    yield Frame()
                    continue
                with self._condition:
                    seen, data, is_over = watch.changes, watch.data, watch.is_over
                if is_over and name == "progress":
                    yield Frame("end", data)
                    return
                yield Frame(name, data)
                if is_over:
                    yield Frame("end", data)
                    return
                name = "progress"

    def follow_logs(
        self,
        execution_id: str,
        *,
        min_level: Level = Level.TRACE,
        is_gone: IsGone = lambda: False,
    ) -> Iterator[Frame | LogLine]:
        """Yield a frame ``start``, then lines, older ones first, and a frame ``end``."""
        with self._follow(execution_id, lines=True) as watch:
            yield Frame("start")
            seen: dict[tuple[str, int], int] = {}
            position = 0
            yield from self._caught_up(execution_id, seen, min_level)
            for has_news in self._changes(
                watch,
                lambda: _end_of(watch) > position or watch.is_drained,  # noqa: B023
                is_gone,
            ):
                if not has_news:
                    yield Frame()
                    continue
                with self._condition:
                    is_complete = position >= watch.dropped
                    fresh = list(watch.lines[max(0, position - watch.dropped) :])
                    position, is_drained = _end_of(watch), watch.is_drained
                if not is_complete:
                    yield from self._caught_up(execution_id, seen, min_level)
                yield from _new(fresh, seen, min_level)
                if is_drained:
                    yield Frame("end")
                    return

    @contextmanager
    def slot(self) -> Iterator[None]:
        """Count one more open stream, that of a page. Raises TooBusy."""
        with self._condition:
            if self._open >= self._most:
                raise TooBusy("too many streams and waiting requests are open; try again")
            self._open += 1
        try:
            yield
        finally:
            with self._condition:
                self._open -= 1

    # ── following

    @contextmanager
    def _follow(
        self, execution_id: str, *, runs: bool = False, lines: bool = False
    ) -> Iterator[_Watch]:
        with self._condition:
            if self._open >= self._most:
                raise TooBusy("too many streams and waiting requests are open; try again")
            self._open += 1
            watch = self._watches.get(execution_id)
            if watch is None:
                watch = self._watches[execution_id] = _Watch(execution_id, time.monotonic())
            watch.followers += 1
            watch.with_runs += runs
            watch.with_lines += lines
            if runs:
                watch.shown_version = -1
            self._start()
            self._condition.notify_all()
        try:
            yield watch
        finally:
            with self._condition:
                self._open -= 1
                watch.followers -= 1
                watch.with_runs -= runs
                watch.with_lines -= lines
                if not watch.followers:
                    self._watches.pop(execution_id, None)

    def _changes(
        self, watch: _Watch, has_news: Callable[[], bool], is_gone: IsGone
    ) -> Iterator[bool]:
        """Yield True at news, False every few seconds without.

        End when the server stops, or when nobody listens any more.
        """
        while not self.is_stopping():
            until = time.monotonic() + PING_SECONDS
            with self._condition:
                while not has_news() and not self.is_stopping():
                    left = until - time.monotonic()
                    if left <= 0 or is_gone():
                        break
                    self._condition.wait(min(left, 1.0))
                found = has_news()
            if (self.is_stopping() and not found) or is_gone():
                return
            yield found

    def _caught_up(
        self, execution_id: str, seen: dict[tuple[str, int], int], min_level: Level
    ) -> Iterator[LogLine]:
        """Lines that a slow follower has missed, from the store."""
        while lines := self._services.logs.tail(execution_id, seen):
            yield from _new(lines, seen, min_level)

    # ── the reader

    def _start(self) -> None:
        if self._thread is None or not self._thread.is_alive():
            self._thread = Thread(target=self._read, name="streams", daemon=True)
            self._thread.start()

    def _read(self) -> None:
        while not self.is_stopping():
            with self._condition:
                while not self._watches and not self.is_stopping():
                    self._condition.wait(1.0)
                watches = list(self._watches.values())
            started = time.monotonic()
            for watch in watches:
                if watch.look_at <= started:
                    self._look(watch)
                    watch.look_at = started + _pace(started - watch.since)
            self._rest(watches, time.monotonic() - started)
        with self._condition:
            self._condition.notify_all()

    def _rest(self, watches: Sequence[_Watch], looked: float) -> None:
        """Until the next look is due, or somebody new is there."""
        due = min((watch.look_at for watch in watches), default=0.0)
        time.sleep(_SHARE * looked)
        with self._condition:
            left = due - time.monotonic()
            if left > 0 and len(self._watches) == len(watches):
                self._condition.wait(left)

    def _look(self, watch: _Watch) -> None:
        try:
            self._look_at_execution(watch)
            if watch.with_lines:
                self._look_at_lines(watch)
        except NotFound:
            with self._condition:
                watch.is_gone = watch.is_drained = True
                self._condition.notify_all()
        except HeadraceError as exc:
            log.warning(
                "an execution could not be followed", action="follow_failed", error=exc.message
            )

    def _look_at_execution(self, watch: _Watch) -> None:
        head = self._services.executions.head(watch.execution_id)
        now = time.monotonic()
        was_over = watch.is_over
        is_due = now - watch.shown_at >= FRAME_SECONDS or head.fully_ended
        data = watch.data
        is_new = watch.with_runs > 0 and head.version != watch.shown_version and is_due
        if is_new:
            data = self._shape(head)
        if not is_new and was_over == head.fully_ended and watch.head is not None:
            watch.head = head
            return
        with self._condition:
            watch.head = head
            if is_new:
                watch.data, watch.shown_version, watch.shown_at = data, head.version, now
                watch.changes += 1
            self._condition.notify_all()

    def _look_at_lines(self, watch: _Watch) -> None:
        is_over = watch.is_over
        lines = self._services.logs.tail(watch.execution_id, watch.cursor, limit=_AT_ONCE)
        if not lines and (not is_over or watch.is_drained):
            return
        with self._condition:
            for line in lines:
                _advance(watch.cursor, line)
            watch.lines.extend(lines)
            surplus = len(watch.lines) - _KEPT_LINES
            if surplus > 0:
                del watch.lines[:surplus]
                watch.dropped += surplus
            watch.is_drained = is_over and not lines
            self._condition.notify_all()

    def _shape(self, head: Execution) -> bytes:
        runs = self._services.executions.runs_of([head.id]).get(head.id, ())
        shape = shapes.execution(head, runs, now=self._services.runtime.clock.now())
        return json_bytes(shape)


def log_frame(line: LogLine) -> Frame:
    """The frame of one log line."""
    return Frame("progress", json_bytes(shapes.log_line(line)))


def _pace(age: float) -> float:
    """How long until the next look at something of that age."""
    return next((pace for limit, pace in _PACES if age < limit), _CALM_SECONDS)


def _end_of(watch: _Watch) -> int:
    return watch.dropped + len(watch.lines)


def _new(lines: Any, seen: dict[tuple[str, int], int], min_level: Level) -> Iterator[LogLine]:
    """The lines that were not seen yet, and are loud enough."""
    for line in lines:
        if _advance(seen, line) and line.level.rank >= min_level.rank:
            yield line


def _advance(cursor: dict[tuple[str, int], int], line: LogLine) -> bool:
    """Move a cursor past a line; False if it was past it already."""
    key = (line.task_run_id or "", line.attempt)
    if line.number <= cursor.get(key, -1):
        return False
    cursor[key] = line.number
    return True
