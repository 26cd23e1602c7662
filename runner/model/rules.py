"""Rules that look at a whole flow (flow-language §17.3)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from runner.model.catalogue import Catalogue
from runner.model.flow import Flow, Input, Task
from runner.model.graph import cycle
from runner.model.names import RESERVED_FLOW_IDS, SYSTEM_LABEL, WRITABLE_SYSTEM_LABEL
from runner.model.section import Report
from runner.model.yaml import Path

_FLOW_TRIGGER = "io.kestra.plugin.core.trigger.Flow"
_SUBFLOWS = ("io.kestra.plugin.core.flow.Subflow", "io.kestra.plugin.core.flow.ForEachItem")
_LABELS = "io.kestra.plugin.core.execution.Labels"
_DASHES = (
    "Invalid {what} reference: use {what}s[key-name] instead of {what}s.key-name — keys with "
    "dashes require bracket notation, offending {where}: [{ids}]"
)


@dataclass(frozen=True)
class Sites:
    """Where each id of the flow stands, in order of appearance."""

    tasks: Sequence[tuple[str, Path]]
    triggers: Sequence[tuple[str, Path]]
    inputs: Sequence[tuple[str, Path]]
    outputs: Sequence[tuple[str, Path]]


def check_rules(report: Report, catalogue: Catalogue, raw: dict[str, Any], flow: Flow) -> None:
    """Report every broken rule of a flow that could be read; *raw* has plugin defaults in it."""
    sites = sites_of(raw)
    _check_flow_id(report, flow)
    tasks = [*sites.tasks, *_parts(flow, dict(sites.tasks))]
    for what, found in (("task id", tasks), ("trigger id", sites.triggers)):
        _check_unique(report, what, found)
    for what, found in (("input", sites.inputs), ("output", sites.outputs)):
        _check_unique(report, what, found)
    _check_forms(report, raw)
    _check_preconditions(report, raw)
    _check_nesting(report, sites.inputs)
    _check_dependencies(report, flow.inputs, dict(sites.inputs))
    _check_recursion(report, flow, dict(sites.tasks))
    _check_labels(report, raw)
    _check_labels_of_tasks(report, flow, dict(sites.tasks))
    _check_dashes(report, catalogue, flow, sites)
    _warn_of_flow_triggers(report, flow)


def sites_of(raw: dict[str, Any]) -> Sites:
    """Find the ids in a flow's plain data, also of tasks that could not be read."""
    tasks: list[tuple[str, Path]] = []
    for name in ("tasks", "errors", "finally", "afterExecution", "listeners"):
        tasks += _task_sites(raw.get(name), (name,))
    return Sites(tasks, _ids(raw, "triggers"), _ids(raw, "inputs"), _ids(raw, "outputs"))


def _task_sites(value: Any, path: Path) -> Iterator[tuple[str, Path]]:
    """Yield tasks below *value*: mappings with an id and a type that is a dotted name."""
    if isinstance(value, dict):
        task_id, kind = value.get("id"), value.get("type")
        if isinstance(task_id, str) and isinstance(kind, str) and "." in kind:
            yield task_id, (*path, "id")
        for key in _NESTING & value.keys():
            yield from _task_sites(value[key], (*path, key))
        if isinstance(value.get("cases"), dict):
            for key, case in value["cases"].items():
                yield from _task_sites(case, (*path, "cases", key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _task_sites(item, (*path, index))


_NESTING = frozenset({"tasks", "errors", "finally", "then", "else", "defaults", "task", "onPause"})


def _ids(raw: dict[str, Any], key: str) -> list[tuple[str, Path]]:
    items = raw.get(key)
    if not isinstance(items, list):
        return []
    return [
        (item["id"], (key, index, "id"))
        for index, item in enumerate(items)
        if isinstance(item, dict) and isinstance(item.get("id"), str)
    ]


def _check_flow_id(report: Report, flow: Flow) -> None:
    if flow.id in RESERVED_FLOW_IDS:
        known = ", ".join(RESERVED_FLOW_IDS)
        report.add(
            ("id",),
            f"Flow id is a reserved keyword: {flow.id}. List of reserved keywords: {known}",
            "rule",
        )


def _check_unique(report: Report, what: str, found: Iterable[tuple[str, Path]]) -> None:
    seen: dict[str, Path] = {}
    doubles: dict[str, Path] = {}
    for name, path in found:
        if name in seen:
            doubles.setdefault(name, path)
        seen.setdefault(name, path)
    if doubles:
        names = ", ".join(doubles)
        lines = ", ".join(
            f"'{name}' stands first in line {report.line(seen[name])}" for name in doubles
        )
        message = f"Duplicate {what} with name [{names}] ({lines})"
        report.add(next(iter(doubles.values())), message, "duplicate")


def _parts(flow: Flow, sites: dict[str, Path]) -> Iterator[tuple[str, Path]]:
    """Yield the ids that a task like ForEachItem uses beside its own."""
    for task in tasks_of(flow):
        if task.type == _SUBFLOWS[1] and task.id in sites:
            for child in task.children.get("tasks", ()):
                yield child.id, sites[task.id]


def _check_forms(report: Report, raw: dict[str, Any]) -> None:
    """The inputs of a form are told apart by their whole paths, by which all others are too."""
    seen: set[str] = set()
    inputs = raw.get("inputs")
    for index, item in enumerate(inputs if isinstance(inputs, list) else ()):
        if not isinstance(item, dict) or not isinstance(item.get("inputs"), list):
            continue
        for child, path in _ids(item, "inputs"):
            name = f"{item.get('id')}.{child}"
            if name in seen:
                place = ("inputs", index, *path)
                report.add(place, f"Duplicate input path [{name}]", "duplicate")
            seen.add(name)


def _check_preconditions(report: Report, raw: dict[str, Any]) -> None:
    seen: set[str] = set()
    triggers = raw.get("triggers")
    for index, trigger in enumerate(triggers if isinstance(triggers, list) else ()):
        preconditions = trigger.get("preconditions") if isinstance(trigger, dict) else None
        name = preconditions.get("id") if isinstance(preconditions, dict) else None
        if isinstance(name, str) and name in seen:
            path = ("triggers", index, "preconditions", "id")
            report.add(path, f"Duplicate preconditions with id [{name}]", "duplicate")
        elif isinstance(name, str):
            seen.add(name)


def _check_nesting(report: Report, inputs: Sequence[tuple[str, Path]]) -> None:
    names = {name for name, _ in inputs}
    for name, path in inputs:
        parts = name.split(".")
        for size in range(1, len(parts)):
            above = ".".join(parts[:size])
            if above in names:
                message = (
                    f"Input path '{above}' conflicts with '{name}'; "
                    "one cannot be nested under the other."
                )
                report.add(path, message, "rule")


def _check_dependencies(report: Report, inputs: Sequence[Input], sites: dict[str, Path]) -> None:
    graph = {one.id: one.depends_on for one in inputs}
    for one in inputs:
        path = sites.get(one.id, ("inputs",))
        for needed in one.depends_on:
            if needed not in graph:
                message = f"Input with id '{one.id}' depends on a non-existent input '{needed}'."
                report.add(path, message, "rule")
        if circle := cycle(graph, one.id):
            ids = ", ".join(circle)
            report.add(
                path, f"Cycle dependency detected for input with id '{one.id}': [{ids}]", "rule"
            )


def _warn_of_flow_triggers(report: Report, flow: Flow) -> None:
    for index, trigger in enumerate(flow.triggers):
        is_bare = not trigger.conditions and not trigger.properties.get("preconditions")
        if trigger.type == _FLOW_TRIGGER and is_bare:
            message = (
                "This flow will be triggered for EVERY execution of EVERY flow on your instance. "
                "We recommend adding the preconditions property to the Flow trigger "
                f"'{trigger.id}'."
            )
            report.add(("triggers", index), message, "rule", severity="warning")


def _check_recursion(report: Report, flow: Flow, sites: dict[str, Path]) -> None:
    for task in tasks_of(flow):
        own = task.type in _SUBFLOWS and (
            task.properties.get("namespace"),
            task.properties.get("flowId"),
        )
        if own == (flow.namespace, flow.id):
            path = sites.get(task.id, ("tasks",))
            report.add(
                path, f"Invalid Flow: Recursive call to flow [{flow.namespace}.{flow.id}]", "rule"
            )


def tasks_of(flow: Flow) -> Iterator[Task]:
    """Yield all tasks of a flow, children and disabled ones included."""
    for tasks in flow.lists.values():
        for task in tasks:
            yield from task.walk()


def _check_labels(report: Report, raw: dict[str, Any]) -> None:
    """No ``system.*`` labels, but for ``system.readOnly`` of the flow."""
    for key, value, path in _labels(raw.get("labels"), ("labels",)):
        if key.startswith(SYSTEM_LABEL) and key != WRITABLE_SYSTEM_LABEL:
            _refuse_label(report, key, value, path)
    triggers = raw.get("triggers")
    for index, trigger in enumerate(triggers if isinstance(triggers, list) else ()):
        if isinstance(trigger, dict):
            for key, value, path in _labels(trigger.get("labels"), ("triggers", index, "labels")):
                if key.startswith(SYSTEM_LABEL):
                    _refuse_label(report, key, value, path)


def _check_labels_of_tasks(report: Report, flow: Flow, sites: dict[str, Path]) -> None:
    for task in tasks_of(flow):
        if task.type in (*_SUBFLOWS, _LABELS):
            path = (*sites.get(task.id, ("tasks", "id"))[:-1], "labels")
            for key, value, place in _labels(task.properties.get("labels"), path):
                if key.startswith(SYSTEM_LABEL):
                    _refuse_label(report, key, value, place, is_sure=task.type != _LABELS)


def _refuse_label(
    report: Report, key: str, value: Any, path: Path, *, is_sure: bool = True
) -> None:
    """Note a label of the system; if it is not *sure*, Kestra finds it when the task runs."""
    message = f"System labels can only be set by Kestra itself, offending label: {key}={value}"
    if is_sure:
        report.add(path, message, "rule")
    else:
        report.add(path, message, "value", severity="warning")


def _labels(value: Any, path: Path) -> Iterator[tuple[str, Any, Path]]:
    if isinstance(value, dict):
        for key, item in value.items():
            yield key, item, (*path, key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            if isinstance(item, dict) and isinstance(item.get("key"), str):
                yield item["key"], item.get("value"), (*path, index)


def _check_dashes(report: Report, catalogue: Catalogue, flow: Flow, sites: Sites) -> None:
    """``{{ inputs.a-b }}`` is a subtraction: refuse it, as Kestra does, in tasks and outputs.

    Kestra looks only at what a type declares itself, not at what its family shares.
    """
    inputs = [re.escape(name) for name, _ in sites.inputs if "-" in name]
    tasks = [re.escape(name) for name, _ in sites.tasks if "-" in name]
    if inputs:
        pattern = re.compile(rf"\{{\{{\s*inputs\.(?:{'|'.join(inputs)})\s*\}}\}}")
        _report_dashes(report, "input", "tasks", _offenders(catalogue, flow, sites, pattern))
    if tasks:
        pattern = re.compile(rf"\{{\{{\s*outputs\.(?:{'|'.join(tasks)})\.[^}}]+\s*\}}\}}")
        _report_dashes(report, "output", "tasks", _offenders(catalogue, flow, sites, pattern))
        places = dict(sites.outputs)
        outputs = {
            one.id: (*places[one.id][:-1], "value")
            for one in flow.outputs
            if one.id in places and _holds(one.value, pattern)
        }
        _report_dashes(report, "output", "outputs", outputs)


def _offenders(
    catalogue: Catalogue, flow: Flow, sites: Sites, pattern: re.Pattern[str]
) -> dict[str, Path]:
    """Return the place of the first such reference of each task that has one."""
    places = dict(sites.tasks)
    found: dict[str, Path] = {}
    for task in tasks_of(flow):
        info = catalogue.look_up(task.type)
        own = None if info is None or not info.available else set(catalogue.own_values(info))
        for key, value in task.properties.items():
            if (own is None or key in own) and task.id in places and _holds(value, pattern):
                found.setdefault(task.id, (*places[task.id][:-1], key))
    return found


def _holds(value: Any, pattern: re.Pattern[str]) -> bool:
    if isinstance(value, dict):
        return any(_holds(item, pattern) for pair in value.items() for item in pair)
    if isinstance(value, list):
        return any(_holds(item, pattern) for item in value)
    return isinstance(value, str) and pattern.search(value) is not None


def _report_dashes(report: Report, what: str, where: str, found: dict[str, Path]) -> None:
    if found:
        message = _DASHES.format(what=what, where=where, ids=", ".join(found))
        report.add(next(iter(found.values())), message, "rule")
