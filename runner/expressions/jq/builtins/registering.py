"""How builtins are registered, and what most of them check."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

from runner.expressions.jq.data import JqError, describe
from runner.expressions.jq.environment import Closure, Environment, Pair, Path, invalid_path

Builtin = Callable[[Environment, Path, Any, list[Closure]], Iterator[Pair]]


TABLE: dict[str, Builtin] = {}


def of_values(key: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """A function of the input and the values of its arguments (all combinations of them)."""

    def register(code: Callable[..., Any]) -> Callable[..., Any]:
        def run(
            env: Environment, path: Path, value: Any, arguments: list[Closure]
        ) -> Iterator[Pair]:
            choices = (list(argument.values(value)) for argument in reversed(arguments))
            for given in product(*choices):
                result = code(value, *reversed(given), env.budget)
                if path is not None:
                    raise invalid_path(result)
                yield None, result

        TABLE[key] = run
        return code

    return register


def of_closures(key: str) -> Callable[[Builtin], Builtin]:
    """A function of the input and its arguments as code."""

    def register(code: Builtin) -> Builtin:
        TABLE[key] = code
        return code

    return register


def require(holds: bool, message: str) -> None:
    if not holds:
        raise JqError(message)


def array_of(value: Any, verb: str) -> list[Any]:
    if not isinstance(value, list):
        raise JqError(f"{describe(value)} cannot be {verb}, as it is not an array")
    return value


def string_of(value: Any, message: str) -> str:
    if not isinstance(value, str):
        raise JqError(f"{describe(value)} {message}")
    return value
