"""Builtins for any value."""

from __future__ import annotations

from typing import Any

from runner.expressions.budget import Budget
from runner.expressions.jq import data
from runner.expressions.jq.data import JqError, describe, is_true, type_name

from .registering import array_of, of_values, require, string_of


@of_values("not/0")
def _not(value: Any, budget: Budget) -> bool:
    return not is_true(value)


@of_values("type/0")
def _type(value: Any, budget: Budget) -> str:
    return type_name(value)


@of_values("length/0")
def _length(value: Any, budget: Budget) -> Any:
    if value is None:
        return 0
    require(not isinstance(value, bool), f"{describe(value)} has no length")
    return abs(value) if isinstance(value, int | float) else len(value)


@of_values("utf8bytelength/0")
def _utf8bytelength(value: Any, budget: Budget) -> int:
    return len(string_of(value, "only strings have UTF-8 byte length").encode(errors="replace"))


@of_values("tostring/0")
def _tostring(value: Any, budget: Budget) -> str:
    return data.to_text(data.normal(value), budget)


@of_values("tojson/0")
def _tojson(value: Any, budget: Budget) -> str:
    return data.write_json(data.normal(value), budget)


@of_values("fromjson/0")
def _fromjson(value: Any, budget: Budget) -> Any:
    import json

    try:
        return json.loads(string_of(value, "cannot be parsed as JSON"))
    except (ValueError, RecursionError) as error:
        raise JqError(f"{error} (while parsing {value[:40]!r})") from error


@of_values("tonumber/0")
def _tonumber(value: Any, budget: Budget) -> Any:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return value
    text = string_of(value, "cannot be parsed as a number")
    try:
        if len(text) > 400 or "_" in text or not text.isascii():
            raise ValueError(text)
        return data.normal(float(text))
    except ValueError as error:
        raise JqError(f"{text[:40]!r} cannot be parsed as a number") from error


@of_values("has/1")
def _has(value: Any, key: Any, budget: Budget) -> bool:
    if isinstance(value, dict) and isinstance(key, str):
        return key in value
    if isinstance(value, list) and isinstance(key, int | float) and not isinstance(key, bool):
        return 0 <= key < len(value)
    raise JqError(f"Cannot check whether {type_name(value)} has a {type_name(key)} key")


@of_values("contains/1")
def _contains(value: Any, part: Any, budget: Budget) -> bool:
    if type_name(value) != type_name(part):
        raise JqError(
            f"{describe(value)} and {describe(part)} cannot have their containment checked"
        )
    return _is_part(value, part, budget)


def _is_part(value: Any, part: Any, budget: Budget) -> bool:
    budget.spend()
    if isinstance(value, dict) and isinstance(part, dict):
        return all(
            key in value and _is_part(value[key], item, budget) for key, item in part.items()
        )
    if isinstance(value, list) and isinstance(part, list):
        return all(any(_is_part(mine, item, budget) for mine in value) for item in part)
    if isinstance(value, str) and isinstance(part, str):
        return part in value
    return type_name(value) == type_name(part) and data.equal(value, part, budget)


@of_values("keys/0")
def _keys(value: Any, budget: Budget) -> list[Any]:
    if isinstance(value, dict):
        return data.sort(list(value), budget)
    if isinstance(value, list):
        return list(range(len(value)))
    raise JqError(f"{describe(value)} has no keys")


@of_values("keys_unsorted/0")
def _keys_unsorted(value: Any, budget: Budget) -> list[Any]:
    return list(value) if isinstance(value, dict) else _keys(value, budget)


@of_values("add/0")
def _add(value: Any, budget: Budget) -> Any:
    items = list(value.values()) if isinstance(value, dict) else array_of(value, "added")
    if items and all(isinstance(item, str) for item in items):
        budget.allow_text(sum(map(len, items)))
        return "".join(items)
    if items and all(isinstance(item, list) for item in items):
        budget.allow_elements(sum(map(len, items)))
        return [inner for item in items for inner in item]
    total: Any = None
    for item in items:
        budget.spend()
        total = data.arithmetic("+", total, item, budget)
    return total
