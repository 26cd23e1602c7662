"""Which flows start which others (rest-api §9.13), as far as that is written down in them.

A place that is given by an expression is known only when it is rendered, so it is left out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from runner.model.flow import Flow, Task, Trigger
from runner.model.problems import FlowInvalid
from runner.runtime import Runtime
from runner.services.flows import every_row

Place = tuple[str, str]
"""Namespace and id of a flow."""

_TASK, _TRIGGER = "FLOW_TASK", "FLOW_TRIGGER"
_FLOWABLES = "io.kestra.plugin.core.flow."
_FLOW_TRIGGER = "io.kestra.plugin.core.trigger.Flow"


@dataclass(frozen=True, slots=True)
class Dependency:
    """*source* starts *target*: by a task of its own, or by a trigger of the target's."""

    source: Place
    target: Place
    relation: str


@dataclass(frozen=True, slots=True)
class Dependencies:
    """Some flows, and what leads from one to another."""

    flows: Sequence[Place]
    edges: Sequence[Dependency]


def dependencies_of(flow: Flow) -> Iterator[Dependency]:
    """Yield what a flow says about others."""
    here = (flow.namespace, flow.id)
    for task in _tasks(flow):
        if task.type.startswith(_FLOWABLES) and (there := _place(task.properties)):
            yield Dependency(here, there, _TASK)
    for trigger in flow.triggers:
        if trigger.type == _FLOW_TRIGGER:
            for there in _upstream(trigger):
                yield Dependency(there, here, _TRIGGER)


def around(
    edges: Collection[Dependency],
    start: Iterable[Place],
    *,
    destination_only: bool = False,
    expand_all: bool = False,
) -> Dependencies:
    """Return what is next to the flows of *start*, or with *expand_all* all that is connected.

    With *destination_only* only what they start counts.
    """
    reached, waiting, found = dict.fromkeys(start), list(start), dict[Dependency, None]()
    first = set(reached)
    while waiting:
        place = waiting.pop()
        for edge in edges:
            is_out, is_in = edge.source == place, edge.target == place
            if not (is_out or (is_in and not destination_only)):
                continue
            found[edge] = None
            other = edge.target if is_out else edge.source
            if other not in reached and (expand_all or place in first):
                reached[other] = None
                waiting += [other] if expand_all else []
    return Dependencies(tuple(reached), tuple(found))


class Graph:
    """The use cases around dependencies."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def edges(self) -> list[Dependency]:
        """Return all dependencies between flows that exist."""
        with self._runtime.store.read() as tx:
            rows = list(every_row(tx, None))
            known = {(row.namespace, row.flow_id) for row in rows}
            found: dict[Dependency, None] = {}
            for row in rows:
                try:
                    flow = self._runtime.flows.get(tx, row.namespace, row.flow_id, row.revision)
                except FlowInvalid:
                    continue  # what it says cannot be read
                found |= dict.fromkeys(dependencies_of(flow))
        return [edge for edge in found if {edge.source, edge.target} <= known]


def _tasks(flow: Flow) -> Iterator[Task]:
    for tasks in flow.lists.values():
        for task in tasks:
            yield from task.walk()


def _upstream(trigger: Trigger) -> Iterator[Place]:
    preconditions = trigger.properties.get("preconditions")
    listed = preconditions.get("flows") if isinstance(preconditions, Mapping) else None
    for written in (*(listed or ()), *trigger.conditions):
        if isinstance(written, Mapping) and (place := _place(written)):
            yield place


def _place(written: Mapping[str, Any]) -> Place | None:
    namespace, flow_id = written.get("namespace"), written.get("flowId")
    if not isinstance(namespace, str) or not isinstance(flow_id, str):
        return None
    return None if "{{" in namespace + flow_id else (namespace, flow_id)
