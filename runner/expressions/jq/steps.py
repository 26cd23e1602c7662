"""Nodes that walk: `.a`, `.[]`, `.[1:2]`, `f | g`, `f, g`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.expressions.jq.syntax import Ast

from .access import index, iterate, slice_of
from .compiling import COST, compile_ast, node, values
from .environment import Environment, Pair, Path, Run, invalid_path


@node("identity")
def _identity() -> Run:
    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        yield path, value

    return run


@node("literal")
def literal(constant: Any) -> Run:
    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        if path is not None and constant is not None:
            raise invalid_path(constant)
        yield path, constant

    return run


@node("index")
def _index(term: Ast, key: Ast) -> Run:
    source = compile_ast(term)
    if key[0] == "literal":
        constant = key[1]

        def run_constant(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
            for below, item in source(env, path, value):
                env.budget.spend(COST)
                yield index(below, item, constant)

        return run_constant
    subscript = compile_ast(key)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        for below, item in source(env, path, value):
            for wanted in values(subscript, env, value):
                env.budget.spend(COST)
                yield index(below, item, wanted)

    return run


@node("slice")
def _slice(term: Ast, start: Ast | None, end: Ast | None) -> Run:
    source = compile_ast(term)
    nothing = ("literal", None)
    first, last = compile_ast(start or nothing), compile_ast(end or nothing)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        for below, item in source(env, path, value):
            for finish in values(last, env, value):
                for begin in values(first, env, value):
                    env.budget.spend(COST)
                    key = {"start": begin, "end": finish}
                    yield (None if below is None else (*below, key)), slice_of(item, begin, finish)

    return run


@node("iterate")
def _iterate(term: Ast) -> Run:
    source = compile_ast(term)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        for below, item in source(env, path, value):
            for pair in iterate(below, item):
                env.budget.spend()
                yield pair

    return run


@node("pipe")
def _pipe(left: Ast, right: Ast) -> Run:
    first, second = compile_ast(left), compile_ast(right)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        for below, item in first(env, path, value):
            yield from second(env, below, item)

    return run


@node("comma")
def _comma(left: Ast, right: Ast) -> Run:
    first, second = compile_ast(left), compile_ast(right)

    def run(env: Environment, path: Path, value: Any) -> Iterator[Pair]:
        yield from first(env, path, value)
        yield from second(env, path, value)

    return run
