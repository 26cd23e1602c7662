"""One execution: header, road, fault, why it waits, facts around it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from typing import Any

from runner.model.execution import Execution, TaskRun
from runner.model.logs import LogLine
from runner.model.states import State
from runner.services.glances import ExecutionDetail
from web.viewmodels import log, parts, words
from web.viewmodels.history import address as history_address
from web.viewmodels.parts import Chip, Tab, TriggerShown
from web.viewmodels.words import Moment, Shown, Took

_FAULTY = (State.FAILED, State.WARNING, State.KILLED)
_RESTARTABLE = (State.FAILED, State.WARNING, State.PAUSED, State.CANCELLED)
_LONG_VALUE = 400
_MOST_FACTS = 10
_UNSAID: tuple[Any, ...] = (None, "", [], {}, False)
_TOLD_FIRST = ("ref", "message", "author", "changed_files", "date", "next", "previous")
_TOLD_NEVER = frozenset(
    {"provider", "event", "branch", "sha", "commit", "changedFiles", "headCommit", "commits"}
)
FILE_SCHEME = "kestra:///"


@dataclass(frozen=True, slots=True)
class Step:
    """One step of the road."""

    name: str
    text: str
    family: str = ""
    now: bool = False
    end: bool = False
    faint: bool = False
    since: str | None = None


@dataclass(frozen=True, slots=True)
class Fact:
    """A name and its value; *href* leads somewhere."""

    name: str
    value: str
    href: str | None = None
    mono: bool = True
    chip: Chip | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What broke, where, and the way out."""

    state: Shown
    title: str
    text: str
    excerpt: tuple[tuple[str, bool], ...]
    facts: tuple[Fact, ...]
    log_href: str
    replay_from: str | None  # task run to run again from
    replay_revision: str  # "latest" or empty: the same
    replay_label: str


@dataclass(frozen=True, slots=True)
class Act:
    """Something one can do. *method* ``get`` leads to a page that asks more."""

    key: str
    name: str
    icon: str
    href: str
    method: str = "post"
    danger: bool = False
    fields: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Related:
    """Another execution that belongs to this one."""

    state: Shown
    name: str
    href: str
    chip: Chip | None


@dataclass(frozen=True, slots=True)
class Header:
    """The top of every page of one execution."""

    id: str
    short_id: str
    href: str
    title: str
    namespace: str
    flow: str
    flow_href: str
    state: Shown
    is_live: bool
    chip: Chip | None
    trigger: TriggerShown
    by: str
    revision: str
    started: Moment
    took: Took
    acts: tuple[Act, ...]
    more: tuple[Act, ...]
    labels: tuple[tuple[str, str], ...]
    road: tuple[Step, ...]
    tabs: tuple[Tab, ...]
    version: int


@dataclass(frozen=True, slots=True)
class Why:
    """Why nothing happens at the moment."""

    state: Shown
    head: str
    text: str
    links: tuple[tuple[str, str], ...] = ()


def header(
    detail: ExecutionDetail, tab: str, counts: Mapping[str, str], now: datetime, zone: tzinfo
) -> Header:
    """Return the top of the page. *counts* are those of the tabs, by key."""
    it = detail.execution
    state = words.shown(it.state)
    href = f"/executions/{it.id}"
    chip = parts.chip(it.commit, detail.commit)
    return Header(
        id=it.id,
        short_id=it.id[:8],
        href=href,
        title=f"{it.flow_id} {state.word.lower()}" + (f" · {chip.short}" if chip else ""),
        namespace=it.namespace,
        flow=it.flow_id,
        flow_href=f"/flows/{it.namespace}/{it.flow_id}",
        state=state,
        is_live=not it.state.is_terminal,
        chip=chip,
        trigger=parts.trigger(it.trigger, it.labels),
        by=detail.commit.author if detail.commit else detail.created_by,
        revision=f"revision {it.revision}",
        started=words.moment(_begun(detail), now, zone, suffix=True),
        took=words.took(_begun(detail), parts.end_of(it), now),
        acts=_acts(it, href),
        more=_more(it, href, detail),
        labels=tuple(label for label in it.labels if not label[0].startswith("system.")),
        road=road(detail, now, zone),
        tabs=_tabs(href, tab, counts),
        version=it.version,
    )


def _tabs(href: str, current: str, counts: Mapping[str, str]) -> tuple[Tab, ...]:
    names = (
        ("overview", "Overview"),
        ("gantt", "Gantt"),
        ("logs", "Logs"),
        ("outputs", "Outputs"),
        ("topology", "Topology"),
    )
    return tuple(
        Tab(
            key,
            name,
            href if key == "overview" else f"{href}/{key}",
            counts.get(key, ""),
            key == current,
        )
        for key, name in names
    )


def _acts(it: Execution, href: str) -> tuple[Act, ...]:
    kill = Act("kill", "Kill…", "stop", f"{href}/kill", "get", danger=True)
    if it.state is State.PAUSED:
        return (Act("resume", "Resume…", "play", f"{href}/resume", "get"), kill)
    if it.state is State.BREAKPOINT:
        return (Act("resume", "Go on", "play", f"{href}/resume"), kill)
    if it.state is State.RUNNING:
        return (Act("pause", "Pause", "paused", f"{href}/pause"), kill)
    if it.state is State.KILLING:
        return ()
    if not it.state.is_terminal:
        return (kill,)
    return (Act("replay", "Replay…", "replay", f"{href}/replay", "get"),)


def _more(it: Execution, href: str, detail: ExecutionDetail) -> tuple[Act, ...]:
    if not it.state.is_terminal:
        return ()
    found = []
    failed = failed_run(detail.runs)
    if failed is not None:
        found.append(
            Act(
                "replay-from",
                f"Replay from {failed.task_id}…",
                "replay",
                f"{href}/replay?from={failed.id}",
                "get",
            )
        )
    if it.state in _RESTARTABLE:
        found.append(Act("restart", "Restart in place", "sync", f"{href}/restart"))
    if detail.flow_row is not None and not detail.flow_row.deleted:
        run = f"/flows/{it.namespace}/{it.flow_id}/run?like={it.id}"
        found.append(Act("again", "Run with changed inputs…", "play", run, "get"))
    return tuple(found)


# ── the road ─────────────────────────────────────────────────────────────────────────────────────


def road(detail: ExecutionDetail, now: datetime, zone: tzinfo) -> tuple[Step, ...]:
    """Return the way from push to end, with the time of each step."""
    steps = []
    it = detail.execution
    begun = _begun(detail)
    if detail.commit is not None:
        steps.append(
            Step("Pushed", f"{_when(detail.commit.at, now, zone)} by {detail.commit.author}")
        )
    if detail.synced is not None:
        took = words.seconds(timedelta(milliseconds=detail.synced.took_ms))
        at = _when(detail.synced.at, now, zone)
        steps.append(Step("Synced", f"revision {it.revision}, {at} in {took}"))
    steps.append(_triggered(detail, now, zone))
    return (*steps, *_steps_since(it, begun, now, zone, _where(detail)))


def _triggered(detail: ExecutionDetail, now: datetime, zone: tzinfo) -> Step:
    it = detail.execution
    at = words.time_of_day(_begun(detail), zone)
    if it.original_id is not None:
        return Step("Replayed", f"{at} by {detail.created_by}")
    if _begun(detail) != it.created_at:
        return Step("Restarted", at)
    if it.trigger is None:
        return Step("Started", f"{at} by {detail.created_by}")
    return Step("Triggered", f"{at} by {it.trigger.id}")


def _steps_since(
    it: Execution, begun: datetime, now: datetime, zone: tzinfo, where: str
) -> tuple[Step, ...]:
    since = [(state, at) for state, at in it.history if at >= begun]
    running = next((at for state, at in since if state is State.RUNNING), None)
    end = parts.end_of(it)
    state = words.shown(it.state)
    if running is None and end is None:
        waits = Step(
            "Queued", words.clock(now - begun), state.family, now=True, since=words.iso(begun)
        )
        return (waits, Step("Run", "has not begun", faint=True))
    queued = Step("Queued", words.seconds((running or end or now) - begun))
    if end is None:
        return (
            queued,
            Step(
                state.word,
                words.clock(now - (running or begun)) + where,
                state.family,
                now=True,
                since=words.iso(running or begun),
            ),
            Step("Result", "not yet", faint=True),
        )
    ended = Step(state.word, words.time_of_day(end, zone), state.family, end=True)
    if running is None:
        return (queued, ended)
    ran = Step("Ran", words.seconds(end - running) + where, state.family, now=True)
    return (queued, ran, ended)


def _where(detail: ExecutionDetail) -> str:
    workers = {
        attempt.worker_id
        for run in detail.runs
        for attempt in run.attempts
        if attempt.worker_id in detail.hosts
    }
    hosts = sorted({detail.hosts[worker] for worker in workers if worker})
    if not hosts:
        return ""
    return f" on {hosts[0]}" if len(hosts) == 1 else f" on {len(hosts)} machines"


def _begun(detail: ExecutionDetail) -> datetime:
    return parts.began(detail.execution)


def _when(at: datetime, now: datetime, zone: tzinfo) -> str:
    local, today = at.astimezone(zone), now.astimezone(zone)
    if local.date() == today.date():
        return f"{local:%H:%M:%S}"
    return f"{local.day} {local:%b %H:%M}"


# ── what went wrong ──────────────────────────────────────────────────────────────────────────────


def failed_run(runs: Sequence[TaskRun]) -> TaskRun | None:
    """Return the task run where it first went wrong: a failed leaf, or one with a warning.

    One that was only given the end of its parent, with its own work still going on, comes last.
    """
    for wanted in (State.FAILED, State.KILLED, State.WARNING):
        leaves = [run for run in runs if run.state is wanted and parts.is_leaf(run)]
        if leaves:
            return next((run for run in leaves if not _works_on(run)), leaves[0])
    return next((run for run in runs if run.state is State.FAILED), None)


def _works_on(run: TaskRun) -> bool:
    return bool(run.attempts) and not run.attempts[-1].state.is_terminal


def fault(
    detail: ExecutionDetail, lines: Sequence[LogLine], now: datetime, zone: tzinfo
) -> Fault | None:
    """Return what is said about an end that was not good. *lines*: of the run that failed."""
    it = detail.execution
    if it.state not in _FAULTY:
        return None
    run = failed_run(detail.runs)
    newer = detail.live is not None
    return Fault(
        state=words.shown(it.state),
        title=_title(it, run),
        text=_text(detail, run),
        excerpt=log.excerpt(lines) if it.state is not State.KILLED else (),
        facts=(*_last_success(detail, now), *_live(detail)),
        log_href=f"/executions/{it.id}/logs" + (f"?task={run.id}" if run else ""),
        replay_from=run.id if run else None,
        replay_revision="latest" if newer else "",
        replay_label=_replay_label(detail, run),
    )


def _replay_label(detail: ExecutionDetail, run: TaskRun | None) -> str:
    if detail.live is None:
        return "Replay from here" if run else "Replay"
    start = "Replay from here" if run else "Replay"
    return f"{start} with revision {detail.live.revision}"


def _title(it: Execution, run: TaskRun | None) -> str:
    if it.state is State.KILLED:
        return f"Killed{f' in {run.task_id}' if run else ''}"
    if run is None:
        return "The execution failed" if it.state is State.FAILED else "It ended with a warning"
    if it.state is State.WARNING:
        return f"{run.task_id} ended with a warning"
    code = (run.outputs or {}).get("exitCode")
    return f"{run.task_id} failed" + (f" with exit code {code}" if code not in (None, 0) else "")


def _text(detail: ExecutionDetail, run: TaskRun | None) -> str:
    if run is None:
        return "No task run failed: the reason is in the execution's own log."
    said = []
    count = len(run.attempts)
    if count:
        said.append(
            f"Attempt {count}, after {words.seconds(run.history[-1][1] - run.history[0][1])}."
        )
    good = sum(
        1 for each in detail.runs if each.state is State.SUCCESS and each.sequence < run.sequence
    )
    if good:
        verb = "succeeded and can be reused"
        said.append(f"{words.many(good, 'task run').capitalize()} before it {verb}.")
    return " ".join(said)


def _last_success(detail: ExecutionDetail, now: datetime) -> tuple[Fact, ...]:
    last = detail.last_success
    if last is None:
        return (Fact("Last success", "none so far", mono=False),)
    ago = words.moment(last.created_at, now, suffix=True).text
    chip = parts.chip(last.commit)
    return (Fact("Last success", ago, f"/executions/{last.id}", mono=False, chip=chip),)


def _live(detail: ExecutionDetail) -> tuple[Fact, ...]:
    it, live = detail.execution, detail.live
    diff = f"/flows/{it.namespace}/{it.flow_id}/revisions"
    if live is None:
        return (Fact("Live now", f"still revision {it.revision}", mono=False),)
    change = f"revision {live.revision}"
    return (
        Fact(
            "Live now",
            f"{change}: see the change",
            f"{diff}?from={it.revision}&to={live.revision}",
            mono=False,
            chip=parts.chip(live.commit),
        ),
    )


# ── why it waits ─────────────────────────────────────────────────────────────────────────────────


def why(detail: ExecutionDetail, now: datetime, zone: tzinfo) -> Why | None:
    """Return what holds an execution that waits; None: nothing does."""
    it = detail.execution
    if it.state.is_terminal:
        return None
    state = words.shown(it.state)
    timer = min((each.at for each in detail.timers), default=None)
    if it.state is State.QUEUED:
        return _queued(detail, state)
    if it.state is State.PAUSED:
        until = f", at the latest {words.moment(timer, now, zone).text}" if timer else ""
        name = next((run.task_id for run in detail.runs if run.state is State.PAUSED), "")
        return Why(
            state, f"Paused{f' at {name}' if name else ''}:", f"until someone resumes it{until}."
        )
    if it.state is State.BREAKPOINT:
        stopped = [run.task_id for run in detail.runs if run.state is State.BREAKPOINT]
        return Why(state, f"Stopped before {', '.join(stopped)}:", "until someone lets it go on.")
    if it.schedule_at is not None and it.schedule_at > now:
        at = words.moment(it.schedule_at, now, zone)
        return Why(state, "Scheduled:", f"it starts {at.text} ({at.title}).")
    retrying = next((run for run in detail.runs if run.state is State.RETRYING), None)
    if retrying is not None and timer is not None:
        at = words.moment(timer, now, zone)
        count = len(retrying.attempts)
        text = f"attempt {count} failed; the next one starts {at.text}."
        return Why(words.shown(State.RETRYING), f"{retrying.task_id} waits for a retry:", text)
    return _without_worker(detail, now)


def _queued(detail: ExecutionDetail, state: Shown) -> Why:
    flow = detail.flow
    limit = flow.concurrency.limit if flow and flow.concurrency else 1
    links = tuple((each.id[:8], f"/executions/{each.id}") for each in detail.ahead)
    return Why(state, "Why it waits:", f"the flow's limit of {limit} is held by", links)


def _without_worker(detail: ExecutionDetail, now: datetime) -> Why | None:
    waiting = [attempt for attempt in detail.attempts if attempt.state == "SUBMITTED"]
    is_young = now - detail.execution.history[-1][1] < timedelta(seconds=3)
    if not waiting and not (detail.execution.state is State.CREATED and not is_young):
        return None
    state = words.shown(State.QUEUED)
    if not detail.workers:
        return Why(state, "No worker is running:", "it starts as soon as one does.")
    if not waiting:
        return Why(state, "In the queue:", "a worker takes it next.")
    since = words.seconds(now - min(attempt.created_at for attempt in waiting))
    queue = waiting[0].queue
    return Why(
        state,
        f"{words.many(len(waiting), 'task')} in the queue:",
        f"for {since}, until a slot of group {queue} is free.",
    )


# ── facts around it ──────────────────────────────────────────────────────────────────────────────


def input_facts(detail: ExecutionDetail) -> tuple[Fact, ...]:
    """Return the inputs; secret ones are only named."""
    declared = {each.id: each.type for each in detail.flow.inputs} if detail.flow else {}
    return tuple(
        Fact(name, "secret", mono=False)
        if declared.get(name) == "SECRET"
        else fact(name, detail.hide(value), detail.execution.id)
        for name, value in detail.execution.inputs.items()
        if value is not None
    )


def trigger_facts(detail: ExecutionDetail) -> tuple[Fact, ...]:
    """Return what is known of the trigger, or of who started it."""
    it = detail.execution
    if it.trigger is None:
        origin = dict(it.labels).get("system.from", "by hand")
        return (
            Fact("started by", detail.created_by, mono=False),
            Fact("from", origin, mono=False),
        )
    head = Fact(it.trigger.id, it.trigger.type, mono=False)
    known = {name: value for name, value in it.trigger.variables.items() if value not in _UNSAID}
    told = [name for name in _TOLD_FIRST if name in known]
    told += [name for name in known if name not in told and name not in _TOLD_NEVER]
    file = () if it.trigger.log_file is None else (fact("log", it.trigger.log_file, it.id),)
    shown = (fact(name, detail.hide(known[name])) for name in told[:_MOST_FACTS])
    return (head, *shown, *file)


def related(detail: ExecutionDetail) -> tuple[Related, ...]:
    """Return executions that belong to this one."""
    found = []
    if detail.original is not None:
        found.append(_related("Replay of", detail.original))
    if detail.upstream is not None:
        found.append(_related("Started by", detail.upstream))
    found += [_related("Replayed as", each) for each in detail.replays]
    found += [_related("Started", each) for each in detail.children]
    if detail.last_success is not None:
        found.append(_related("Last success:", detail.last_success))
    return tuple(found)


def _related(name: str, each: Execution) -> Related:
    return Related(
        words.shown(each.state),
        f"{name} {each.flow_id} {each.id[:8]}",
        f"/executions/{each.id}",
        parts.chip(each.commit),
    )


def more_like_it(it: Execution) -> str:
    """Return the address of all executions of the same flow."""
    return history_address(f"ns:{it.namespace} flow:{it.flow_id}")


# ── outputs ──────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file that a task made."""

    name: str
    task: str
    uri: str


@dataclass(frozen=True, slots=True)
class Outputs:
    """Values of the flow and of tasks, and files."""

    own: tuple[Fact, ...]
    values: tuple[Fact, ...]
    files: tuple[OutputFile, ...]
    cut: int  # how many task runs are not listed

    @property
    def count(self) -> int:
        return len(self.own) + len(self.values) + len(self.files)


def outputs(
    it: Execution, runs: Sequence[TaskRun], hide: Callable[[Any], Any], most: int = 100
) -> Outputs:
    """Return what an execution and its task runs gave; *hide* takes secrets out of a value."""
    values: list[Fact] = []
    files: list[OutputFile] = []
    givers = [run for run in runs if run.outputs]
    for run in givers[:most]:
        name = run.task_id + (f"[{run.value}]" if run.value else "")
        for path, value in _flat(hide(run.outputs or {})):
            if isinstance(value, str) and value.startswith(FILE_SCHEME):
                files.append(OutputFile(_file_name(path, value), name, value))
            elif value not in (None, {}, []):
                values.append(fact(f"{name}.{path}", value, it.id))
    own = tuple(fact(name, value, it.id) for name, value in hide(it.outputs or {}).items())
    return Outputs(own, tuple(values), tuple(files), max(len(givers) - most, 0))


def _file_name(path: str, uri: str) -> str:
    """The name that the flow gave the file, else that of its URI."""
    _, named, name = path.partition("outputFiles.")
    return name if named else uri.rpartition("/")[2]


def _flat(value: Mapping[str, Any], prefix: str = "") -> list[tuple[str, Any]]:
    found: list[tuple[str, Any]] = []
    for key, each in value.items():
        path = f"{prefix}{key}"
        if isinstance(each, Mapping) and each:
            found += _flat(each, f"{path}.")
        else:
            found.append((path, each))
    return found


def fact(name: str, value: Any, execution_id: str | None = None) -> Fact:
    """Return a value as it is shown; files lead to their content."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    if isinstance(value, str) and value.startswith(FILE_SCHEME) and execution_id:
        href = f"/executions/{execution_id}/file?path={value}"
        return Fact(name, value.rpartition("/")[2], href)
    return Fact(name, text if len(text) <= _LONG_VALUE else text[:_LONG_VALUE] + "…")
