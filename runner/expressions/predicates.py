"""The tests: what stands after `is`."""

from __future__ import annotations

from typing import Any

from .errors import ExpressionError
from .jsontext import InvalidJson, is_blank, read_first
from .registry import TESTS
from .values import describe, is_integer, is_list, is_map

test = TESTS.register


@test("defined", ("{{ nothing is defined }}", "false"), takes_null=True)
def defined(value: Any) -> bool:
    """Whether it is known and not null. An unknown variable is no error here."""
    return value is not None


@test("null", ("{{ null is null }}", "true"), takes_null=True)
def null(value: Any) -> bool:
    """Whether it is null."""
    return value is None


@test("empty", ("{{ ' ' is empty }} {{ [0] is not empty }}", "true true"), takes_null=True)
def empty(value: Any) -> bool:
    """Whether it is null, a blank string, an empty list or an empty map."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or ((is_list(value) or is_map(value)) and not value)


@test("even", ("{{ 4 is even }}", "true"), takes_null=True)
def even(value: Any) -> bool:
    """Whether an integer can be halved."""
    return _integer(value, "even") % 2 == 0


@test("odd", ("{{ 2 + 3 is odd }}", "true"), takes_null=True)
def odd(value: Any) -> bool:
    """Whether an integer cannot be halved."""
    return _integer(value, "odd") % 2 == 1


@test("iterable", ("{{ [1] is iterable }} {{ 'abc' is iterable }}", "true false"), takes_null=True)
def iterable(value: Any) -> bool:
    """Whether it is a list."""
    return is_list(value)


@test("map", ("{{ {'a': 1} is map }}", "true"), takes_null=True)
def map_(value: Any) -> bool:
    """Whether it is a map."""
    return is_map(value)


@test("json", ("{{ '[1, 2]' is json }} {{ '[1,' is json }}", "true false"), takes_null=True)
def json_(value: Any) -> bool:
    """Whether a string is valid JSON; the empty string counts."""
    if not isinstance(value, str):
        raise ExpressionError(f"json tests strings, not {describe(value)}")
    if is_blank(value):
        return True
    try:
        read_first(value)
    except InvalidJson:
        return False
    return True


def _integer(value: Any, name: str) -> int:
    if not is_integer(value):
        raise ExpressionError(f"{name} tests integers, not {describe(value)}")
    return int(value)
