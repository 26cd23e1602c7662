"""The history: views, filters, the last day, rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from urllib.parse import urlencode

from runner.model.execution import Execution, TaskRun
from runner.model.states import State
from runner.store.base import CommitRow
from web.viewmodels import parts, words
from web.viewmodels.parts import Chart, Chip, Rect, Tab, TriggerShown
from web.viewmodels.query import Query, toggled, with_term
from web.viewmodels.words import Moment, Shown, Took

BARS = 48
BAR = timedelta(minutes=30)
_VIEWS = (
    ("all", "All", ""),
    ("live", "Live", "state:live"),
    ("failed", "Failed today", "state:failed since:24h"),
    ("waiting", "Waiting for a person", "state:waiting"),
)
_STATES = ("running", "queued", "paused", "failed", "warning", "success", "killed", "cancelled")
_TRIGGERS = (
    ("push", "Push to Git", "branch"),
    ("cron", "Schedule", "clock"),
    ("webhook", "Webhook", "hook"),
    ("flow", "Another flow", "flow"),
)
_SPANS = (("1h", "Last hour"), ("24h", "Last 24 hours"), ("7d", "Last 7 days"), (None, "Any time"))


@dataclass(frozen=True, slots=True)
class Row:
    """One execution of the list."""

    id: str
    href: str
    state: Shown
    namespace: str
    flow: str
    chip: Chip | None
    trigger: TriggerShown
    strip: Chart
    took: Took
    started: Moment
    is_new: bool = False


@dataclass(frozen=True, slots=True)
class Choice:
    """An entry of a filter menu: a link to the query with it switched."""

    name: str
    href: str
    on: bool = False
    state: Shown | None = None
    icon: str = ""


@dataclass(frozen=True, slots=True)
class Menu:
    """A filter menu."""

    name: str
    choices: tuple[Choice, ...]


@dataclass(frozen=True, slots=True)
class Day:
    """The last day in half hours."""

    runs: str
    failed: str
    has_failed: bool
    live: str
    chart: Chart
    ticks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Group:
    """Rows below one heading; the first group has none."""

    name: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, slots=True)
class History:
    """The page."""

    query: Query
    views: tuple[Tab, ...]
    menus: tuple[Menu, ...]
    day: Day
    groups: tuple[Group, ...]
    counted: str
    older: str | None
    newer: str | None
    nothing: str  # what is said when no row is there
    wider: str | None  # the query for a longer time
    newest: str  # id of the first row


@dataclass(frozen=True, slots=True)
class Slice:
    """One page of executions with what belongs to them, as the service gives it."""

    executions: Sequence[Execution]
    runs: Mapping[str, Sequence[TaskRun]]
    commits: Mapping[str, CommitRow]
    cursor: str | None
    total: int


def address(query: str, **more: str | None) -> str:
    """Return the address of the history for a query."""
    given = {"q": query or None, **more}
    arguments = urlencode({key: value for key, value in given.items() if value})
    return f"/executions?{arguments}" if arguments else "/executions"


def row(
    execution: Execution,
    runs: Sequence[TaskRun],
    commits: Mapping[str, CommitRow],
    now: datetime,
    zone: tzinfo,
    *,
    is_new: bool = False,
) -> Row:
    """Return one execution as a row."""
    return Row(
        id=execution.id,
        href=f"/executions/{execution.id}",
        state=words.shown(execution.state),
        namespace=execution.namespace,
        flow=execution.flow_id,
        chip=parts.chip(execution.commit, commits.get(execution.commit or "")),
        trigger=parts.trigger(execution.trigger, execution.labels),
        strip=parts.strip(execution, runs, now),
        took=words.took(parts.began(execution), parts.end_of(execution), now),
        started=words.moment(parts.began(execution), now, zone),
        is_new=is_new,
    )


def history(
    query: Query,
    found: Slice,
    day: Day,
    counts: Mapping[str, int],
    now: datetime,
    zone: tzinfo,
    *,
    after: str | None = None,
) -> History:
    """Return the page of one slice. *counts* are those of the views, by key."""
    rows = [
        row(each, found.runs.get(each.id, ()), found.commits, now, zone)
        for each in found.executions
    ]
    return History(
        query=query,
        views=_views(query, counts),
        menus=_menus(query),
        day=day,
        groups=_groups(found.executions, rows, now, zone),
        counted=_counted(len(rows), found.total),
        older=address(query.text, after=found.cursor) if found.cursor else None,
        newer=address(query.text) if after else None,
        nothing=_nothing(query),
        wider=_wider(query),
        newest=rows[0].id if rows else "",
    )


def day(counts: Sequence[Mapping[str, int]], end: datetime, live: int, zone: tzinfo) -> Day:
    """Return the last day from counts by state, one map for each half hour, oldest first."""
    runs = sum(sum(each.values()) for each in counts)
    failed = sum(each.get("FAILED", 0) for each in counts)
    return Day(
        runs=words.number(runs),
        failed=words.number(failed),
        has_failed=failed > 0,
        live=words.number(live),
        chart=Chart(_bars(counts), _in_words(counts, runs, failed, end, zone)),
        ticks=tuple(
            f"{(end - timedelta(hours=hours)).astimezone(zone):%H:%M}" for hours in (24, 18, 12, 6)
        ),
    )


def _bars(counts: Sequence[Mapping[str, int]]) -> tuple[Rect, ...]:
    tallest = max((sum(each.values()) for each in counts), default=0) or 1
    width = 100 / len(counts) if counts else 100.0
    found = []
    for index, each in enumerate(counts):
        y = 100.0
        for family, count in _by_family(each):
            height = max(96 * count / tallest, 5.0)
            y -= height
            found.append(
                Rect(
                    family,
                    f"{index * width:.2f}",
                    f"{y:.1f}",
                    f"{width * 0.82:.2f}",
                    f"{height - 1:.1f}",
                )
            )
    return tuple(found)


def _by_family(counts: Mapping[str, int]) -> list[tuple[str, int]]:
    """Good ones below, failed ones on top, so that the eye finds them."""
    sums = dict.fromkeys(("good", "idle", "hold", "stop", "warn", "run", "bad"), 0)
    for state, count in counts.items():
        sums[words.family(state)] += count
    return [(family, count) for family, count in sums.items() if count]


def _in_words(
    counts: Sequence[Mapping[str, int]], runs: int, failed: int, end: datetime, zone: tzinfo
) -> str:
    text = f"Runs of the last 24 hours in half hours: {words.number(runs)} runs, {failed} failed"
    if not failed:
        return text
    worst = max(range(len(counts)), key=lambda index: counts[index].get("FAILED", 0))
    at = (end - BAR * (len(counts) - worst)).astimezone(zone)
    return f"{text}; most failures at {at:%H:%M}"


def _views(query: Query, counts: Mapping[str, int]) -> tuple[Tab, ...]:
    return tuple(
        Tab(
            key,
            name,
            address(text),
            count=words.number(counts[key]) if counts.get(key) else "",
            current=query.text == text,
        )
        for key, name, text in _VIEWS
    )


def view_queries() -> Sequence[tuple[str, str]]:
    """Return key and query of each view that has a count."""
    return [(key, text) for key, _, text in _VIEWS if text]


def _menus(query: Query) -> tuple[Menu, ...]:
    text = query.text
    states = tuple(
        Choice(
            word.capitalize(),
            address(toggled(text, "state", word)),
            on=word in query.states,
            state=words.shown(State(word.upper())),
        )
        for word in _STATES
    )
    triggers = tuple(
        Choice(name, address(with_term(text, "trigger", key)), icon=icon)
        for key, name, icon in _TRIGGERS
    )
    spans = tuple(
        Choice(name, address(with_term(text, "since", span)), on=query.since == span)
        for span, name in _SPANS
    )
    time = next((choice.name for choice in spans if choice.on), f"Since {query.since}")
    return (Menu("State", states), Menu("Trigger", triggers), Menu(time, spans))


def _groups(
    executions: Sequence[Execution], rows: Sequence[Row], now: datetime, zone: tzinfo
) -> tuple[Group, ...]:
    found: list[tuple[str, list[Row]]] = []
    for execution, each in zip(executions, rows, strict=True):
        name = _day_name(execution.created_at, now, zone)
        if not found or found[-1][0] != name:
            found.append((name, []))
        found[-1][1].append(each)
    return tuple(Group("" if name == "Today" else name, tuple(each)) for name, each in found)


def _day_name(at: datetime, now: datetime, zone: tzinfo) -> str:
    local = at.astimezone(zone).date()
    days = (now.astimezone(zone).date() - local).days
    if days <= 0:
        return "Today"
    return "Yesterday" if days == 1 else f"{local:%A} {local.day} {local:%B %Y}"


def _counted(count: int, total: int) -> str:
    if not count:
        return ""
    more = "+" if total >= 10_000 else ""
    return f"{words.number(count)} of {words.number(total)}{more}"


def _nothing(query: Query) -> str:
    if query.problems:
        return "The filter above cannot be read, so nothing is shown."
    if query.is_empty:
        return "Nothing has run yet."
    state = next(iter(query.states)) + " " if len(query.states) == 1 else ""
    flow = f" of {query.flow}" if query.flow else ""
    since = f" since {query.since}" if query.since else ""
    return f"No {state}run{flow}{since} matches."


def _wider(query: Query) -> str | None:
    if query.since in (None, "7d"):
        return None
    return address(with_term(query.text, "since", "7d"))
