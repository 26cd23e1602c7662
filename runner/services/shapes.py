"""Kestra's JSON of our values (rest-api §9): pure functions, used by API, CLI and pages.

Keys are camelCase; what is None is left out; moments are ISO texts in UTC with milliseconds.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from runner import durations
from runner.clock import iso
from runner.model.execution import (
    Attempt,
    Breakpoint,
    Execution,
    History,
    Labels,
    StartedBy,
    TaskRun,
)
from runner.model.flow import Flow, Task, Trigger
from runner.model.inputs import Examined
from runner.model.logs import LogLine
from runner.model.problems import Problem
from runner.model.states import State
from runner.services.checks import FailedCheck
from runner.services.dependencies import Dependencies, Place
from runner.store.base import FlowRow, KvRow, Revision, TriggerRow

TENANT = "main"
Json = dict[str, Any]

_HIDDEN = frozenset({State.SUBMITTED})  # older clients' closed enums do not know it


# ── executions ───────────────────────────────────────────────────────────────────────────────────


def state(history: History, now: datetime) -> Json:
    """A state with its history (§9.1)."""
    shown = [entry for entry in history if entry[0] not in _HIDDEN]
    current, last = shown[-1]
    start = shown[0][1]
    return without_none(
        {
            "current": str(current),
            "histories": [{"state": str(name), "date": iso(at)} for name, at in shown],
            "duration": duration((last if current.is_terminal else max(now, last)) - start),
            "startDate": iso(start),
            "endDate": iso(last) if current.is_terminal or current is State.PAUSED else None,
        }
    )


def execution(
    value: Execution, runs: Sequence[TaskRun] = (), *, now: datetime, url: str | None = None
) -> Json:
    """An execution with its task runs (§9.2). *url* only in answers to a creation."""
    return without_none(
        {
            "tenantId": TENANT,
            "id": value.id,
            "namespace": value.namespace,
            "flowId": value.flow_id,
            "flowRevision": value.revision,
            "taskRunList": [task_run(run, value, now=now) for run in runs],
            "inputs": dict(value.inputs) or None,
            "outputs": None if value.outputs is None else dict(value.outputs),
            "labels": labels(value.labels),
            "variables": dict(value.variables) or None,
            "state": state(value.history, now),
            "parentId": value.parent_id,
            "originalId": value.original_id or value.id,
            "trigger": None if value.trigger is None else started_by(value.trigger),
            "scheduleDate": None if value.schedule_at is None else iso(value.schedule_at),
            "kind": None if value.kind == "NORMAL" else value.kind,
            "breakpoints": [breakpoint(each) for each in value.breakpoints] or None,
            "deleted": False,
            "metadata": {
                "attemptNumber": value.attempt_number,
                "originalCreatedDate": iso(value.original_created_at or value.created_at),
            },
            "headrace": pinned(value),
            "url": url,
        }
    )


def pinned(value: Execution) -> Json | None:
    """What an execution is pinned to in Git: our own addition."""
    if value.source is None:
        return None
    return without_none({"source": value.source, "commit": value.commit})


def task_run(run: TaskRun, value: Execution, *, now: datetime) -> Json:
    """A task run (§9.3)."""
    return without_none(
        {
            "tenantId": TENANT,
            "id": run.id,
            "executionId": run.execution_id,
            "namespace": value.namespace,
            "flowId": value.flow_id,
            "taskId": run.task_id,
            "parentTaskRunId": run.parent_id,
            "value": run.value,
            "iteration": run.iteration,
            "attempts": [attempt(each, now) for each in run.attempts] or None,
            "outputs": dict(run.outputs or {}),
            "state": state(run.history, now),
        }
    )


def attempt(value: Attempt, now: datetime) -> Json:
    """One attempt of a task run."""
    return without_none(
        {
            "state": state(value.history, now),
            "workerId": value.worker_id,
            "logFile": value.log_file,
        }
    )


def breakpoint(value: Breakpoint) -> Json:
    """Where an execution is to stop."""
    return without_none({"id": value.task_id, "value": value.value})


def started_by(value: StartedBy) -> Json:
    """What started an execution."""
    about = {"id": value.id, "type": value.type, "variables": dict(value.variables)}
    return without_none({**about, "logFile": value.log_file})


def latest_execution(value: Execution) -> Json:
    """The short form of lists of newest executions (§11.1)."""
    return {
        "id": value.id,
        "flowId": value.flow_id,
        "namespace": value.namespace,
        "startDate": iso(value.created_at),
        "status": str(value.state),
    }


def webhook_answer(value: Execution, url: str, now: datetime) -> Json:
    """The answer to a call of a flow's webhook (§11.5)."""
    return without_none(
        {
            "tenantId": TENANT,
            "id": value.id,
            "namespace": value.namespace,
            "flowId": value.flow_id,
            "flowRevision": value.revision,
            "trigger": None if value.trigger is None else started_by(value.trigger),
            "outputs": dict(value.outputs or {}),
            "labels": labels(value.labels),
            "state": state(value.history, now),
            "url": url,
        }
    )


def execution_path(value: Execution) -> str:
    """The path of an execution's page as Kestra's clients know it."""
    return f"/ui/{TENANT}/executions/{value.namespace}/{value.flow_id}/{value.id}"


# ── flows ────────────────────────────────────────────────────────────────────────────────────────


def flow(
    row: FlowRow, revision: Revision, parsed: Flow | None, *, with_source: bool, error: str = ""
) -> Json:
    """A flow, with its text where wanted (§9.4). *parsed* is None where the text is not valid."""
    shape = _flow_document(parsed) if parsed else _unreadable(row, error)
    shape |= {
        "id": row.flow_id,
        "namespace": row.namespace,
        "tenantId": TENANT,
        "revision": revision.revision,
        "updated": iso(revision.created_at),
        "disabled": row.disabled if parsed is None else parsed.disabled,
        "deleted": revision.deleted or row.deleted,
        "draft": False,
        "headrace": _ownership(row, revision),
    }
    if with_source:
        shape["source"] = revision.source
    return without_none(shape)


def dependencies(found: Dependencies) -> Json:
    """Flows and what leads from one to another (§9.13)."""
    return {
        "nodes": [
            {"uid": _uid(place), "namespace": place[0], "id": place[1]} for place in found.flows
        ],
        "edges": [
            {"source": _uid(edge.source), "target": _uid(edge.target), "relation": edge.relation}
            for edge in found.edges
        ],
    }


def _uid(place: Place) -> str:
    return f"{TENANT}_{place[0]}_{place[1]}"


def flow_for_execution(parsed: Flow) -> Json:
    """A flow for somebody who may only execute it (§9.5)."""
    return without_none(
        {
            "id": parsed.id,
            "namespace": parsed.namespace,
            "revision": parsed.revision,
            "description": parsed.description,
            "inputs": _inputs(parsed.document.get("inputs")),
            "disabled": parsed.disabled,
            "deleted": False,
            "draft": False,
            "tasks": [_short_task(task) for task in parsed.tasks],
            "triggers": [{"id": each.id, "type": each.type} for each in parsed.triggers] or None,
        }
    )


_WORDS_OF_KESTRA = ("rule", "without_effect", "alias")
"""Codes of hints that Kestra gives too."""


def validation(
    index: int,
    document: Mapping[str, Any],
    problems: Iterable[Problem],
    *,
    is_outdated: bool = False,
) -> Json:
    """What validation found in one document (§9.6); ``constraints`` only where it is not valid.

    What Kestra says too is in its words; the rest names its place.
    """
    found = list(problems)
    errors = [problem_text(each) for each in found if each.severity == "error"]
    return without_none(
        {
            "index": index,
            "namespace": _text_or_none(document.get("namespace")),
            "flow": _text_or_none(document.get("id")),
            "outdated": is_outdated,
            "constraints": "\n".join(errors) if errors else None,
            "deprecationPaths": [each.path for each in found if each.severity == "deprecation"],
            "warnings": [_hint(each) for each in found if each.severity == "warning"],
            "infos": [_hint(each) for each in found if each.severity == "info"],
        }
    )


def _hint(problem: Problem) -> str:
    return problem.message if problem.code in _WORDS_OF_KESTRA else problem_text(problem)


def inputs_validation(
    parsed: Flow, examined: Iterable[Examined], checks: Iterable[FailedCheck] = ()
) -> Json:
    """What there is to say about inputs that were given (§8)."""
    return {
        "id": parsed.id,
        "namespace": parsed.namespace,
        "inputs": [_examined(one) for one in examined],
        "checks": [
            {"message": each.message, "style": each.style, "behavior": each.behavior}
            for each in checks
        ],
    }


def problem(value: Problem) -> Json:
    """A problem with its place, as our own clients read it."""
    return {
        "line": value.line,
        "column": value.column,
        "path": value.path,
        "code": value.code,
        "message": value.message,
        "severity": value.severity,
    }


def problem_text(value: Problem) -> str:
    """A problem on one line, as Kestra writes it."""
    return value.text


def _examined(one: Examined) -> Json:
    declared = one.declared
    value = one.value if one.value is not None else one.given
    shown = "******" if declared.type == "SECRET" and value is not None else value
    errors = (*one.errors, *((one.warning,) if one.warning else ()))
    return without_none(
        {
            "input": without_none(
                {
                    **declared.properties,
                    "id": declared.id,
                    "type": declared.type,
                    "required": declared.required,
                    "defaults": None if declared.type == "SECRET" else declared.defaults,
                    "prefill": None if declared.type == "SECRET" else declared.prefill,
                    "description": declared.description,
                    "displayName": declared.display_name,
                }
            ),
            "value": shown,
            "enabled": one.enabled,
            "isDefault": one.is_default,
            "errors": [{"message": error} for error in errors] or None,
        }
    )


def _flow_document(parsed: Flow) -> Json:
    shape = dict(parsed.document)
    shape["labels"] = labels(parsed.labels) or None
    shape["inputs"] = _inputs(shape.get("inputs"))
    shape.setdefault("tasks", [])
    return shape


def _inputs(written: Any) -> list[Any] | None:
    if not isinstance(written, list):
        return None
    return [{"required": True, **each} if isinstance(each, dict) else each for each in written]


def _unreadable(row: FlowRow, error: str) -> Json:
    placeholder = {"id": "unreadable", "type": "io.kestra.plugin.core.log.Log", "message": error}
    return {"description": row.description, "exception": error, "tasks": [placeholder]}


def _ownership(row: FlowRow, revision: Revision) -> Json:
    return without_none(
        {
            "owner": row.owner,
            "absent": row.absent or None,
            "blocked": row.blocked or None,
            "path": revision.path or row.path,
            "commit": revision.commit or row.commit,
        }
    )


def _short_task(task: Task) -> Json:
    children = [_short_task(child) for tasks in task.children.values() for child in tasks]
    return without_none({"id": task.id, "type": task.type, "tasks": children or None})


# ── logs, metrics, triggers, KV, namespaces ──────────────────────────────────────────────────────


def log_line(line: LogLine) -> Json:
    """A log line (§9.7)."""
    return without_none(
        {
            "tenantId": TENANT,
            "namespace": line.namespace,
            "flowId": line.flow_id,
            "taskId": line.task_id or None,
            "executionId": line.execution_id or None,
            "taskRunId": line.task_run_id or None,
            "attemptNumber": line.attempt,
            "triggerId": line.trigger_id or None,
            "timestamp": iso(line.at),
            "level": str(line.level),
            "message": line.message,
        }
    )


def log_text(line: LogLine) -> str:
    """A log line of a downloaded log."""
    return f"{iso(line.at)} {line.level} {line.message}\n"


def trigger(declared: Trigger | None, row: TriggerRow) -> Json:
    """A trigger's state for both generations of clients (§9.9)."""
    next_at = None if row.next_at is None else iso(row.next_at)
    return without_none(
        {
            "tenantId": TENANT,
            "namespace": row.namespace,
            "flowId": row.flow_id,
            "triggerId": row.trigger_id,
            "date": iso(row.last_at or row.created_at),
            "nextExecutionDate": next_at,
            "nextEvaluationDate": next_at,
            "updatedDate": iso(row.updated_at),
            "updatedAt": iso(row.updated_at),
            "evaluatedAt": None if row.last_at is None else iso(row.last_at),
            "lastTriggeredDate": None if row.last_at is None else iso(row.last_at),
            "executionId": row.execution_id,
            "stopAfter": list(declared.stop_after) or None if declared else None,
            "disabled": row.disabled,
            "locked": row.execution_id is not None,
            "backfill": _backfill(row),
        }
    )


def _backfill(row: TriggerRow) -> Json | None:
    if row.backfill is None:
        return None
    return {name: value for name, value in row.backfill.items() if name != "id"}


def declared_trigger(value: Trigger) -> Json:
    """A trigger as the flow declares it."""
    return without_none(
        {
            **value.properties,
            "id": value.id,
            "type": value.type,
            "description": value.description,
            "disabled": value.disabled,
        }
    )


def kv_entry(row: KvRow) -> Json:
    """A key of a namespace without its value (§9.10)."""
    return without_none(
        {
            "namespace": row.namespace,
            "key": row.key,
            "version": row.version,
            "revision": row.version,
            "description": row.description,
            "creationDate": iso(row.created_at),
            "updateDate": iso(row.updated_at),
            "expirationDate": None if row.expires_at is None else iso(row.expires_at),
        }
    )


def kv_value(row: KvRow) -> Json:
    """A key's value."""
    return {
        "type": row.kind,
        "value": row.value,
        "revision": row.version,
        "updated": iso(row.updated_at),
    }


def namespace(name: str) -> Json:
    """A namespace (§9.11)."""
    return {"id": name, "deleted": False, "disabled": False}


def file(name: str, size: int, modified_at: datetime, created_at: datetime | None = None) -> Json:
    """A namespace file (§9.11)."""
    return {
        "fileName": name,
        "type": "File",
        "size": size,
        "lastModifiedTime": _millis(modified_at),
        "creationTime": _millis(created_at or modified_at),
        "metadata": {},
    }


def directory(name: str, modified_at: datetime) -> Json:
    """A directory of namespace files."""
    return file(name, 0, modified_at) | {"type": "Directory"}


# ── parts ────────────────────────────────────────────────────────────────────────────────────────


def labels(value: Labels) -> list[dict[str, str]]:
    """Labels as a list."""
    return [{"key": key, "value": text} for key, text in value]


def duration(value: timedelta) -> str:
    """An ISO duration, never negative, in milliseconds."""
    millis = max(value, timedelta(0)) // timedelta(milliseconds=1)
    return durations.format(timedelta(milliseconds=millis))


def without_none(shape: Json) -> Json:
    """The object without its None entries."""
    return {key: value for key, value in shape.items() if value is not None}


def _millis(moment: datetime) -> int:
    return int(moment.timestamp() * 1000)


def _text_or_none(value: Any) -> str | None:
    return value if isinstance(value, str) else None
