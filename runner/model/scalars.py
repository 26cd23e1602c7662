"""Texts of scalars as Java writes them: ``1e3`` is "1000.0", ``yes`` is "true"."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

_PLAIN_FROM, _PLAIN_BELOW = 1e-3, 1e7  # Java writes doubles outside of these with an exponent


def text_of(value: Any) -> str:
    """Return the text of a text, number or boolean."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return _double(value)
    return str(value)


def has_expression(value: Any) -> bool:
    """Say whether a text, or any text inside a structure, has something to render."""
    if isinstance(value, str):
        return "{{" in value or "{%" in value or "{#" in value
    if isinstance(value, dict):
        return any(has_expression(key) or has_expression(item) for key, item in value.items())
    if isinstance(value, list | tuple):
        return any(has_expression(item) for item in value)
    return False


def _double(value: float) -> str:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0 or _PLAIN_FROM <= abs(value) < _PLAIN_BELOW:
        text = format(Decimal(repr(value)), "f")
        return text if "." in text else text + ".0"
    sign, digits, exponent = Decimal(repr(value)).normalize().as_tuple()
    assert isinstance(exponent, int)
    rest = "".join(map(str, digits[1:])) or "0"
    return f"{'-' if sign else ''}{digits[0]}.{rest}E{exponent + len(digits) - 1}"


_FALSY = frozenset({"", "false", "0", "-0"})


def is_true(text: str) -> bool:
    """Say whether a rendered condition counts as true."""
    return text.strip() not in _FALSY
