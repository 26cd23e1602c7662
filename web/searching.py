"""Searches over what the store pages by cursors: filters, order and page numbers on top."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from flask import request

from runner.errors import ArgumentInvalid
from runner.model.execution import Execution
from runner.model.logs import Level, LogLine
from runner.services.bundle import Services
from runner.store.base import ExecutionFilter, LogQuery, Page
from web.filters import Group, Leaf, condition, conjuncts, items_of, moment, read, span, without
from web.paging import MOST_SCANNED, asked, ordered
from web.refusals import FilterInvalid

_STEP = 500
_COUNTED_LINES = 1_000  # so far the total of a search for lines is counted

EXECUTION_FIELDS = (
    "q", "namespace", "flowId", "flowRevision", "state", "labels", "startDate", "endDate",
    "timeRange", "triggerExecutionId", "triggerId", "childFilter", "scope", "kind", "id",
    "parentId", "originalId", "commit",
)  # fmt: skip
EXECUTION_PLAIN = (
    "q", "scope", "namespace", "flowId", "startDate", "endDate", "timeRange", "state", "labels",
    "triggerExecutionId", "childFilter", "triggerId",
)  # fmt: skip
EXECUTION_SORTS = (
    "id", "namespace", "flowId", "flowRevision", "state.current", "state.startDate",
    "state.endDate", "state.duration",
)  # fmt: skip

LOG_FIELDS = (
    "q", "namespace", "flowId", "executionId", "taskId", "taskRunId", "triggerId", "level",
    "minLevel", "startDate", "endDate", "timeRange", "scope", "attemptNumber",
)  # fmt: skip
LOG_PLAIN = (
    "q",
    "namespace",
    "flowId",
    "triggerId",
    "minLevel",
    "startDate",
    "endDate",
    "timeRange",
)
LOG_SORTS = ("timestamp", "level", "namespace", "flowId", "taskId", "executionId")


@dataclass(frozen=True, slots=True)
class Found:
    """One page of a search, and how many there are (counted up to a bound)."""

    items: Sequence[Any]
    total: int


def executions(services: Services, now: datetime) -> Found:
    """Return the executions that the query asks for."""
    group = read(request.args, EXECUTION_FIELDS, EXECUTION_PLAIN)
    paging = asked(EXECUTION_SORTS)
    filter, rest = _pushed_execution(group, now)
    holds = condition(rest, now)
    by_time = all(name == "state.startDate" for name, _ in paging.sort)
    ascending = bool(paging.sort) and paging.sort[0][1] and by_time

    def pages(cursor: str | None, limit: int) -> Page:
        return services.executions.search(filter, limit=limit, cursor=cursor, ascending=ascending)

    if by_time and not rest.members:
        items = list(_first(pages, paging.end))
        total = services.executions.count(filter, at_most=MOST_SCANNED)
        return Found(items[paging.start :], total)
    matching = [item for item in _first(pages, MOST_SCANNED) if holds(execution_record(item))]
    if not by_time:
        matching = list(ordered(matching, paging, _execution_key))
    return Found(matching[paging.start : paging.end], len(matching))


def every_execution(services: Services, now: datetime) -> Sequence[Execution]:
    """Return all executions that the query's filters match, up to a bound.

    Raises:
        ArgumentInvalid: there are more.
    """
    group = read(request.args, EXECUTION_FIELDS, EXECUTION_PLAIN)
    filter, rest = _pushed_execution(group, now)
    holds = condition(rest, now)

    def pages(cursor: str | None, limit: int) -> Page:
        return services.executions.search(filter, limit=limit, cursor=cursor)

    scanned = list(_first(pages, MOST_SCANNED + 1))
    if len(scanned) > MOST_SCANNED:
        raise ArgumentInvalid(f"more than {MOST_SCANNED} executions match: narrow the query")
    return [item for item in scanned if holds(execution_record(item))]


def logs(services: Services, now: datetime) -> Found:
    """Return the log lines that the query asks for."""
    group = read(request.args, LOG_FIELDS, LOG_PLAIN)
    paging = asked(LOG_SORTS)
    query, rest = _pushed_logs(group, now)
    holds = condition(rest, now)
    by_time = all(name == "timestamp" for name, _ in paging.sort)
    ascending = bool(paging.sort) and paging.sort[0][1] and by_time

    def pages(cursor: str | None, limit: int) -> Page:
        return services.logs.search(query, limit=limit, cursor=cursor, ascending=ascending)

    is_whole = by_time and not rest.members
    count = max(paging.end, _COUNTED_LINES) if is_whole else MOST_SCANNED
    matching = [line for line in _first(pages, count) if holds(log_record(line))]
    if not by_time:
        matching = list(ordered(matching, paging, _log_key))
    return Found(matching[paging.start : paging.end], len(matching))


# ── records ──────────────────────────────────────────────────────────────────────────────────────


def execution_record(value: Execution) -> Mapping[str, Any]:
    """What filters see of an execution."""
    variables = value.trigger.variables if value.trigger else {}
    upstream = variables.get("executionId")
    labels = dict(value.labels)
    return {
        "id": value.id,
        "namespace": value.namespace,
        "flowId": value.flow_id,
        "flowRevision": value.revision,
        "state": str(value.state),
        "labels": labels,
        "startDate": value.created_at,
        "triggerExecutionId": upstream,
        "triggerId": value.trigger.id if value.trigger else None,
        "childFilter": "CHILD" if upstream else "MAIN",
        "scope": scope_of(value.namespace),
        "kind": value.kind,
        "parentId": value.parent_id,
        "originalId": value.original_id or value.id,
        "commit": value.commit,
        "q": " ".join([value.id, value.namespace, value.flow_id, *labels, *labels.values()]),
    }


def log_record(line: LogLine) -> Mapping[str, Any]:
    """What filters see of a log line."""
    return {
        "namespace": line.namespace,
        "flowId": line.flow_id,
        "executionId": line.execution_id,
        "taskId": line.task_id,
        "taskRunId": line.task_run_id,
        "triggerId": line.trigger_id,
        "level": str(line.level),
        "startDate": line.at,
        "scope": scope_of(line.namespace),
        "attemptNumber": line.attempt,
        "q": line.message,
    }


def scope_of(namespace: str) -> str:
    """Whose a namespace is: the system's or a user's."""
    return "SYSTEM" if namespace == "system" or namespace.startswith("system.") else "USER"


def level(text: str) -> Level:
    """Return a log level. Raises FilterInvalid."""
    try:
        return Level(text.upper())
    except ValueError as exc:
        raise FilterInvalid(f"there is no log level '{text}'") from exc


# ── what the store looks up ──────────────────────────────────────────────────────────────────────


def _pushed_execution(group: Group, now: datetime) -> tuple[ExecutionFilter, Group]:
    filter = ExecutionFilter()
    done: list[Leaf] = []
    for leaf in conjuncts(group):
        pushed = _push_execution(filter, leaf, now)
        if pushed is not None:
            filter = pushed
            done.append(leaf)
    if not any(leaf.field == "kind" for leaf in conjuncts(group)):
        filter = replace(filter, kinds=("NORMAL",))
    return filter, without(group, done)


def _push_execution(filter: ExecutionFilter, leaf: Leaf, now: datetime) -> ExecutionFilter | None:
    """The filter with one more comparison; None if the store has no such look-up."""
    match leaf.field, leaf.operator:
        case "namespace", "PREFIX" if not filter.namespaces:
            return replace(filter, namespaces=(leaf.value,))
        case "flowId", "EQUALS" if not filter.flow_ids and "*" not in leaf.value:
            return replace(filter, flow_ids=(leaf.value,))
        case "state", "EQUALS" if not filter.states:
            return replace(filter, states=(leaf.value,))
        case "state", "IN" if not filter.states:
            return replace(filter, states=tuple(items_of(leaf.value)))
        case "labels", "EQUALS" if leaf.key and leaf.value:
            return replace(filter, labels=(*filter.labels, (leaf.key, leaf.value)))
        case "timeRange", _ if filter.since is None:
            return replace(filter, since=now - span(leaf.value))
        case "startDate", "GREATER_THAN_OR_EQUAL_TO" if filter.since is None:
            return replace(filter, since=moment(leaf.value))
        case "triggerExecutionId", "EQUALS" if filter.upstream_id is None:
            return replace(filter, upstream_id=leaf.value)
        case "triggerId", "EQUALS" if filter.trigger_id is None:
            return replace(filter, trigger_id=leaf.value)
        case "kind", "EQUALS":
            return replace(filter, kinds=(leaf.value,))
        case "q", _ if filter.text is None:
            return replace(filter, text=leaf.value)
        case "commit", ("EQUALS" | "PREFIX" | "STARTS_WITH") if filter.commit is None:
            return replace(filter, commit=leaf.value)
        case _:
            return None


def _pushed_logs(group: Group, now: datetime) -> tuple[LogQuery, Group]:
    query = LogQuery()
    done: list[Leaf] = []
    for leaf in conjuncts(group):
        pushed = _push_log(query, leaf, now)
        if pushed is not None:
            query = pushed
            done.append(leaf)
    return query, without(group, done)


def _push_log(query: LogQuery, leaf: Leaf, now: datetime) -> LogQuery | None:
    match leaf.field, leaf.operator:
        case (("level" | "minLevel"), ("EQUALS" | "GREATER_THAN_OR_EQUAL_TO")):
            return replace(query, min_level=level(leaf.value))
        case "executionId", "EQUALS":
            return replace(query, execution_id=leaf.value)
        case "flowId", "EQUALS":
            return replace(query, flow_id=leaf.value)
        case "namespace", "EQUALS":
            return replace(query, namespace=leaf.value)
        case "triggerId", "EQUALS":
            return replace(query, trigger_id=leaf.value)
        case "taskId", "EQUALS":
            return replace(query, task_id=leaf.value)
        case "startDate", "GREATER_THAN_OR_EQUAL_TO":
            return replace(query, since=moment(leaf.value))
        case "timeRange", _:
            return replace(query, since=now - span(leaf.value))
        case "q", _:
            return replace(query, text=leaf.value)
        case _:
            return None


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


def _first(pages: Callable[[str | None, int], Page], count: int) -> Iterator[Any]:
    """Yield up to *count* items, page by page."""
    cursor: str | None = None
    left = count
    while left > 0:
        page = pages(cursor, min(_STEP, left))
        yield from page.items
        left -= len(page.items)
        cursor = page.cursor
        if cursor is None:
            return


def _execution_key(value: Execution, name: str) -> Any:
    last = value.history[-1][1]
    ended = last if value.state.is_terminal else None
    return {
        "id": value.id,
        "namespace": value.namespace,
        "flowId": value.flow_id,
        "flowRevision": value.revision,
        "state.current": str(value.state),
        "state.startDate": value.created_at,
        "state.endDate": ended,
        "state.duration": last - value.created_at,
    }[name]


def _log_key(line: LogLine, name: str) -> Any:
    return {
        "timestamp": line.at,
        "level": line.level.rank,
        "namespace": line.namespace,
        "flowId": line.flow_id,
        "taskId": line.task_id,
        "executionId": line.execution_id,
    }[name]
