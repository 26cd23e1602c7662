"""Values as text: what `{{ }}` prints, JSON, and the text form that `~` and `join` use."""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any

from runner import durations

from .budget import Budget
from .errors import ExpressionError, LimitExceeded
from .values import Entry, Float32, is_list, is_map

MAX_DEPTH = 150
_VISIT = 3
_CONTROL = re.compile(r"\\u00[01][0-9a-f]")


def printed(value: Any, budget: Budget) -> str:
    """What `{{ value }}` writes: lists and maps as compact JSON."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if kind is int:
        return integer_text(value)
    if is_list(value) or is_map(value):
        return json_text(value, budget)
    if kind is Entry:
        return text_form(value, budget)
    return scalar_text(value, null="")


def text_form(value: Any, budget: Budget, *, null: str = "null") -> str:
    """The value as Java's `toString` writes it: `[1, a]`, `{k=v, x=null}`."""
    kind = type(value)
    if kind is str:
        return value  # type: ignore[no-any-return]
    if is_list(value) or is_map(value) or kind is Entry:
        return _write(_write_java, value, budget)
    return scalar_text(value, null=null)


def json_text(value: Any, budget: Budget, *, keeps_null: bool = False) -> str:
    """Compact JSON: null entries of maps left out, doubles as Java writes them."""
    return _write(_write_json, value, budget, keeps_null=keeps_null)


def scalar_text(value: Any, *, null: str) -> str:
    """The text of what is neither list nor map."""
    match value:
        case str():
            return str(value)
        case None:
            return null
        case bool():
            return "true" if value else "false"
        case int():
            return integer_text(value)
        case Float32():
            return float32_text(value)
        case float():
            return double_text(value)
        case Decimal():
            return f"{value:f}"
        case datetime():
            return _moment_text(value)
        case date() | time():
            return value.isoformat()
        case timedelta():
            return durations.format(value)
        case _:
            return str(value)


def integer_text(value: int) -> str:
    """The digits; an integer too large for Python to print is a limit passed."""
    try:
        return int.__repr__(value)
    except ValueError as error:
        raise LimitExceeded("an integer has too many digits") from error


def double_text(number: float) -> str:
    """A double as `Double.toString` writes it."""
    if number != number:
        return "NaN"
    if math.isinf(number):
        return "Infinity" if number > 0 else "-Infinity"
    return _java_decimal(repr(number), number)


def float32_text(number: float) -> str:
    """A 32-bit float with the digits that suffice for 32 bits."""
    if number != number or math.isinf(number) or number == 0:
        return double_text(number)
    for digits in range(1, 10):
        shortest = f"{number:.{digits}g}"
        if float32(float(shortest)) == number:
            break
    return _java_decimal(repr(float(shortest)), number)


def float32(number: float) -> Float32:
    """The nearest number that 32 bits can hold."""
    try:
        return Float32(struct.unpack("f", struct.pack("f", number))[0])
    except OverflowError:
        return Float32(math.copysign(math.inf, number))


def _java_decimal(shortest: str, number: float) -> str:
    size = abs(number)
    if (1e-3 <= size < 1e7 or size == 0) and "e" not in shortest:
        return shortest
    sign, digits, _ = Decimal(shortest).as_tuple()
    exponent = Decimal(shortest).adjusted()
    text = "".join(map(str, digits)).rstrip("0")
    mantissa = f"{text[0]}.{text[1:] or '0'}"
    return f"{'-' if sign else ''}{mantissa}E{exponent}"


def _moment_text(moment: datetime) -> str:
    zone = moment.tzinfo
    if zone is None:
        return _local_text(moment)
    if zone is UTC or str(zone) in ("UTC", "Z"):
        return f"{moment:%Y-%m-%dT%H:%M:%S}{_fraction(moment)}Z"
    offset = moment.strftime("%z")
    region = getattr(zone, "key", None)
    suffix = f"[{region}]" if region else ""
    return f"{_local_text(moment)}{offset[:3]}:{offset[3:5]}{suffix}"


def _local_text(moment: datetime) -> str:
    text = f"{moment:%Y-%m-%dT%H:%M}"
    if moment.second or moment.microsecond:
        text += f":{moment:%S}{_fraction(moment)}"
    return text


def _fraction(moment: datetime) -> str:
    if not moment.microsecond:
        return ""
    if moment.microsecond % 1000:
        return f".{moment.microsecond:06}"
    return f".{moment.microsecond // 1000:03}"


# ---- nested values


class _Parts(list[str]):
    """Pieces of a text; adding them is paid for, so that shared structures cannot explode."""

    def __init__(self, budget: Budget, keeps_null: bool) -> None:
        super().__init__()
        self.budget = budget
        self.keeps_null = keeps_null
        self.visited = 0

    def visit(self, depth: int) -> None:
        """Count one value."""
        if depth > MAX_DEPTH:
            raise LimitExceeded(f"a value is nested more than {MAX_DEPTH} levels deep")
        self.visited += 1
        if not self.visited % 100:
            self.budget.spend(_VISIT * 100)


def _write(
    writer: Callable[[Any, _Parts, int], None],
    value: Any,
    budget: Budget,
    *,
    keeps_null: bool = False,
) -> str:
    parts = _Parts(budget, keeps_null)
    writer(value, parts, 0)
    budget.spend(_VISIT * (8 + parts.visited % 100))
    budget.allow_text(sum(map(len, parts)))
    return "".join(parts)


def _write_json(value: Any, parts: _Parts, depth: int) -> None:
    parts.visit(depth)
    if isinstance(value, str):
        parts.append(json_string(value))
    elif is_map(value):
        _write_json_map(value, parts, depth)
    elif is_list(value):
        opening = "["
        for item in value:
            parts.append(opening)
            _write_json(item, parts, depth + 1)
            opening = ","
        parts.append("[]" if opening == "[" else "]")
    elif type(value) is Entry:
        _write_json_map({value.key: value.value}, parts, depth)
    else:
        parts.append(_json_scalar(value))


def _write_json_map(value: Mapping[Any, Any], parts: _Parts, depth: int) -> None:
    opening = "{"
    for key, item in value.items():
        if item is not None or parts.keeps_null:
            name = key if isinstance(key, str) else _json_key(key, parts.budget)
            parts.append(f"{opening}{json_string(name)}:")
            _write_json(item, parts, depth + 1)
            opening = ","
    parts.append("{}" if opening == "{" else "}")


def _json_key(key: Any, budget: Budget) -> str:
    if key is None:
        raise ExpressionError("null cannot be a key in JSON")
    return text_form(key, budget)


def json_string(text: str) -> str:
    """The text as a JSON string; control characters have upper-case digits."""
    encoded = encode_basestring(text)
    if "\\u00" in encoded:
        return _CONTROL.sub(lambda match: "\\u" + match.group()[2:].upper(), encoded)
    return encoded


def _json_scalar(value: Any) -> str:
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC)
    text = scalar_text(value, null="null")
    is_bare = value is None or isinstance(value, bool | int | Decimal)
    if is_bare or (isinstance(value, float) and math.isfinite(value)):
        return text
    return json_string(text)


def _write_java(value: Any, parts: _Parts, depth: int) -> None:
    parts.visit(depth)
    if is_map(value):
        separator = "{"
        for key, item in value.items():
            parts.append(separator)
            _write_java(key, parts, depth + 1)
            parts.append("=")
            _write_java(item, parts, depth + 1)
            separator = ", "
        parts.append("{}" if separator == "{" else "}")
    elif is_list(value):
        separator = "["
        for item in value:
            parts.append(separator)
            _write_java(item, parts, depth + 1)
            separator = ", "
        parts.append("[]" if separator == "[" else "]")
    elif type(value) is Entry:
        _write_java(value.key, parts, depth + 1)
        parts.append("=")
        _write_java(value.value, parts, depth + 1)
    else:
        parts.append(scalar_text(value, null="null"))
