"""Changing values by paths: `=`, `|=`, `+=`, `setpath`, `del`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.expressions import budget as budgets
from runner.expressions.jq.access import bounds, get, slice_of
from runner.expressions.jq.compiling import values
from runner.expressions.jq.environment import Environment, Run

from . import data
from .data import JqError, type_name

_MAX_INDEX = 1_000_000


def paths_of(env: Environment, value: Any, run: Run) -> Iterator[tuple[Any, ...]]:
    """The paths that a path expression names."""
    for path, _ in run(env, (), value):
        assert path is not None
        yield path


def get_path(value: Any, path: Any) -> Any:
    """What stands at the end of the path; null as soon as there is null."""
    for key in path:
        if value is None:
            return None
        value = get(value, key)
    return value


def set_path(value: Any, path: Any, new: Any, budget: budgets.Budget) -> Any:
    """A copy of the value with something else at the end of the path."""
    if not path:
        return new
    key, *rest = path
    budget.spend(1 + (len(value) // 50 if isinstance(value, list | dict) else 0))
    if isinstance(key, dict):
        return _set_slice(value, key, rest, new, budget)
    inner = set_path(get(value, key), rest, new, budget)
    return _put(value, key, inner)


def _put(value: Any, key: Any, new: Any) -> Any:
    if isinstance(key, str):
        return {**(value or {}), key: new}
    items = list(value or [])
    position = int(key)
    if position < 0:
        position += len(items)
        if position < 0:
            raise JqError("Out of bounds negative array index")
    if position > _MAX_INDEX:
        raise JqError("Array index too large")
    items += [None] * (position + 1 - len(items))
    items[position] = new
    return items


def _set_slice(value: Any, key: Any, rest: Any, new: Any, budget: budgets.Budget) -> Any:
    if value is not None and not isinstance(value, list):
        raise JqError(f"Cannot update field at object index of {type_name(value)}")
    items = list(value or [])
    first, last = bounds(len(items), key.get("start"), key.get("end"))
    inner = set_path(slice_of(items, first, last), rest, new, budget)
    if not isinstance(inner, list):
        raise JqError("A slice of an array can only be assigned another array")
    return items[:first] + inner + items[last:]


def delete_paths(value: Any, paths: list[Any], budget: budgets.Budget) -> Any:
    """A copy of the value without what stands at the paths."""
    for path in reversed(data.sort([list(path) for path in paths], budget)):
        value = _delete(value, path, budget)
    return value


def _delete(value: Any, path: list[Any], budget: budgets.Budget) -> Any:
    if value is None or not path:
        return None
    key, *rest = path
    budget.spend(1 + (len(value) // 50 if isinstance(value, list | dict) else 0))
    if rest:
        below = get(value, key)
        return (
            value if below is None else set_path(value, [key], _delete(below, rest, budget), budget)
        )
    if isinstance(value, dict) and isinstance(key, str):
        return {name: item for name, item in value.items() if name != key}
    if isinstance(value, list) and isinstance(key, dict):
        first, last = bounds(len(value), key.get("start"), key.get("end"))
        return value[:first] + value[last:]
    if isinstance(value, list) and isinstance(key, int | float) and not isinstance(key, bool):
        position = int(key) + (len(value) if key < 0 else 0)
        return [item for index, item in enumerate(value) if index != position]
    raise JqError(f"Cannot delete field at {type_name(key)} index of {type_name(value)}")


def assign(env: Environment, value: Any, target: Run, source: Run) -> Iterator[Any]:
    """`target = source`."""
    for new in values(source, env, value):
        changed = value
        for path in paths_of(env, value, target):
            changed = set_path(changed, path, new, env.budget)
        yield changed


def update(env: Environment, value: Any, target: Run, source: Run) -> Iterator[Any]:
    """`target |= source`: the first result counts; none deletes."""
    changed = value
    gone: list[Any] = []
    for path in paths_of(env, value, target):
        old = get_path(changed, path)
        for new in values(source, env, old):
            changed = set_path(changed, path, new, env.budget)
            break
        else:
            gone.append(path)
    yield delete_paths(changed, gone, env.budget) if gone else changed


def update_with(
    env: Environment, value: Any, target: Run, source: Run, operator: str
) -> Iterator[Any]:
    """`target += source` and its like."""
    for operand in values(source, env, value):
        changed = value
        for path in paths_of(env, value, target):
            old = get_path(changed, path)
            if operator == "//":
                new = old if data.is_true(old) else operand
            else:
                new = data.arithmetic(operator, old, operand, env.budget)
            changed = set_path(changed, path, new, env.budget)
        yield changed
