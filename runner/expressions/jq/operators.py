"""Nodes of operators: arithmetic, comparisons, logic, assignment."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from runner.expressions.budget import Budget
from runner.expressions.jq import data
from runner.expressions.jq.data import JqError, describe, is_true
from runner.expressions.jq.syntax import Ast

from .compiling import COST, compile_ast, node, plain, values
from .environment import Environment, Pair, Path, Run


@node("alternative")
def _alternative(left: Ast, right: Ast) -> Run:
    first, second = compile_ast(left), compile_ast(right)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        found = False
        for pair in first(env, path, value):
            if is_true(pair[1]):
                found = True
                yield pair
        if not found:
            yield from second(env, path, value)

    return run


@node("binary")
def _binary(operator: str, left: Ast, right: Ast) -> Run:
    first, second = compile_ast(left), compile_ast(right)
    compute = _comparison(operator) if operator in _ORDERS else _arithmetic(operator)

    def evaluate(env: Environment, value: Any) -> Iterator[Any]:
        for two in values(second, env, value):
            for one in values(first, env, value):
                env.budget.spend(COST)
                yield compute(one, two, env.budget)

    return plain(evaluate)


_ORDERS: dict[str, Callable[[int], bool]] = {
    "==": lambda order: order == 0,
    "!=": lambda order: order != 0,
    "<": lambda order: order < 0,
    "<=": lambda order: order <= 0,
    ">": lambda order: order > 0,
    ">=": lambda order: order >= 0,
}


def _comparison(operator: str) -> Callable[[Any, Any, Budget], bool]:
    holds = _ORDERS[operator]
    return lambda one, two, budget: holds(data.compare(one, two, budget))


def _arithmetic(operator: str) -> Callable[[Any, Any, Budget], Any]:
    return lambda one, two, budget: data.arithmetic(operator, one, two, budget)


@node("negate")
def _negate(operand: Ast) -> Run:
    source = compile_ast(operand)

    def evaluate(env: Environment, value: Any) -> Iterator[Any]:
        for number in values(source, env, value):
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise JqError(f"{describe(number)} cannot be negated")
            yield -number

    return plain(evaluate)


@node("and")
def _and(left: Ast, right: Ast) -> Run:
    return _logic(left, right, decides=False)


@node("or")
def _or(left: Ast, right: Ast) -> Run:
    return _logic(left, right, decides=True)


def _logic(left: Ast, right: Ast, *, decides: bool) -> Run:
    first, second = compile_ast(left), compile_ast(right)

    def evaluate(env: Environment, value: Any) -> Iterator[Any]:
        for one in values(first, env, value):
            if is_true(one) is decides:
                yield decides
            else:
                for two in values(second, env, value):
                    yield is_true(two)

    return plain(evaluate)


@node("assign")
def _assign(operator: str, left: Ast, right: Ast) -> Run:
    from .paths import assign, update, update_with

    target, source = compile_ast(left), compile_ast(right)
    if operator == "|=":
        return plain(lambda env, value: update(env, value, target, source))
    if operator == "=":
        return plain(lambda env, value: assign(env, value, target, source))
    symbol = operator[:-1]
    return plain(lambda env, value: update_with(env, value, target, source, symbol))
