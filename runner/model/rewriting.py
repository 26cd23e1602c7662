"""Changing a YAML text at single places: what is around them, comments too, stays as it is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import yaml


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was rewritten, and in which line of the old text."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Edit:
    """What stands from *start* to *end* becomes *text*."""

    start: int
    end: int
    text: str
    change: Change


def apart(edits: Iterable[Edit]) -> list[Edit]:
    """Return edits in order, without those that reach into an earlier one."""
    found: list[Edit] = []
    for edit in sorted(edits, key=lambda one: one.start):
        if not found or edit.start >= found[-1].end:
            found.append(edit)
    return found


class Map:
    """A mapping of the text, by key."""

    def __init__(self, node: yaml.MappingNode) -> None:
        self.node = node
        self.pairs = {
            key.value: (key, value) for key, value in node.value if isinstance(key, yaml.ScalarNode)
        }

    def __contains__(self, name: str) -> bool:
        return name in self.pairs

    def key(self, name: str) -> yaml.ScalarNode:
        return self.pairs[name][0]

    def value(self, name: str) -> yaml.Node | None:
        return self.pairs[name][1] if name in self.pairs else None

    def text(self, name: str) -> str | None:
        """Return a scalar, None if it is something else."""
        value = self.value(name)
        return value.value if isinstance(value, yaml.ScalarNode) else None

    def maps(self, name: str) -> Iterator[Map]:
        """Yield the mappings of a list."""
        value = self.value(name)
        for item in value.value if isinstance(value, yaml.SequenceNode) else ():
            if isinstance(item, yaml.MappingNode):
                yield Map(item)


class Editor:
    """Makes edits of one text."""

    def __init__(self, source: str) -> None:
        self._source = source

    def of(self, node: yaml.Node) -> str:
        """Return how a value is written."""
        return self._source[node.start_mark.index : node.end_mark.index]

    def rename(self, owner: Map, old: str, new: str) -> Iterator[Edit]:
        """Give a property another name, if it is there."""
        if old in owner:
            yield _edit(owner.key(old), new, f"'{old}' is now '{new}'")

    def set(self, owner: Map, name: str, new: str) -> Edit:
        """Put another value into the place of one."""
        value = owner.value(name)
        assert value is not None
        return _edit(value, new, f"{self.of(value)} is now {new}")

    def add(self, owner: Map, line: str) -> Edit:
        """Put a property before the first one."""
        first = owner.node.value[0][0]
        at = first.start_mark.index
        glue = ", " if owner.node.flow_style else "\n" + " " * first.start_mark.column
        return Edit(at, at, line + glue, Change(first.start_mark.line + 1, f"added '{line}'"))

    def replace(self, owner: Map, name: str, text: str) -> Edit:
        """Put something else into the place of a property."""
        key, value = owner.pairs[name]
        change = Change(key.start_mark.line + 1, f"'{name}' is now '{text}'")
        return Edit(key.start_mark.index, end_of(value), text, change)

    def remove(self, owner: Map, name: str) -> Iterator[Edit]:
        """Take a property away, unless it is the only one; a comment behind it stays."""
        if name not in owner or len(owner.node.value) < 2:
            return
        key, value = owner.pairs[name]
        start, end = key.start_mark.index, end_of(value)
        change = Change(key.start_mark.line + 1, f"'{name}' is gone")
        order = [pair[0] for pair in owner.node.value]
        at = order.index(key)
        if owner.node.flow_style and at == len(order) - 1:
            yield Edit(end_of(owner.node.value[at - 1][1]), end, "", change)
        elif owner.node.flow_style or self._is_behind_dash(start):
            yield Edit(start, order[at + 1].start_mark.index, "", change)
        else:
            yield Edit(*self._line(start, end), "", change)

    def _is_behind_dash(self, start: int) -> bool:
        """Say whether a property begins an item of a list."""
        return bool(self._source[self._source.rfind("\n", 0, start) + 1 : start].strip())

    def _line(self, start: int, end: int) -> tuple[int, int]:
        """Return where the lines of a property begin and end, up to a comment behind it."""
        next_line = self._source.find("\n", end) + 1 or len(self._source)
        if self._source[end:next_line].strip():
            return start, end
        return self._source.rfind("\n", 0, start) + 1, next_line


def _edit(node: yaml.Node, text: str, message: str) -> Edit:
    change = Change(node.start_mark.line + 1, message)
    return Edit(node.start_mark.index, node.end_mark.index, text, change)


def end_of(node: yaml.Node) -> int:
    """Return where what is written of a value ends: a block's mark stands at the next key."""
    while isinstance(node, yaml.MappingNode) and not node.flow_style:
        node = node.value[-1][1]
    end: int = node.end_mark.index
    return end


def only(node: yaml.Node | None, name: str) -> yaml.ScalarNode | None:
    """Return the one property of a mapping, if it has no other."""
    if not isinstance(node, yaml.MappingNode) or len(node.value) != 1:
        return None
    key, value = node.value[0]
    is_it = key.value == name and isinstance(value, yaml.ScalarNode)
    return value if is_it else None


def maps_in(node: yaml.Node) -> Iterator[Map]:
    """Yield every mapping, once each: an alias stands for what has its anchor."""
    waiting, seen = [node], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, yaml.MappingNode):
            yield Map(one)
            waiting += [part for pair in one.value for part in pair]
        elif isinstance(one, yaml.SequenceNode):
            waiting += one.value
