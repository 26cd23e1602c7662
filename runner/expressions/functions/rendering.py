"""Functions that render again: `render`, `renderOnce`, `block`."""

from __future__ import annotations

from typing import Any

from runner.expressions.errors import ExpressionError
from runner.expressions.frame import Frame
from runner.expressions.program import run_block
from runner.expressions.registry import FUNCTIONS
from runner.expressions.rendering import render_nested
from runner.expressions.values import describe

function = FUNCTIONS.register


@function(
    "render(toRender*?, recursive=true)",
    (
        "{{ render(vars.greeting) }}",
        "Hello Ann",
        {"vars": {"greeting": "Hello {{ name }}"}, "name": "Ann"},
    ),
)
def render(frame: Frame, to_render: Any, recursive: Any) -> Any:
    """Render the expressions in a value; `recursive` goes on until nothing changes."""
    if recursive is not True and recursive is not False:
        raise ExpressionError(f"recursive must be true or false, not {describe(recursive)}")
    return _render(frame, to_render, recursive)


@function(
    "renderOnce(toRender*?)",
    ("{{ renderOnce(vars.a) }}", "{{ b }}", {"vars": {"a": "{{ vars.b }}", "b": "{{ b }}"}}),
)
def render_once(frame: Frame, to_render: Any) -> Any:
    """Render the expressions in a value once."""
    return _render(frame, to_render, False)


@function("block(name*)", ("{% block b %}x{% endblock %}{{ block('b') }}", "xx"))
def block(frame: Frame, name: Any) -> str:
    """The text of a `{% block %}` of the template once more, empty if there is none."""
    if not isinstance(name, str):
        raise ExpressionError(f"the name of a block is a string, not {describe(name)}")
    return run_block(name, frame)


def _render(frame: Frame, value: Any, recursive: bool) -> Any:
    if frame.settings.recursive:
        raise ExpressionError("render() does not exist while everything is rendered recursively")
    return render_nested(value, frame, recursive=recursive)
