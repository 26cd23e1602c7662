"""Looking into values: keys, indexes, slices."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from runner.expressions.jq.data import JqError, describe, type_name

from .environment import Pair, Path


def index(path: Path, value: Any, key: Any) -> Pair:
    """One step down."""
    below: Path = None if path is None else (*path, key)
    return below, get(value, key)


def get(value: Any, key: Any) -> Any:
    """What stands under the key; null where nothing does."""
    if isinstance(key, str):
        if value is None:
            return None
        if isinstance(value, dict):
            return value.get(key)
    elif isinstance(key, bool) or key is None:
        pass
    elif isinstance(key, int | float):
        if value is None:
            return None
        if isinstance(value, list):
            return _element(value, key)
    elif isinstance(key, dict):
        return slice_of(value, key.get("start"), key.get("end"))
    elif isinstance(key, list) and isinstance(value, list):
        return positions(value, key)
    if isinstance(key, str):
        raise JqError(f'Cannot index {type_name(value)} with "{key}"')
    raise JqError(f"Cannot index {type_name(value)} with {type_name(key)}")


def _element(items: list[Any], key: float) -> Any:
    if key != key or abs(key) > 2**62 or key != int(key):
        return None
    position = int(key)
    if position < 0:
        position += len(items)
    return items[position] if 0 <= position < len(items) else None


def positions(items: list[Any], sought: list[Any]) -> list[int] | None:
    """Where the sought list begins in the other."""
    if not sought:
        return None
    size = len(sought)
    return [i for i in range(len(items) - size + 1) if items[i : i + size] == sought]


def bounds(length: int, start: Any, end: Any) -> tuple[int, int]:
    """A slice's bounds as positions."""
    found = []
    for bound, default in ((start, 0), (end, length)):
        if bound is None:
            found.append(default)
        elif isinstance(bound, int | float) and not isinstance(bound, bool):
            whole = int(bound // 1) if bound is start else -int(-bound // 1)
            found.append(max(0, min(length, whole + length if whole < 0 else whole)))
        else:
            raise JqError("Start and end indices of an array slice must be numbers")
    return found[0], max(found)


def slice_of(value: Any, start: Any, end: Any) -> Any:
    """A part of a list or text."""
    if value is None:
        return None
    if not isinstance(value, list | str):
        raise JqError(f"Cannot index {type_name(value)} with object")
    first, last = bounds(len(value), start, end)
    return value[first:last]


def iterate(path: Path, value: Any) -> Iterator[Pair]:
    """Each element or entry."""
    if isinstance(value, list):
        for position, item in enumerate(value):
            yield (None if path is None else (*path, position)), item
    elif isinstance(value, dict):
        for key, item in value.items():
            yield (None if path is None else (*path, key)), item
    else:
        raise JqError(f"Cannot iterate over {describe(value) if value is not None else 'null'}")
