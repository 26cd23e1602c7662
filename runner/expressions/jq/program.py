"""Runs jq programs."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from functools import lru_cache
from typing import Any

from runner.expressions.budget import Budget
from runner.expressions.errors import ExpressionError
from runner.expressions.jq import data
from runner.expressions.jq.syntax import parse_program
from runner.expressions.jsontext import InvalidJson, is_blank, read_first

from . import binding, construction, control, operators, steps
from .compiling import compile_ast
from .environment import NOW, Break, Environment, Run


def run_program(value: Any, program: Any, budget: Budget, now: Callable[[], datetime]) -> list[Any]:
    """All results of the program; a text is read as JSON first.

    Raises:
        ExpressionError: the program is malformed, fails, or costs too much.
    """
    if not isinstance(program, str):
        raise ExpressionError("jq needs a program as a string")
    run = compiled(program)
    value = _parsed(value) if isinstance(value, str) else data.from_value(value, budget)
    root = Environment(None, NOW, now, budget)
    results: list[Any] = []
    try:
        for _, result in run(root, None, value):
            results.append(result)
            budget.fits_elements(len(results))
    except Break as error:
        raise ExpressionError("jq: break without its label") from error
    except RecursionError as error:
        raise ExpressionError("jq: the program recurses too deeply") from error
    return results


@lru_cache(maxsize=256)
def compiled(program: str) -> Run:
    """The program ready to run."""
    return compile_ast(parse_program(program))


def _parsed(text: str) -> Any:
    if is_blank(text):
        return None
    try:
        return read_first(text)
    except InvalidJson as error:
        raise ExpressionError(f"jq: the input is no JSON: {error}") from error


NODES = (binding, construction, control, operators, steps)
"""What registers the kinds of nodes; without them nothing compiles."""
