"""Schedules: each due date starts one execution, and leaves the next date behind.

What to start is worked out without a lock; a batch is then written in one transaction, each trigger
only if it still is as it was read. A trigger that makes this raise is set aside and tried later.
"""

from __future__ import annotations

import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

import structlog

from runner import ids
from runner.clock import to_micros
from runner.engine.creation import Beginning
from runner.errors import HeadraceError, Unavailable
from runner.expressions import ExpressionError, render_value
from runner.model.execution import StartedBy
from runner.model.facts import Facts
from runner.model.flow import Flow, Trigger
from runner.model.logs import LogLine
from runner.plugin import TaskError
from runner.runtime import Runtime
from runner.runtime.pinning import source_of
from runner.scheduler.schedule import Due, look, recovery
from runner.services import firing
from runner.services.backfills import Backfill, with_labels
from runner.services.conditions import hold
from runner.services.dates import DATED, Dates, text_of
from runner.services.firing import Creation
from runner.services.inputs import Inputs
from runner.services.principal import SYSTEM
from runner.services.trigger_context import context_of, rendered_labels
from runner.store.base import FlowRow, QuarantineRow, TriggerRow, Tx

log = structlog.get_logger(__name__)

LOOK_SECONDS = 0.2
MAX_TRIES = 8
_BATCH = 100
_TICK = timedelta(microseconds=1)
_FIRST_BACK_OFF = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Firing:
    """What to write for one trigger: its next date, and the execution to start, if any.

    *failure* is why the trigger could not be evaluated: the execution is born FAILED.
    """

    read: TriggerRow
    next_at: datetime | None
    flow: Flow | None = None
    trigger: Trigger | None = None
    date: datetime | None = None
    beginning: Beginning | None = None
    failure: str | None = None
    backfill: Mapping[str, Any] | None = None
    key: str = "cron"


class Ticks:
    """Looks at schedules whose date has come."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._inputs = Inputs(runtime)

    def step(self) -> float:
        """Start what is due; returns when to look again."""
        now = self._runtime.clock.now()
        with self._runtime.store.read() as tx:
            next_at = tx.triggers.next_at(DATED)
            if next_at is None or next_at > now + timedelta(seconds=LOOK_SECONDS):
                return LOOK_SECONDS
            due = tx.triggers.due(now, DATED, limit=_BATCH)
        if not due:
            wait = (next_at - now).total_seconds()
            return wait if wait > 0 else LOOK_SECONDS
        firings = [found for row in due if (found := self._prepared(row, now)) is not None]
        self._write(firings)
        return 0.0 if len(due) == _BATCH else 0.01

    # ── working out ──────────────────────────────────────────────────────────────────────────────

    def _prepared(self, row: TriggerRow, now: datetime) -> Firing | None:
        try:
            return self._firing(row, now)
        except Unavailable:
            raise
        except Exception as exc:  # noqa: BLE001 - one bad trigger stops no other
            self._quarantine(row, exc)
            return None

    def _firing(self, row: TriggerRow, now: datetime) -> Firing:
        with self._runtime.store.read() as tx:
            flow_row = tx.flows.find(row.namespace, row.flow_id)
            if flow_row is None or flow_row.deleted:
                return Firing(row, None)
            flow = firing.active_flow(self._runtime, tx, flow_row)
        trigger = next((each for each in flow.triggers if each.id == row.trigger_id), None)
        if trigger is None or trigger.disabled or trigger.type not in DATED:
            return Firing(row, None)
        dates = Dates(self._runtime, flow, trigger)
        if not flow_row.is_active:  # nothing is made up for when it comes back
            return Firing(row, dates.following(now), backfill=row.backfill)
        try:
            if row.backfill is not None:
                return self._fill(row, flow, trigger, dates, Backfill.read(row.backfill))
            due = self._look(dates, row, flow_row, now)
            return self._start(row, flow, trigger, dates, due)
        except (ExpressionError, TaskError, ValueError) as exc:  # a condition cannot be judged
            message = exc.message if isinstance(exc, HeadraceError) else str(exc)
            return self._misjudged(row, flow, trigger, dates, message)

    def _misjudged(
        self, row: TriggerRow, flow: Flow, trigger: Trigger, dates: Dates, message: str
    ) -> Firing:
        """Start a FAILED execution for the date that came, and go on with the next (§12.2, 5).

        Missed dates are not made up for, and a backfill is over: they would all fail.
        """
        now = self._runtime.clock.now()
        date = self._date_that_came(row, dates)
        if date is None or date > now:
            return Firing(row, date)
        started_by = StartedBy(trigger.id, trigger.type, {"date": text_of(date)})
        failed = Beginning(trigger=started_by, origin="trigger")
        return Firing(row, dates.following(now), flow, trigger, date, failed, message)

    def _date_that_came(self, row: TriggerRow, dates: Dates) -> datetime | None:
        if row.backfill is not None:
            return dates.following(Backfill.read(row.backfill).current)
        assert row.next_at is not None
        is_start = row.next_at == row.updated_at and (
            row.last_at is None or dates.following(row.last_at) != row.next_at
        )
        is_date = dates.is_date(row.next_at) and not is_start
        return dates.shown(row.next_at) if is_date else dates.following(row.next_at)

    def _look(self, dates: Dates, row: TriggerRow, flow_row: FlowRow, now: datetime) -> Due:
        assert row.next_at is not None
        return look(
            dates,
            row.next_at + _TICK if _is_start(dates, row) else row.next_at,
            now,
            recover=recovery(dates.schedule, is_from_git=source_of(flow_row) is not None),
            was_held_up=row.last_at is not None and row.updated_at > row.next_at,
        )

    def _fill(
        self, row: TriggerRow, flow: Flow, trigger: Trigger, dates: Dates, backfill: Backfill
    ) -> Firing:
        """Start the next date of a backfill; behind the last one the trigger goes on as before."""
        if backfill.paused:
            return Firing(row, None, backfill=row.backfill)
        date = dates.after(backfill.current)
        if date is None or date > backfill.end:
            return Firing(row, self._behind(dates, backfill))
        following = dates.after(date)
        is_last = following is None or following > backfill.end
        started = self._start(row, flow, trigger, dates, Due(date, None), backfill)
        return replace(
            started,
            next_at=self._behind(dates, backfill) if is_last else self._runtime.clock.now(),
            backfill=None if is_last else replace(backfill, current=date).written(),
            key=f"backfill:{backfill.id}",
        )

    def _behind(self, dates: Dates, backfill: Backfill) -> datetime | None:
        """Return the date to go on with; one that was off meanwhile goes on from here."""
        return backfill.previous or dates.following(self._runtime.clock.now())

    def _start(
        self,
        row: TriggerRow,
        flow: Flow,
        trigger: Trigger,
        dates: Dates,
        due: Due,
        backfill: Backfill | None = None,
    ) -> Firing:
        if due.date is None:
            return Firing(row, due.next_at)
        variables = dates.variables(due.date)
        made = Firing(row, due.next_at, flow, trigger, due.date)
        try:
            beginning = self._beginning(flow, trigger, due.date, variables, backfill)
        except (HeadraceError, ValueError) as exc:
            started_by = StartedBy(trigger.id, trigger.type, variables)
            failed = Beginning(trigger=started_by, origin="trigger")
            message = exc.message if isinstance(exc, HeadraceError) else str(exc)
            return replace(made, beginning=failed, failure=message)
        return replace(made, beginning=beginning)

    def _beginning(
        self,
        flow: Flow,
        trigger: Trigger,
        date: datetime,
        variables: Mapping[str, Any],
        backfill: Backfill | None = None,
    ) -> Beginning | None:
        """Return what the execution begins with; None: a condition does not hold."""
        execution_id = ids.new()
        about = {**variables, "id": trigger.id, "type": trigger.type}
        context = context_of(self._runtime, flow, about)
        facts = Facts(date=date, listener_namespace=flow.namespace, listener_flow_id=flow.id)
        if not hold(self._runtime, trigger.conditions, context, facts):
            return None
        more = dict(backfill.inputs) if backfill else {}
        given: Any = render_value({**trigger.inputs, **more}, context, typed=True)
        labels = rendered_labels(trigger, context)
        return Beginning(
            inputs=self._inputs.resolve(flow, given, execution_id=execution_id),
            labels=labels if backfill is None else with_labels(labels, backfill.labels),
            trigger=StartedBy(trigger.id, trigger.type, variables),
            origin="trigger",
            schedule_at=date,
            execution_id=execution_id,
        )

    # ── writing ──────────────────────────────────────────────────────────────────────────────────

    def _write(self, firings: Sequence[Firing]) -> None:
        """Write all in one transaction; if that fails, each in its own."""
        try:
            self._write_together(firings)
        except Unavailable:
            raise
        except Exception as exc:  # noqa: BLE001 - find the one that is to blame
            if len(firings) == 1:
                self._quarantine(firings[0].read, exc)
                return
            for each in firings:
                self._write([each])

    def _write_together(self, firings: Sequence[Firing]) -> None:
        creations: list[Creation] = []
        lines: list[LogLine] = []
        with self._runtime.store.begin() as tx:
            for each in firings:
                creation = self._write_one(tx, each)
                if creation is not None:
                    creations.append(creation)
                    if each.failure is not None:
                        message = self._runtime.mask.apply(each.failure)
                        lines.append(firing.failure_line(creation.execution, message))
        firing.send(self._runtime, creations)
        if lines:
            self._runtime.store.logs.write(lines)

    def _write_one(self, tx: Tx, each: Firing) -> Creation | None:
        row = tx.triggers.lock(each.read.namespace, each.read.flow_id, each.read.trigger_id)
        if row is None or row != each.read:
            return None  # changed meanwhile: looked at again
        if each.flow is not None and not _is_active(tx, each.flow):
            return None
        creation = self._created(tx, each)
        lock = row.execution_id
        is_running = creation is not None and not creation.execution.state.is_terminal
        if creation and is_running and each.trigger and not each.trigger.allow_concurrent:
            lock = creation.execution.id
        tx.triggers.save(
            replace(
                row,
                next_at=each.next_at,
                last_at=row.last_at if row.backfill else each.date or row.last_at,
                backfill=each.backfill,
                execution_id=lock,
                updated_at=self._runtime.clock.now(),
            )
        )
        return creation

    def _created(self, tx: Tx, each: Firing) -> Creation | None:
        if each.beginning is None or each.flow is None or each.date is None:
            return None
        flow_row = tx.flows.get(each.flow.namespace, each.flow.id)
        key = f"{each.key}:{each.flow.namespace}/{each.flow.id}/{each.read.trigger_id}"
        create = firing.create if each.failure is None else firing.create_failed
        return create(
            self._runtime,
            tx,
            each.flow,
            flow_row,
            each.beginning,
            by=SYSTEM,
            key=f"{key}/{to_micros(each.date)}",
        )

    def _quarantine(self, row: TriggerRow, exc: Exception) -> None:
        """Set a trigger aside: it is looked at later and later, at last not any more."""
        subject = f"trigger:{row.namespace}/{row.flow_id}/{row.trigger_id}"
        trace = self._runtime.mask.apply("".join(traceback.format_exception(exc)))
        now = self._runtime.clock.now()
        with self._runtime.store.begin() as tx:
            known = tx.quarantine.find(subject)
            tries = known.tries + 1 if known else 1
            until = now + _FIRST_BACK_OFF * 2 ** (tries - 1) if tries < MAX_TRIES else None
            tx.quarantine.save(QuarantineRow(subject, tries, trace, now, until))
            current = tx.triggers.lock(row.namespace, row.flow_id, row.trigger_id)
            if current is not None:
                tx.triggers.save(replace(current, next_at=until))
        log.error(
            "a trigger cannot be evaluated",
            action="quarantine",
            trigger=subject,
            tries=tries,
            again=until is not None,
            exc_info=exc,
        )


def _is_active(tx: Tx, flow: Flow) -> bool:
    """Say whether this revision is still the one that triggers start."""
    row = tx.flows.find(flow.namespace, flow.id)
    return row is not None and row.is_active and row.revision == flow.revision


def _is_start(dates: Dates, row: TriggerRow) -> bool:
    """Say whether *next_at* is when the trigger was made or switched on: counted from, no date."""
    if row.next_at is None or row.next_at != row.updated_at:
        return False
    return row.last_at is None or dates.after(row.last_at) != row.next_at
