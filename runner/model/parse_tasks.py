"""Reading tasks and their children (flow-language §5, §11, §16)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from runner import durations
from runner.model.advice import about_type, not_yet
from runner.model.catalogue import Catalogue, Category, ListShape, TypeInfo
from runner.model.flow import JsonMap, ListName, Retry, Task, TaskCache, TaskKind
from runner.model.graph import cycle
from runner.model.logs import Level
from runner.model.names import TASK_ID, TYPE
from runner.model.parse_inputs import read_inputs
from runner.model.scalars import has_expression, text_of
from runner.model.section import Report, Section

COMMON = (
    "id", "type", "description", "disabled", "runIf", "retry", "timeout", "allowFailure",
    "allowWarning", "logLevel", "logToFile", "taskCache", "workerGroup",
    "pluginDefaultsRef", "version", "assets", "workerSelector",
)  # fmt: skip
"""Properties that every task may have."""

_LATER = ("workerSelector",)
_STEERING = "io.kestra.plugin.core.execution."
_RETRY = {
    "constant": ("interval",),
    "exponential": ("interval", "maxInterval", "delayFactor"),
    "random": ("minInterval", "maxInterval"),
}
_LESSER = {
    "constant": (("interval", "maxDuration"),),
    "exponential": (("interval", "maxDuration"), ("interval", "maxInterval")),
    "random": (
        ("minInterval", "maxDuration"),
        ("maxInterval", "maxDuration"),
        ("minInterval", "maxInterval"),
    ),
}
_RETRY_COMMON = ("type", "maxAttempts", "maxAttempt", "maxDuration", "warningOnRetry", "behavior")
_LIST_NAMES = ("tasks", "errors", "finally", "then", "else", "cases", "defaults")
_ONLY_RUNNABLE = "Only runnable tasks are allowed as children of a WorkingDirectory task"
_NO_GROUP = (
    "Cannot set a Worker Group in any WorkingDirectory sub-tasks, "
    "it is only supported at the WorkingDirectory level"
)
_NO_TYPE = "Invalid type: null"


@dataclass(frozen=True)
class Reading:
    """What reading any part of a flow needs."""

    report: Report
    catalogue: Catalogue


def read_tasks(reading: Reading, owner: Section, key: str) -> tuple[Task, ...]:
    """Read a list of tasks."""
    found = (read_task(reading, section) for section in owner.sections(key, "a task"))
    return tuple(task for task in found if task is not None)


def read_task(reading: Reading, section: Section, depends_on: tuple[str, ...] = ()) -> Task | None:
    """Read one task with its children; None if it has no usable id or type."""
    task_id = section.name("id", TASK_ID)
    info = read_type(reading, section, Category.TASK)
    common = _common(section)
    cache = _cache(section)
    lists = _lists(info, section)
    children = dict(_children(reading, section, lists))
    properties = _own(section, lists)
    if info is not None and info.available:
        _check_lists(reading, info, section, children)
        check(reading, info, section, properties)
    if task_id is None or info is None:
        return None
    if info.parts:
        children["tasks"] = tuple(_parts(reading, task_id, info, properties))
    return Task(
        id=task_id,
        type=info.name,
        kind=_kind(info, cache),
        cache=cache if _kind(info, cache) is TaskKind.WORKER else None,
        properties=properties,
        children=children,
        depends_on=depends_on,
        **common,
    )


def _cache(owner: Section) -> TaskCache | None:
    section = owner.section("taskCache")
    if section is None:
        return None
    section.refuse_unknown(("enabled", "ttl"), "taskCache")
    section.require("enabled")
    ttl = section.duration("ttl")
    return TaskCache(ttl) if section.boolean("enabled") else None


def _kind(info: TypeInfo, cache: TaskCache | None) -> TaskKind:
    """A task whose outputs are kept needs files, so it runs as an attempt of its own."""
    is_light = info.kind is TaskKind.INLINE and not info.name.startswith(_STEERING)
    return TaskKind.WORKER if cache is not None and is_light else info.kind


def _parts(reading: Reading, task_id: str, info: TypeInfo, properties: JsonMap) -> Iterator[Task]:
    """Yield the tasks that one task stands for."""
    for ending, name in info.parts:
        part = reading.catalogue.look_up(name)
        assert part is not None
        yield Task(task_id + ending, part.name, part.kind, properties)


def read_type(reading: Reading, section: Section, category: Category) -> TypeInfo | None:
    """Look the type of an object up; what is unknown, misplaced or not built yet is a problem."""
    if not section.has("type"):
        section.add("type", f"{_NO_TYPE}: every {category} needs a type", "required")
        return None
    name = section.text("type")
    if name is None:
        return None
    info = reading.catalogue.look_up(name)
    if info is None:
        _unknown_type(reading, section, name, category)
    elif info.category is not category:
        section.add("type", f"Invalid type: {name} is not a {category}", "type_unknown")
        return None
    elif not info.available:
        section.add("type", not_yet(info.name), "not_available_yet")
    elif is_alias(name, info.name):
        section.add("type", f"{name} is replaced by {info.name}", "alias", severity="info")
    if info is not None and info.superseded:
        section.add(None, info.superseded, "deprecated", severity="deprecation")
    return info


def is_alias(name: str, canonical: str) -> bool:
    """Say whether *name* is another name, not the canonical one or its short form."""
    return name != canonical and not canonical.endswith(f".{name}")


def _unknown_type(reading: Reading, section: Section, name: str, category: Category) -> None:
    is_name = not TYPE.fault(name)
    near = reading.catalogue.nearest(name, category) if is_name else None
    if is_name and near is None and reading.catalogue.is_foreign(name):
        section.add("type", not_yet(name), "not_available_yet")
        return
    advice = about_type(name)
    hint = f": {advice}" if advice else f", did you mean {near}?" if near else ""
    section.add("type", f"Invalid type: {name}{hint}", "type_unknown")


def _check_lists(
    reading: Reading,
    info: TypeInfo,
    section: Section,
    children: Mapping[ListName, tuple[Task, ...]],
) -> None:
    for names, message in info.needs:
        if not any(_is_filled(section.raw.get(name)) for name in names):
            section.add(names[0], message, "required")
    for name in info.input_lists:
        read_inputs(section, name)
    for name, advice in info.deprecated:
        if name in section.raw:
            section.add(name, advice, "deprecated", severity="deprecation", of_key=True)
    for key in _without_effect(info):
        if section.has(key):
            message = (
                f"The task '{section.text('id')}' cannot use the '{key}' property "
                "as it's only relevant for runnable tasks."
            )
            section.add(key, message, "without_effect", severity="warning", of_key=True)
    if info.takes_runnable:
        _check_runnable(reading, section, children.get("tasks", ()))
    if any(shape is ListShape.WRAPPED for _, shape in info.lists):
        _check_dag(section, children.get("tasks", ()))


def _without_effect(info: TypeInfo) -> Iterator[str]:
    """Yield the common properties that mean nothing for tasks that no worker runs."""
    if not info.has_timeout:
        yield "timeout"
    if not info.runnable:
        yield from ("taskCache", "workerGroup")


def _check_runnable(reading: Reading, section: Section, tasks: tuple[Task, ...]) -> None:
    infos = [reading.catalogue.look_up(task.type) for task in tasks]
    if not all(info is None or info.runnable for info in infos):
        section.add("tasks", _ONLY_RUNNABLE, "rule")
    if any("workerGroup" in child for child in section.items("tasks") if isinstance(child, dict)):
        section.add("tasks", _NO_GROUP, "rule")


def _is_filled(value: Any) -> bool:
    if isinstance(value, dict):
        return any(item is not None for item in value.values())
    return value is not None and value != []


def _check_dag(section: Section, tasks: tuple[Task, ...]) -> None:
    graph = {task.id: task.depends_on for task in tasks}
    missing = [needed for task in tasks for needed in task.depends_on if needed not in graph]
    if missing:
        message = f"Not existing task id in dependency: {', '.join(dict.fromkeys(missing))}"
        section.add("tasks", message, "rule")
    circle = [name for name in graph if cycle(graph, name)]
    if circle:
        section.add("tasks", f"Cyclic dependency detected: {', '.join(circle)}", "rule")


def check(reading: Reading, info: TypeInfo, section: Section, properties: JsonMap) -> None:
    """Report what the catalogue finds wrong with an object's own properties."""
    for finding in reading.catalogue.check(info, properties):
        path = (*section.path, *finding.path)
        if finding.code == "property_unknown" and not reading.report.is_written(path):
            continue  # it came with plugin defaults, which may be meant for other types
        reading.report.add(
            path, finding.message, finding.code, severity=finding.severity, of_key=finding.of_key
        )


def read_retry(owner: Section) -> Retry | None:
    """Read the property ``retry``."""
    section = owner.section("retry")
    if section is None:
        return None
    if not section.has("type"):
        section.add("type", f"{_NO_TYPE}: a retry needs a type", "required")
        return None
    kind = section.text("type")
    if kind not in _RETRY:
        section.add("type", f"Invalid type: {kind}: a retry is {', '.join(_RETRY)}", "type_unknown")
        return None
    section.refuse_unknown((*_RETRY_COMMON, *_RETRY[kind]), f"a retry of type {kind}")
    section.require(*(key for key in _RETRY[kind] if key != "delayFactor"))
    retry = _retry(section, kind)
    _check_intervals(section, retry)
    return retry


def _retry(section: Section, kind: Any) -> Retry:
    behavior = section.choice("behavior", ("RETRY_FAILED_TASK", "CREATE_NEW_EXECUTION"))
    given: dict[str, Any] = {
        "interval": section.duration("interval"),
        "delay_factor": section.number("delayFactor"),
        "behavior": behavior,
    }
    attempts = "maxAttempts" if section.has("maxAttempts") else "maxAttempt"
    return Retry(
        type=kind,
        max_interval=section.duration("maxInterval"),
        min_interval=section.duration("minInterval"),
        max_attempts=section.integer(attempts, least=1),
        max_duration=section.duration("maxDuration"),
        warning_on_retry=section.boolean("warningOnRetry"),
        **{name: value for name, value in given.items() if value is not None},
    )


def _check_intervals(section: Section, retry: Retry) -> None:
    values = {
        "interval": retry.interval if section.has("interval") else None,
        "minInterval": retry.min_interval,
        "maxInterval": retry.max_interval,
        "maxDuration": retry.max_duration,
    }
    for lesser, greater in _LESSER[retry.type]:
        low, high = values[lesser], values[greater]
        if low is not None and high is not None and low >= high:
            section.add(lesser, f"'{lesser}' must be less than '{greater}'")


def _common(section: Section) -> dict[str, Any]:
    for key in _LATER:
        if section.has(key):
            section.add(
                key, f"the property '{key}' is not available yet", "not_available_yet", of_key=True
            )
    if section.has("assets"):
        name = section.text("id")
        message = (
            f"Task '{name}' can't have any `assets` because assets are only available "
            "in Enterprise Edition."
        )
        section.add("assets", message, "rule", of_key=True)
    return {
        "description": section.text("description"),
        "disabled": section.boolean("disabled"),
        "run_if": section.text("runIf"),
        "retry": read_retry(section),
        "timeout": _timeout(section),
        "allow_failure": section.boolean("allowFailure"),
        "allow_warning": section.boolean("allowWarning"),
        "log_level": section.choice("logLevel", tuple(Level)) or "TRACE",
        "log_to_file": section.boolean("logToFile"),
        "worker_group": read_worker_group(section),
    }


def _timeout(section: Section) -> str | None:
    """Read what is rendered when the task runs: Kestra finds wrong ones only then."""
    value = section.raw.get("timeout")
    if isinstance(value, list | dict):
        section.add("timeout", "'timeout' must be a text", severity="warning")
        return str(value)  # no duration: the task fails when it runs
    if value is not None and not has_expression(value):
        try:
            durations.parse(value)
        except ValueError as exc:
            section.add("timeout", str(exc), severity="warning")
    return None if value is None else text_of(value)


def read_worker_group(owner: Section) -> str | None:
    """Read the key of ``workerGroup``."""
    section = owner.section("workerGroup")
    if section is None:
        return None
    section.refuse_unknown(("key", "fallback"), "workerGroup")
    section.choice("fallback", ("FAIL", "WAIT", "CANCEL"))
    return section.text("key")


def _lists(info: TypeInfo | None, section: Section) -> Mapping[ListName, ListShape]:
    """Return which properties hold tasks; of a type that is not known, those that look like it."""
    if info is not None and (info.available or info.lists):
        return dict(info.lists)
    return {
        name: shape
        for name in _LIST_NAMES
        if (shape := _looks_like(section.raw.get(name))) is not None
    }


def _looks_like(value: Any) -> ListShape | None:
    if _are_tasks(value):
        return ListShape.TASKS
    if isinstance(value, dict) and value and all(map(_are_tasks, value.values())):
        return ListShape.CASES
    return None


def _are_tasks(value: Any) -> bool:
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(item, dict) and "id" in item and "type" in item for item in value)


def _children(
    reading: Reading, section: Section, lists: Mapping[ListName, ListShape]
) -> Iterator[tuple[ListName, tuple[Task, ...]]]:
    for name, shape in lists.items():
        if not section.has(name):
            continue
        match shape:
            case ListShape.TASKS:
                yield name, read_tasks(reading, section, name)
            case ListShape.ONE:
                yield name, _only(reading, section, name)
            case ListShape.CASES:
                yield from _cases(reading, section, name)
            case ListShape.WRAPPED:
                yield name, tuple(_wrapped(reading, section, name))


def _only(reading: Reading, section: Section, name: str) -> tuple[Task, ...]:
    child = section.section(name)
    task = read_task(reading, child) if child is not None else None
    return () if task is None else (task,)


def _cases(
    reading: Reading, section: Section, name: str
) -> Iterator[tuple[ListName, tuple[Task, ...]]]:
    cases = section.mapping(name)
    inner = Section(reading.report, cases, (*section.path, name))
    for key in cases:
        yield f"{name}.{key}", read_tasks(reading, inner, key)


def _wrapped(reading: Reading, section: Section, name: str) -> Iterator[Task]:
    for item in section.sections(name, "an item"):
        item.refuse_unknown(("task", "dependsOn"), "an item of a Dag")
        item.require("task")
        child = item.section("task")
        task = read_task(reading, child, item.texts("dependsOn")) if child is not None else None
        if task is not None:
            yield task


def _own(section: Section, lists: Mapping[ListName, ListShape]) -> JsonMap:
    return {
        key: value for key, value in section.raw.items() if key not in COMMON and key not in lists
    }
