"""Whole pages of one execution, put together from their parts."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, tzinfo
from urllib.parse import urlencode

from runner.model.execution import Execution, TaskRun
from runner.model.logs import LogLine
from runner.services.glances import ExecutionDetail
from web.viewmodels import execution as one
from web.viewmodels import log, parts, topology, words
from web.viewmodels.execution import Fact, Fault, Header, Outputs, Related, Why
from web.viewmodels.gantt import Gantt, gantt
from web.viewmodels.parts import Chip
from web.viewmodels.topology import Topology

PANE_LINES = 80


@dataclass(frozen=True, slots=True)
class LogPane:
    """The end of one task run's log."""

    name: str
    lines: tuple[log.Line, ...]
    hidden: str
    href: str
    all: str
    topic: str
    nothing: str
    run: str  # id of the task run


@dataclass(frozen=True, slots=True)
class Overview:
    """The first page of an execution."""

    header: Header
    fault: Fault | None
    why: Why | None
    gantt: Gantt
    log: LogPane
    inputs: tuple[Fact, ...]
    trigger: tuple[Fact, ...]
    related: tuple[Related, ...]
    like_it: str


@dataclass(frozen=True, slots=True)
class AttemptShown:
    """One attempt in numbers."""

    name: str
    state: words.Shown
    facts: tuple[Fact, ...]


@dataclass(frozen=True, slots=True)
class TopologyPage:
    """The topology tab; None: the flow's text can no longer be read."""

    header: Header
    topology: Topology | None
    title: str


@dataclass(frozen=True, slots=True)
class GanttPage:
    """The Gantt tab."""

    header: Header
    gantt: Gantt
    attempts: tuple[AttemptShown, ...]


@dataclass(frozen=True, slots=True)
class LevelLink:
    """One level of the log's filter, and where switching it leads."""

    name: str
    family: str
    count: str
    on: bool
    href: str


@dataclass(frozen=True, slots=True)
class LogPage:
    """The log tab."""

    header: Header
    groups: tuple[log.LogGroup, ...]
    levels: tuple[LevelLink, ...]
    level: str
    word: str
    hits: str
    topic: str
    nothing: str
    end: str
    more: str  # what is said of groups that are left out
    files: tuple[Fact, ...]  # logs that went to files instead


@dataclass(frozen=True, slots=True)
class FileShown:
    """A file to download."""

    name: str
    task: str
    size: str
    href: str


@dataclass(frozen=True, slots=True)
class OutputsPage:
    """The outputs tab."""

    header: Header
    outputs: Outputs
    files: tuple[FileShown, ...]
    nothing: str


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a form."""

    key: str
    name: str
    on: bool = False
    chip: Chip | None = None


@dataclass(frozen=True, slots=True)
class ReplayPage:
    """The form that replays."""

    header: Header
    starts: tuple[Option, ...]
    revisions: tuple[Option, ...]
    problem: str


def picked_run(detail: ExecutionDetail, wanted: str | None) -> TaskRun | None:
    """Return the task run whose log is shown: asked for, else failed, running, or the last."""
    runs = detail.runs
    asked = next((run for run in runs if run.id == wanted), None)
    if asked is not None:
        return asked
    leaves = [run for run in runs if parts.is_leaf(run)] or list(runs)
    if detail.execution.state.is_terminal:
        return one.failed_run(runs) or (leaves[-1] if leaves else None)
    live = next((run for run in leaves if not run.state.is_terminal), None)
    return live or (leaves[-1] if leaves else None)


def overview(
    detail: ExecutionDetail,
    header: Header,
    run: TaskRun | None,
    pane: LogPane,
    lines: Sequence[LogLine],
    now: datetime,
    zone: tzinfo,
) -> Overview:
    """Return the first page; *lines* are those of the fault's task run."""
    return Overview(
        header=header,
        fault=one.fault(detail, lines, now, zone),
        why=one.why(detail, now, zone),
        gantt=gantt_of(detail, now, run.id if run else None),
        log=pane,
        inputs=one.input_facts(detail),
        trigger=one.trigger_facts(detail),
        related=one.related(detail),
        like_it=one.more_like_it(detail.execution),
    )


def topology_of(detail: ExecutionDetail, now: datetime) -> Topology | None:
    """Return the tasks of an execution as a graph."""
    if detail.flow is None:
        return None
    return topology.of_execution(
        detail.flow, detail.runs, now, f"/executions/{detail.execution.id}"
    )


def gantt_of(detail: ExecutionDetail, now: datetime, picked: str | None, tab: str = "") -> Gantt:
    """Return the rows of an execution."""
    it = detail.execution
    return gantt(
        detail.runs,
        detail.flow,
        start=parts.began(it),
        end=parts.end_of(it),
        now=now,
        address=f"/executions/{it.id}{tab}",
        picked=picked,
    )


def log_pane(
    it: Execution, run: TaskRun | None, lines: Sequence[LogLine], is_cut: bool, zone: tzinfo
) -> LogPane:
    """Return the log beside the task runs; *lines* are its last ones."""
    order = run.sequence if run else 0
    return LogPane(
        name=run.task_id if run else "execution",
        lines=tuple(log.line(each, order, zone) for each in lines),
        hidden="Show" if is_cut else "",
        href=f"/executions/{it.id}/logs" + (f"?task={run.id}" if run else ""),
        all="All lines",
        topic=_topic(it, run.id if run else ""),
        nothing="This task wrote no log." if run and it.state.is_terminal else _no_log(it),
        run=run.id if run else "",
    )


def log_page(
    detail: ExecutionDetail,
    header: Header,
    lines: Sequence[LogLine],
    query: log.GroupQuery,
    zone: tzinfo,
    *,
    is_cut: bool,
) -> LogPage:
    """Return the log tab."""
    it = detail.execution
    counts = Counter(each.level for each in lines)
    hits = sum(
        log.plain(each.message).lower().count(query.word.lower()) for each in lines if query.word
    )
    groups = _with_links(log.groups(lines, detail.runs, query, header.href, zone), header, query)
    silent = len({each.task_run_id for each in lines}) - len(groups)
    return LogPage(
        header=header,
        groups=groups,
        levels=tuple(
            LevelLink(
                each.name, each.family, each.count, each.on, _switched(header, query, each.key)
            )
            for each in log.levels(counts, query.levels)
        ),
        level=",".join(sorted(query.levels)),
        word=query.word,
        hits=words.many(hits, "hit"),
        topic=_topic(it, "*") if header.is_live else "",
        nothing="No line matches." if query.word or query.levels else _no_log(it),
        end=_end(it, lines, is_cut, zone),
        more=f"{words.many(silent, 'more task run')}: search, or download all."
        if silent > 0
        else "",
        files=tuple(_log_files(detail)),
    )


def _log_files(detail: ExecutionDetail) -> Iterator[Fact]:
    for run in detail.runs:
        for number, attempt in enumerate(run.attempts, 1):
            if attempt.log_file:
                name = run.task_id if number == 1 else f"{run.task_id}, attempt {number}"
                yield one.fact(name, attempt.log_file, run.execution_id)


def _with_links(
    groups: tuple[log.LogGroup, ...], header: Header, query: log.GroupQuery
) -> tuple[log.LogGroup, ...]:
    return tuple(
        replace(each, earlier=_log_address(header, query, task=each.key or "execution"))
        if each.earlier
        else each
        for each in groups
    )


def _log_address(header: Header, query: log.GroupQuery, **more: str) -> str:
    given = {"q": query.word, "level": ",".join(sorted(query.levels)), **more}
    arguments = urlencode({key: value for key, value in given.items() if value})
    return f"{header.href}/logs" + (f"?{arguments}" if arguments else "")


def _switched(header: Header, query: log.GroupQuery, key: str) -> str:
    every = frozenset({"debug", "info", "warn", "error"})
    before = query.levels or every
    after = before ^ {key}
    level = "" if after in (frozenset(), every) else ",".join(sorted(after))
    return _log_address(header, query, level=level)


def _topic(it: Execution, run: str) -> str:
    return "" if it.state.is_terminal else f"log:{it.id}:{run}"


def _no_log(it: Execution) -> str:
    if it.state.is_terminal:
        return "This run wrote no log."
    return "No log yet."


def _end(it: Execution, lines: Sequence[LogLine], is_cut: bool, zone: tzinfo) -> str:
    if not it.state.is_terminal or not lines:
        return ""
    if is_cut:
        return f"The last {words.number(len(lines))} lines; download the log for all of them."
    weight = words.size(sum(len(each.message.encode()) + 1 for each in lines))
    end = words.time_of_day(it.history[-1][1], zone)
    return f"End of log. {end}, {words.many(len(lines), 'line')}, {weight}."


def attempts(
    detail: ExecutionDetail, run: TaskRun | None, zone: tzinfo
) -> tuple[AttemptShown, ...]:
    """Return the attempts of a task run, the last one first."""
    if run is None:
        return ()
    count = len(run.attempts)
    return tuple(
        AttemptShown(
            f"{run.task_id}, attempt {index + 1} of {count}",
            words.shown(attempt.state),
            tuple(_attempt_facts(detail, run, index, zone)),
        )
        for index, attempt in reversed(list(enumerate(run.attempts)))
    )


def _attempt_facts(detail: ExecutionDetail, run: TaskRun, index: int, zone: tzinfo) -> list[Fact]:
    attempt = run.attempts[index]
    times = list(attempt.history)
    phases = [
        f"{words.shown(state).word.lower()} {words.seconds(until - at)}"
        for (state, at), (_, until) in itertools.pairwise(times)
    ]
    found = [
        Fact("Phases", " · ".join(phases) or words.shown(attempt.state).word.lower(), mono=False),
        Fact("Began", words.absolute(times[0][1], zone), mono=False),
    ]
    if attempt.worker_id:
        host = detail.hosts.get(attempt.worker_id)
        found.append(Fact("Worker", f"{host}, {attempt.worker_id}" if host else attempt.worker_id))
    if attempt.log_file:
        found.append(one.fact("Log", attempt.log_file, run.execution_id))
    code = (run.outputs or {}).get("exitCode")
    if code is not None and index == len(run.attempts) - 1:
        found.append(Fact("Exit code", str(code)))
    return found


def replay_page(
    detail: ExecutionDetail, header: Header, start: str | None, revision: str, problem: str = ""
) -> ReplayPage:
    """Return the form that replays."""
    it = detail.execution
    starts = tuple(
        Option(
            run.id,
            f"{run.task_id}{f' [{run.value}]' if run.value else ''}, "
            f"{words.shown(run.state).word.lower()}",
            on=run.id == start,
        )
        for run in list(detail.runs)[:200]
    )
    own = Option(
        "", f"{it.revision}, as it ran", revision != "latest" or detail.live is None,
        parts.chip(detail.own.commit) if detail.own else None,
    )  # fmt: skip
    if detail.live is None:
        return ReplayPage(header, starts, (own,), problem)
    live = Option(
        "latest", f"{detail.live.revision}, the live one", revision == "latest",
        parts.chip(detail.live.commit),
    )  # fmt: skip
    return ReplayPage(header, starts, (live, own), problem)
