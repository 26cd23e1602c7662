"""Java's `String.format`.

Source: the documentation of `java.util.Formatter`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from .decimalformat import Symbols, symbols_of
from .errors import ExpressionError, LimitExceeded
from .frame import Frame
from .printing import double_text, float32_text, integer_text, text_form
from .values import Float32, Long, describe, is_integer

_SPECIFIER = re.compile(r"%(?:(\d+)\$)?([-#+ 0,(<]*)(\d+)?(?:\.(\d+))?([a-zA-Z%])")
_CONTEXT = Context(prec=6000, rounding=ROUND_HALF_UP)
_WIDEST = 10_000
_INT_BITS, _LONG_BITS = 32, 64


@dataclass(frozen=True)
class Specifier:
    """One `%…` of a format."""

    text: str
    index: int | None
    flags: str
    width: int | None
    precision: int | None
    conversion: str

    def wrong(self, reason: str) -> ExpressionError:
        """The error about this specifier."""
        return ExpressionError(f"format: {self.text!r}: {reason}")


def format_text(template: str, values: tuple[Any, ...], frame: Frame) -> str:
    """The template with its specifiers replaced by the values.

    Raises:
        ExpressionError: a specifier is malformed, has no value, or one that does not fit.
    """
    pieces: list[str] = []
    end = 0
    ordinary = previous = -1
    for match in _SPECIFIER.finditer(template):
        pieces.append(_plain(template[end : match.start()]))
        end = match.end()
        specifier = _specifier(match)
        if specifier.conversion in "%n":
            pieces.append(_fixed(specifier))
            continue
        if "<" in specifier.flags:
            position = previous
        elif specifier.index is not None:
            position = specifier.index - 1
        else:
            position = ordinary = ordinary + 1
        previous = position
        if not 0 <= position < len(values):
            raise specifier.wrong("there is no value for it")
        pieces.append(_formatted(specifier, values[position], frame))
        frame.budget.spend()
        frame.budget.fits(sum(map(len, pieces)))
    pieces.append(_plain(template[end:]))
    return "".join(pieces)


def _plain(text: str) -> str:
    if "%" in text:
        raise ExpressionError(f"format: {text[text.index('%') :][:10]!r} is no specifier")
    return text


def _specifier(match: re.Match[str]) -> Specifier:
    index, flags, width, precision, conversion = match.groups()
    specifier = Specifier(
        match.group(),
        int(index) if index else None,
        flags,
        int(width) if width else None,
        int(precision) if precision else None,
        conversion,
    )
    if (specifier.width or 0) > _WIDEST or (specifier.precision or 0) > _WIDEST:
        raise LimitExceeded(f"format: a width or precision is more than {_WIDEST}")
    needs_width = "-" in flags or "0" in flags
    if len(set(flags)) != len(flags) or (needs_width and not width):
        raise specifier.wrong("the flags do not fit")
    if ("-" in flags and "0" in flags) or ("+" in flags and " " in flags):
        raise specifier.wrong("the flags do not fit together")
    return specifier


def _fixed(specifier: Specifier) -> str:
    if specifier.conversion == "n":
        return "\n"
    return _padded(specifier, "%")


def _formatted(specifier: Specifier, value: Any, frame: Frame) -> str:
    conversion = specifier.conversion
    convert = _CONVERSIONS.get(conversion.lower())
    if convert is None or (conversion.isupper() and conversion not in "BHSCXEG"):
        raise specifier.wrong("the conversion is unknown")
    text = convert(specifier, value, frame)
    return text.upper() if conversion.isupper() else text


def _string(specifier: Specifier, value: Any, frame: Frame) -> str:
    _allow_flags(specifier, "-")
    text = text_form(value, frame.budget)
    return _padded(
        specifier, text[: specifier.precision] if specifier.precision is not None else text
    )


def _boolean(specifier: Specifier, value: Any, frame: Frame) -> str:
    _allow_flags(specifier, "-")
    text = "false" if value is None or value is False else "true"
    return _padded(
        specifier, text[: specifier.precision] if specifier.precision is not None else text
    )


def _character(specifier: Specifier, value: Any, frame: Frame) -> str:
    _allow_flags(specifier, "-")
    if value is None:
        return _padded(specifier, "null")
    if is_integer(value) and not isinstance(value, Long) and 0 <= value <= 0x10FFFF:
        return _padded(specifier, chr(value))
    raise specifier.wrong(f"{describe(value)} is no character")


def _hash(specifier: Specifier, value: Any, frame: Frame) -> str:
    raise specifier.wrong("hash codes are not offered")


def _integer(specifier: Specifier, value: Any, frame: Frame) -> str:
    _refuse_precision(specifier)
    if value is None:
        return _padded(specifier, "null")
    if not is_integer(value):
        raise specifier.wrong(f"it needs an integer, not {describe(value)}")
    symbols = symbols_of(frame.settings.locale)
    digits = integer_text(abs(value))
    if "," in specifier.flags:
        digits = f"{int(digits):,}".replace(",", symbols.group)
    return _signed(specifier, digits, value < 0)


def _radix(letter: str) -> Callable[[Specifier, Any, Frame], str]:
    def convert(specifier: Specifier, value: Any, frame: Frame) -> str:
        _refuse_precision(specifier)
        _allow_flags(specifier, "-#0")
        if value is None:
            return _padded(specifier, "null")
        if not is_integer(value):
            raise specifier.wrong(f"it needs an integer, not {describe(value)}")
        if value < 0:
            small = type(value) is int and value >= -(2**31)
            value += 2 ** (_INT_BITS if small else _LONG_BITS)
        text = f"{value:{letter}}"
        if "#" in specifier.flags:
            text = ("0x" if letter == "x" else "0") + text
        width = specifier.width or 0
        return text.rjust(width, "0") if "0" in specifier.flags else _padded(specifier, text)

    return convert


def _fixed_point(specifier: Specifier, value: Any, frame: Frame) -> str:
    return _real(specifier, value, frame, _plain_digits)


def _scientific(specifier: Specifier, value: Any, frame: Frame) -> str:
    return _real(specifier, value, frame, _scientific_digits)


def _general(specifier: Specifier, value: Any, frame: Frame) -> str:
    return _real(specifier, value, frame, _general_digits)


def _real(
    specifier: Specifier,
    value: Any,
    frame: Frame,
    digits_of: Callable[[Decimal, int], str],
) -> str:
    if value is None:
        return _padded(specifier, "null"[: specifier.precision])
    if not isinstance(value, float | Decimal):
        raise specifier.wrong(f"it needs a decimal number, not {describe(value)}")
    if isinstance(value, float) and not math.isfinite(value):
        return _not_finite(specifier, value)
    exact = _decimal(value)
    precision = 6 if specifier.precision is None else specifier.precision
    symbols = symbols_of(frame.settings.locale)
    digits = _localized(digits_of(abs(exact), precision), specifier, symbols)
    return _signed(specifier, digits, exact.is_signed())


def _decimal(value: Any) -> Decimal:
    if isinstance(value, Decimal):
        return value
    return Decimal(float32_text(value) if isinstance(value, Float32) else double_text(value))


def _not_finite(specifier: Specifier, value: float) -> str:
    text = "NaN" if math.isnan(value) else "Infinity"
    if value < 0:
        text = f"({text})" if "(" in specifier.flags else f"-{text}"
    elif value > 0 and "+" in specifier.flags:
        text = f"+{text}"
    return _padded(specifier, text)


def _plain_digits(number: Decimal, precision: int) -> str:
    rounded = number.quantize(Decimal(1).scaleb(-precision), context=_CONTEXT)
    return f"{rounded:f}"


def _scientific_digits(number: Decimal, precision: int) -> str:
    if not number:
        return f"{0:.{precision}f}e+00"
    exponent = number.adjusted()
    mantissa = number.scaleb(-exponent, context=_CONTEXT)
    rounded = mantissa.quantize(Decimal(1).scaleb(-precision), context=_CONTEXT)
    if rounded >= 10:
        exponent += 1
        rounded = rounded.scaleb(-1).quantize(Decimal(1).scaleb(-precision), context=_CONTEXT)
    return f"{rounded:f}e{'-' if exponent < 0 else '+'}{abs(exponent):02}"


def _general_digits(number: Decimal, precision: int) -> str:
    precision = precision or 1
    if not number:
        return _plain_digits(number, precision - 1)
    places = precision - 1 - number.adjusted()
    rounded = number.quantize(Decimal(1).scaleb(-places), context=_CONTEXT)
    if Decimal("0.0001") <= rounded < Decimal(10) ** precision:
        return _plain_digits(number, max(precision - 1 - rounded.adjusted(), 0))
    return _scientific_digits(number, precision - 1)


def _localized(digits: str, specifier: Specifier, symbols: Symbols) -> str:
    whole, point, fraction = digits.partition(".")
    if "," in specifier.flags and whole.isdigit():
        whole = f"{int(whole):,}".replace(",", symbols.group)
    return f"{whole}{symbols.point if point else ''}{fraction}"


def _signed(specifier: Specifier, digits: str, is_negative: bool) -> str:
    flags = specifier.flags
    before, after = "", ""
    if is_negative:
        before, after = ("(", ")") if "(" in flags else ("-", "")
    elif "+" in flags or " " in flags:
        before = "+" if "+" in flags else " "
    if "0" in flags:
        width = (specifier.width or 0) - len(before) - len(after)
        digits = digits.rjust(width, "0")
    return _padded(specifier, f"{before}{digits}{after}")


def _padded(specifier: Specifier, text: str) -> str:
    width = specifier.width or 0
    return text.ljust(width) if "-" in specifier.flags else text.rjust(width)


def _allow_flags(specifier: Specifier, allowed: str) -> None:
    if set(specifier.flags) - set(allowed) - {"<"}:
        raise specifier.wrong("the flags do not fit the conversion")


def _refuse_precision(specifier: Specifier) -> None:
    if specifier.precision is not None:
        raise specifier.wrong("integers have no precision")


_CONVERSIONS: dict[str, Callable[[Specifier, Any, Frame], str]] = {
    "s": _string,
    "b": _boolean,
    "c": _character,
    "h": _hash,
    "d": _integer,
    "x": _radix("x"),
    "o": _radix("o"),
    "f": _fixed_point,
    "e": _scientific,
    "g": _general,
}
