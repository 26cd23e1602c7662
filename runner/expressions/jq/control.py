"""Nodes that decide and repeat: `if`, `try`, `label`, `reduce`, functions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.expressions.errors import ExpressionError
from runner.expressions.jq.data import JqError, is_true
from runner.expressions.jq.syntax import Ast

from .binding import binder_of
from .compiling import COST, compile_ast, node, values
from .environment import Break, Closure, Environment, Function, Pair, Path, Run
from .steps import literal


@node("if")
def _if(test: Ast, chosen: Ast, otherwise: Ast) -> Run:
    condition, first, second = map(compile_ast, (test, chosen, otherwise))

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        for result in values(condition, env, value):
            env.budget.spend(COST)
            yield from (first if is_true(result) else second)(env, path, value)

    return run


@node("try")
def _try(body: Ast, handler: Ast | None) -> Run:
    attempt = compile_ast(body)
    rescue = compile_ast(handler) if handler else None

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        try:
            yield from attempt(env, path, value)
        except JqError as error:
            if rescue is None:
                return
            caught = error.value
        else:
            return
        yield from rescue(env, None, caught)

    return run


@node("label")
def _label(name: str, body: Ast) -> Run:
    inside = compile_ast(body)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        target = object()
        try:
            yield from inside(env.bind(f"*{name}", target), path, value)
        except Break as jump:
            if jump.target is not target:
                raise

    return run


@node("break")
def _break(name: str) -> Run:
    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        scope = env.find(f"*{name}")
        if scope is None:
            raise ExpressionError(f"jq: {name} is no label")
        yield from _jump(scope.value)

    return run


def _jump(target: object) -> Iterator[Pair]:
    raise Break(target)


@node("reduce")
def _reduce(source: Ast, pattern: Ast, start: Ast, update: Ast, _: Ast | None) -> Run:
    from_, begin, step = compile_ast(source), compile_ast(start), compile_ast(update)
    binder = binder_of(pattern)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        for first in begin(env, path, value):
            state: Pair = first
            for item in values(from_, env, value):
                env.budget.spend(COST)
                for scope in binder(env, item):
                    last: Pair = (state[0] if path is None else (), None)
                    for pair in step(scope, *state):
                        last = pair
                    state = last
            yield state

    return run


@node("foreach")
def _foreach(source: Ast, pattern: Ast, start: Ast, update: Ast, extract: Ast | None) -> Run:
    from_, begin, step = compile_ast(source), compile_ast(start), compile_ast(update)
    binder = binder_of(pattern)
    shown = compile_ast(extract or ("identity",))

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        for first in begin(env, path, value):
            state: Pair = first
            for item in values(from_, env, value):
                env.budget.spend(COST)
                for scope in binder(env, item):
                    for pair in step(scope, *state):
                        state = pair
                        yield from shown(scope, *pair)

    return run


@node("def")
def _def(definition: tuple[str, tuple[str, ...], Ast], rest: Ast) -> Run:
    name, parameters, body = definition
    key = f"{name}/{len(parameters)}"
    inside, following = compile_ast(body), compile_ast(rest)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        scope = env.bind(key, None)
        scope.value = Function(parameters, inside, scope)
        yield from following(scope, path, value)

    return run


@node("call")
def _call(name: str, arguments: tuple[Ast, ...]) -> Run:
    from . import builtins

    runs = tuple(compile_ast(argument) for argument in arguments)
    key = f"{name}/{len(arguments)}"

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        env.budget.spend(COST)
        scope = env.find(key)
        if scope is None:
            builtin = builtins.find(key)
            if builtin is None:
                raise JqError(f"{key} is not defined")
            yield from builtin(env, path, value, [Closure(run, env) for run in runs])
        elif isinstance(scope.value, Closure):
            yield from scope.value(path, value)
        else:
            yield from invoke(scope.value, [Closure(run, env) for run in runs], path, value)

    return run


def invoke(
    function: Function, arguments: list[Closure], path: Path, value: Any, position: int = 0
) -> Iterator[Pair]:
    env = function.environment
    names = function.parameters
    while position < len(names) and not names[position].startswith("$"):
        env = env.bind(f"{names[position]}/0", arguments[position])
        position += 1
    if position == len(names):
        yield from function.body(env, path, value)
        return
    for item in arguments[position].values(value):
        bound = env.bind(names[position], item)
        constant = Closure(literal(item), env)
        bound = bound.bind(f"{names[position][1:]}/0", constant)
        inner = Function(names, function.body, bound)
        yield from invoke(inner, arguments, path, value, position + 1)
