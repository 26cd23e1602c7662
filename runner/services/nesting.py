"""How deep data from outside may be nested: what is stored must be shown again."""

from __future__ import annotations

from typing import Any

MOST_LEVELS = 100


def is_too_deep(value: Any) -> bool:
    """Whether lists and maps stand in each other more than `MOST_LEVELS` times."""
    level = _parts([value])
    for _ in range(MOST_LEVELS):
        level = [part for each in level for part in _parts(each)]
        if not level:
            return False
    return True


def _parts(value: Any) -> list[Any]:
    inside = value.values() if isinstance(value, dict) else value
    return [part for part in inside if isinstance(part, dict | list)]
