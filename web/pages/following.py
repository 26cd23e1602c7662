"""What an open page follows: topics, each of which says what changed since it was asked last."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Protocol

import structlog
from flask import current_app, render_template

from runner.errors import HeadraceError, NotFound
from runner.model.execution import Execution, TaskRun
from runner.model.logs import LogLine
from runner.services.glances import ExecutionDetail
from runner.store.base import LogQuery
from web.context import now, services, web
from web.pages import execution as execution_pages
from web.pages import executions as history_pages
from web.pages import sources as source_pages
from web.pages.counts import Counts
from web.pages.rendering import dashboard, partial, zone
from web.pages.site import COUNTS
from web.viewmodels import history, log, pages, parts, shell
from web.viewmodels.query import parse

logger = structlog.get_logger(__name__)

LOOK_SECONDS = 0.25
PING_SECONDS = 15.0
_SLOW_SECONDS = 2.0
_SUMMARY_SECONDS = 5.0
_LARGE = 500  # task runs; beyond it a page changes less often
_MOST_TOPICS = 8
_BACKLOG = 200
_PAST = 10**9
_TICKING = re.compile(r'(data-since="[^"]*">)[^<]*')

Event = tuple[str, str]
"""Name and data."""


class Topic(Protocol):
    """One thing that is followed."""

    def look(self) -> Iterator[Event]:
        """Yield what changed since the last look; the first one yields what it must."""


def topics_of(text: str) -> Sequence[Topic]:
    """Return the topics of a request, one a line; unknown ones are left out."""
    found = []
    for line in text.splitlines()[:_MOST_TOPICS]:
        name, _, rest = line.partition(":")
        make = _TOPICS.get(name)
        if make is not None:
            found.append(make(rest))
    return found


def frames(topics: Sequence[Topic]) -> Iterator[bytes]:
    """Yield frames for as long as the page is open."""
    yield b"retry: 2000\n\n"
    said_at = time.monotonic()
    while not web().streams.is_stopping():
        for topic in topics:
            for name, data in _looked(topic):
                said_at = time.monotonic()
                yield _frame(name, data)
        if time.monotonic() - said_at > PING_SECONDS:
            said_at = time.monotonic()
            yield b": ping\n\n"
        time.sleep(LOOK_SECONDS)


def _looked(topic: Topic) -> Iterator[Event]:
    """What changed; trouble with one topic leaves the others."""
    try:
        yield from topic.look()
    except HeadraceError as exc:
        logger.warning("a topic could not be followed", action="topic_failed", error=exc.message)


def _frame(name: str, data: str) -> bytes:
    lines = "".join(f"data: {line}\n" for line in data.split("\n"))
    return f"event: {name}\n{lines}\n".encode()


class _Parts:
    """Parts of a page; those that look as before are not sent again."""

    def __init__(self) -> None:
        self._sent: dict[str, str] = {}

    def changed(self, made: Mapping[str, str]) -> Iterator[Event]:
        """Yield an event with the parts that changed, running clocks apart."""
        fresh = []
        for key, text in made.items():
            still = _TICKING.sub(r"\1", text)
            if self._sent.get(key) != still:
                self._sent[key] = still
                fresh.append(text)
        if fresh:
            yield "swap", "\n".join(fresh)


class _Head:
    """The state of the sources in the top bar."""

    def __init__(self, rest: str) -> None:
        self._parts = _Parts()
        self._looked_at = 0.0

    def look(self) -> Iterator[Event]:
        if time.monotonic() - self._looked_at < 1.0:
            return
        self._looked_at = time.monotonic()
        rows = _counts().shared("head", 1.0, lambda: dashboard().sources())
        made = {"head": shell.head(rows)}
        text = render_template("_head.html", shell=made).strip()
        yield from self._parts.changed({"head": text})


class _Executions:
    """The newest executions of a query: changed rows, how many newer ones, the last day."""

    def __init__(self, rest: str) -> None:
        self._newest, _, self._text = rest.partition(":")
        self._seen: dict[str, int] = {}
        self._is_first = True
        self._summed_at = time.monotonic()
        self._parts = _Parts()

    def look(self) -> Iterator[Event]:
        filter = parse(self._text, now()).filter
        heads: Sequence[Execution] = _counts().shared(
            ("heads", self._text), 0.5, lambda: dashboard().heads(filter, limit=history_pages.ROWS)
        )
        ids = [each.id for each in heads]
        newer = ids.index(self._newest) if self._newest in ids else len(ids)
        yield from self._rows(heads[newer:])
        yield from self._parts.changed({"newer": _newer(newer, len(ids), self._text)})
        if time.monotonic() - self._summed_at > _SUMMARY_SECONDS:
            self._summed_at = time.monotonic()
            day = history_pages.day(parse(self._text, now()), now())
            yield from self._parts.changed({"day": partial("_history.html", "summary", day)})

    def _rows(self, heads: Sequence[Execution]) -> Iterator[Event]:
        changed = [each for each in heads if self._seen.get(each.id) != each.version]
        if self._is_first:
            changed = [each for each in changed if not each.fully_ended]
            self._is_first = False
        self._seen.update({each.id: each.version for each in heads})
        if not changed:
            return
        found = dashboard().rows_of([each.id for each in changed])
        rows = [
            history.row(
                each, found.runs.get(each.id, ()), found.commits, now(), zone(), is_new=True
            )
            for each in found.executions
        ]
        made = {each.id: partial("_history.html", "row", each) for each in rows}
        yield from self._parts.changed(made)


def _newer(count: int, known: int, text: str) -> str:
    if not count:
        return '<div role="status" id="newer"></div>'
    more = "+" if count >= history_pages.ROWS else ""
    return partial("_live.html", "newer", f"{count}{more}", count == 1, history.address(text))


class _One:
    """One execution: header, road, notices, task runs."""

    def __init__(self, rest: str) -> None:
        given = (*rest.split(":", 4), "", "", "", "")
        self._id, version, self._tab, self._task, self._run = given[:5]
        self._version = int(version) if version.isdecimal() and len(version) < 10 else -1
        self._looked_at = time.monotonic()
        self._parts = _Parts()
        self._is_over = False

    def look(self) -> Iterator[Event]:
        if self._is_over:
            return
        head = _counts().shared(
            ("head", self._id), 0.2, lambda: services().executions.head(self._id)
        )
        if not self._is_due(head):
            return
        self._version, self._looked_at = head.version, time.monotonic()
        detail = dashboard().execution(self._id)
        yield from self._parts.changed(self._made(detail))
        if detail.execution.fully_ended:
            self._is_over = True
            yield "ended", execution_pages.header(detail, "").title

    def _is_due(self, head: Execution) -> bool:
        waited = time.monotonic() - self._looked_at
        if head.version != self._version:
            return waited > (_SLOW_SECONDS if head.sequence > _LARGE else LOOK_SECONDS / 2)
        return waited > _SLOW_SECONDS and head.sequence <= _LARGE

    def _made(self, detail: ExecutionDetail) -> Mapping[str, str]:
        tab = self._tab or "overview"
        if tab == "overview":
            model = execution_pages.overview(detail, self._task or None)
            made = {
                "notices": partial("_execution.html", "notices", model),
                "runs": partial("parts.html", "gantt_table", model.gantt),
            }
            if model.log.run != self._run or detail.execution.fully_ended:
                self._run = model.log.run  # another task run is shown, or nothing more to follow
                made["log"] = partial("_execution.html", "log_pane", model)
            top = model.header
        else:
            top = execution_pages.header(detail, tab)
            made = {}
            if tab == "gantt":
                gantt = pages.gantt_of(detail, now(), self._task or None, "/gantt")
                made["runs"] = partial("parts.html", "gantt_table", gantt, False)
            elif tab == "topology":
                graph = pages.topology_of(detail, now())
                made["topology"] = partial("_topology.html", "graph", graph)
        return {
            "top": partial("_execution.html", "top", top),
            "road": partial("_execution.html", "road", top),
            **made,
        }


class _Log:
    """New lines of one task run, or (``*``) of all of an execution."""

    def __init__(self, rest: str) -> None:
        self._id, _, self._run = rest.partition(":")
        self._cursor: dict[tuple[str, int], int] | None = None
        self._runs: dict[str, TaskRun] = {}

    def look(self) -> Iterator[Event]:
        lines: list[LogLine] = []
        if self._cursor is None:
            self._cursor = {}
            lines += self._backlog(self._cursor)
        lines += services().logs.tail(self._id, self._cursor, limit=500)
        for line in lines:
            key = (line.task_run_id or "", line.attempt)
            self._cursor[key] = max(line.number, self._cursor.get(key, -1))
        shown = [
            line for line in lines if self._run == "*" or self._run == (line.task_run_id or "")
        ]
        if shown:
            yield "lines", self._rendered(shown)

    def _backlog(self, cursor: dict[tuple[str, int], int]) -> Sequence[LogLine]:
        """The last lines of what goes on; what has ended was shown with the page."""
        self._runs = {run.id: run for run in services().executions.get(self._id).runs}
        found: list[LogLine] = []
        for run in self._runs.values():
            for attempt in range(len(run.attempts)):
                if run.state.is_terminal:
                    cursor[run.id, attempt] = _PAST
            if not run.state.is_terminal and parts.is_leaf(run):
                query = LogQuery(execution_id=self._id, task_run_id=run.id)
                page = services().logs.search(query, limit=_BACKLOG, ascending=False)
                found += reversed(page.items)
        return found

    def _rendered(self, lines: Sequence[LogLine]) -> str:
        groups: dict[str, list[log.Line]] = {}
        names: dict[str, str] = {}
        if any((line.task_run_id or "") not in self._runs for line in lines if line.task_run_id):
            self._runs = {run.id: run for run in services().executions.get(self._id).runs}
        for line in lines:
            key = line.task_run_id or ""
            run = self._runs.get(key)
            names[key] = run.task_id if run else line.task_id or "execution"
            order = run.sequence if run else 0
            groups.setdefault(key, []).append(log.line(line, order, zone()))
        return "\n".join(
            partial("_live.html", "lines", key, names[key], group) for key, group in groups.items()
        )


class _Sources:
    """All sources, or one."""

    def __init__(self, rest: str) -> None:
        self._name = rest
        self._looked_at = time.monotonic()
        self._parts = _Parts()

    def look(self) -> Iterator[Event]:
        if time.monotonic() - self._looked_at < 1.0:
            return
        self._looked_at = time.monotonic()
        names = [self._name] if self._name else [row.name for row in services().sources.list()]
        made = {}
        for name in names:
            try:
                model = source_pages.shown(name, one=bool(self._name))
            except NotFound:
                continue
            made[name] = partial("_source.html", "source", model)
        yield from self._parts.changed(made)


_TOPICS: Mapping[str, Callable[[str], Topic]] = {
    "head": _Head,
    "executions": _Executions,
    "execution": _One,
    "log": _Log,
    "sources": _Sources,
}


def _counts() -> Counts:
    found: Counts = current_app.extensions[COUNTS]
    return found
