"""Changing a YAML text at single places: what is around them, comments too, stays as it is."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import yaml

_NEWLINE = re.compile(r"\r\n|[\n\r\x85\u2028\u2029]")  # those of YAML
_ONLY_IN_BLOCKS = re.compile(r"[,\[\]{}\n\r]")
_HOLDS_PARTS = (
    *("tasks", "errors", "finally", "afterExecution", "then", "else", "cases", "defaults", "task"),
    *("onPause", "listeners", "triggers", "conditions", "taskRunner"),
)


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
    """Return edits in order, without those that reach into an earlier one; what is put before
    something stands before what becomes of that.
    """
    found: list[Edit] = []
    for edit in sorted(edits, key=lambda one: (one.start, one.end)):
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

    def map(self, name: str) -> Iterator[Map]:
        """Yield a value that is a mapping."""
        value = self.value(name)
        if isinstance(value, yaml.MappingNode):
            yield Map(value)

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
        """Return how a value is written; a text of many lines as it may be in one."""
        written = self._source[node.start_mark.index : self.end_of(node)]
        if isinstance(node, yaml.ScalarNode) and _NEWLINE.search(written):
            return json.dumps(node.value, ensure_ascii=False)
        return written

    def in_braces(self, node: yaml.Node) -> str:
        """Return how a value is written between braces."""
        written = self.of(node)
        is_bare = isinstance(node, yaml.ScalarNode) and node.style not in ("'", '"')
        if is_bare and _ONLY_IN_BLOCKS.search(written):
            return json.dumps(node.value, ensure_ascii=False)
        return written

    def end_of(self, node: yaml.Node) -> int:
        """Return where what is written of a value ends: the mark of a block stands further on."""
        while isinstance(node, yaml.CollectionNode) and not node.flow_style and node.value:
            last = node.value[-1]
            node = last[1] if isinstance(node, yaml.MappingNode) else last
        written = self._source[node.start_mark.index : node.end_mark.index]
        return int(node.start_mark.index) + len(written.rstrip())

    def rename(self, owner: Map, old: str, new: str) -> Iterator[Edit]:
        """Give a property another name, if it is there."""
        if old in owner:
            yield self._edit(owner.key(old), new, f"'{old}' is now '{new}'")

    def set(self, owner: Map, name: str, new: str) -> Edit:
        """Put another value into the place of one."""
        value = owner.value(name)
        assert value is not None
        return self._edit(value, new, f"{self.of(value)} is now {new}")

    def add(self, owner: Map, line: str) -> Edit:
        """Put a property before the first one."""
        first = owner.node.value[0][0]
        at = first.start_mark.index
        newline = _NEWLINE.search(self._source)
        indent = (newline[0] if newline else "\n") + " " * first.start_mark.column
        glue = ", " if owner.node.flow_style else indent
        return Edit(at, at, line + glue, Change(first.start_mark.line + 1, f"added '{line}'"))

    def replace(self, owner: Map, name: str, text: str) -> Edit:
        """Put something else into the place of a property."""
        key, value = owner.pairs[name]
        change = Change(key.start_mark.line + 1, f"'{name}' is now '{text}'")
        return Edit(key.start_mark.index, self.end_of(value), text, change)

    def remove(self, owner: Map, name: str) -> Iterator[Edit]:
        """Take a property away, unless it is the only one; a comment behind it stays."""
        if name not in owner or len(owner.node.value) < 2:
            return
        key, value = owner.pairs[name]
        start, end = key.start_mark.index, self.end_of(value)
        change = Change(key.start_mark.line + 1, f"'{name}' is gone")
        order = [pair[0] for pair in owner.node.value]
        at = order.index(key)
        if owner.node.flow_style and at == len(order) - 1:
            yield Edit(self.end_of(owner.node.value[at - 1][1]), end, "", change)
        elif owner.node.flow_style or self._is_behind_dash(key):
            yield Edit(start, order[at + 1].start_mark.index, "", change)
        else:
            yield Edit(*self._line(key, end), "", change)

    def _is_behind_dash(self, key: yaml.ScalarNode) -> bool:
        """Say whether a property begins an item of a list."""
        start = key.start_mark.index
        return bool(self._source[start - key.start_mark.column : start].strip())

    def _line(self, key: yaml.ScalarNode, end: int) -> tuple[int, int]:
        """Return where the lines of a property begin and end, up to a comment behind it."""
        start = key.start_mark.index
        newline = _NEWLINE.search(self._source, end)
        next_line = newline.end() if newline else len(self._source)
        if self._source[end:next_line].strip():
            return start, end
        return start - key.start_mark.column, next_line

    def _edit(self, node: yaml.Node, text: str, message: str) -> Edit:
        change = Change(node.start_mark.line + 1, message)
        return Edit(node.start_mark.index, self.end_of(node), text, change)


def only(node: yaml.Node | None, name: str) -> yaml.ScalarNode | None:
    """Return the one property of a mapping, if it has no other."""
    if not isinstance(node, yaml.MappingNode) or len(node.value) != 1:
        return None
    key, value = node.value[0]
    is_it = key.value == name and isinstance(value, yaml.ScalarNode)
    return value if is_it else None


def parts_in(root: yaml.MappingNode) -> Iterator[Map]:
    """Yield a flow and its tasks, triggers, conditions and task runners, but nothing that is data:
    a map of a request's body or of variables may look like a task and is none.
    """
    waiting: list[tuple[str, yaml.Node]] = [("", root)]
    while waiting:
        name, node = waiting.pop()
        if isinstance(node, yaml.SequenceNode):
            waiting += [(name, item) for item in node.value]
        elif isinstance(node, yaml.MappingNode):
            part = Map(node)
            if name in ("cases", "conditions") and "type" not in part:
                waiting += [("", value) for _, value in node.value]
            else:
                yield part
                waiting += [(key, part.pairs[key][1]) for key in _HOLDS_PARTS if key in part]
