"""Turns nodes into functions from a value to an iterator of results."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from runner.expressions.jq.syntax import Ast

from .environment import Environment, Pair, Path, Run, invalid_path

COST = 2


_COMPILERS: dict[str, Callable[..., Run]] = {}


def node(kind: str) -> Callable[[Callable[..., Run]], Callable[..., Run]]:
    """Register what compiles the nodes of that kind."""

    def register(compiler: Callable[..., Run]) -> Callable[..., Run]:
        _COMPILERS[kind] = compiler
        return compiler

    return register


def compile_ast(tree: Ast) -> Run:
    """The function of a node."""
    return _COMPILERS[tree[0]](*tree[1:])


def plain(evaluate: Callable[[Environment, Any], Iterator[Any]]) -> Run:
    """A node whose results are new values, thus no paths."""

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        env.budget.spend(COST)
        for result in evaluate(env, value):
            if path is not None:
                raise invalid_path(result)
            yield None, result

    return run


def values(run: Run, env: Environment, value: Any) -> Iterator[Any]:
    """The results of a node without paths."""
    for _, result in run(env, None, value):
        yield result
