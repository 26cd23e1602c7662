"""What can be said about a template before it is rendered."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import nodes

from .errors import ExpressionError, ExpressionProblem, nearest_name
from .parser import Parsed, parse
from .registry import FILTERS, FUNCTIONS, TESTS, Extension, Table
from .rendering import cut_raw, is_template

_OPENING, _CLOSING = ("{{", "{%", "{#"), ("}}", "%}", "#}")
_NOT_OURS = "braces of another tool belong between {% raw %} and {% endraw %}"


def check(template: str) -> list[ExpressionProblem]:
    """The problems of the template: its syntax, or names of filters, functions and tests."""
    if not is_template(template):
        return []
    text, _ = cut_raw(template)
    try:
        parsed = parse(text)
    except ExpressionError as error:
        reason = error.reason if _is_lone(text) else f"{error.reason}; {_NOT_OURS}"
        return [ExpressionProblem(reason, error.line or 1, error.column or 1)]
    found = [problem for node in _nodes(parsed) if (problem := _problem(node, parsed))]
    return sorted(found, key=lambda problem: (problem.line, problem.column))


def _is_lone(text: str) -> bool:
    """Say whether nothing stands around the braces: then they are meant for us."""
    return text.lstrip()[:2] in _OPENING and text.rstrip()[-2:] in _CLOSING


def _nodes(parsed: Parsed) -> Iterator[nodes.Node]:
    for root in (*parsed.body, *parsed.macros.values()):
        yield root
        yield from root.find_all(nodes.Node)


def _problem(node: nodes.Node, parsed: Parsed) -> ExpressionProblem | None:
    match node:
        case nodes.Filter(name=name) if name[0] != "$":
            return _check_use(node, FILTERS, name, parsed)
        case nodes.Test(name=name) if name != "defined":
            return _check_use(node, TESTS, name, parsed)
        case nodes.Call(node=nodes.Name(name=name)) if name not in parsed.macros:
            return _check_use(node, FUNCTIONS, name, parsed)
    return None


def _check_use(
    node: nodes.Filter | nodes.Test | nodes.Call, table: Table, name: str, parsed: Parsed
) -> ExpressionProblem | None:
    line, column = parsed.source.position(node.lineno)
    extension = table.find(name)
    if extension is None:
        error = table.unknown(name)
        nearest = nearest_name(name, table.names())
        return ExpressionProblem(error.reason, line, column, suggestion=nearest)
    reason = _wrong_arguments(node, extension)
    return ExpressionProblem(reason, line, column) if reason else None


def _wrong_arguments(
    node: nodes.Filter | nodes.Test | nodes.Call, extension: Extension
) -> str | None:
    try:
        extension.place(node.args, {str(word.key): word.value for word in node.kwargs})
    except ExpressionError as error:
        return error.reason
    return None
