"""Putting maps over maps, at any depth; lists are joined."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def merged(below: Any, above: Any) -> Any:
    """Return *above* over *below*: maps are merged, lists joined, anything else is replaced."""
    if isinstance(below, Mapping) and isinstance(above, Mapping):
        both = {name: merged(below.get(name), value) for name, value in above.items()}
        return {**below, **both}
    if isinstance(below, list) and isinstance(above, list):
        return [*below, *above]
    return above


def with_path(target: Any, path: str, value: Any) -> dict[str, Any]:
    """Return a map in which a dotted path leads to *value*."""
    name, _, rest = path.partition(".")
    base = dict(target) if isinstance(target, Mapping) else {}
    base[name] = with_path(base.get(name), rest, value) if rest else value
    return base
