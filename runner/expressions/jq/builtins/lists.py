"""Builtins of arrays and objects."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from runner.expressions.budget import Budget
from runner.expressions.jq import data
from runner.expressions.jq.access import get
from runner.expressions.jq.data import JqError, describe, is_true, type_name
from runner.expressions.jq.environment import Closure, Environment, Pair, Path

from .registering import array_of, of_closures, of_values, require


@of_values("sort/0")
def _sort(value: Any, budget: Budget) -> list[Any]:
    return data.sort(array_of(value, "sorted"), budget)


@of_values("reverse/0")
def _reverse(value: Any, budget: Budget) -> Any:
    return [] if value is None else array_of(value, "reversed")[::-1]


@of_values("min/0")
def _min(value: Any, budget: Budget) -> Any:
    items = array_of(value, "minimised")
    return min(items, key=data.sort_key(budget)) if items else None


@of_values("max/0")
def _max(value: Any, budget: Budget) -> Any:
    items = array_of(value, "maximised")
    return max(reversed(items), key=data.sort_key(budget)) if items else None


def _keyed(env: Environment, value: Any, by: Closure, verb: str) -> list[tuple[Any, Any]]:
    items = array_of(value, verb)
    env.budget.spend(len(items))
    keyed = [(list(by.values(item)), item) for item in items]
    order = data.sort_key(env.budget)
    return sorted(keyed, key=lambda pair: order(pair[0]))


def _groups(env: Environment, value: Any, by: Closure) -> list[list[Any]]:
    groups: list[list[Any]] = []
    last: Any = None
    for key, item in _keyed(env, value, by, "grouped"):
        if groups and data.equal(key, last, env.budget):
            groups[-1].append(item)
        else:
            groups.append([item])
        last = key
    return groups


@of_closures("sort_by/1")
def _sort_by(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    yield None, [item for _, item in _keyed(env, value, arguments[0], "sorted")]


@of_closures("group_by/1")
def _group_by(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    yield None, _groups(env, value, arguments[0])


@of_closures("unique_by/1")
def _unique_by(
    env: Environment, path: Path, value: Any, arguments: list[Closure]
) -> Iterator[Pair]:
    yield None, [group[0] for group in _groups(env, value, arguments[0])]


@of_closures("min_by/1")
def _min_by(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    keyed = _keyed(env, value, arguments[0], "minimised")
    yield None, keyed[0][1] if keyed else None


@of_closures("max_by/1")
def _max_by(env: Environment, path: Path, value: Any, arguments: list[Closure]) -> Iterator[Pair]:
    keyed = _keyed(env, value, arguments[0], "maximised")
    yield None, keyed[-1][1] if keyed else None


@of_values("unique/0")
def _unique(value: Any, budget: Budget) -> list[Any]:
    kept: list[Any] = []
    for item in data.sort(array_of(value, "sorted"), budget):
        if not kept or not data.equal(kept[-1], item, budget):
            kept.append(item)
    return kept


@of_values("flatten/0")
def _flatten(value: Any, budget: Budget) -> list[Any]:
    return _flat(value, math.inf, budget)


@of_values("flatten/1")
def _flatten_to(value: Any, depth: Any, budget: Budget) -> list[Any]:
    require(isinstance(depth, int | float), "flatten depth must be a number")
    require(depth >= 0, "flatten depth must not be negative")
    return _flat(value, depth, budget)


def _flat(value: Any, depth: float, budget: Budget) -> list[Any]:
    items = list(value.values()) if isinstance(value, dict) else array_of(value, "flattened")
    flat: list[Any] = []
    for item in items:
        budget.spend()
        if isinstance(item, list) and depth > 0:
            flat += _flat(item, depth - 1, budget)
            budget.fits_elements(len(flat))
        else:
            flat.append(item)
    return flat


@of_values("transpose/0")
def _transpose(value: Any, budget: Budget) -> list[Any]:
    rows = array_of(value, "transposed")
    for row in rows:
        if not isinstance(row, list):
            raise JqError(f"Cannot index {type_name(row)} with number")
    width = max(map(len, rows), default=0)
    budget.allow_elements(width * len(rows))
    return [[get(row, column) for row in rows] for column in range(width)]


@of_values("to_entries/0")
def _to_entries(value: Any, budget: Budget) -> list[Any]:
    if not isinstance(value, dict | list):
        raise JqError(f"{describe(value)} has no keys")
    budget.spend(len(value))
    pairs = value.items() if isinstance(value, dict) else enumerate(value)
    return [{"key": key, "value": item} for key, item in pairs]


_KEY_NAMES = ("key", "Key", "name", "Name")


_VALUE_NAMES = ("value", "Value")


@of_values("from_entries/0")
def _from_entries(value: Any, budget: Budget) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for entry in array_of(value, "turned into an object"):
        budget.spend()
        if not isinstance(entry, dict):
            raise JqError(f'Cannot index {type_name(entry)} with "key"')
        key = next((entry[name] for name in _KEY_NAMES if is_true(entry.get(name))), None)
        if not isinstance(key, str):
            raise JqError(f"Cannot use {describe(key)} as object key")
        made[key] = next((entry[name] for name in _VALUE_NAMES if name in entry), None)
    return made


@of_values("bsearch/1")
def _bsearch(value: Any, target: Any, budget: Budget) -> int:
    low, high = 0, len(array_of(value, "searched"))
    while low < high:
        middle = (low + high) // 2
        order = data.compare(value[middle], target, budget)
        if order == 0:
            return middle
        low, high = (middle + 1, high) if order < 0 else (low, middle)
    return -1 - low
