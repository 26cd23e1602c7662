"""Amazon Ion text, as far as data needs it.

Source: https://amazon-ion.github.io/ion-docs/docs/spec.html. Written here because the library for
it brings numpy along; blobs, annotations and S-expressions are read as their nearest plain value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta, timezone, tzinfo
from decimal import Decimal
from typing import Any

from .budget import Budget
from .errors import ExpressionError, LimitExceeded
from .printing import MAX_DEPTH, double_text, float32_text, scalar_text
from .values import Entry, Float32, is_list, is_map

_IDENTIFIER = re.compile(r"[A-Za-z_$][A-Za-z0-9_$]*")
_KEYWORDS = {"null", "true", "false", "nan"}
_ESCAPES = {
    '"': '\\"',
    "'": "'",
    "\\": "\\\\",
    "\n": "\\n",
    "\r": "\\r",
    "\t": "\\t",
    "\0": "\\0",
    "\x07": "\\a",
    "\x08": "\\b",
    "\x0c": "\\f",
    "\x0b": "\\v",
}
_UNESCAPES = {
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "0": "\0",
    "a": "\x07",
    "b": "\x08",
    "f": "\x0c",
    "v": "\x0b",
    "\n": "",
}
_SKIP = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_TIMESTAMP = re.compile(
    r"(\d{4})(?:-(\d\d))?(?:-(\d\d))?T?(?:(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:\d\d))?"
)
_NUMBER = re.compile(
    r"[+-]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|\d[\d_]*(?:\.[\d_]*)?(?:[eEdD][+-]?\d+)?)"
)
_WORDS = re.compile(r"[+-]inf|[A-Za-z_$][A-Za-z0-9_$]*(?:\.[a-z]+)?")
_HEX_ESCAPE = {"x": 2, "u": 4, "U": 8}
_MAX_DIGITS = 4_000


# ---- writing


def write_ion(value: Any, budget: Budget) -> str:
    """The value as Ion text without spaces."""
    parts: list[str] = []
    _write(value, parts, budget, 0)
    budget.allow_text(sum(map(len, parts)))
    return "".join(parts)


def _write(value: Any, parts: list[str], budget: Budget, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise LimitExceeded(f"a value is nested more than {MAX_DEPTH} levels deep")
    budget.spend(6)
    if isinstance(value, Entry):
        value = {value.key: value.value}
    if is_map(value):
        _write_struct(value, parts, budget, depth)
    elif is_list(value):
        separator = "["
        for item in value:
            parts.append(separator)
            _write(item, parts, budget, depth + 1)
            separator = ","
        parts.append("[]" if separator == "[" else "]")
    else:
        parts.append(_scalar(value))


def _write_struct(value: Mapping[Any, Any], parts: list[str], budget: Budget, depth: int) -> None:
    separator = "{"
    for key, item in value.items():
        parts.append(f"{separator}{_symbol(key)}:")
        _write(item, parts, budget, depth + 1)
        separator = ","
    parts.append("{}" if separator == "{" else "}")


def _symbol(key: Any) -> str:
    name = key if isinstance(key, str) else scalar_text(key, null="null")
    if _IDENTIFIER.fullmatch(name) and name not in _KEYWORDS:
        return name
    return "'" + _escaped(name).replace('\\"', '"').replace("'", "\\'") + "'"


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return f'"{_escaped(value)}"'
    if isinstance(value, float):
        return _float(value)
    if isinstance(value, Decimal):
        text = f"{value:f}"
        return text if "." in text else f"{text}."
    return scalar_text(value, null="null")


def _float(number: float) -> str:
    if math.isnan(number):
        return "nan"
    if math.isinf(number):
        return "+inf" if number > 0 else "-inf"
    if not number:
        return "-0e0" if math.copysign(1, number) < 0 else "0e0"
    text = float32_text(number) if isinstance(number, Float32) else double_text(number)
    return text.replace("E", "e") if "E" in text else f"{text}e0"


def _escaped(text: str) -> str:
    return "".join(_ESCAPES.get(c) or (c if c >= " " else f"\\x{ord(c):02x}") for c in text)


# ---- reading


def read_ion(text: str, budget: Budget, *, everything: bool) -> list[Any]:
    """The values of an Ion text, or only the first.

    Raises:
        ExpressionError: it is no Ion.
    """
    reader = _Reader(text, budget)
    rows: list[Any] = []
    while not reader.is_at_end():
        value = reader.value(0)
        if value is _VERSION:
            continue
        rows.append(value)
        if not everything:
            break
    return rows


_VERSION = object()


class _Reader:
    def __init__(self, text: str, budget: Budget) -> None:
        self.text = text
        self.budget = budget
        self.index = 0

    def is_at_end(self) -> bool:
        self.skip()
        return self.index >= len(self.text)

    def skip(self) -> None:
        match = _SKIP.match(self.text, self.index)
        self.index = match.end() if match else self.index

    def wrong(self, what: str) -> ExpressionError:
        line = self.text.count("\n", 0, self.index) + 1
        return ExpressionError(f"this is no Ion: {what} at line {line}")

    def value(self, depth: int) -> Any:
        if depth > MAX_DEPTH:
            raise LimitExceeded(f"a value is nested more than {MAX_DEPTH} levels deep")
        self.budget.spend()
        self.skip()
        character = self.text[self.index : self.index + 1]
        if character == "{":
            return self.blob() if self.text.startswith("{{", self.index) else self.struct(depth)
        if character and character in "[(":
            return self.sequence("]" if character == "[" else ")", depth)
        if character == '"':
            return self.quoted('"')
        if character == "'":
            return self.single_quoted(depth)
        return self.bare(depth)

    def struct(self, depth: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        self.index += 1
        while not self.closes("}"):
            name = self.field_name()
            self.skip()
            self.take(":")
            found[name] = self.value(depth + 1)
            self.separate("}")
        return found

    def sequence(self, end: str, depth: int) -> list[Any]:
        found: list[Any] = []
        self.index += 1
        while not self.closes(end):
            found.append(self.value(depth + 1))
            if end == "]":
                self.separate(end)
        return found

    def closes(self, end: str) -> bool:
        self.skip()
        if self.text.startswith(end, self.index):
            self.index += 1
            return True
        if self.index >= len(self.text):
            raise self.wrong(f"{end!r} is missing")
        return False

    def separate(self, end: str) -> None:
        self.skip()
        if self.text.startswith(",", self.index):
            self.index += 1
        elif not self.text.startswith(end, self.index):
            raise self.wrong(f"',' or {end!r} is missing")

    def take(self, text: str) -> None:
        if not self.text.startswith(text, self.index):
            raise self.wrong(f"{text!r} is missing")
        self.index += len(text)

    def field_name(self) -> str:
        self.skip()
        if self.text.startswith("'''", self.index):
            return self.long_string()
        quote = self.text[self.index : self.index + 1]
        if quote and quote in "'\"":
            return self.quoted(quote)
        match = _IDENTIFIER.match(self.text, self.index)
        if match is None:
            raise self.wrong("a field name is missing")
        self.index = match.end()
        return match.group()

    def quoted(self, quote: str) -> str:
        self.index += 1
        pieces: list[str] = []
        while True:
            if self.index >= len(self.text):
                raise self.wrong("a quote is not closed")
            character = self.text[self.index]
            self.index += 1
            if character == quote:
                return "".join(pieces)
            pieces.append(self.escape() if character == "\\" else character)

    def single_quoted(self, depth: int) -> Any:
        if self.text.startswith("'''", self.index):
            return self.long_string()
        name = self.quoted("'")
        return self.after_annotation(name, depth)

    def after_annotation(self, name: str, depth: int) -> Any:
        self.skip()
        if self.text.startswith("::", self.index):
            self.index += 2
            return self.value(depth + 1)
        return name

    def long_string(self) -> str:
        pieces: list[str] = []
        while self.text.startswith("'''", self.index):
            self.index += 3
            while not self.text.startswith("'''", self.index):
                if self.index >= len(self.text):
                    raise self.wrong("a quote is not closed")
                character = self.text[self.index]
                self.index += 1
                pieces.append(self.escape() if character == "\\" else character)
            self.index += 3
            self.skip()
        return "".join(pieces)

    def escape(self) -> str:
        letter = self.text[self.index : self.index + 1]
        self.index += 1
        if letter in _HEX_ESCAPE:
            digits = self.text[self.index : self.index + _HEX_ESCAPE[letter]]
            self.index += len(digits)
            try:
                return chr(int(digits, 16))
            except (ValueError, OverflowError) as error:
                raise self.wrong("an escape has no hexadecimal digits") from error
        return _UNESCAPES.get(letter, letter)

    def blob(self) -> str:
        end = self.text.find("}}", self.index)
        if end < 0:
            raise self.wrong("'}}' is missing")
        inside = self.text[self.index + 2 : end].strip()
        self.index = end + 2
        return inside.strip('"')

    def bare(self, depth: int) -> Any:
        stamp = _TIMESTAMP.match(self.text, self.index)
        if stamp and ("T" in stamp.group() or stamp.group(3)):
            self.index = stamp.end()
            return _timestamp(stamp)
        number = _NUMBER.match(self.text, self.index)
        if number:
            self.index = number.end()
            return self.number(number.group())
        word = _WORDS.match(self.text, self.index)
        if word is None:
            raise self.wrong("a value is missing")
        self.index = word.end()
        return self.word(word.group(), depth)

    def number(self, text: str) -> Any:
        digits = text.replace("_", "")
        if len(digits) > _MAX_DIGITS:
            raise self.wrong("a number is too long")
        try:
            if digits.lstrip("+-")[:2].lower() in ("0x", "0b"):
                return int(digits, 0)
            if "e" in digits or "E" in digits:
                return float(digits)
            if "." in digits or "d" in digits or "D" in digits:
                exact = Decimal(digits.replace("d", "e").replace("D", "e"))
                return exact if exact else abs(exact)
            return int(digits)
        except (ValueError, ArithmeticError) as error:
            raise self.wrong(f"{text[:40]!r} is no number") from error

    def word(self, word: str, depth: int) -> Any:
        if word in ("true", "false"):
            return word == "true"
        if word == "null" or word.startswith("null."):
            return None
        if word in ("nan", "+inf", "-inf"):
            return float(word)
        if word.startswith("$ion_1_"):
            return _VERSION
        if "." in word:
            raise self.wrong(f"{word!r} is no value")
        return self.after_annotation(word, depth)


def _timestamp(match: re.Match[str]) -> date:
    """A moment, or a mere date where Kestra shows one: at midnight of UTC."""
    year, month, day, hour, minute, second, fraction, offset = match.groups()
    zone = _zone(offset)
    try:
        moment = datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            int(((fraction or ".")[1:7]).ljust(6, "0")),
            zone,
        )
    except ValueError as error:
        raise ExpressionError(f"this is no Ion: {match.group()!r} is no moment") from error
    is_midnight = moment.time() == time()
    return moment.date() if is_midnight and zone is UTC else moment


def _zone(offset: str | None) -> tzinfo:
    """The zone of `+01:00`; UTC for `Z`, `-00:00` and none."""
    if offset is None or offset in ("Z", "-00:00", "+00:00"):
        return UTC
    shift = timedelta(hours=int(offset[1:3]), minutes=int(offset[4:6]))
    return timezone(-shift if offset[0] == "-" else shift)
