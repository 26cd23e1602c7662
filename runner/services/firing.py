"""The one place where a trigger or a caller makes an execution.

    with runtime.store.begin() as tx:
        row = tx.flows.get(namespace, flow_id)
        flow = active_flow(runtime, tx, row)
        creation = create(runtime, tx, flow, row, Beginning(inputs=…), by=principal, key="cron:…")
    send(runtime, creation)            # after the commit; a failure is harmless

Inputs are resolved before (`runner.services.inputs`). The execution row, its firing key and its
wake-up are written in the transaction that is handed in; nothing else is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import structlog

from runner import ids
from runner.engine.creation import Beginning, begin
from runner.errors import NotFound, Refused, Unavailable
from runner.model.execution import Execution
from runner.model.flow import Flow
from runner.model.inputs import undeclared
from runner.model.logs import Level, LogLine
from runner.model.states import State
from runner.model.wake import Wake
from runner.runtime import Runtime
from runner.runtime.pinning import head_of, source_of
from runner.services.principal import Principal
from runner.services.requests import Key
from runner.store.base import FlowRow, Fold, Tx

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Creation:
    """An execution and the wake-up to send. *is_new* is false when its key had been used before."""

    execution: Execution
    wake: Wake | None = None
    is_new: bool = True


def create(
    runtime: Runtime,
    tx: Tx,
    flow: Flow,
    row: FlowRow,
    beginning: Beginning,
    *,
    by: Principal,
    key: str | Key | None = None,
) -> Creation:
    """Write a new execution of *flow*, which carries its revision, and its wake-up.

    With a *key* that was used before, the execution that has it comes back and nothing is written.

    Raises:
        NotFound: the flow is deleted. Refused: it is disabled, absent or blocked, or the execution
        that had the key was deleted. KeyReused.
    """
    check_may_run(row)
    execution_id = beginning.execution_id or ids.new()
    if taken := _taken(tx, key, execution_id, by):
        return _earlier(tx, taken)
    execution = _write(runtime, tx, flow, row, beginning, execution_id, by)
    return Creation(execution, tx.wakes.new_drive(execution.id))


def create_failed(
    runtime: Runtime,
    tx: Tx,
    flow: Flow,
    row: FlowRow,
    beginning: Beginning,
    *,
    by: Principal,
    key: str | Key | None = None,
) -> Creation:
    """Write an execution that a trigger's error made: born FAILED, nothing of it runs (§12.2, 5).

    Flow triggers hear of it (`runner.services.announcements`).

    The caller writes `failure_line` to the log after the commit.
    """
    check_may_run(row)
    execution_id = beginning.execution_id or ids.new()
    if taken := _taken(tx, key, execution_id, by):
        return _earlier(tx, taken)
    born = begin(
        flow,
        beginning,
        execution_id=execution_id,
        source=source_of(row),
        commit=None,
        now=runtime.clock.now(),
    )
    _add(tx, born, beginning, by)
    failed = replace(born.enter(State.FAILED, born.created_at), fully_ended=True)
    entry = len(failed.history) - 1
    tx.executions.save(Fold(failed, announcements=((State.FAILED, False, entry),)))
    return Creation(replace(failed, version=failed.version + 1))


def failure_line(execution: Execution, message: str) -> LogLine:
    """Return the log line of an execution that was born FAILED."""
    return LogLine(
        namespace=execution.namespace,
        flow_id=execution.flow_id,
        at=execution.created_at,
        level=Level.ERROR,
        message=message,
        number=0,
        execution_id=execution.id,
    )


def undeclared_lines(
    flow: Flow, execution: Execution, given: Mapping[str, Any]
) -> Sequence[LogLine]:
    """Return a warning for each given input that the flow does not ask for."""
    place = f"{flow.namespace}.{flow.id}"
    return [
        replace(
            failure_line(
                execution,
                f"Input {name} was provided for workflow {place} but isn't declared in the "
                "workflow inputs",
            ),
            level=Level.WARN,
            number=number,
        )
        for number, name in enumerate(undeclared(flow.inputs, given), 1)
    ]


def send(runtime: Runtime, creations: Iterable[Creation] | Creation) -> None:
    """Send the wake-ups of committed creations in one pipeline; the sweep repeats what is lost."""
    made = (creations,) if isinstance(creations, Creation) else creations
    send_wakes(runtime, [creation.wake for creation in made if creation.wake is not None])


def send_wakes(runtime: Runtime, wakes: Iterable[Wake | None]) -> None:
    """Send committed wake-ups; a failure is logged, the sweep sends them again."""
    present = [wake for wake in wakes if wake is not None]
    if not present:
        return
    try:
        runtime.queue.send(present)
    except Unavailable as exc:
        log.warning(
            "wake-ups were not sent, the sweep will send them",
            action="wake_not_sent",
            count=len(present),
            error=exc.message,
        )


def active_flow(runtime: Runtime, tx: Tx, row: FlowRow, revision: int | None = None) -> Flow:
    """Return the parsed flow of a row: its active revision, or another one of it.

    Raises:
        NotFound: no such revision. FlowInvalid: its text is not valid (any more).
    """
    return runtime.flows.get(tx, row.namespace, row.flow_id, revision or row.revision)


def check_may_run(row: FlowRow) -> None:
    """Raise unless new executions of the flow are allowed."""
    if row.deleted:
        raise NotFound("Flow not found")
    if row.disabled:
        raise Refused("Cannot execute a disabled flow")
    if row.absent:
        raise Refused("Cannot execute a flow that is absent from its Git source")
    if row.blocked:
        raise Refused("Cannot execute a flow that uses what is not available yet")


def _write(
    runtime: Runtime,
    tx: Tx,
    flow: Flow,
    row: FlowRow,
    beginning: Beginning,
    execution_id: str,
    by: Principal,
) -> Execution:
    execution = begin(
        flow,
        beginning,
        execution_id=execution_id,
        source=source_of(row),
        commit=beginning.commit or head_of(tx, row),
        now=runtime.clock.now(),
    )
    _add(tx, execution, beginning, by)
    return execution


def _add(tx: Tx, execution: Execution, beginning: Beginning, by: Principal) -> None:
    tx.executions.add(
        execution,
        by=by.name,
        upstream_id=beginning.upstream_id,
        upstream_task_run_id=beginning.upstream_task_run_id,
    )


def _taken(tx: Tx, key: str | Key | None, execution_id: str, by: Principal) -> str | None:
    if isinstance(key, Key):
        return key.claim(tx, execution_id, by=by)
    return None if key is None else tx.firings.claim(key, execution_id)


def _earlier(tx: Tx, execution_id: str) -> Creation:
    execution = tx.executions.find(execution_id)
    if execution is None:
        raise Refused(
            f"this was started before, as execution {execution_id}, which was deleted since"
        )
    return Creation(execution, is_new=False)
