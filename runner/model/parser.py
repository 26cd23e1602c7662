"""From the text of a flow to a checked value, or to all that is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from runner.model.catalogue import Catalogue
from runner.model.evolve import replace
from runner.model.flow import Concurrency, Flow
from runner.model.names import FLOW_ID, NAMESPACE
from runner.model.parse_guards import read_checks, read_listeners, read_slas
from runner.model.parse_inputs import read_inputs, read_outputs
from runner.model.parse_tasks import Reading, read_retry, read_tasks, read_worker_group
from runner.model.parse_triggers import read_triggers
from runner.model.plugin_defaults import inject, read_defaults
from runner.model.problems import Problem
from runner.model.rules import check_rules
from runner.model.section import Report, Section
from runner.model.yaml import MalformedYaml, read, show

FLOW_KEYS = (
    "id", "namespace", "description", "tasks", "inputs", "outputs", "variables", "labels",
    "triggers", "errors", "finally", "afterExecution", "listeners", "pluginDefaults",
    "taskDefaults", "concurrency", "retry", "sla", "checks", "disabled", "workerGroup",
    "revision", "deleted", "updated", "tenantId", "source",
)  # fmt: skip

_TASK_LISTS = ("tasks", "errors", "finally", "afterExecution")


@dataclass(frozen=True)
class Parsed:
    """A flow, unless something is wrong with it; and everything that there is to say about it.

    *namespace*, *flow_id* and *revision* are there as far as the text names them, also without a
    flow. *is_outdated*: the revision is not the next one; only who knows what is stored can tell.
    """

    flow: Flow | None
    problems: tuple[Problem, ...] = ()
    namespace: str | None = None
    flow_id: str | None = None
    revision: int | None = None
    is_outdated: bool = False


def parse_flow(
    source: str,
    catalogue: Catalogue,
    *,
    namespace: str | None = None,
    default_namespace: str | None = None,
) -> Parsed:
    """Read a flow's text. There is no flow if any problem is an error; all problems come at once.

    A text without a namespace belongs to *namespace* (what it was stored under) or
    *default_namespace*.
    """
    try:
        document = read(source)
    except MalformedYaml as exc:
        return Parsed(None, (_malformed(exc),))
    report = Report(document)
    if not isinstance(document.value, dict):
        report.add((), "a flow is a mapping with id, namespace and tasks", "structure")
        return Parsed(None, tuple(report.problems))
    reading = Reading(report, catalogue)
    written = Section(report, document.value, ())
    _check_keys(written)
    section = Section(report, _with_defaults(reading, written), ())
    flow = _read_flow(reading, section, namespace or default_namespace)
    flow = replace(flow, source=source, document=document.value)
    revision = _revision(section)
    check_rules(report, catalogue, section.raw, flow)
    problems = tuple(sorted(report.problems, key=_place))
    is_valid = not any(problem.severity == "error" for problem in problems)
    named = (flow.namespace or None, flow.id or None, revision)
    return Parsed(flow if is_valid else None, problems, *named)


def _read_flow(reading: Reading, section: Section, namespace: str | None) -> Flow:
    if not section.has("namespace") and namespace:
        named: str | None = namespace
    else:
        named = section.name("namespace", NAMESPACE)
        if not isinstance(section.raw.get("namespace"), str | None):
            section.add("namespace", "'namespace' must be a text: put it into quotes")
    tasks = {name: read_tasks(reading, section, name) for name in _TASK_LISTS}
    if section.raw.get("tasks") in (None, []):
        section.add("tasks", "tasks must not be empty", "required")
    read_worker_group(section)
    return Flow(
        id=section.name("id", FLOW_ID) or "",
        namespace=named or "",
        tasks=tasks["tasks"],
        description=section.text("description"),
        inputs=read_inputs(section),
        outputs=read_outputs(section),
        variables=section.mapping("variables"),
        labels=section.labels("labels"),
        triggers=read_triggers(reading, section),
        errors=tasks["errors"],
        finally_=tasks["finally"],
        after_execution=tasks["afterExecution"],
        concurrency=_concurrency(section),
        retry=read_retry(section),
        sla=read_slas(section),
        checks=read_checks(section),
        listeners=read_listeners(reading, section),
        disabled=section.boolean("disabled"),
    )


def _revision(section: Section) -> int | None:
    value = section.raw.get("revision")
    if value is None or isinstance(value, int):
        return section.integer("revision", least=1)
    section.add("revision", "'revision' must be a whole number")
    return None


def _check_keys(section: Section) -> None:
    section.refuse_unknown(FLOW_KEYS, "a flow")
    if section.has("taskDefaults"):
        section.add(
            "taskDefaults",
            "write pluginDefaults",
            "deprecated",
            severity="deprecation",
            of_key=True,
        )


def _with_defaults(reading: Reading, section: Section) -> dict[str, Any]:
    def canonical(name: str) -> str:
        info = reading.catalogue.look_up(name)
        return name if info is None else info.name

    defaults = read_defaults(section, canonical, reading.catalogue)
    return inject(reading.report, section.raw, defaults, canonical)


def _concurrency(owner: Section) -> Concurrency | None:
    section = owner.section("concurrency")
    if section is None:
        return None
    section.refuse_unknown(("limit", "behavior"), "concurrency")
    section.require("limit")
    limit = section.integer("limit", least=1)
    behavior: Any = section.choice("behavior", ("QUEUE", "CANCEL", "FAIL"))
    return Concurrency(limit or 1, behavior or "QUEUE")


def _malformed(error: MalformedYaml) -> Problem:
    line, column = (error.at.line, error.at.column) if error.at else (None, None)
    where = f" (at line {line})" if line else ""
    code: Literal["yaml"] = "yaml"
    message = f"Illegal flow source: YAML parsing error: {error.message}{where}"
    return Problem(message, code, show(error.path), line, column)


def _place(problem: Problem) -> tuple[int, int]:
    return problem.line or 0, problem.column or 0
