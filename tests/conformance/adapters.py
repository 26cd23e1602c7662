"""Schedule and condition cases, asked of this process: its scheduler on a database of its own.

Time stands where a case puts it; executions run to their end at once.
"""

from __future__ import annotations

import atexit
import logging
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import structlog
import yaml

from runner.engine.creation import Beginning, labels_of
from runner.errors import HeadraceError
from runner.executor import drive
from runner.expressions import Context
from runner.model.evolve import replace
from runner.model.execution import Execution
from runner.model.facts import Facts
from runner.model.flow import Flow, Trigger
from runner.model.preconditions import TimeWindow
from runner.model.states import State
from runner.model.windows import Window
from runner.plugin import Condition
from runner.queue import NoQueue
from runner.runtime import Runtime
from runner.runtime.world import FlowWorld
from runner.scheduler.schedule import look
from runner.scheduler.ticks import Ticks
from runner.services import announcements
from runner.services.backfills import Backfill, Backfills
from runner.services.conditions import hold
from runner.services.dates import Dates
from runner.services.flows import Flows
from runner.services.preconditions import MULTIPLE, gathering_of
from runner.services.principal import SYSTEM
from runner.services.trigger_context import rendered_labels
from runner.settings import Settings
from runner.store.base import ExecutionFilter, TriggerRow
from runner.wiring import make_runtime

NAMESPACE = "io.kestra.unittest"
_LABELS = {"flow-label-1": "flow-label-1", "flow-label-2": "flow-label-2"}
_INPUTS = [
    {"id": "input1", "type": "STRING", "required": False},
    {"id": "input2", "type": "STRING", "defaults": "default"},
]
_LOG = {"id": "log", "type": "io.kestra.plugin.core.log.Log", "message": "hi"}
_MOST_STEPS = 500
_FLOW_TRIGGER = "io.kestra.plugin.core.trigger.Flow"
_numbers = count(1)
structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))


class _Clock:
    """Stands where it is put."""

    def __init__(self) -> None:
        self.moment = datetime.now(UTC)

    def now(self) -> datetime:
        return self.moment


def adapter(case: dict[str, Any]) -> dict[str, Any]:
    """Return what the case's `expect` asks for (HARNESS.md, Adapters)."""
    if "now" in case:
        _clock().moment = _moment(case["now"])
    if "condition" in case or "conditions" in case:
        return _condition(case)
    if "flow_trigger" in case:
        return _flow_trigger(case["flow_trigger"])
    if "time_window" in case:
        return _time_window(case)
    return _Scheduled(case).result()


# ── conditions ───────────────────────────────────────────────────────────────────────────────────


def _condition(case: Mapping[str, Any]) -> dict[str, Any]:
    conditions = case.get("conditions") or [case["condition"]]
    execution = case.get("execution", {})
    facts = Facts() if execution is None else _facts(execution)
    about = {"id": "flow-a", "namespace": NAMESPACE, "revision": 1}
    trigger = {"outputs": facts.outputs} if facts.outputs else {}
    context = Context({"flow": about, "trigger": trigger}, FlowWorld(_runtime(), NAMESPACE))
    try:
        if conditions[0]["type"] == MULTIPLE:
            listening = Trigger("t", _FLOW_TRIGGER, conditions=tuple(conditions))
            gathering = gathering_of(_runtime(), listening, context, facts)
            assert gathering is not None
            return {"result": all(asked() for asked in gathering.conditions.values())}
        return {"result": hold(_runtime(), conditions, context, facts)}
    except (HeadraceError, ValueError):
        return {"logged": True}


def _facts(execution: Mapping[str, Any]) -> Facts:
    runs = execution.get("task_runs") or ()
    tried = [run["attempts"] for run in runs if len(run["attempts"]) > 1]
    return Facts(
        namespace=NAMESPACE,
        flow_id="flow-a",
        state=State(execution.get("state", "RUNNING")),
        labels=execution.get("labels") or {},
        outputs=execution.get("outputs"),
        retried=tuple(State(state) for attempts in tried for state in attempts),
    )


def _time_window(case: Mapping[str, Any]) -> dict[str, Any]:
    window = TimeWindow.model_validate(case["time_window"]).rule().at(_clock().now())
    result = {
        "start": window.start.isoformat(),
        "end": window.end.isoformat(),
        **_in_window(window, _clock().now()),
    }
    if then := case.get("then"):
        result["then"] = _in_window(window, _moment(then["now"]))
    return result


def _in_window(window: Window, now: datetime) -> dict[str, bool]:
    """A result that was noted before is kept as long as the window is open."""
    is_open = window.holds(now)
    return {"results_kept": is_open, "expired": not is_open}


def _flow_trigger(asked: Mapping[str, Any]) -> dict[str, Any]:
    """Let a flow with the trigger be saved, another one run, and look at what that started."""
    if asked["trigger"]["type"].endswith("Schedule"):
        return {"labels": _labels_of_schedule(asked)}
    flow_id = f"listener-{next(_numbers)}"
    upstream = _saved({"id": f"upstream-{flow_id}", "namespace": NAMESPACE, "tasks": [_LOG]})
    listener = {**asked["flow"], "id": flow_id, "tasks": [_LOG], "triggers": [asked["trigger"]]}
    _saved(listener)
    _run(_created(*upstream))
    (started,) = _executions(NAMESPACE, flow_id)
    return {"flow_id": asked["flow"]["id"], "labels": _own_labels(started)}


def _labels_of_schedule(asked: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of an execution by a flow that could not be saved."""
    flow = Flow("f", NAMESPACE, (), labels=tuple(asked["flow"]["labels"].items()))
    trigger = Trigger(
        "t", asked["trigger"]["type"], labels=tuple(asked["trigger"]["labels"].items())
    )
    labels = rendered_labels(trigger, Context(asked["variables"]))
    found = dict(labels_of(flow, Beginning(labels=labels), "e"))
    return {key: text for key, text in found.items() if key != "system.correlationId"}


# ── schedules ────────────────────────────────────────────────────────────────────────────────────


class _Scheduled:
    """One trigger in a flow of its own."""

    def __init__(self, case: Mapping[str, Any]) -> None:
        self._case = case
        self._trigger = _alone(case["trigger"]) if "evaluate" in case else case["trigger"]
        if "evaluate" in case:  # the trigger alone: other conditions are asked before it
            dated = [raw for raw in self._trigger.get("conditions", ()) if _is_on_dates(raw)]
            self._trigger = {**self._trigger, "conditions": dated}
        self._started: list[dict[str, Any]] = []

    def result(self) -> dict[str, Any]:
        try:
            self._place = _saved(
                {
                    "id": f"flow-{next(_numbers)}",
                    "namespace": NAMESPACE,
                    "labels": _LABELS,
                    "inputs": _INPUTS,
                    "tasks": [_LOG],
                    "triggers": [self._trigger],
                }
            )
        except HeadraceError as exc:
            return {"executions": [], "log": [exc.message]}
        if "evaluate" in self._case:
            return self._evaluated(self._case["evaluate"])
        if "next_date" in self._case:
            return {"next": self._next(self._case["next_date"])}
        if "previous_date" in self._case:
            return {"previous": _text(self._dates().before(_clock().now()))}
        return self._scheduler(self._case["scheduler"])

    def _evaluated(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        date = _moment(asked["date"])
        if asked.get("backfill"):
            date = _moment(asked["backfill"]["currentDate"])
        self._change(next_at=date, last_at=date - timedelta(seconds=1))
        Ticks(_runtime()).step()
        started = _executions(*self._place)
        if self._dates().is_date(date):  # else it moves to the next one
            started = [one for one in started if one.schedule_at in (date, None)]
        elif asked.get("backfill"):
            started = []
        if not started:
            return {"execution": False}
        variables = started[0].trigger.variables if started[0].trigger else {}
        return {
            "execution": True,
            "state": str(started[0].state),
            "variables": dict(variables),
            "labels": _own_labels(started[0]),
            "inputs": dict(started[0].inputs),
        }

    def _next(self, asked: Mapping[str, Any]) -> str | None:
        """Return the date that would be started next: the one after the last, if not too late."""
        dates, now = self._dates(), _clock().now()
        last = _moment(asked["last"]) if asked.get("last") else now
        following = dates.after(last)
        if following is not None:
            due = look(dates, following, now, recover="ALL", was_held_up=False)
            following = due.date or due.next_at
        if following is None and self._trigger["type"].endswith("ScheduleOnDates"):
            return _text(now.replace(year=now.year + 1))  # Kestra's way to say: never
        return _text(following)

    def _scheduler(self, asked: Mapping[str, Any]) -> dict[str, Any]:
        self._begin(asked)
        until = _moment(asked["run_until"]) if asked.get("run_until") else _clock().now()
        self._play(until, asked.get("max_executions", _MOST_STEPS))
        row = self._row()
        result = {
            "executions": self._started,
            "next_execution_date": _text(row.next_at),
            "backfill": row.backfill,
            "after_execution_state": {"SUCCESS": {"trigger_disabled": row.disabled}},
        }
        if then := self._case.get("then"):
            wanted = then["set_backfill"]
            start, end = _moment(wanted["start"]), _moment(wanted["end"])
            place = (*self._place, self._trigger["id"])
            Backfills(_runtime()).create(
                place, start=start, end=end, inputs={}, labels=(), by=SYSTEM
            )
            row = self._row()
            result["then"] = {
                "backfill": row.backfill,
                "next_execution_date": _text(row.next_at),
            }
        return result

    def _begin(self, asked: Mapping[str, Any]) -> None:
        if asked.get("last"):
            last = _moment(asked["last"])
            self._change(last_at=last, next_at=self._dates().after(last))
        if asked.get("next_execution_date"):
            self._change(next_at=_moment(asked["next_execution_date"]))
        if asked.get("disabled"):
            self._change(disabled=True)
        if given := asked.get("backfill"):
            start, end = _moment(given["start"]), _moment(given["end"])
            row = self._row()
            backfill = Backfill("b", start, end, start - timedelta(microseconds=1), row.next_at)
            self._change(backfill=backfill.written(), next_at=_clock().now())

    def _play(self, until: datetime, most: int) -> None:
        """Let the scheduler work until a moment; each execution ends before the next look."""
        known: set[str] = set()
        for _ in range(_MOST_STEPS):
            Ticks(_runtime()).step()
            new = [one for one in _executions(*self._place) if one.id not in known]
            for execution in new:
                known.add(execution.id)
                self._note(execution)
                _run(execution)
            if len(known) >= most or (not new and not self._advance(until)):
                return

    def _advance(self, until: datetime) -> bool:
        """Move the clock to the next date; False: there is none before the end."""
        next_at = self._row().next_at
        if next_at is None or next_at > until or self._row().disabled:
            return False
        if next_at <= _clock().now():
            return False
        _clock().moment = next_at
        return True

    def _note(self, execution: Execution) -> None:
        variables = execution.trigger.variables if execution.trigger else {}
        date = variables.get("date") or _text(execution.schedule_at)
        self._started.append(
            {
                "date": date,
                "inputs": dict(execution.inputs),
                "labels": _own_labels(execution),
                "next_execution_date": _text(self._row().next_at),
            }
        )

    def _dates(self) -> Dates:
        flow = _flow(*self._place)
        return Dates(_runtime(), flow, flow.triggers[0])

    def _row(self) -> TriggerRow:
        with _runtime().store.read() as tx:
            (row,) = tx.triggers.of_flow(*self._place)
            return row

    def _change(self, **changes: Any) -> None:
        with _runtime().store.begin() as tx:
            (row,) = tx.triggers.of_flow(*self._place)
            created = min(row.created_at, changes.get("next_at") or row.created_at)
            tx.triggers.save(replace(row, created_at=created, updated_at=created, **changes))


def _is_on_dates(raw: Mapping[str, Any]) -> bool:
    found = _runtime().registry.find(raw["type"])
    return bool(getattr(found, "on_schedule", False))


def _alone(trigger: Mapping[str, Any]) -> dict[str, Any]:
    """Leave out the conditions that the scheduler judges, not the trigger (README.md, evaluate)."""
    conditions = [one for one in trigger.get("conditions", ()) if _shapes_dates(one)]
    return {**trigger, "conditions": conditions}


def _shapes_dates(condition: Mapping[str, Any]) -> bool:
    found = _runtime().registry.find(condition["type"])
    return found is not None and issubclass(found, Condition) and found.on_schedule


# ── the world ────────────────────────────────────────────────────────────────────────────────────


@cache
def _clock() -> _Clock:
    return _Clock()


@cache
def _runtime() -> Runtime:
    home = Path(tempfile.mkdtemp(prefix="headrace-adapter-"))
    atexit.register(shutil.rmtree, home, ignore_errors=True)
    made = make_runtime(Settings(home=home), queue=NoQueue(), environment={}, migrated=True)
    return replace(made, clock=_clock())


def _saved(document: Mapping[str, Any]) -> tuple[str, str]:
    text = yaml.safe_dump(dict(document), allow_unicode=True, sort_keys=False)
    row = Flows(_runtime()).create(text, by=SYSTEM).row
    return row.namespace, row.flow_id


def _flow(namespace: str, flow_id: str) -> Any:
    with _runtime().store.read() as tx:
        row = tx.flows.get(namespace, flow_id)
        return _runtime().flows.get(tx, namespace, flow_id, row.revision)


def _created(namespace: str, flow_id: str) -> Execution:
    from runner.services.executions import Executions, Order
    from runner.services.inputs import Inputs

    order = Order(namespace, flow_id, {})
    return Executions(_runtime(), Inputs(_runtime())).create(order, by=SYSTEM).execution


def _run(execution: Execution) -> None:
    drive(_runtime(), execution.id)
    announcements.settle(_runtime())


def _executions(namespace: str, flow_id: str) -> list[Execution]:
    wanted = ExecutionFilter(namespaces=(namespace,), flow_ids=(flow_id,))
    with _runtime().store.read() as tx:
        page = tx.executions.search(wanted, limit=_MOST_STEPS, ascending=True)
    return list(page.items)


def _own_labels(execution: Execution) -> dict[str, str]:
    return {key: text for key, text in execution.labels if not key.startswith("system.")}


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(_micros(text))
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _micros(text: str) -> str:
    """Cut nanoseconds."""
    head, dot, rest = text.partition(".")
    digits = "".join(_leading_digits(rest))
    return f"{head}{dot}{digits[:6]}{rest[len(digits) :]}"


def _leading_digits(text: str) -> Iterator[str]:
    for char in text:
        if not char.isdigit():
            return
        yield char


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat().replace("+00:00", "Z")
