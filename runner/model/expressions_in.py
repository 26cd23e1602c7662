"""Finding every expression of a document, and saying what is wrong with it at its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from runner.model.catalogue import Catalogue
from runner.model.problems import Problem, Severity
from runner.model.scalars import has_expression
from runner.model.yaml import Document, MalformedYaml, Path, Position, read, show

Check = Callable[[str], Iterable[Any]]
"""template → findings with ``message``, ``line`` and ``column`` (from 1, within the template)."""

_PLAIN = frozenset({"description", "displayName", "pluginDefaults", "taskDefaults"})
"""Properties whose braces are text, or stand for many places."""

_OF_TASKS = frozenset(
    (
        "runIf",
        "timeout",
        "tasks",
        "errors",
        "finally",
        "then",
        "else",
        "cases",
        "defaults",
        "onPause",
    )
)
"""What every task may have, and lists of tasks."""


def expression_problems(
    source: str, catalogue: Catalogue, check: Check, *, severity: Severity = "error"
) -> tuple[Problem, ...]:
    """Return the problems of all expressions of a flow's text; nothing if it is no YAML.

    Nothing is said about the own properties of types that are not available.
    """
    try:
        document = read(source)
    except MalformedYaml:
        return ()
    lines = source.splitlines()
    return tuple(
        _problem(document, lines, path, template, finding, severity)
        for path, template in _templates(catalogue, document.value, ())
        for finding in check(template)
    )


def _templates(catalogue: Catalogue, value: Any, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        if has_expression(value):
            yield path, value
    elif isinstance(value, dict):
        keys = value.keys() - _PLAIN if _is_open(catalogue, value) else _OF_TASKS & value.keys()
        for key in (key for key in value if key in keys):
            yield from _templates(catalogue, value[key], (*path, key))
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _templates(catalogue, item, (*path, index))


def _is_open(catalogue: Catalogue, value: dict[str, Any]) -> bool:
    """Say whether an object is of no type, or of one that is available."""
    name = value.get("type")
    if not isinstance(name, str) or "." not in name:
        return True
    info = catalogue.look_up(name)
    return info is not None and info.available


def _problem(
    document: Document,
    lines: list[str],
    path: Path,
    template: str,
    finding: Any,
    severity: Severity,
) -> Problem:
    start = document.position(path)
    at = _place(lines, start, template, finding.line, finding.column)
    return Problem(str(finding.message), "expression", show(path), at.line, at.column, severity)


def _place(lines: list[str], start: Position, template: str, line: int, column: int) -> Position:
    """Return the place in the file of a place in a scalar: exact for block scalars and plain lines.

    The template's line is looked for in the file from the scalar's first line on, since block
    scalars are cut at their left and folded ones joined.
    """
    wanted = template.splitlines()[line - 1].strip() if line <= template.count("\n") + 1 else ""
    for number in range(start.line, min(len(lines), start.line + template.count("\n") + 2) + 1):
        found = lines[number - 1].find(wanted) if wanted else -1
        if found >= 0 and number - start.line >= line - 1:
            indent = len(template.splitlines()[line - 1]) - len(
                template.splitlines()[line - 1].lstrip()
            )
            return Position(number, found + max(column - indent, 1))
    return start
