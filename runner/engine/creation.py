"""What a new execution looks like (execution-semantics §1.2, flow-language §9). Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from itertools import chain
from typing import Any

from runner.model.execution import Breakpoint, Execution, Labels, StartedBy
from runner.model.flow import Flow
from runner.model.nulls import without_nulls
from runner.model.states import State

SYSTEM_PREFIX = "system."
CORRELATION_ID = "system.correlationId"
FROM = "system.from"
GIVEN_SYSTEM_LABELS = frozenset({CORRELATION_ID, FROM})
"""System labels that a caller may give."""


@dataclass(frozen=True, slots=True)
class Beginning:
    """What an execution begins with; the rest follows from its flow.

    *inputs* are resolved. *labels* are those of the trigger, then those given. *origin* becomes
    ``system.from``. *execution_id* is given when files were stored below it already. *upstream_id*
    and *upstream_task_run_id* name the execution that caused this one, and its waiting Subflow.
    """

    inputs: Mapping[str, Any] = field(default_factory=dict)
    labels: Labels = ()
    trigger: StartedBy | None = None
    origin: str | None = None
    correlation_id: str | None = None
    schedule_at: datetime | None = None
    kind: str = "NORMAL"
    breakpoints: tuple[Breakpoint, ...] = ()
    commit: str | None = None
    execution_id: str | None = None
    upstream_id: str | None = None
    upstream_task_run_id: str | None = None


def begin(
    flow: Flow,
    beginning: Beginning,
    *,
    execution_id: str,
    source: str | None,
    commit: str | None,
    now: datetime,
) -> Execution:
    """Return the new execution, in state CREATED, pinned to the flow's revision and to *commit*."""
    return Execution(
        id=execution_id,
        namespace=flow.namespace,
        flow_id=flow.id,
        revision=flow.revision,
        state=State.CREATED,
        history=((State.CREATED, now),),
        labels=labels_of(flow, beginning, execution_id),
        inputs=beginning.inputs,
        variables=without_nulls(flow.variables),
        trigger=beginning.trigger,
        schedule_at=beginning.schedule_at,
        kind=beginning.kind,
        breakpoints=beginning.breakpoints,
        source=source,
        commit=commit,
    )


def labels_of(flow: Flow, beginning: Beginning, execution_id: str) -> Labels:
    """Return a new execution's labels: the flow's, those given, the system's; later ones win."""
    own = (label for label in flow.labels if not label[0].startswith(SYSTEM_PREFIX))
    given = dict(beginning.labels)
    system = [
        (CORRELATION_ID, given.get(CORRELATION_ID) or beginning.correlation_id or execution_id)
    ]
    if origin := given.get(FROM) or beginning.origin:
        system.append((FROM, origin))
    rest = (label for label in beginning.labels if label[0] not in GIVEN_SYSTEM_LABELS)
    return merge_labels(own, rest, system)


def merge_labels(*groups: Iterable[tuple[str, str]]) -> Labels:
    """Return all labels, of one key the last value at the first place; empty ones are dropped."""
    merged = {key: value for key, value in chain.from_iterable(groups) if key and value}
    return tuple(merged.items())


def with_label(labels: Labels, key: str, value: str) -> Labels:
    """Return the labels with one set."""
    return merge_labels(labels, ((key, value),))
