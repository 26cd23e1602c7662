"""Filters of lists and maps."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from runner.expressions.attributes import utf16_length, utf16_slice
from runner.expressions.errors import ExpressionError
from runner.expressions.frame import Frame
from runner.expressions.operators import code_units, equal
from runner.expressions.printing import text_form
from runner.expressions.registry import FILTERS
from runner.expressions.values import (
    Entry,
    LiteralMap,
    class_name,
    describe,
    is_list,
    is_map,
    is_number,
)

filter_ = FILTERS.register


@filter_(
    "default(default)",
    ("{{ inputs.name | default('nobody') }}", "nobody", {"inputs": {}}),
    takes_null=True,
)
def default(value: Any, default: Any) -> Any:
    """The value, or the default if it is unknown, null, blank or empty."""
    if isinstance(value, str):
        return value if value.strip() else default
    if value is None or ((is_list(value) or is_map(value)) and not value):
        return default
    return value


@filter_("first", ("{{ [3, 1, 2] | first }}", "3"))
def first(value: Any) -> Any:
    """The first element or character; null of an empty list."""
    return _end(value, 0, "first")


@filter_("last", ("{{ [3, 1, 2] | last }}", "2"))
def last(value: Any) -> Any:
    """The last element or character; null of an empty list."""
    return _end(value, -1, "last")


@filter_("join(separator='')", ("{{ [1, null, 'a'] | join(', ') }}", "1, null, a"))
def join(frame: Frame, value: Any, separator: Any) -> str:
    """The elements in one text."""
    items = _list(value, "join")
    budget = frame.budget
    budget.spend(len(items))
    between = text_form(separator, budget, null="")
    pieces = []
    length = 0
    for item in items:
        pieces.append(text_form(item, budget))
        length += len(pieces[-1]) + len(between)
        if length > 10_000:
            budget.fits(length)
    return between.join(pieces)


@filter_("sort", ("{{ [3, 1, 2] | sort }}", "[1,2,3]"))
def sort(frame: Frame, value: Any) -> list[Any]:
    """A new list in ascending order."""
    return _sorted(frame, value, "sort")


@filter_("rsort", ("{{ [3, 1, 2] | rsort }}", "[3,2,1]"))
def rsort(frame: Frame, value: Any) -> list[Any]:
    """A new list in descending order."""
    return _sorted(frame, value, "rsort")[::-1]


@filter_("reverse", ("{{ [3, 1, 2] | reverse }}", "[2,1,3]"))
def reverse(value: Any) -> list[Any]:
    """A new list in the opposite order."""
    return list(_list(value, "reverse"))[::-1]


@filter_(
    "slice(fromIndex=0, toIndex)",
    ("{{ ['a', 'b', 'c'] | slice(1) }}", '["b","c"]'),
    ("{{ 'headrace' | slice(0, 4) }}", "head"),
)
def slice_(value: Any, from_index: Any, to_index: Any) -> Any:
    """The part of a list or string from one position up to another."""
    if not (isinstance(value, str) or is_list(value)):
        raise ExpressionError(f"slice needs a list or a string, not {describe(value)}")
    length = utf16_length(value) if isinstance(value, str) else len(value)
    start = 0 if from_index is None else _index(from_index, "fromIndex")
    end = length if to_index is None else _index(to_index, "toIndex")
    is_reversed = to_index is not None and start >= end
    if start < 0 or end > length or start > length or is_reversed:
        raise ExpressionError(f"slice: {start} to {end} is not inside 0 to {length}")
    return utf16_slice(value, start, end) if isinstance(value, str) else list(value[start:end])


@filter_(
    "merge(items*?)",
    ("{{ [1, 2] | merge([3]) }}", "[1,2,3]"),
    ("{{ {'a': 1} | merge({'a': 2, 'b': 3}) }}", '{"a":2,"b":3}'),
    takes_null=True,
)
def merge(frame: Frame, value: Any, items: Any) -> Any:
    """Two lists one after another, or two maps in one; the right side wins."""
    if value is None and items is None:
        raise ExpressionError("merge needs a list or a map")
    if value is None or items is None:
        return items if value is None else value
    for side in (value, items):
        if not (is_list(side) or is_map(side)):
            raise ExpressionError(f"merge needs lists or maps, not {describe(side)}")
    frame.budget.allow_elements(len(value) + len(items))
    if is_map(value):
        return LiteralMap({**value, **(items if is_map(items) else {i: i for i in items})})
    if is_map(items):
        return [*value, *(Entry(key, item) for key, item in items.items())]
    return [*value, *items]


@filter_("chunk(size*)", ("{{ [1, 2, 3] | chunk(2) }}", "[[1,2],[3]]"))
def chunk(frame: Frame, value: Any, size: Any) -> list[list[Any]]:
    """The list cut into lists of that size."""
    items = list(_list(value, "chunk"))
    step = _index(size, "size")
    if step < 1:
        raise ExpressionError("the size of a chunk is at least 1")
    frame.budget.spend(5 * len(items) // step)
    return [items[start : start + step] for start in range(0, len(items), step)]


@filter_("flatten", ("{{ [1, [2, [3]]] | flatten }}", "[1,2,[3]]"))
def flatten(frame: Frame, value: Any) -> list[Any]:
    """The elements of the lists inside as elements of the list."""
    flat: list[Any] = []
    for item in _list(value, "flatten"):
        frame.budget.spend()
        if is_list(item):
            frame.budget.fits_elements(len(flat) + len(item))
            frame.budget.keep(item)
            flat.extend(item)
        else:
            flat.append(item)
    return flat


@filter_("distinct", ("{{ [1, 2, 1, '1'] | distinct }}", '[1,2,"1"]'), takes_null=True)
def distinct(frame: Frame, value: Any) -> Any:
    """The list with the first of equal elements only; null becomes the text `null`."""
    if value is None:
        return "null"
    kept: list[Any] = []
    seen: set[tuple[type, Any]] = set()
    for item in _list(value, "distinct"):
        frame.budget.spend(3)
        if item is None or isinstance(item, str | int | float):
            if (identity := (_kind(item), item)) in seen:
                continue
            seen.add(identity)
        elif _is_among(frame, item, kept):
            continue
        kept.append(item)
    return kept


@filter_("keys", ("{{ {'a': 1, 'b': 2} | keys }}", '["a","b"]'))
def keys(value: Any) -> list[Any]:
    """The keys of a map; the positions of a list."""
    if is_map(value):
        return list(value)
    if is_list(value):
        return list(range(len(value)))
    raise ExpressionError(f"keys needs a map or a list, not {describe(value)}")


@filter_("values", ("{{ {'a': 1, 'b': 2} | values }}", "[1,2]"))
def values(value: Any) -> list[Any]:
    """The values of a map."""
    if is_map(value):
        return list(value.values())
    raise ExpressionError(f"values needs a map, not {describe(value)}")


@filter_("className", ("{{ 1 | className }}", "java.lang.Long"))
def class_name_(value: Any) -> str | None:
    """The Java class that Kestra has for the value."""
    return class_name(value)


@filter_(
    "jq(expression*)",
    ("{{ outputs | jq('.rows[].id') }}", "[1,2]", {"outputs": {"rows": [{"id": 1}, {"id": 2}]}}),
    ("{{ '{\"a\": [1, 2]}' | jq('.a | add') | first }}", "3"),
)
def jq(frame: Frame, value: Any, expression: Any) -> list[Any]:
    """All results of a jq 1.6 program, as a list; the input is any value, or JSON text."""
    from runner.expressions.jq import run_program

    return run_program(value, expression, frame.budget, frame.world.now)


def _is_among(frame: Frame, item: Any, kept: list[Any]) -> bool:
    budget = frame.budget
    budget.spend(1 + len(kept))
    return any(equal(item, other, budget) for other in kept)


def _end(value: Any, index: int, name: str) -> Any:
    if isinstance(value, str) and value:
        return value[index]
    if is_list(value):
        return value[index] if value else None
    if isinstance(value, str):
        raise ExpressionError(f"{name}: the string is empty")
    raise ExpressionError(f"{name} needs a list or a string, not {describe(value)}")


def _sorted(frame: Frame, value: Any, name: str) -> list[Any]:
    items = list(_list(value, name))
    frame.budget.spend(len(items))
    if all(isinstance(item, str) for item in items):
        return sorted(items, key=code_units)
    kinds = {_kind(item) for item in items}
    if len(kinds) == 1 and kinds <= {bool, int, float, Decimal}:
        return sorted(items)
    if len(items) <= 1:
        return items
    names = sorted({describe(item) for item in items})
    raise ExpressionError(f"{name} cannot order {' and '.join(names)}")


def _kind(number: Any) -> type:
    """What Java compares with its like only; integers of all sizes count as one here."""
    kinds = (bool, int, float, Decimal, str, object)
    return next(kind for kind in kinds if isinstance(number, kind))


def _list(value: Any, name: str) -> Any:
    if is_list(value):
        return value
    raise ExpressionError(f"{name} needs a list, not {describe(value)}")


def _index(value: Any, name: str) -> int:
    if is_number(value):
        return int(value)
    raise ExpressionError(f"{name} must be an integer, not {describe(value)}")
