"""Flows: the list by namespace, and one flow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from itertools import pairwise

from runner.model.flow import Flow, Trigger
from runner.model.problems import Problem
from runner.model.states import State
from runner.services.glances import FlowGlance
from runner.store.base import CommitRow, FlowRow, ProblemRow, Revision, TriggerRow
from web.viewmodels import history, parts, source_text, topology, words
from web.viewmodels.fields import Field
from web.viewmodels.parts import Chart, Chip, Tab, TriggerShown
from web.viewmodels.source_text import Diff, SourceLine
from web.viewmodels.topology import Topology
from web.viewmodels.words import Moment, Shown

GIT = "git:"
_DATED = ("Schedule", "ScheduleOnDates")
_ICONS = {"Commit": "branch", "Schedule": "clock", "Webhook": "hook", "Flow": "flow"}


@dataclass(frozen=True, slots=True)
class FlowLine:
    """One flow of the list."""

    id: str
    href: str
    faint: bool
    problems: str
    off: str  # why it starts nothing by itself
    state: Shown | None
    spark: Chart | None
    usual: str
    triggers: tuple[TriggerShown, ...]
    chip: Chip | None
    next: Moment | None


@dataclass(frozen=True, slots=True)
class FlowList:
    """All flows by namespace."""

    groups: tuple[tuple[str, tuple[FlowLine, ...]], ...]
    text: str
    counted: str


@dataclass(frozen=True, slots=True)
class Tag:
    """A word about a thing, with a family."""

    text: str
    family: str = ""
    symbol: str = ""


@dataclass(frozen=True, slots=True)
class FlowHeader:
    """The top of each page of one flow."""

    namespace: str
    id: str
    href: str
    description: str
    tags: tuple[Tag, ...]
    chip: Chip | None
    owner: str
    owner_href: str | None
    path: str
    tabs: tuple[Tab, ...]
    may_run: bool
    refusal: str


@dataclass(frozen=True, slots=True)
class NextDate:
    """Something that starts the flow in the future."""

    icon: str
    text: str
    relative: str


@dataclass(frozen=True, slots=True)
class RevisionLine:
    """One revision of a flow."""

    number: str
    href: str
    chip: Chip | None
    message: str
    by: str
    at: Moment
    change: str
    live: bool
    gone: bool


@dataclass(frozen=True, slots=True)
class ProblemShown:
    """A problem of a file with its frame."""

    place: str
    href: str | None
    message: str
    since: Chip | None
    stays: str
    frame: tuple[SourceLine, ...]


@dataclass(frozen=True, slots=True)
class RunForm:
    """The form that starts a flow."""

    action: str
    fields: tuple[Field, ...]
    revision: str
    problem: str
    hint: str
    refresh: str = ""  # address that shows the fields anew when one is changed


@dataclass(frozen=True, slots=True)
class FlowPage:
    """Source, run form, next dates, last runs."""

    header: FlowHeader
    refused: tuple[ProblemShown, ...]
    refused_chip: Chip | None
    source_name: str
    lines: tuple[SourceLine, ...]
    revisions: tuple[RevisionLine, ...]
    more_revisions: bool
    form: RunForm | None
    next: tuple[NextDate, ...]
    spark: Chart | None
    facts: tuple[tuple[str, str], ...]
    runs_href: str


@dataclass(frozen=True, slots=True)
class RevisionsPage:
    """Revisions, and the difference of two."""

    header: FlowHeader
    revisions: tuple[RevisionLine, ...]
    diff: Diff | None
    name: str


@dataclass(frozen=True, slots=True)
class TriggerLine:
    """One trigger of a flow."""

    icon: str
    id: str
    type: str
    what: str
    state: str
    off: bool
    last: Moment | None
    next: Moment | None


@dataclass(frozen=True, slots=True)
class TriggersPage:
    """The triggers of a flow, and what they start next."""

    header: FlowHeader
    triggers: tuple[TriggerLine, ...]
    next: tuple[NextDate, ...]


@dataclass(frozen=True, slots=True)
class RunPage:
    """The run form alone."""

    header: FlowHeader
    form: RunForm


@dataclass(frozen=True, slots=True)
class FlowTopologyPage:
    """The tasks of one flow as a graph; None: its text cannot be read."""

    header: FlowHeader
    topology: Topology | None
    title: str


@dataclass(frozen=True, slots=True)
class FlowRunsPage:
    """The executions of one flow."""

    header: FlowHeader
    rows: tuple[history.Row, ...]
    all_href: str


# ── the list ─────────────────────────────────────────────────────────────────────────────────────


def flow_list(
    glances: Sequence[FlowGlance],
    commits: Mapping[str, CommitRow],
    text: str,
    now: datetime,
    zone: tzinfo,
) -> FlowList:
    """Return the flows by namespace."""
    groups: dict[str, list[FlowLine]] = {}
    for glance in glances:
        groups.setdefault(glance.row.namespace, []).append(_flow_line(glance, commits, now, zone))
    return FlowList(
        tuple((name, tuple(lines)) for name, lines in groups.items()),
        text,
        words.many(len(glances), "flow"),
    )


def _flow_line(
    glance: FlowGlance, commits: Mapping[str, CommitRow], now: datetime, zone: tzinfo
) -> FlowLine:
    row = glance.row
    last = glance.recent[0] if glance.recent else None
    usual = parts.usual(glance.recent)
    dates = [each.next_at for each in glance.triggers if each.next_at and not each.disabled]
    return FlowLine(
        id=row.flow_id,
        href=flow_href(row),
        faint=not row.is_active,
        problems=words.many(glance.problems, "problem") if glance.problems else "",
        off=_off(row),
        state=words.shown(last.state) if last else None,
        spark=parts.spark(glance.recent, now) if glance.recent else None,
        usual=words.clock(usual) if usual else "–",
        triggers=_starts_on(glance.flow),
        chip=parts.chip(row.commit, commits.get(row.commit or "")),
        next=words.moment(min(dates), now, zone) if dates and row.is_active else None,
    )


def flow_href(row: FlowRow) -> str:
    """Return the address of a flow."""
    return f"/flows/{row.namespace}/{row.flow_id}"


def _off(row: FlowRow) -> str:
    if row.absent:
        return "Gone from Git"
    if row.disabled:
        return "Disabled"
    return "Blocked" if row.blocked else ""


def _starts_on(flow: Flow | None) -> tuple[TriggerShown, ...]:
    triggers = flow.triggers if flow else ()
    return tuple(
        TriggerShown(_ICONS.get(_kind(each), "flow"), what(each))
        for each in triggers
        if not each.disabled
    )


def _kind(trigger: Trigger) -> str:
    return trigger.type.rpartition(".")[2]


def what(trigger: Trigger) -> str:
    """Return what a trigger waits for, in a few words."""
    properties = trigger.properties
    match _kind(trigger):
        case "Schedule":
            zone = properties.get("timezone")
            return f"{properties.get('cron', trigger.id)}{f', {zone}' if zone else ''}"
        case "Commit":
            names = [*(properties.get("branches") or ()), *(properties.get("tags") or ())]
            pushes = ", ".join(map(str, names)) or "each push"
            return f"{pushes}, by path" if properties.get("paths") else pushes
        case _:
            return trigger.id


# ── one flow ─────────────────────────────────────────────────────────────────────────────────────


def flow_header(
    glance: FlowGlance,
    tab: str,
    commit: CommitRow | None,
    revisions: int,
    problems: Sequence[ProblemRow],
) -> FlowHeader:
    """Return the top of a flow's pages."""
    row = glance.row
    href = flow_href(row)
    is_git = row.owner.startswith(GIT)
    name = row.owner.removeprefix(GIT)
    return FlowHeader(
        namespace=row.namespace,
        id=row.flow_id,
        href=href,
        description=row.description or "",
        tags=_tags(row, problems),
        chip=parts.chip(row.commit, commit),
        owner=name if is_git else "written through the API",
        owner_href=f"/sources/{name}" if is_git else None,
        path=row.path or "",
        tabs=_tabs(href, tab, glance, revisions),
        may_run=glance.flow is not None and not (row.disabled or row.absent or row.blocked),
        refusal=_refusal(glance),
    )


def _tags(row: FlowRow, problems: Sequence[ProblemRow]) -> tuple[Tag, ...]:
    if off := _off(row):
        found = [Tag(off, "idle", "s-skipped")]
    else:
        found = [Tag(f"Revision {row.revision} is live", "good", "s-success")]
    if problems:
        text = f"{words.many(len(problems), 'problem')} in {words.short(problems[0].commit)}"
        found.append(Tag(text, "bad", "s-failed"))
    return (*found, *(Tag(f"{key}: {value}") for key, value in row.labels))


def _refusal(glance: FlowGlance) -> str:
    if glance.flow is None:
        return "its text cannot be read"
    off = _off(glance.row)
    return off.lower()


def _tabs(href: str, current: str, glance: FlowGlance, revisions: int) -> tuple[Tab, ...]:
    triggers = len(glance.flow.triggers) if glance.flow else 0
    names = (
        ("source", "Source", href, 0),
        ("executions", "Executions", f"{href}/executions", 0),
        ("topology", "Topology", f"{href}/topology", 0),
        ("revisions", "Revisions", f"{href}/revisions", revisions),
        ("triggers", "Triggers", f"{href}/triggers", triggers),
        ("run", "Run", f"{href}/run", 0),
    )
    return tuple(
        Tab(key, name, to, str(count) if count else "", key == current)
        for key, name, to, count in names
    )


def topology_page(header: FlowHeader, glance: FlowGlance, source: str) -> FlowTopologyPage:
    """Return the topology tab of a flow."""
    graph = topology.of_flow(glance.flow, source, header.href) if glance.flow else None
    return FlowTopologyPage(header, graph, f"Topology of revision {glance.row.revision}")


def flow_page(
    glance: FlowGlance,
    header: FlowHeader,
    revisions: Sequence[Revision],
    commits: Mapping[str, CommitRow],
    found: Sequence[Problem],
    refused: Sequence[ProblemRow],
    form: RunForm | None,
    now: datetime,
    zone: tzinfo,
) -> FlowPage:
    """Return the first page of a flow; *found* are problems of the live text itself."""
    live = next((each for each in revisions if each.revision == glance.row.revision), None)
    source = live.source if live else ""
    return FlowPage(
        header=header,
        refused=tuple(problem(each, glance.row) for each in refused),
        refused_chip=parts.chip(refused[0].commit, commits.get(refused[0].commit))
        if refused
        else None,
        source_name=f"Source of revision {glance.row.revision}",
        lines=source_text.lines(source, found),
        revisions=revision_lines(revisions[:6], glance.row, commits, now, zone)[:5],
        more_revisions=len(revisions) > 5,
        form=form,
        next=next_dates(glance, now, zone),
        spark=parts.spark(glance.recent, now) if glance.recent else None,
        facts=_facts(glance),
        runs_href=f"{header.href}/executions",
    )


def _facts(glance: FlowGlance) -> tuple[tuple[str, str], ...]:
    if not glance.recent:
        return (("Runs", "It never ran."),)
    usual = parts.usual(glance.recent)
    ended = [each for each in glance.recent if each.state.is_terminal]
    good = sum(1 for each in ended if each.state in (State.SUCCESS, State.WARNING))
    share = f"{100 * good / len(ended):.0f} % of {len(ended)}" if ended else "none has ended"
    concurrency = glance.flow.concurrency if glance.flow else None
    found = [("Usual time", words.clock(usual) if usual else "–"), ("Success", share)]
    if concurrency:
        found.append(("At once", f"{concurrency.limit}, then {concurrency.behavior.lower()}"))
    return tuple(found)


def problem(row: ProblemRow, flow: FlowRow | None) -> ProblemShown:
    """Return a problem with its place, frame and what stays live."""
    place = row.path
    if row.line:
        place += f":{row.line}"
        if row.column:
            place += f":{row.column}"
    stays = ""
    href = None
    if flow is not None and not flow.deleted:
        stays = f"revision {flow.revision} stays live"
        href = flow_href(flow)
    since = parts.chip(row.commit)
    return ProblemShown(place, href, row.message, since, stays, source_text.frame(row.frame))


def revision_lines(
    revisions: Sequence[Revision],
    row: FlowRow,
    commits: Mapping[str, CommitRow],
    now: datetime,
    zone: tzinfo,
) -> tuple[RevisionLine, ...]:
    """Return revisions, newest first, each with what it changed."""
    changes = [
        ""
        if newer.deleted or older.deleted
        else source_text.diff(older.source, newer.source).counted
        for newer, older in pairwise(revisions)
    ]
    href = f"{flow_href(row)}/revisions"
    return tuple(
        _revision_line(each, change, href, row, commits, now, zone)
        for each, change in zip(revisions, [*changes, ""], strict=False)
    )


def _revision_line(
    each: Revision,
    change: str,
    href: str,
    row: FlowRow,
    commits: Mapping[str, CommitRow],
    now: datetime,
    zone: tzinfo,
) -> RevisionLine:
    commit = commits.get(each.commit or "")
    before = each.revision - 1
    return RevisionLine(
        number=str(each.revision),
        href=f"{href}?from={before}&to={each.revision}" if before else f"{href}?to={each.revision}",
        chip=parts.chip(each.commit, commit),
        message=words.first_line(commit.message) if commit else f"Revision {each.revision}",
        by=commit.author if commit else each.created_by,
        at=words.moment(each.created_at, now, zone),
        change=change,
        live=each.revision == row.revision and not each.deleted,
        gone=each.deleted,
    )


def revisions_page(
    header: FlowHeader,
    row: FlowRow,
    revisions: Sequence[Revision],
    commits: Mapping[str, CommitRow],
    old: int | None,
    new: int | None,
    now: datetime,
    zone: tzinfo,
) -> RevisionsPage:
    """Return the revisions and the difference that was asked for, else the newest one."""
    by_number = {each.revision: each for each in revisions}
    newer = by_number.get(new or row.revision)
    older = by_number.get(old if old is not None else (newer.revision - 1 if newer else 0))
    lines = revision_lines(revisions, row, commits, now, zone)
    if newer is None:
        return RevisionsPage(header, lines, None, "")
    before = older.source if older else ""
    name = f"Revision {newer.revision}"
    name += f" compared with {older.revision}" if older else ", the first one"
    return RevisionsPage(header, lines, source_text.diff(before, newer.source), name)


# ── triggers ─────────────────────────────────────────────────────────────────────────────────────


def next_dates(glance: FlowGlance, now: datetime, zone: tzinfo) -> tuple[NextDate, ...]:
    """Return the next dates, and what else starts the flow."""
    if glance.flow is None or not glance.row.is_active:
        return ()
    rows = {each.trigger_id: each for each in glance.triggers}
    other = []
    for trigger in glance.flow.triggers:
        row = rows.get(trigger.id)
        is_off = trigger.disabled or (row is not None and row.disabled)
        if not is_off and _kind(trigger) not in _DATED:
            other.append(NextDate(_ICONS.get(_kind(trigger), "flow"), _each(trigger), ""))
    return (
        *(
            NextDate("clock", words.day_and_time(at, zone), words.moment(at, now, zone).text)
            for at in glance.upcoming
        ),
        *other,
    )


def _each(trigger: Trigger) -> str:
    match _kind(trigger):
        case "Commit":
            paths = trigger.properties.get("paths") or ()
            branches = ", ".join(map(str, trigger.properties.get("branches") or ()))
            text = f"Each push to {branches}" if branches else "Each push"
            return text + (f" that changes {', '.join(map(str, paths))}" if paths else "")
        case "Webhook":
            return f"Each call of the webhook {trigger.id}"
        case "Flow":
            return f"When the flows of {trigger.id} end"
        case _:
            return trigger.id


def triggers_page(
    glance: FlowGlance, header: FlowHeader, now: datetime, zone: tzinfo
) -> TriggersPage:
    """Return the triggers with their state."""
    rows = {each.trigger_id: each for each in glance.triggers}
    declared = glance.flow.triggers if glance.flow else ()
    is_on = glance.row.is_active
    lines = tuple(_trigger_line(each, rows.get(each.id), is_on, now, zone) for each in declared)
    return TriggersPage(header, lines, next_dates(glance, now, zone))


def _state(row: TriggerRow | None) -> str:
    """Say what a trigger that is on is about."""
    if row is not None and row.backfill is not None:
        return "Backfill paused" if row.backfill.get("paused") else "Backfill"
    return "Waits for its run" if row is not None and row.execution_id else "On"


def _trigger_line(
    trigger: Trigger, row: TriggerRow | None, is_flow_on: bool, now: datetime, zone: tzinfo
) -> TriggerLine:
    is_off = trigger.disabled or not is_flow_on or (row is not None and row.disabled)
    state = "Off" if is_off else _state(row)
    return TriggerLine(
        icon=_ICONS.get(_kind(trigger), "flow"),
        id=trigger.id,
        type=trigger.type.removeprefix("io.kestra.plugin.").removeprefix("io."),
        what=_each(trigger) if _kind(trigger) != "Schedule" else what(trigger),
        state=state,
        off=is_off,
        last=words.moment(row.last_at, now, zone) if row and row.last_at else None,
        next=words.moment(row.next_at, now, zone) if row and row.next_at and not is_off else None,
    )
