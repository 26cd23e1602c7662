"""Filters of numbers."""

from __future__ import annotations

import math
import re
from decimal import Decimal, DecimalException
from typing import Any

from runner.expressions.errors import ExpressionError
from runner.expressions.frame import Frame
from runner.expressions.printing import float32, float32_text
from runner.expressions.registry import FILTERS
from runner.expressions.values import BigInteger, Float32, Long, describe, is_number, wrap64

filter_ = FILTERS.register
_MAX_DIGITS = 4_000
_MAX_EXPONENT = 5_000
_INTEGER = re.compile(r"[+-]?[0-9]+")
_DECIMAL = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_NOT_FINITE = ("NaN", "Infinity", "-Infinity", "+Infinity")
_HEXADECIMAL = re.compile(r"([+-]?)(?:0[xX]|#)([0-9a-fA-F]+)")


@filter_("abs", ("{{ -7 | abs }}", "7"), takes_null=True)
def abs_(value: Any) -> Any:
    """The number without its sign."""
    if not is_number(value):
        raise ExpressionError(f"abs needs a number, not {describe(value)}")
    if isinstance(value, Float32):
        return Float32(abs(value))
    return wrap64(abs(value)) if isinstance(value, int) else abs(value)


@filter_("number(type)", ("{{ ('2' | number) * ('1.5' | number) }}", "3.0"))
def number(value: Any, type: Any) -> Any:
    """The number that a string holds, in the smallest type, or in the one named.

    Types: `INT`, `LONG`, `FLOAT`, `DOUBLE`, `BIGDECIMAL`, `BIGINTEGER`.
    """
    if not isinstance(value, str):
        raise ExpressionError(f"number reads strings, not {describe(value)}")
    if len(value) > _MAX_DIGITS:
        raise ExpressionError(f"number: more than {_MAX_DIGITS} characters")
    try:
        read = _TYPES.get(type) if isinstance(type, str) else None
        return read(value) if read else _smallest(value)
    except (ValueError, OverflowError, DecimalException) as error:
        raise ExpressionError(f"number: {value!r} is no number of this type") from error


@filter_("numberFormat(format)", ("{{ 1234.5 | numberFormat('#,##0.00') }}", "1,234.50"))
def number_format(frame: Frame, value: Any, format: Any) -> str:
    """The number by a pattern of Java's `DecimalFormat`."""
    from runner.expressions.decimalformat import format_number

    if not is_number(value):
        raise ExpressionError(f"numberFormat needs a number, not {describe(value)}")
    if format is not None and not isinstance(format, str):
        raise ExpressionError(f"the format is a string, not {describe(format)}")
    return format_number(value, format or "#,##0.###", frame.settings.locale)


def _smallest(text: str) -> Any:
    hexadecimal = _HEXADECIMAL.fullmatch(text)
    if hexadecimal:
        return _sized(int(hexadecimal.group(1) + hexadecimal.group(2), 16))
    suffix = text[-1:] if text[-1:] in "lLfFdD" else ""
    digits = text[:-1] if suffix else text
    if _INTEGER.fullmatch(digits) and (not suffix or suffix in "lL"):
        return _integer(digits, suffix)
    if not _DECIMAL.fullmatch(digits) or (suffix and suffix in "lL"):
        raise ValueError(text)
    return _real(digits, suffix)


def _integer(digits: str, suffix: str) -> int:
    unsigned = digits.lstrip("+-")
    is_octal = len(unsigned) > 1 and unsigned[0] == "0" and not suffix
    value = int(digits, 8) if is_octal else int(digits)
    if suffix:
        return Long(value) if -(2**63) <= value < 2**63 else BigInteger(value)
    return _sized(value)


def _sized(value: int) -> int:
    return value if -(2**63) <= value < 2**63 else BigInteger(value)


def _real(digits: str, suffix: str) -> Any:
    exact = _decimal(digits)
    if suffix and suffix in "fF":
        return _finite(float32(float(digits)), exact)
    if suffix:
        return _finite(float(digits), exact)
    single = float32(float(digits))
    if _keeps(float32_text(single), exact) and len(exact.normalize().as_tuple().digits) <= 7:
        return single
    double = float(digits)
    if _keeps(repr(double), exact):
        return double
    return exact


def _keeps(text: str, exact: Decimal) -> bool:
    return "n" not in text.lower() and Decimal(text) == exact


def _finite(value: Any, exact: Decimal) -> Any:
    return value if math.isfinite(value) and (value != 0 or exact == 0) else exact


def _decimal(text: str) -> Decimal:
    value = Decimal(text)
    if abs(value.adjusted()) > _MAX_EXPONENT:
        raise OverflowError(text)
    return value


def _whole(text: str) -> int:
    """What `Integer.decode` reads: decimal, `0x…`, `#…`, or octal after a zero."""
    hexadecimal = _HEXADECIMAL.fullmatch(text)
    if hexadecimal:
        return int(hexadecimal.group(1) + hexadecimal.group(2), 16)
    if not _INTEGER.fullmatch(text):
        raise ValueError(text)
    unsigned = text.lstrip("+-")
    return int(text, 8 if len(unsigned) > 1 and unsigned[0] == "0" else 10)


def _bounded(text: str, bits: int) -> int:
    value = _whole(text)
    if not -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        raise OverflowError(text)
    return value


def _float_of(text: str) -> float:
    trimmed = text.strip()
    if trimmed in _NOT_FINITE:
        return float(trimmed)
    digits = trimmed[:-1] if trimmed[-1:] in ("f", "F", "d", "D") else trimmed
    if not _DECIMAL.fullmatch(digits):
        raise ValueError(text)
    return float(digits)


def _decimal_of(text: str) -> Decimal:
    if not _DECIMAL.fullmatch(text):
        raise ValueError(text)
    value = _decimal(text)
    return value if value else abs(value)


def _big_integer(text: str) -> BigInteger:
    return BigInteger(_whole(text))


_TYPES = {
    "INT": lambda text: _bounded(text, 32),
    "LONG": lambda text: Long(_bounded(text, 64)),
    "FLOAT": lambda text: float32(_float_of(text)),
    "DOUBLE": _float_of,
    "BIGDECIMAL": _decimal_of,
    "BIGINTEGER": _big_integer,
}
