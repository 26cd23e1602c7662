"""Nodes that bind variables: `f as $x`, with patterns."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from runner.expressions.errors import ExpressionError
from runner.expressions.jq.data import JqError, type_name
from runner.expressions.jq.syntax import Ast

from .access import get
from .compiling import COST, compile_ast, node, plain, values
from .environment import Environment, Pair, Path, Run


@node("variable")
def _variable(name: str) -> Run:
    def evaluate(env: Environment, value: Any) -> Iterator[Any]:
        scope = env.find(name)
        if scope is None:
            raise ExpressionError(f"jq: {name} is not defined")
        yield scope.value

    return plain(evaluate)


@node("as")
def _as(source: Ast, pattern: Ast, body: Ast) -> Run:
    from_, inside = compile_ast(source), compile_ast(body)
    binder = binder_of(pattern)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        for item in values(from_, env, value):
            env.budget.spend(COST)
            for scope in binder(env, item):
                yield from inside(scope, path, value)

    return run


Binder = Callable[["Environment", Any], Iterator["Environment"]]


def binder_of(pattern: Ast) -> Binder:
    if pattern[0] == "variable":
        name = pattern[1]

        def bind(env: Environment, value: Any) -> Iterator[Environment]:
            yield env.bind(name, value)

        return bind
    if pattern[0] == "array":
        return _array_binder([binder_of(inner) for inner in pattern[1]])
    return _object_binder(
        [
            (compile_ast(key), variable, binder_of(inner) if inner else None)
            for key, variable, inner in pattern[1]
        ]
    )


def _array_binder(binders: list[Binder]) -> Binder:
    def bind(env: Environment, value: Any) -> Iterator[Environment]:
        yield from _rest(env, value, 0)

    def _rest(env: Environment, value: Any, position: int) -> Iterator[Environment]:
        if position == len(binders):
            yield env
            return
        if value is not None and not isinstance(value, list):
            raise JqError(f"Cannot index {type_name(value)} with number")
        for scope in binders[position](env, get(value, position)):
            yield from _rest(scope, value, position + 1)

    return bind


def _object_binder(entries: list[tuple[Run, str | None, Binder | None]]) -> Binder:
    def bind(env: Environment, value: Any) -> Iterator[Environment]:
        yield from _rest(env, value, 0)

    def _rest(env: Environment, value: Any, position: int) -> Iterator[Environment]:
        if position == len(entries):
            yield env
            return
        key_run, variable, inner = entries[position]
        for key in values(key_run, env, value):
            if not isinstance(key, str):
                raise JqError(f"Cannot index {type_name(value)} with {type_name(key)}")
            item = get(value, key)
            scope = env.bind(variable, item) if variable else env
            for below in inner(scope, item) if inner else (scope,):
                yield from _rest(below, value, position + 1)

    return bind
