"""Java's `DecimalFormat` patterns.

Source: the documentation of `java.text.DecimalFormat`.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache
from typing import Any

from .errors import ExpressionError
from .values import Float32

_NUMBER = re.compile(r"[#0,.]+(?:E0+)?")
_CONTEXT = Context(prec=6000, rounding=ROUND_HALF_EVEN, Emax=999999, Emin=-999999)
_MAX_PATTERN = 200


@dataclass(frozen=True)
class Pattern:
    """One sub-pattern of a format."""

    prefix: str
    suffix: str
    minimum_integer: int
    maximum_integer: int
    minimum_fraction: int
    maximum_fraction: int
    grouping: int
    multiplier: int
    exponent_digits: int
    shows_point: bool


@dataclass(frozen=True)
class Symbols:
    """How a language writes numbers."""

    point: str = "."
    group: str = ","
    minus: str = "-"


def format_number(value: Any, pattern: str, locale: str) -> str:
    """The number by the pattern.

    Raises:
        ExpressionError: the pattern is malformed.
    """
    positive, negative = _parse(pattern)
    symbols = symbols_of(locale)
    if isinstance(value, float) and not math.isfinite(value):
        return _not_finite(value, positive, negative, symbols)
    number = _exact(value)
    is_negative = number.is_signed() and not number.is_nan()
    digits, is_zero = _digits(abs(number), positive, symbols)
    if is_negative and not (is_zero and isinstance(value, int)):
        prefix, suffix = _negative(positive, negative, symbols)
        return f"{prefix}{digits}{suffix}"
    return f"{positive.prefix}{digits}{positive.suffix}"


def _exact(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    if isinstance(value, Float32):
        return Decimal(float(value))
    return Decimal(value)


def _negative(positive: Pattern, negative: Pattern | None, symbols: Symbols) -> tuple[str, str]:
    if negative is None or (negative.prefix, negative.suffix) == (positive.prefix, positive.suffix):
        return symbols.minus + positive.prefix, positive.suffix
    return negative.prefix, negative.suffix


def _not_finite(value: float, positive: Pattern, negative: Pattern | None, symbols: Symbols) -> str:
    if math.isnan(value):
        return "NaN"
    if value > 0:
        return f"{positive.prefix}∞{positive.suffix}"
    prefix, suffix = _negative(positive, negative, symbols)
    return f"{prefix}∞{suffix}"


def _digits(number: Decimal, pattern: Pattern, symbols: Symbols) -> tuple[str, bool]:
    scaled = _CONTEXT.multiply(number, Decimal(pattern.multiplier))
    if pattern.exponent_digits:
        return _scientific(scaled, pattern, symbols), not scaled
    step = Decimal(1).scaleb(-pattern.maximum_fraction)
    rounded = scaled.quantize(step, rounding=ROUND_HALF_EVEN, context=_CONTEXT)
    whole, _, fraction = f"{rounded:f}".partition(".")
    whole = whole.lstrip("0").rjust(pattern.minimum_integer, "0")
    fraction = fraction.rstrip("0").ljust(pattern.minimum_fraction, "0")
    if not whole and not fraction:
        whole = "0"
    if pattern.grouping:
        whole = _grouped(whole, pattern.grouping, symbols.group)
    text = whole
    if fraction or pattern.shows_point:
        text += symbols.point + fraction
    return text, not rounded


def _grouped(digits: str, size: int, separator: str) -> str:
    first = len(digits) % size or size
    groups = [digits[:first], *(digits[i : i + size] for i in range(first, len(digits), size))]
    return separator.join(groups)


def _scientific(number: Decimal, pattern: Pattern, symbols: Symbols) -> str:
    exponent = number.adjusted() if number else 0
    least, most = pattern.minimum_integer, pattern.maximum_integer
    if most > least and most > 1:
        exponent = math.floor(exponent / most) * most
        significant = pattern.maximum_integer + pattern.maximum_fraction
        mantissa = number.scaleb(-exponent, context=_CONTEXT)
        if mantissa:
            digits = significant - mantissa.adjusted() - 1
            mantissa = round_to(mantissa, max(digits, 0))
        fraction_most = significant
    else:
        exponent -= least - 1 if least else -1
        mantissa = number.scaleb(-exponent, context=_CONTEXT)
        mantissa = round_to(mantissa, pattern.maximum_fraction)
        if mantissa and mantissa.adjusted() >= max(least, 1):
            exponent += 1
            mantissa = round_to(number.scaleb(-exponent), pattern.maximum_fraction)
        fraction_most = pattern.maximum_fraction
    whole, _, fraction = f"{mantissa:f}".partition(".")
    whole = whole.lstrip("0").rjust(least, "0")
    fraction = fraction[:fraction_most].rstrip("0").ljust(pattern.minimum_fraction, "0")
    sign = "-" if exponent < 0 else ""
    text = whole + (symbols.point + fraction if fraction or pattern.shows_point else "")
    return f"{text}E{sign}{abs(exponent):0{pattern.exponent_digits}}"


def round_to(number: Decimal, places: int) -> Decimal:
    """Rounded half to even to so many places after the point."""
    return number.quantize(Decimal(1).scaleb(-places), rounding=ROUND_HALF_EVEN, context=_CONTEXT)


@lru_cache(maxsize=128)
def _parse(text: str) -> tuple[Pattern, Pattern | None]:
    if len(text) > _MAX_PATTERN:
        raise ExpressionError(f"a number format is longer than {_MAX_PATTERN} characters")
    halves = _split_unquoted(text)
    if len(halves) > 2:
        raise _malformed(text)
    positive = _parse_half(halves[0], text)
    return positive, _parse_half(halves[1], text) if len(halves) == 2 and halves[1] else None


def _split_unquoted(text: str) -> list[str]:
    parts, current, quoted = [], "", False
    for character in text:
        if character == "'":
            quoted = not quoted
        if character == ";" and not quoted:
            parts.append(current)
            current = ""
        else:
            current += character
    return [*parts, current]


def _parse_half(text: str, whole: str) -> Pattern:
    prefix, index, multiplier = _affix(text, 0, stops=True)
    match = _NUMBER.match(text, index)
    number = match.group() if match else ""
    suffix, _, times = _affix(text, index + len(number), stops=False, whole=whole)
    return _shape(number, whole, prefix, suffix, max(multiplier, times))


def _affix(text: str, index: int, *, stops: bool, whole: str = "") -> tuple[str, int, int]:
    affix, multiplier, quoted = "", 1, False
    while index < len(text):
        character = text[index]
        if character == "'":
            if text[index + 1 : index + 2] == "'":
                affix += "'"
                index += 1
            else:
                quoted = not quoted
        elif quoted:
            affix += character
        elif character in "#0,.":
            if stops:
                break
            raise _malformed(whole)
        else:
            multiplier = {"%": 100, "‰": 1000}.get(character, multiplier)
            affix += {"¤": "$"}.get(character, character)
        index += 1
    return affix, index, multiplier


def _shape(number: str, whole: str, prefix: str, suffix: str, multiplier: int) -> Pattern:
    mantissa, _, exponent = number.partition("E")
    integer, point, fraction = mantissa.partition(".")
    if "," in fraction or "." in fraction or integer.endswith(","):
        raise _malformed(whole)
    plain = integer.replace(",", "")
    if "0#" in plain or "#0" in fraction:
        raise _malformed(whole)
    grouping = len(integer) - integer.rfind(",") - 1 if "," in integer else 0
    if exponent and grouping:
        raise _malformed(whole)
    least, least_fraction = plain.count("0"), fraction.count("0")
    if point and not (least or least_fraction):  # JDK: handle '###.###', '###.' and '.###'
        least, least_fraction = (1, 0) if plain else (0, 1)
    return Pattern(
        prefix=prefix,
        suffix=suffix,
        minimum_integer=least,
        maximum_integer=len(plain),
        minimum_fraction=least_fraction,
        maximum_fraction=len(fraction),
        grouping=grouping,
        multiplier=multiplier,
        exponent_digits=len(exponent),
        shows_point=bool(point) and not fraction,
    )


def _malformed(pattern: str) -> ExpressionError:
    return ExpressionError(f"{pattern!r} is no number format")


@lru_cache(maxsize=32)
def symbols_of(locale: str) -> Symbols:
    if locale.startswith("en"):
        return Symbols()
    from babel import Locale, UnknownLocaleError

    try:
        found = Locale.parse(locale).number_symbols
    except (UnknownLocaleError, ValueError):
        return Symbols()
    table = found.get("latn", found)
    return Symbols(table.get("decimal", "."), table.get("group", ","), table.get("minusSign", "-"))
