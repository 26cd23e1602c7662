"""Cycles among things that depend on each other."""

from __future__ import annotations

from collections.abc import Mapping


def cycle(graph: Mapping[str, tuple[str, ...]], start: str) -> list[str]:
    """Return the ids on the way from *start* back to itself, in order; nothing if there is none."""
    came_from: dict[str, str] = {}
    waiting = [start]
    while waiting:
        here = waiting.pop()
        for following in graph.get(here, ()):
            if following == start:
                return _way(came_from, start, here)
            if following not in came_from:
                came_from[following] = here
                waiting.append(following)
    return []


def _way(came_from: dict[str, str], start: str, end: str) -> list[str]:
    way = [end]
    while way[-1] != start:
        way.append(came_from[way[-1]])
    return way[::-1]
