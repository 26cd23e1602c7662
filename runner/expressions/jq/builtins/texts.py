"""Builtins of strings."""

from __future__ import annotations

from typing import Any

from runner.expressions.budget import Budget
from runner.expressions.jq import data
from runner.expressions.jq.access import get
from runner.expressions.jq.data import JqError, describe, type_name

from .registering import array_of, of_values, require, string_of


@of_values("ascii_downcase/0")
def _ascii_downcase(value: Any, budget: Budget) -> str:
    text = string_of(value, "cannot be lower-cased")
    return "".join(c.lower() if c.isascii() else c for c in text)


@of_values("ascii_upcase/0")
def _ascii_upcase(value: Any, budget: Budget) -> str:
    text = string_of(value, "cannot be upper-cased")
    return "".join(c.upper() if c.isascii() else c for c in text)


@of_values("startswith/1")
def _startswith(value: Any, start: Any, budget: Budget) -> bool:
    both = isinstance(value, str) and isinstance(start, str)
    require(both, "startswith() requires string inputs")
    return bool(value.startswith(start))


@of_values("endswith/1")
def _endswith(value: Any, end: Any, budget: Budget) -> bool:
    both = isinstance(value, str) and isinstance(end, str)
    require(both, "endswith() requires string inputs")
    return bool(value.endswith(end))


@of_values("ltrimstr/1")
def _ltrimstr(value: Any, start: Any, budget: Budget) -> Any:
    both = isinstance(value, str) and isinstance(start, str)
    return value.removeprefix(start) if both else value


@of_values("rtrimstr/1")
def _rtrimstr(value: Any, end: Any, budget: Budget) -> Any:
    both = isinstance(value, str) and isinstance(end, str)
    return value.removesuffix(end) if both else value


@of_values("explode/0")
def _explode(value: Any, budget: Budget) -> list[int]:
    text = string_of(value, "cannot be exploded")
    budget.allow_elements(len(text))
    return list(map(ord, text))


@of_values("implode/0")
def _implode(value: Any, budget: Budget) -> str:
    items = array_of(value, "imploded")
    require(all(isinstance(item, int) for item in items), "Unicode codepoint must be numeric")
    try:
        return "".join(map(chr, items))
    except (ValueError, OverflowError) as error:
        raise JqError("this is no Unicode codepoint") from error


@of_values("split/1")
def _split(value: Any, separator: Any, budget: Budget) -> list[str]:
    both = isinstance(value, str) and isinstance(separator, str)
    require(both, "split input and separator must be strings")
    return data.split(value, separator)


@of_values("join/1")
def _join(value: Any, separator: Any, budget: Budget) -> str:
    items = list(value.values()) if isinstance(value, dict) else array_of(value, "joined")
    if not items:
        return ""
    text = string_of(separator, "cannot separate strings") if len(items) > 1 else str(separator)
    parts = []
    for item in items:
        if isinstance(item, dict | list):
            raise JqError(f"{describe(separator)} and {describe(item)} cannot be added")
        parts.append("" if item is None else data.to_text(item, budget))
    budget.allow_text(sum(map(len, parts)) + len(text) * len(parts))
    return text.join(parts)


@of_values("indices/1")
def _indices(value: Any, sought: Any, budget: Budget) -> Any:
    if value is None:
        return None
    if isinstance(value, str) and isinstance(sought, str):
        return _text_indices(value, sought)
    if isinstance(value, list):
        budget.spend(len(value))
        if isinstance(sought, list):
            return get(value, sought)
        return [i for i, item in enumerate(value) if data.equal(item, sought, budget)]
    raise JqError(f"Cannot determine indices in {type_name(value)}")


def _text_indices(text: str, sought: str) -> list[int] | None:
    if not sought:
        return None
    found, start = [], text.find(sought)
    while start >= 0:
        found.append(start)
        start = text.find(sought, start + 1)
    return found


@of_values("index/1")
def _index(value: Any, sought: Any, budget: Budget) -> Any:
    found = _indices(value, sought, budget)
    return found[0] if found else None


@of_values("rindex/1")
def _rindex(value: Any, sought: Any, budget: Budget) -> Any:
    found = _indices(value, sought, budget)
    return found[-1] if found else None
