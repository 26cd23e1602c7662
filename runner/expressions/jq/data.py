"""Values of jq: their order, arithmetic and texts."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import cmp_to_key
from typing import Any

from runner.expressions.budget import Budget
from runner.expressions.errors import ExpressionError, LimitExceeded
from runner.expressions.printing import MAX_DEPTH, double_text, json_text, scalar_text
from runner.expressions.values import Entry, is_list, is_map, wrap64


class JqError(ExpressionError):
    """An error inside a program, which `try` can catch."""

    def __init__(self, value: Any) -> None:
        super().__init__(f"jq: {value if isinstance(value, str) else to_json(value)}")
        self.value = value


def type_name(value: Any) -> str:
    """`null`, `boolean`, `number`, `string`, `array` or `object`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "array" if isinstance(value, list) else "object"


def describe(value: Any) -> str:
    """The type and the beginning of the value, for an error."""
    text = to_json(value)
    return f"{type_name(value)} ({text if len(text) <= 11 else text[:10] + '...'})"


def is_true(value: Any) -> bool:
    """Whether a condition holds: all but null and false do."""
    return value is not None and value is not False


def from_value(value: Any, budget: Budget, depth: int = 0) -> Any:
    """A value of the expression language as jq sees it: null entries of maps are gone."""
    if value is None or isinstance(value, str | bool):
        return value
    if depth > MAX_DEPTH:
        raise LimitExceeded(f"a value is nested more than {MAX_DEPTH} levels deep")
    if isinstance(value, Entry):
        value = {value.key: value.value}
    if is_map(value):
        budget.spend(4 + 2 * len(value))
        return _from_map(value, budget, depth)
    if is_list(value):
        budget.spend(4 + 2 * len(value))
        return [from_value(item, budget, depth + 1) for item in value]
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return _from_scalar(value)


def _from_map(value: Mapping[Any, Any], budget: Budget, depth: int) -> dict[str, Any]:
    return {
        key if isinstance(key, str) else scalar_text(key, null="null"): from_value(
            item, budget, depth + 1
        )
        for key, item in value.items()
        if item is not None
    }


def _from_scalar(value: Any) -> Any:
    text = scalar_text(value, null="null")
    try:
        return float(text)
    except ValueError:
        return text


def normal(number: Any) -> Any:
    """A whole number without its point, as arithmetic gives it."""
    if isinstance(number, float) and number.is_integer() and abs(number) < 2**63:
        return int(number)
    return number


# ---- order


_RANKS = {"null": 0, "boolean": 1, "number": 3, "string": 4, "array": 5, "object": 6}


def compare(left: Any, right: Any, budget: Budget, depth: int = 0) -> int:
    """Negative, zero or positive, by jq's order of all values."""
    if depth > MAX_DEPTH:
        raise LimitExceeded(f"a value is nested more than {MAX_DEPTH} levels deep")
    first, second = _rank(left), _rank(right)
    if first != second:
        return first - second
    if first == 5:
        return _compare_lists(left, right, budget, depth)
    if first == 6:
        return _compare_objects(left, right, budget, depth)
    if first == 4:
        left, right = _units(left), _units(right)
    if first < 3 or left == right:
        return 0
    return -1 if left < right or left != left else 1


def equal(left: Any, right: Any, budget: Budget) -> bool:
    """Whether two values are the same."""
    return compare(left, right, budget) == 0


def sort(items: list[Any], budget: Budget) -> list[Any]:
    """The items in jq's order."""
    budget.spend(len(items))
    return sorted(items, key=sort_key(budget))


def sort_key(budget: Budget) -> Any:
    """What `sorted` needs to follow jq's order."""
    return cmp_to_key(lambda left, right: compare(left, right, budget))


def _rank(value: Any) -> int:
    if isinstance(value, bool):
        return 2 if value else 1
    return _RANKS[type_name(value)]


def _units(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def _compare_lists(left: Any, right: Any, budget: Budget, depth: int) -> int:
    budget.spend()
    for one, other in zip(left, right, strict=False):
        order = compare(one, other, budget, depth + 1)
        if order:
            return order
    return len(left) - len(right)


def _compare_objects(left: Any, right: Any, budget: Budget, depth: int) -> int:
    keys = sorted(left)
    order = _compare_lists(keys, sorted(right), budget, depth)
    if order:
        return order
    for key in keys:
        order = compare(left[key], right[key], budget, depth + 1)
        if order:
            return order
    return 0


# ---- arithmetic


def arithmetic(operator: str, left: Any, right: Any, budget: Budget) -> Any:
    """The result of `+ - * / %`."""
    if _is_number(left) and _is_number(right):
        return _numbers(operator, left, right)
    result = _OTHERS[operator](left, right, budget)
    if result is NotImplemented:
        verb = {"+": "added", "-": "subtracted", "*": "multiplied"}.get(operator, "divided")
        raise JqError(f"{describe(left)} and {describe(right)} cannot be {verb}")
    return result


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _numbers(operator: str, left: Any, right: Any) -> Any:
    if operator == "+":
        return _bounded(left + right)
    if operator == "-":
        return _bounded(left - right)
    if operator == "*":
        return _bounded(left * right)
    if operator == "/":
        if right == 0:
            raise JqError(
                f"{describe(left)} and {describe(right)} cannot be divided because "
                "the divisor is zero"
            )
        return normal(left / right)
    return _remainder(left, right)


def _bounded(number: Any) -> Any:
    return int(wrap64(number)) if isinstance(number, int) else normal(number)


def _remainder(left: Any, right: Any) -> Any:
    if not (math.isfinite(left) and math.isfinite(right)):
        raise JqError(f"{describe(left)} and {describe(right)} cannot be divided")
    dividend, divisor = int(left), abs(int(right))
    if not divisor:
        raise JqError(
            f"{describe(left)} and {describe(right)} cannot be divided because the divisor is zero"
        )
    rest = abs(dividend) % divisor
    return -rest if dividend < 0 else rest


def _add(left: Any, right: Any, budget: Budget) -> Any:
    if left is None or right is None:
        return right if left is None else left
    if isinstance(left, str) and isinstance(right, str):
        budget.allow_text(len(left) + len(right))
        return left + right
    if isinstance(left, list) and isinstance(right, list):
        budget.allow_elements(len(left) + len(right))
        return left + right
    if isinstance(left, dict) and isinstance(right, dict):
        budget.allow_elements(len(left) + len(right))
        return left | right
    return NotImplemented


def _subtract(left: Any, right: Any, budget: Budget) -> Any:
    if isinstance(left, list) and isinstance(right, list):
        budget.spend(len(left) * (1 + len(right) // 4))
        return [item for item in left if not any(equal(item, other, budget) for other in right)]
    return NotImplemented


def _multiply(left: Any, right: Any, budget: Budget) -> Any:
    if isinstance(left, str) and _is_number(right):
        if right <= 0:
            return None
        count = max(1, math.ceil(min(right, 2**40)))
        budget.allow_text(len(left) * count)
        return left * count
    if _is_number(left) and isinstance(right, str):
        return _multiply(right, left, budget)
    if isinstance(left, dict) and isinstance(right, dict):
        return _merge(left, right, budget, 0)
    return NotImplemented


def _merge(left: Any, right: Any, budget: Budget, depth: int) -> Any:
    budget.spend(1 + len(right))
    if depth > MAX_DEPTH:
        raise LimitExceeded(f"a value is nested more than {MAX_DEPTH} levels deep")
    merged = dict(left)
    for key, item in right.items():
        below = merged.get(key)
        both = isinstance(below, dict) and isinstance(item, dict)
        merged[key] = _merge(below, item, budget, depth + 1) if both else item
    return merged


def _divide(left: Any, right: Any, budget: Budget) -> Any:
    if isinstance(left, str) and isinstance(right, str):
        return split(left, right)
    return NotImplemented


_OTHERS: dict[str, Any] = {
    "+": _add,
    "-": _subtract,
    "*": _multiply,
    "/": _divide,
    "%": lambda left, right, budget: NotImplemented,
}


def split(text: str, separator: str) -> list[str]:
    """The parts between the separators."""
    if not text:
        return []
    return text.split(separator) if separator else list(text)


# ---- texts


def to_text(value: Any, budget: Budget) -> str:
    """What `tostring` gives."""
    return value if isinstance(value, str) else write_json(value, budget)


def write_json(value: Any, budget: Budget) -> str:
    """JSON with null entries kept."""
    return json_text(value, budget, keeps_null=True)


def to_json(value: Any) -> str:
    """JSON of a small value, for errors."""
    if isinstance(value, float):
        return double_text(value)
    try:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))[:200]
    except (TypeError, ValueError, RecursionError):
        return type_name(value)
