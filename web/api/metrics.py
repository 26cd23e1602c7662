"""Metrics of executions, and outputs as a resource of their own (rest-api §12, §14)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, request

from runner.clock import iso
from runner.errors import ArgumentInvalid, NotFound
from runner.model.execution import Execution
from runner.services.executions import Shown
from runner.services.shapes import TENANT
from runner.store.base import FlowSpan, Metric
from web.auth import needs
from web.context import now, services
from web.filters import moment
from web.paging import asked, ordered, page_of
from web.respond import json_response

bp = Blueprint("api_metrics", __name__, url_prefix="/api/v1/metrics")
outputs = Blueprint("api_outputs", __name__, url_prefix="/api/v1/outputs")

READ = "executions:read"


@bp.get("/<execution_id>")
@needs(READ)
def of_execution(execution_id: str) -> Response:
    """Return the metrics of an execution."""
    paging = asked(("timestamp", "name", "value"))
    execution = services().executions.head(execution_id)
    found = services().metrics.of_execution(
        execution_id,
        task_run_id=request.args.get("taskRunId") or None,
        task_id=request.args.get("taskId") or None,
    )
    page = page_of(ordered(found, paging, _key), paging)
    page["results"] = [_shape(metric, execution) for metric in page["results"]]
    return json_response(page)


@bp.get("/names/<namespace>/<flow_id>")
@bp.get("/names/<namespace>/<flow_id>/<task_id>")
@needs(READ)
def names(namespace: str, flow_id: str, task_id: str | None = None) -> Response:
    """Return the names of what a flow, or one of its tasks, has reported."""
    place = _span(namespace, flow_id)
    return json_response(list(services().metrics.names(place, task_id=task_id)))


@bp.get("/tasks/<namespace>/<flow_id>")
@needs(READ)
def tasks(namespace: str, flow_id: str) -> Response:
    """Return the tasks of a flow that have reported numbers."""
    return json_response(list(services().metrics.tasks(_span(namespace, flow_id))))


@bp.get("/aggregates/<namespace>/<flow_id>/<name>")
@bp.get("/aggregates/<namespace>/<flow_id>/<task_id>/<name>")
@needs(READ)
def aggregates(namespace: str, flow_id: str, name: str, task_id: str | None = None) -> Response:
    """Return one number for each day that has some."""
    function = request.args.get("aggregation") or "sum"
    place = _span(namespace, flow_id)
    days = services().metrics.by_day(place, name, function.lower(), task_id=task_id)
    found = [
        {"name": name, "value": _number(each.kind, each.value), "date": iso(each.day)}
        for each in days
    ]
    return json_response({"groupBy": "day", "aggregations": found})


def _span(namespace: str, flow_id: str) -> FlowSpan:
    """The time that is asked for; by default the last thirty days."""
    until, since = (request.args.get(name) for name in ("endDate", "startDate"))
    end = moment(until) if until else now()
    begin = moment(since) if since else end - timedelta(days=30)
    if begin > end:
        raise ArgumentInvalid("startDate is after endDate")
    return FlowSpan(namespace, flow_id, begin, end)


def _number(kind: str, value: float) -> float:
    """A timer counts in milliseconds."""
    return float(value * 1000 if kind == "timer" else value)


@outputs.get("/executions/<execution_id>")
@needs(READ)
def execution_outputs(execution_id: str) -> Response:
    """Return the outputs of the flow."""
    return json_response(dict(services().executions.head(execution_id).outputs or {}))


@outputs.get("/<execution_id>")
@outputs.get("/tasks/<execution_id>")
@needs(READ)
def task_outputs(execution_id: str) -> Response:
    """Return which task runs have outputs."""
    shown = services().executions.get(execution_id)
    return json_response(_runs_with_outputs(shown))


@outputs.get("/<execution_id>/<task_run_id>")
@outputs.get("/tasks/<execution_id>/<task_run_id>")
@needs(READ)
def task_run_outputs(execution_id: str, task_run_id: str) -> Response:
    """Return the outputs of one task run."""
    for run in services().executions.get(execution_id).runs:
        if run.id == task_run_id:
            return json_response(dict(run.outputs or {}))
    raise NotFound(f"no task run {task_run_id}")


def _runs_with_outputs(shown: Shown) -> list[dict[str, Any]]:
    found = []
    for run in shown.runs:
        if run.outputs:
            row = {"taskId": run.task_id, "taskRunId": run.id, "inline": True}
            row |= {} if run.value is None else {"value": run.value}
            row |= {} if run.iteration is None else {"iteration": run.iteration}
            found.append(row)
    return found


def _shape(metric: Metric, execution: Execution) -> dict[str, Any]:
    return {
        "tenantId": TENANT,
        "namespace": execution.namespace,
        "flowId": execution.flow_id,
        "taskId": metric.task_id,
        "executionId": metric.execution_id,
        "taskRunId": metric.task_run_id,
        "type": metric.kind,
        "name": metric.name,
        "value": _number(metric.kind, metric.value),
        "timestamp": iso(metric.at),
        "tags": dict(metric.tags),
    }


def _key(metric: Metric, name: str) -> Any:
    return {"timestamp": metric.at, "name": metric.name, "value": metric.value}[name]
