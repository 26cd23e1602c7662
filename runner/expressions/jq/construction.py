"""Nodes that make values: arrays, objects, strings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.expressions.jq.data import JqError, describe
from runner.expressions.jq.syntax import Ast

from .compiling import COST, compile_ast, node, plain, values
from .environment import Environment, Run


@node("array")
def _array(inner: Ast) -> Run:
    source = compile_ast(inner)

    def evaluate(env: Environment, value: Any) -> Iterator[Any]:
        items: list[Any] = []
        for item in values(source, env, value):
            items.append(item)
            env.budget.keep(item)
            if not len(items) % 64:
                env.budget.spend(32)
                env.budget.fits_elements(len(items))
        yield items

    return plain(evaluate)


@node("object")
def _object(entries: tuple[tuple[Ast, Ast], ...]) -> Run:
    pairs = [(compile_ast(key), compile_ast(item)) for key, item in entries]

    def evaluate(env: Environment, value: Any) -> Iterator[Any]:
        yield from _objects(env, value, pairs, {})

    return plain(evaluate)


def _objects(
    env: Environment, value: Any, pairs: list[tuple[Run, Run]], made: dict[str, Any]
) -> Iterator[Any]:
    if not pairs:
        yield dict(made)
        return
    (key_run, item_run), *rest = pairs
    for key in values(key_run, env, value):
        if not isinstance(key, str):
            raise JqError(f"Object keys must be strings, not {describe(key)}")
        for item in values(item_run, env, value):
            env.budget.spend(COST)
            yield from _objects(env, value, rest, {**made, key: item})


@node("text")
def _text(name: str | None, parts: tuple[Any, ...]) -> Run:
    from .builtins import formatter

    write = formatter(name or "@text")
    pieces = [part if isinstance(part, str) else compile_ast(part) for part in parts]

    def evaluate(env: Environment, value: Any) -> Iterator[Any]:
        yield from _texts(env, value, pieces, "")

    def _texts(env: Environment, value: Any, rest: list[Any], done: str) -> Iterator[str]:
        if not rest:
            yield done
            return
        piece, *following = rest
        if isinstance(piece, str):
            yield from _texts(env, value, following, done + piece)
            return
        for inner in values(piece, env, value):
            env.budget.spend(COST)
            written = done + write(inner, env.budget)
            env.budget.fits(len(written))
            yield from _texts(env, value, following, written)

    return plain(evaluate)


@node("format")
def _format(name: str) -> Run:
    from .builtins import formatter

    write = formatter(name)

    def evaluate(env: Environment, value: Any) -> Iterator[Any]:
        yield write(value, env.budget)

    return plain(evaluate)
