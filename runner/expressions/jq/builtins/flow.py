"""Builtins of control: results, paths, ranges."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from runner.expressions.budget import Budget
from runner.expressions.jq import data
from runner.expressions.jq.access import iterate
from runner.expressions.jq.data import JqError, is_true
from runner.expressions.jq.environment import Closure, Environment, Pair, Path, clock_of
from runner.expressions.jq.paths import delete_paths, get_path, set_path

from .registering import of_closures, of_values, require

_MAX_RECURSION = 10_000


@of_closures("empty/0")
def _empty(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    return iter(())


@of_values("error/0")
def _error(value: Any, budget: Budget) -> Any:
    raise JqError(value)


@of_closures("error/1")
def _error_with(
    env: Environment, path: Path, value: Any, arguments: list[Closure]
) -> Iterator[Pair]:
    for message in arguments[0].values(value):
        if message is not None:  # an error of null is none, as in jackson-jq
            raise JqError(message)
    yield from ()


@of_closures("select/1")
def _select(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for result in arguments[0].values(value):
        if is_true(result):
            yield path, value


@of_closures("recurse/0")
def _recurse(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    yield from _descend(env, path, value, skips_null=True)


@of_closures("../0")
def _everything(
    env: Environment, path: Path, value: Any, arguments: list[Closure]
) -> Iterator[Pair]:
    yield from _descend(env, path, value, skips_null=False)


def _descend(env: Environment, path: Path, value: Any, *, skips_null: bool) -> Iterator[Pair]:
    """The value and all below it; `recurse` passes over null, `..` does not."""
    env.budget.spend()
    yield path, value
    if isinstance(value, list | dict):
        for below, item in iterate(path, value):
            if item is not None or not skips_null:
                yield from _descend(env, below, item, skips_null=skips_null)


@of_closures("recurse/1")
def _recurse_by(
    env: Environment, path: Path, value: Any, arguments: list[Closure]
) -> Iterator[Pair]:
    pending: list[Iterator[Pair]] = [iter([(path, value)])]
    while pending:
        pair = next(pending[-1], None)
        if pair is None:
            pending.pop()
            continue
        env.budget.spend(3)
        if pair[1] is None and len(pending) > 1:
            continue
        yield pair
        pending.append(arguments[0](*pair))
        if len(pending) > _MAX_RECURSION:
            raise JqError(f"more than {_MAX_RECURSION} levels of recursion")


@of_closures("limit/2")
def _limit(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for count in arguments[0].values(value):
        require(isinstance(count, int | float), "limit needs a number")
        if count < 0:
            yield from arguments[1](path, value)
        if count <= 0:
            continue
        for position, pair in enumerate(arguments[1](path, value), 1):
            yield pair
            if position >= count:
                break


@of_closures("first/1")
def _first(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for pair in arguments[0](path, value):
        yield pair
        return


@of_closures("last/1")
def _last(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    yield from deque(arguments[0](path, value), maxlen=1)


@of_closures("isempty/1")
def _isempty(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    yield None, next(arguments[0].values(value), _empty) is _empty


@of_closures("until/2")
def _until(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    while not is_true(arguments[0].first(value)):
        env.budget.spend(4)
        pair = next(arguments[1](path, value), None)
        if pair is None:
            return
        path, value = pair
    yield path, value


@of_closures("repeat/1")
def _repeat(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    yield from _recurse_by(env, path, value, arguments)


@of_closures("path/1")
def _path(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for found, _ in arguments[0]((), value):
        yield None, list(found or ())


@of_closures("getpath/1")
def _getpath(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for keys in arguments[0].values(value):
        require(isinstance(keys, list), "Path must be specified as an array")
        yield (None if path is None else (*path, *keys)), get_path(value, keys)


@of_values("setpath/2")
def _setpath(value: Any, keys: Any, new: Any, budget: Budget) -> Any:
    require(isinstance(keys, list), "Path must be specified as an array")
    return set_path(value, keys, new, budget)


@of_values("delpaths/1")
def _delpaths(value: Any, paths: Any, budget: Budget) -> Any:
    well_formed = isinstance(paths, list) and all(isinstance(path, list) for path in paths)
    require(well_formed, "Paths must be specified as an array")
    return delete_paths(value, paths, budget)


@of_closures("del/1")
def _del(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    found = [list(keys or ()) for keys, _ in arguments[0]((), value)]
    yield None, delete_paths(value, found, env.budget)


@of_closures("range/1")
def _range_to(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for end in arguments[0].values(value):
        yield from _count(env, 0, end, 1)


@of_closures("range/2")
def _range(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for start in arguments[0].values(value):
        for end in arguments[1].values(value):
            yield from _count(env, start, end, 1)


@of_closures("range/3")
def _range_by(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    for start in arguments[0].values(value):
        for end in arguments[1].values(value):
            for step in arguments[2].values(value):
                yield from _count(env, start, end, step)


def _count(env: Environment, start: Any, end: Any, step: Any) -> Iterator[Pair]:
    for bound in (start, end, step):
        is_number = isinstance(bound, int | float) and not isinstance(bound, bool)
        require(is_number, "Range bounds must be numeric")
    if step == 0:
        return
    while start < end if step > 0 else start > end:
        env.budget.spend(2)
        yield None, start
        start = data.normal(start + step)


@of_closures("now/0")
def _now(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    yield None, clock_of(env)().timestamp()
