"""`a.b` and `a['b']`: keys and indexes, and a fixed table of methods. Never Python attributes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .budget import Budget
from .errors import ExpressionError, UnknownAttribute
from .values import Entry, Long, describe, is_integer, is_list, is_map

Method = Callable[..., Any]


def lookup(value: Any, key: Any) -> Any:
    """What stands under the key.

    Raises:
        UnknownAttribute: there is no such key, index or method without arguments.
    """
    if is_map(value):
        return _in_map(value, key)
    if is_list(value):
        return _in_list(value, key)
    if type(value) is Entry and isinstance(key, str) and key in ("key", "value"):
        return value.key if key == "key" else value.value
    return _without_arguments(value, key)


def call(value: Any, name: str, arguments: Sequence[Any], budget: Budget) -> Any:
    """What the method gives.

    Raises:
        UnknownAttribute: the table has no such method for these arguments.
    """
    method = _table(value).get(name)
    if method is None:
        raise UnknownAttribute(name, _table(value), describe(value))
    least, most, function = method
    if not least <= len(arguments) <= most or any(type(item) is Long for item in arguments):
        raise UnknownAttribute(name, (), describe(value))
    if any(not isinstance(item, str) for item in arguments) and not is_map(value):
        raise UnknownAttribute(name, (), describe(value))
    if isinstance(value, str):
        budget.fits(len(value) * (1 + sum(map(len, arguments))))
        budget.keep(value)
    return function(value, *arguments)


def _in_map(value: Any, key: Any) -> Any:
    try:
        return value[key]
    except KeyError:
        pass
    except TypeError as error:
        raise ExpressionError(f"{describe(key)} is no key of a map") from error
    if not isinstance(key, str) and value:
        raise ExpressionError(f"the map has no key {key!r}: its keys are of another type")
    raise UnknownAttribute(key, value, "the map")


def _in_list(value: Any, key: Any) -> Any:
    if is_integer(key):
        index = key
    elif isinstance(key, str) and key.isascii() and key.isdigit() and len(key) < 10:
        index = int(key)
    else:
        return _without_arguments(value, key)
    if 0 <= index < len(value):
        return value[index]
    raise UnknownAttribute(index, (), f"the list of {len(value)}")


def _without_arguments(value: Any, key: Any) -> Any:
    methods = _table(value)
    if isinstance(key, str) and key in methods and methods[key][0] == 0:
        return methods[key][2](value)
    if isinstance(key, str):
        for prefix in ("is", "get", "has"):
            name = f"{prefix}{key[:1].upper()}{key[1:]}"
            if name in methods and methods[name][0] == 0:
                return methods[name][2](value)
    raise UnknownAttribute(key, methods, describe(value))


def _table(value: Any) -> dict[str, tuple[int, int, Method]]:
    if isinstance(value, str):
        return _TEXT
    if is_map(value):
        return _MAP
    return _LIST if is_list(value) else {}


def utf16_length(text: str) -> int:
    """How many UTF-16 units a text has: Java's length."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def utf16_slice(text: str, start: int, end: int) -> str:
    """The part of the text between two positions that count UTF-16 units."""
    if text.isascii() or max(text, default="") <= "\uffff":
        return text[start:end]
    units = text.encode("utf-16-le", "surrogatepass")
    return units[2 * start : 2 * end].decode("utf-16-le", "surrogatepass")


def java_trim(text: str) -> str:
    """The text without the characters up to U+0020 at both ends."""
    return text.strip(_CONTROLS)


_CONTROLS = "".join(map(chr, range(0x21)))


def _split(text: str, pattern: str) -> list[str]:
    from .javaregex import split

    return split(text, pattern, 0)


_TEXT: dict[str, tuple[int, int, Method]] = {
    "length": (0, 0, utf16_length),
    "toUpperCase": (0, 0, str.upper),
    "toLowerCase": (0, 0, str.lower),
    "trim": (0, 0, java_trim),
    "isEmpty": (0, 0, lambda text: not text),
    "isBlank": (0, 0, lambda text: not text.strip()),
    "startsWith": (1, 1, str.startswith),
    "endsWith": (1, 1, str.endswith),
    "replace": (2, 2, str.replace),
    "indexOf": (1, 1, str.find),
    "concat": (1, 1, lambda text, other: text + other),
    "split": (1, 1, _split),
    "toString": (0, 0, lambda text: text),
}
_LIST: dict[str, tuple[int, int, Method]] = {
    "size": (0, 0, len),
    "isEmpty": (0, 0, lambda items: not items),
}
_MAP: dict[str, tuple[int, int, Method]] = {
    "size": (0, 0, len),
    "isEmpty": (0, 0, lambda items: not items),
    "get": (1, 1, lambda items, key: items.get(key)),
    "containsKey": (1, 1, lambda items, key: key in items),
    "keySet": (0, 0, list),
    "values": (0, 0, lambda items: list(items.values())),
    "entrySet": (0, 0, lambda items: [Entry(key, value) for key, value in items.items()]),
}
