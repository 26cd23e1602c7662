"""The kinds of values that Java tells apart and Python does not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any


class Long(int):
    """A 64-bit integer: literals, ranges and results of arithmetic. A plain int came from data."""

    __slots__ = ()


class BigInteger(int):
    """An integer made by `number('…', 'BIGINTEGER')`."""

    __slots__ = ()


class Float32(float):
    """A number of 32 bits."""

    __slots__ = ()


class LiteralMap(dict[Any, Any]):
    """A map written in a template."""

    __slots__ = ()


class TextArray(list[str]):
    """The texts that `split` makes."""

    __slots__ = ()


class Entry:
    """One entry of a map, as `for` meets them."""

    __slots__ = ("key", "value")

    def __init__(self, key: Any, value: Any) -> None:
        self.key = key
        self.value = value


_INT32 = 2**31
_INT64 = 2**63


def wrap64(number: int) -> Long:
    """The integer as 64 bits hold it."""
    if -_INT64 <= number < _INT64:
        return Long(number)
    return Long((number + _INT64) % (2 * _INT64) - _INT64)


def is_list(value: object) -> bool:
    """Whether it is a sequence of values; a text is none."""
    kind = type(value)
    return (
        kind is list
        or kind is tuple
        or (isinstance(value, Sequence) and not isinstance(value, str | bytes))
    )


def is_map(value: object) -> bool:
    """Whether it maps keys to values."""
    return type(value) is dict or isinstance(value, Mapping)


def is_number(value: object) -> bool:
    """Whether it is a number; a boolean is none."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def is_integer(value: object) -> bool:
    """Whether it is an integer of any size; a boolean is none."""
    return isinstance(value, int) and not isinstance(value, bool)


def class_name(value: Any) -> str | None:
    """The name of the class that Java has for the value."""
    match value:
        case None:
            return None
        case bool():
            return "java.lang.Boolean"
        case int():
            return _integer_class(value)
        case Float32():
            return "java.lang.Float"
        case float():
            return "java.lang.Double"
        case Decimal():
            return "java.math.BigDecimal"
        case str():
            return "java.lang.String"
        case datetime():
            return "java.time.Instant" if _is_utc(value) else "java.time.ZonedDateTime"
        case date():
            return "java.time.LocalDate"
        case LiteralMap():
            return "java.util.HashMap"
        case TextArray():
            return "[Ljava.lang.String;"
        case Mapping():
            return "java.util.LinkedHashMap"
        case Entry():
            return "java.util.Map.Entry"
        case _:
            return "java.util.ArrayList"


def describe(value: Any) -> str:
    """What kind of value it is, for an error."""
    match value:
        case None:
            return "null"
        case bool():
            return "a boolean"
        case int() | float() | Decimal():
            return "a number"
        case str():
            return "a string"
        case date():
            return "a date"
        case Entry():
            return "an entry of a map"
        case Mapping():
            return "a map"
        case Sequence():
            return "a list"
        case _:
            return f"a {type(value).__name__}"


def _integer_class(value: int) -> str:
    if isinstance(value, BigInteger) or not -_INT64 <= value < _INT64:
        return "java.math.BigInteger"
    if isinstance(value, Long) or not -_INT32 <= value < _INT32:
        return "java.lang.Long"
    return "java.lang.Integer"


def _is_utc(moment: datetime) -> bool:
    return moment.tzinfo is None or str(moment.tzinfo) in ("UTC", "Z")
