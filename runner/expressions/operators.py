"""What the operators do with values: Java's arithmetic, Pebble's comparisons and truth."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable
from decimal import Context as DecimalContext
from decimal import Decimal, DecimalException
from typing import Any

from .budget import Budget
from .errors import ExpressionError, LimitExceeded
from .printing import MAX_DEPTH, float32, text_form
from .values import (
    BigInteger,
    Float32,
    Long,
    describe,
    is_integer,
    is_list,
    is_map,
    is_number,
    wrap64,
)

DECIMAL128 = DecimalContext(prec=34)
_LONG = re.compile(r"[+-]?\d{1,30}")
_DOUBLE = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)[fFdD]?")
_BLANKS = "".join(map(chr, range(0x21)))


# ---- arithmetic


def add(left: Any, right: Any, budget: Budget) -> Any:
    """Numbers added, texts joined (null as `null`), lists extended or appended to."""
    if isinstance(left, str) or isinstance(right, str):
        joined = text_form(left, budget) + text_form(right, budget)
        budget.allow_text(len(joined))
        return joined
    if is_list(left):
        extension = right if is_list(right) else [right]
        budget.allow_elements(len(left) + len(extension))
        return [*left, *extension]
    return _arithmetic("+", left, right)


def subtract(left: Any, right: Any, budget: Budget) -> Any:
    """Numbers subtracted; a list without the elements on the right."""
    if is_list(left):
        return _without(left, right, budget)
    return _arithmetic("-", _as_number(left), _as_number(right))


def multiply(left: Any, right: Any, budget: Budget) -> Any:
    """The product of two numbers."""
    return _arithmetic("*", _as_number(left), _as_number(right))


def divide(left: Any, right: Any, budget: Budget) -> Any:
    """The quotient; of integers cut towards zero."""
    return _arithmetic("/", _as_number(left), _as_number(right))


def remainder(left: Any, right: Any, budget: Budget) -> Any:
    """What is left of a division, with the sign of the left side."""
    return _arithmetic("%", _as_number(left), _as_number(right))


def negate(value: Any) -> Any:
    """The number with the other sign."""
    number = _as_number(value)
    if is_integer(number):
        return wrap64(-number)
    if isinstance(number, Float32):
        return Float32(-number)
    if is_number(number):
        return -number
    raise ExpressionError(f"- needs a number, not {describe(value)}")


def identity(value: Any) -> Any:
    """The number itself."""
    number = _as_number(value)
    if is_number(number):
        return number
    raise ExpressionError(f"+ needs a number, not {describe(value)}")


def _without(left: Any, right: Any, budget: Budget) -> list[Any]:
    budget.spend(len(left))
    if is_list(right):
        return [item for item in left if not contains_element(right, item, budget)]
    for index, item in enumerate(left):
        if equal(item, right, budget):
            return [*left[:index], *left[index + 1 :]]
    return list(left)


def _as_number(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    try:
        return _number_in(value)
    except (ValueError, OverflowError, DecimalException):
        return value


def _number_in(text: str) -> Any:
    """What `Long.parseLong` reads, or with a point or exponent `Double.parseDouble`."""
    if "." in text or "e" in text or "E" in text:
        match = _DOUBLE.fullmatch(text.strip(_BLANKS))
        if match is None:
            raise ValueError(text)
        return float(match.group(1))
    if not _LONG.fullmatch(text):
        raise ValueError(text)
    number = int(text)
    if not -(2**63) <= number < 2**63:
        raise OverflowError(text)
    return Long(number)


def _arithmetic(symbol: str, left: Any, right: Any) -> Any:
    if not (is_number(left) and is_number(right)):
        wrong = right if is_number(left) else left
        raise ExpressionError(f"{symbol} needs numbers, not {describe(wrong)}")
    try:
        if isinstance(left, Decimal) or isinstance(right, Decimal):
            return _DECIMAL[symbol](_decimal(left), _decimal(right))
        if isinstance(left, float) or isinstance(right, float):
            return _floating(symbol, left, right)
        return wrap64(_INTEGER[symbol](_cut(left), _cut(right)))
    except ZeroDivisionError as error:
        raise ExpressionError("division by zero") from error
    except DecimalException as error:
        raise ExpressionError(f"{symbol} has no decimal result here") from error
    except OverflowError as error:
        raise ExpressionError("the number is too large") from error


def _cut(number: int) -> int:
    return wrap64(number) if isinstance(number, BigInteger) or abs(number) >= 2**63 else number


def _floating(symbol: str, left: Any, right: Any) -> float:
    is_double = any(isinstance(n, float) and not isinstance(n, Float32) for n in (left, right))
    result = _FLOAT[symbol](float(left), float(right))
    return result if is_double else float32(result)


def _decimal(number: Any) -> Decimal:
    """The decimal by way of a double, as Pebble has it: `1.10` becomes `1.1`, `1` becomes `1.0`."""
    return Decimal(repr(float(number)))


def _divide_integers(left: int, right: int) -> int:
    quotient = abs(left) // abs(right)
    return quotient if (left < 0) == (right < 0) else -quotient


def _remainder_of_integers(left: int, right: int) -> int:
    rest = abs(left) % abs(right)
    return -rest if left < 0 else rest


def _divide_floats(left: float, right: float) -> float:
    if right:
        return left / right
    if not left or left != left:
        return math.nan
    return math.copysign(math.inf, left) * math.copysign(1.0, right)


def _multiply_floats(left: float, right: float) -> float:
    return left * right


def _remainder_of_floats(left: float, right: float) -> float:
    if not right or math.isinf(left):
        return math.nan
    return math.fmod(left, right)


_INTEGER: dict[str, Callable[[int, int], int]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": _divide_integers,
    "%": _remainder_of_integers,
}
_FLOAT: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": _multiply_floats,
    "/": _divide_floats,
    "%": _remainder_of_floats,
}
_DECIMAL: dict[str, Callable[[Decimal, Decimal], Decimal]] = {
    "+": DECIMAL128.add,
    "-": DECIMAL128.subtract,
    "*": DECIMAL128.multiply,
    "/": DECIMAL128.divide,
    "%": DECIMAL128.remainder,
}


# ---- comparisons


def equal(left: Any, right: Any, budget: Budget, depth: int = 0) -> bool:
    """Equality without coercion: numbers by value, everything else of one type."""
    if left is right:
        return not (isinstance(left, float) and math.isnan(left))
    if isinstance(left, str) or isinstance(right, str):
        return isinstance(left, str) and isinstance(right, str) and left == right
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if is_number(left) and is_number(right):
        return _same_number(left, right)
    if is_list(left) and is_list(right):
        _descend(budget, depth)
        return len(left) == len(right) and all(
            equal(one, other, budget, depth + 1) for one, other in zip(left, right, strict=True)
        )
    if is_map(left) and is_map(right):
        _descend(budget, depth)
        return len(left) == len(right) and all(
            key in right and equal(item, right[key], budget, depth + 1)
            for key, item in left.items()
        )
    return type(left) is type(right) and bool(left == right)


def _same_number(left: Any, right: Any) -> bool:
    if isinstance(left, Decimal) or isinstance(right, Decimal):
        return bool(_exact(left) == _exact(right))
    return bool(left == right)


def _exact(number: Any) -> Any:
    """A number that may be compared with decimals: a double by its shortest digits."""
    return Decimal(repr(float(number))) if isinstance(number, float) else number


def _descend(budget: Budget, depth: int) -> None:
    budget.spend(5)
    if depth > MAX_DEPTH:
        raise LimitExceeded(f"a value is nested more than {MAX_DEPTH} levels deep")


def ordered(symbol: str, compare: Callable[[Any, Any], bool]) -> Callable[[Any, Any, Budget], bool]:
    """The comparison of that name: numbers, or two texts by code unit; false beside null."""

    def comparison(left: Any, right: Any, budget: Budget) -> bool:
        if left is None or right is None:
            return False
        if is_number(left) and is_number(right):
            if isinstance(left, Decimal) or isinstance(right, Decimal):
                return compare(_exact(left), _exact(right))
            return compare(left, right)
        if isinstance(left, str) and isinstance(right, str):
            return compare(code_units(left), code_units(right))
        wrong = right if is_number(left) else left
        raise ExpressionError(f"{symbol} needs numbers, not {describe(wrong)}")

    return comparison


def code_units(text: str) -> bytes:
    """What Java orders texts by."""
    return text.encode("utf-16-be", "surrogatepass")


def truth(value: Any, what: str = "a condition") -> bool:
    """Whether a condition holds: booleans, numbers and texts only."""
    if value is True or value is False:
        return value
    if isinstance(value, str):
        return bool(value)
    if is_number(value):
        return bool(value) and value == value
    raise ExpressionError(f"{what} needs a boolean, a number or a string, not {describe(value)}")


def contains_element(items: Any, value: Any, budget: Budget) -> bool:
    """Whether a list has the value."""
    if isinstance(value, str):
        budget.spend(1 + len(items) // 20)
        return value in items
    budget.spend(1 + len(items))
    return any(equal(item, value, budget) for item in items)


def contains(left: Any, right: Any, budget: Budget) -> bool:
    """Membership of lists, keys of maps, parts of texts."""
    if left is None:
        return False
    if is_list(left):
        if is_list(right):
            return all(contains_element(left, item, budget) for item in right)
        return contains_element(left, right, budget)
    if is_map(left):
        return has_key(left, right)
    if isinstance(left, str):
        return text_form(right, budget) in left
    raise ExpressionError(f"contains needs a list, a map or a string, not {describe(left)}")


def is_in(left: Any, right: Any, budget: Budget) -> bool:
    """Whether the right side has the left one as element, key or value."""
    if left is None or right is None:
        return False
    if is_list(right):
        return contains_element(right, left, budget)
    if is_map(right):
        return has_key(right, left) or contains_element(list(right.values()), left, budget)
    return False


def has_key(mapping: Any, key: Any) -> bool:
    """Whether the map has the key, without confusing true with 1."""
    if isinstance(key, str):
        return key in mapping
    if key is None or is_number(key) or isinstance(key, bool):
        return key in mapping and any(type(k) is type(key) or k == key for k in mapping)
    return False


def interval(start: Any, end: Any, budget: Budget) -> Any:
    """`start..end`, both included: of numbers, or of one-letter texts."""
    if isinstance(start, str) and isinstance(end, str) and len(start) == len(end) == 1:
        return [chr(code) for code in range(ord(start), ord(end) + 1)]
    return steps(start, end, 1, budget)


def steps(start: Any, end: Any, increment: Any, budget: Budget) -> range:
    """The numbers from start to end, both included; decimals are cut."""
    for value in (start, end, increment):
        if not is_number(value):
            raise ExpressionError(f"a range needs numbers, not {describe(value)}")
    try:
        first, last, step = int(start), int(end), int(increment)
    except (ValueError, OverflowError) as error:
        raise ExpressionError("a range needs finite numbers") from error
    if not step:
        raise ExpressionError("the increment of a range cannot be 0")
    numbers = range(first, last + (1 if step > 0 else -1), step)
    if numbers and abs((last - first) // step) >= budget.limits.elements:
        raise LimitExceeded(f"a range has more than {budget.limits.elements} elements")
    return numbers


def long(value: int) -> Long:
    """The integer as a 64-bit one."""
    return Long(value)
