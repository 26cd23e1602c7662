"""Builtins of numbers."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from runner.expressions.budget import Budget
from runner.expressions.jq import data
from runner.expressions.jq.data import JqError, describe

from .registering import of_values

_SMALLEST_NORMAL = 2.2250738585072014e-308


def _number(value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise JqError(f"{describe(value)} number required")
    return value


def _mathematics(name: str, function: Callable[..., Any], arity: int = 0) -> None:
    def code(value: Any, *rest: Any) -> Any:
        arguments = rest[:-1] if arity else (value,)
        try:
            result = float(function(*map(_number, arguments)))
            return data.normal(result) if arity else result
        except (ValueError, ZeroDivisionError):
            return math.nan
        except OverflowError:
            return math.inf

    of_values(f"{name}/{arity}")(code)


def _log(number: float) -> float:
    return -math.inf if number == 0 else math.log(number)


def _round(number: float) -> float:
    return math.copysign(math.floor(abs(number) + 0.5), number) if math.isfinite(number) else number


for _name, _function in {
    "floor": lambda n: math.floor(n) if math.isfinite(n) else n,
    "ceil": lambda n: math.ceil(n) if math.isfinite(n) else n,
    "trunc": lambda n: math.trunc(n) if math.isfinite(n) else n,
    "round": _round,
    "sqrt": math.sqrt,
    "fabs": abs,
    "log": _log,
    "log2": lambda n: -math.inf if n == 0 else math.log2(n),
    "log10": lambda n: -math.inf if n == 0 else math.log10(n),
    "exp": math.exp,
    "exp2": lambda n: math.pow(2, n),
    "exp10": lambda n: math.pow(10, n),
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "cbrt": math.cbrt,
    "expm1": math.expm1,
    "log1p": math.log1p,
}.items():
    _mathematics(_name, _function)


_mathematics("pow", lambda base, exponent: math.pow(base, exponent), 2)


_mathematics("atan2", math.atan2, 2)


_mathematics("fmod", math.fmod, 2)


@of_values("nan/0")
def _nan(value: Any, budget: Budget) -> float:
    return math.nan


@of_values("infinite/0")
def _infinite(value: Any, budget: Budget) -> float:
    return math.inf


@of_values("isnan/0")
def _isnan(value: Any, budget: Budget) -> bool:
    return isinstance(value, float) and value != value


@of_values("isinfinite/0")
def _isinfinite(value: Any, budget: Budget) -> bool:
    return isinstance(value, float) and math.isinf(value)


@of_values("isnormal/0")
def _isnormal(value: Any, budget: Budget) -> bool:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return is_number and math.isfinite(value) and abs(value) >= _SMALLEST_NORMAL
