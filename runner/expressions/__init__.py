"""The language of `{{ … }}` and `{% … %}`: Pebble as Kestra configures it, in a closed world.

    render("Hello {{ inputs.name }}", Context({"inputs": {"name": "Ann"}}))

An expression sees the plain data of its `Context` and the functions of its `World`, nothing else;
what it may cost is limited. `docs/explanation/expressions.md` tells how this is done.
"""

from __future__ import annotations

from . import filters, functions, predicates
from .checking import check
from .context import (
    DEFAULT_SETTINGS,
    Context,
    EmptyWorld,
    HttpRequest,
    Limits,
    Settings,
    World,
    secret_entry,
)
from .errors import ExpressionError, ExpressionProblem, LimitExceeded, UnknownAttribute
from .registry import FILTERS, FUNCTIONS, TESTS, Extension
from .rendering import is_template, is_truthy, render, render_value

__all__ = [
    "DEFAULT_SETTINGS",
    "FILTERS",
    "FUNCTIONS",
    "TESTS",
    "Context",
    "EmptyWorld",
    "ExpressionError",
    "ExpressionProblem",
    "Extension",
    "HttpRequest",
    "LimitExceeded",
    "Limits",
    "Settings",
    "UnknownAttribute",
    "World",
    "check",
    "filters",
    "functions",
    "is_template",
    "is_truthy",
    "predicates",
    "render",
    "render_value",
    "secret_entry",
]
