"""YAML as Kestra reads and writes it: version 1.1 with Jackson's habits."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .budget import Budget
from .errors import ExpressionError, LimitExceeded
from .printing import MAX_DEPTH, scalar_text
from .values import Entry, is_list, is_map

_MAX_NODES = 200_000
_WORDS = {"true", "false", "null", "yes", "no", "on", "off", "y", "n", "~", ""}
_BOOLEANS = {
    **dict.fromkeys(("true", "True", "TRUE", "yes", "Yes", "YES", "on", "On", "ON"), True),
    **dict.fromkeys(("false", "False", "FALSE", "no", "No", "NO", "off", "Off", "OFF"), False),
}
_NULLS = {"", "~", "null", "Null", "NULL"}
_INTEGER = re.compile(r"[-+]?(?:0b[01_]+|0x[0-9a-fA-F_]+|0[0-7_]+|0|[1-9][0-9_]*)")
_FLOAT = re.compile(
    r"[-+]?(?:[0-9][0-9_]*\.[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
)
_SPECIAL_FLOAT = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_LEADING = re.compile(r"[-?:](?:\s|$)|[,\[\]{}#&*!|>'\"%@`]|---|\.\.\.")
_INNER = re.compile(r": |:$| #|[,\[\]{}]")
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


# ---- reading


def read_yaml(text: str, budget: Budget) -> Any:
    """The first document of the text.

    Raises:
        ExpressionError: it is no YAML.
    """
    import yaml

    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)(text)
    try:
        return _Builder(loader, budget).document()
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        problem = getattr(error, "problem", None) or str(error) or "nested too deeply"
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        raise ExpressionError(f"this is no YAML: {problem}{where}") from error
    finally:
        loader.dispose()


class _Builder:
    """Makes values of the parser's events; an alias is the text of its name, as in Jackson."""

    def __init__(self, loader: Any, budget: Budget) -> None:
        self.loader = loader
        self.budget = budget

    def document(self) -> Any:
        import yaml

        event = self.next()
        while isinstance(event, yaml.StreamStartEvent | yaml.DocumentStartEvent):
            event = self.next()
        if isinstance(event, yaml.StreamEndEvent):
            raise ExpressionError("this YAML has no document")
        return self.value(event, 0)

    def next(self) -> Any:
        self.budget.spend()
        return self.loader.get_event()

    def value(self, event: Any, depth: int) -> Any:
        import yaml

        if depth > MAX_DEPTH:
            raise LimitExceeded(f"the YAML is nested more than {MAX_DEPTH} levels deep")
        if isinstance(event, yaml.AliasEvent):
            return event.anchor
        if isinstance(event, yaml.ScalarEvent):
            return _scalar(event)
        if isinstance(event, yaml.SequenceStartEvent):
            return self.sequence(depth)
        return self.mapping(depth)

    def sequence(self, depth: int) -> list[Any]:
        import yaml

        items: list[Any] = []
        while not isinstance(event := self.next(), yaml.SequenceEndEvent):
            items.append(self.value(event, depth + 1))
        return items

    def mapping(self, depth: int) -> dict[str, Any]:
        import yaml

        items: dict[str, Any] = {}
        while not isinstance(event := self.next(), yaml.MappingEndEvent):
            if not isinstance(event, yaml.ScalarEvent | yaml.AliasEvent):
                raise ExpressionError("a key of this YAML is no text")
            key = event.anchor if isinstance(event, yaml.AliasEvent) else event.value
            items[str(key)] = self.value(self.next(), depth + 1)
        return items


def _scalar(event: Any) -> Any:
    text: str = event.value
    if event.tag and event.tag != "!":
        return _tagged(text, event.tag)
    return text if event.style in ("'", '"', "|", ">") else _plain(text)


def _tagged(text: str, tag: str) -> Any:
    if tag.endswith((":int", ":bool", ":null")):
        return _plain(text)
    if tag.endswith(":float"):
        return float(text.replace("_", ""))
    return text


def _plain(text: str) -> Any:
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return _integer(text.replace("_", ""))
    if _SPECIAL_FLOAT.fullmatch(text):
        raise ValueError(f"{text} is no number of JSON")
    if _FLOAT.fullmatch(text):
        return float(text.replace("_", ""))
    return text


def _integer(text: str) -> int:
    sign = -1 if text[0] == "-" else 1
    digits = text.lstrip("+-")
    if len(digits) > 4_000:
        raise ValueError("a number is too long")
    if digits.startswith(("0x", "0b")):
        return sign * int(digits, 0)
    if len(digits) > 1 and digits[0] == "0":
        return sign * int(digits, 8)
    return sign * int(digits)


# ---- writing


def write_yaml(value: Any, budget: Budget) -> str:
    """The value in block style with a final line break; null is `null` without one."""
    if value is None:
        return "null"
    parts: list[str] = []
    writer = _Writer(parts, budget)
    writer.root(value)
    budget.allow_text(sum(map(len, parts)))
    return "".join(parts)


class _Writer:
    def __init__(self, parts: list[str], budget: Budget) -> None:
        self.parts = parts
        self.budget = budget

    def root(self, value: Any) -> None:
        if is_map(value) and value:
            self.map(value, 0, 0)
        elif is_list(value) and value:
            self.list(value, 1, 0)
        else:
            start = "--- " if value == "" else ""  # the emitter's way with an empty document
            self.parts.append(f"{start}{self.scalar(value, 0)}\n")

    def map(self, items: Mapping[Any, Any], column: int, depth: int) -> None:
        self.visit(depth, len(items))
        for key, value in items.items():
            name = key if isinstance(key, str) else scalar_text(key, null="null")
            self.parts.append(f"{' ' * column}{_key(name)}:")
            self.below(value, column, depth)

    def list(self, items: Any, column: int, depth: int) -> None:
        self.visit(depth, len(items))
        for value in items:
            self.parts.append(f"{' ' * column}-")
            self.below(value, column, depth)

    def below(self, value: Any, column: int, depth: int) -> None:
        """What follows a key or a dash, whose column this is."""
        if isinstance(value, Entry):
            value = {value.key: value.value}
        is_item = self.parts[-1].endswith("-")
        if is_map(value) and value:
            self.parts.append("\n")
            self.map(value, column + (1 if is_item else 2), depth + 1)
        elif is_list(value) and value:
            self.parts.append("\n")
            self.list(value, column + (2 if is_item else 1), depth + 1)
        else:
            self.parts.append(f" {self.scalar(value, column + (1 if is_item else 2))}\n")

    def visit(self, depth: int, size: int) -> None:
        self.budget.spend(5 + 5 * size)
        if depth > MAX_DEPTH:
            raise LimitExceeded(f"a value is nested more than {MAX_DEPTH} levels deep")
        if len(self.parts) > self.budget.limits.output_chars:
            self.budget.allow_text(len(self.parts))

    def scalar(self, value: Any, column: int) -> str:
        self.budget.spend()
        if is_map(value):
            return "{}"
        if is_list(value):
            return "[]"
        if isinstance(value, str):
            return _string(value, max(column, 2))
        return scalar_text(value, null="null")


def _string(text: str, column: int) -> str:
    if "\n" in text and not _needs_double(text):
        return _literal(text, column)
    if text.lower() in _WORDS or _INNER.search(text) or _needs_double(text):
        return _double(text)
    if _LEADING.match(text) or text != text.strip() or _is_octal(text):
        return "'" + text.replace("'", "''") + "'"
    return text


def _needs_double(text: str) -> bool:
    return bool(_CONTROL.search(text)) or "\t" in text or " \n" in text or text.startswith("#")


def _is_octal(text: str) -> bool:
    return len(text) > 1 and text[0] == "0" and text.isdigit()


def _double(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    escaped = escaped.replace("\t", "\\t").replace("\r", "\\r")
    return '"' + _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02X}", escaped) + '"'


def _literal(text: str, column: int) -> str:
    body = text.rstrip("\n")
    extra = len(text) - len(body)
    hint = str(column) if text[0] in " \n" else ""
    keeps = extra > 1 or not body
    mark = "|" + hint + ("-" if extra == 0 else "+" if keeps else "")
    indent = " " * column
    lines = [f"{indent}{line}" if line else "" for line in body.split("\n")]
    return "\n".join([mark, *lines, *[""] * max(extra - 1, 0)])


def _key(name: str) -> str:
    looks_like_number = _INTEGER.fullmatch(name) or _FLOAT.fullmatch(name)
    return _double(name) if "\n" in name or looks_like_number else _string(name, 2)
