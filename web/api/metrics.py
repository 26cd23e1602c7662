"""Metrics of executions, and outputs as a resource of their own (rest-api §12, §14)."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, request

from runner.clock import iso
from runner.errors import NotFound
from runner.model.execution import Execution
from runner.services.executions import Shown
from runner.services.shapes import TENANT
from runner.store.base import Metric
from web.auth import needs
from web.context import services
from web.paging import asked, ordered, page_of
from web.refusals import NotBuilt
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


@bp.get("/<any(names, tasks, aggregates):what>/<path:rest>")
@needs(READ)
def of_flow(what: str, rest: str) -> Response:
    """Say that metrics over many executions are not built yet."""
    raise NotBuilt("metrics of a flow are not available yet")


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
    is_timer = metric.kind == "timer"
    return {
        "tenantId": TENANT,
        "namespace": execution.namespace,
        "flowId": execution.flow_id,
        "taskId": metric.task_id,
        "executionId": metric.execution_id,
        "taskRunId": metric.task_run_id,
        "type": metric.kind,
        "name": metric.name,
        "value": float(metric.value * 1000 if is_timer else metric.value),
        "timestamp": iso(metric.at),
        "tags": dict(metric.tags),
    }


def _key(metric: Metric, name: str) -> Any:
    return {"timestamp": metric.at, "name": metric.name, "value": metric.value}[name]
