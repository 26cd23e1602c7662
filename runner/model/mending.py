"""Rewriting what a flow says the old way: spellings, types, properties, cron expressions of Quartz.

Only the places that change are touched: comments, quotes and order stay as they are. What cannot
be rewritten safely is left to the validator's hints.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

import yaml

from runner.model.catalogue import Catalogue
from runner.model.quartz import unix_of

_CORE = "io.kestra.plugin.core."
_FOR_EACH = _CORE + "flow.ForEach"
_SCRIPTS = "io.kestra.plugin.scripts."
_PROCESS = _CORE + "runner.Process"
_DOCKER = _SCRIPTS + "runner.docker.Docker"
_INPUT_TYPES = {"BOOLEAN": "BOOL", "ENUM": "SELECT"}
_NEW_TYPES = {
    _CORE + "flow.EachSequential": _FOR_EACH,
    _CORE + "flow.EachParallel": _FOR_EACH,
    _CORE + "debug.Echo": _CORE + "log.Log",
}
_NEW_KEYS = {
    _CORE + "flow.EachSequential": {"value": "values"},
    _CORE + "flow.EachParallel": {"value": "values", "concurrent": "concurrencyLimit"},
    _CORE + "debug.Echo": {"format": "message"},
    _CORE + "flow.Pause": {"delay": "pauseDuration"},
    _CORE + "trigger.Schedule": {"scheduleConditions": "conditions"},
}


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that was rewritten, and in which line of the old text."""

    line: int
    message: str


@dataclass(frozen=True, slots=True)
class Mended:
    """The new text, and what is new in it."""

    text: str
    changes: tuple[Change, ...] = ()


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str
    change: Change


class Unreadable(ValueError):
    """The text is no YAML."""


def mend(source: str, catalogue: Catalogue) -> Mended:
    """Return the flow in today's words. Raises Unreadable."""
    try:
        root = yaml.compose(source, Loader=yaml.SafeLoader)
    except yaml.YAMLError as exc:
        raise Unreadable(str(exc)) from exc
    if not isinstance(root, yaml.MappingNode) or not {"id", "tasks"} <= _Map(root).pairs.keys():
        return Mended(source)  # no flow
    edits = sorted(_Mender(source, catalogue).edits(root), key=lambda edit: edit.start)
    text = source
    for edit in reversed(edits):
        text = text[: edit.start] + edit.text + text[edit.end :]
    return Mended(text, tuple(edit.change for edit in edits))


class _Map:
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

    def maps(self, name: str) -> Iterator[_Map]:
        """Yield the mappings of a list."""
        value = self.value(name)
        for item in value.value if isinstance(value, yaml.SequenceNode) else ():
            if isinstance(item, yaml.MappingNode):
                yield _Map(item)


class _Mender:
    def __init__(self, source: str, catalogue: Catalogue) -> None:
        self._source = source
        self._catalogue = catalogue

    def edits(self, root: yaml.MappingNode) -> Iterator[_Edit]:
        flow = _Map(root)
        if "pluginDefaults" not in flow:
            yield from self._rename(flow, "taskDefaults", "pluginDefaults")
        yield from self._inputs(flow, "inputs")
        for trigger in flow.maps("triggers"):
            if "logLevel" not in trigger:
                yield from self._rename(trigger, "minLogLevel", "logLevel")
        for each in _maps_in(root):
            yield from self._retry(each)
            yield from self._typed(each)

    # ── by place ─────────────────────────────────────────────────────────────────────────────────

    def _inputs(self, owner: _Map, name: str) -> Iterator[_Edit]:
        for each in owner.maps(name):
            if "id" not in each:
                yield from self._rename(each, "name", "id")
            kind = each.text("type")
            if kind in _INPUT_TYPES:
                yield self._set(each, "type", _INPUT_TYPES[kind])
            if kind == "MULTISELECT" and "values" not in each:
                yield from self._rename(each, "options", "values")
            yield from self._inputs(each, "inputs")

    def _retry(self, owner: _Map) -> Iterator[_Edit]:
        retry = owner.value("retry")
        if isinstance(retry, yaml.MappingNode) and "maxAttempts" not in _Map(retry):
            yield from self._rename(_Map(retry), "maxAttempt", "maxAttempts")

    # ── by type ──────────────────────────────────────────────────────────────────────────────────

    def _typed(self, each: _Map) -> Iterator[_Edit]:
        written = each.text("type")
        info = self._catalogue.look_up(written) if written and "." in written else None
        if info is None or written is None:
            return
        name = info.name
        new = _NEW_TYPES.get(name, name)
        if new != written and not new.endswith(f".{written}"):
            yield self._set(each, "type", new)
        for old_key, new_key in _NEW_KEYS.get(name, {}).items():
            if new_key not in each:
                yield from self._rename(each, old_key, new_key)
        if name == _CORE + "flow.EachParallel" and not {"concurrent", "concurrencyLimit"} & set(
            each.pairs
        ):
            yield self._add(each, "concurrencyLimit: 0")
        if name == _CORE + "flow.Pause":
            yield from self._inputs(each, "onResume")
        if name == _CORE + "trigger.Schedule":
            yield from self._cron(each)
        if name.startswith(_SCRIPTS):
            yield from self._script(each)

    def _cron(self, trigger: _Map) -> Iterator[_Edit]:
        cron = trigger.text("cron")
        unix = unix_of(cron) if cron and trigger.text("withSeconds") != "true" else None
        if unix is not None:
            yield self._set(trigger, "cron", json.dumps(unix))

    def _script(self, task: _Map) -> Iterator[_Edit]:
        """``runner`` and a ``docker`` that only names an image; outputDir hangs on ``runner``."""
        docker = task.value("docker")
        image = _only(docker, "image")
        is_settled = docker is None or image is not None
        if "taskRunner" in task or not is_settled or "outputDir" in self._of(task.node):
            return
        kind = (task.text("runner") or "").upper()
        if kind in ("PROCESS", "DOCKER"):
            runner = _PROCESS if kind == "PROCESS" else _DOCKER
            yield self._replace(task, "runner", f"taskRunner: {{type: {runner}}}")
        if image is not None and "containerImage" not in task:
            yield self._replace(task, "docker", f"containerImage: {self._of(image)}")

    # ── edits ────────────────────────────────────────────────────────────────────────────────────

    def _of(self, node: yaml.Node) -> str:
        return self._source[node.start_mark.index : node.end_mark.index]

    def _rename(self, owner: _Map, old: str, new: str) -> Iterator[_Edit]:
        if old in owner:
            key = owner.key(old)
            yield _edit(key, new, f"'{old}' is now '{new}'")

    def _set(self, owner: _Map, name: str, new: str) -> _Edit:
        value = owner.value(name)
        assert value is not None
        return _edit(value, new, f"{self._of(value)} is now {new}")

    def _add(self, owner: _Map, line: str) -> _Edit:
        """Put a property before the first one."""
        first = owner.node.value[0][0]
        at = first.start_mark.index
        glue = ", " if owner.node.flow_style else "\n" + " " * first.start_mark.column
        change = Change(first.start_mark.line + 1, f"added '{line}'")
        return _Edit(at, at, line + glue, change)

    def _replace(self, owner: _Map, name: str, text: str) -> _Edit:
        """Put something else into the place of a property."""
        key, value = owner.pairs[name]
        change = Change(key.start_mark.line + 1, f"'{name}' is now '{text}'")
        return _Edit(key.start_mark.index, _end(value), text, change)


def _edit(node: yaml.Node, text: str, message: str) -> _Edit:
    change = Change(node.start_mark.line + 1, message)
    return _Edit(node.start_mark.index, node.end_mark.index, text, change)


def _end(node: yaml.Node) -> int:
    """Return where what is written of a value ends: a block's mark stands at the next key."""
    while isinstance(node, yaml.MappingNode) and not node.flow_style:
        node = node.value[-1][1]
    end: int = node.end_mark.index
    return end


def _only(node: yaml.Node | None, name: str) -> yaml.ScalarNode | None:
    """Return the one property of a mapping, if it has no other."""
    if not isinstance(node, yaml.MappingNode) or len(node.value) != 1:
        return None
    key, value = node.value[0]
    is_it = key.value == name and isinstance(value, yaml.ScalarNode)
    return value if is_it else None


def _maps_in(node: yaml.Node) -> Iterator[_Map]:
    """Yield every mapping, once each: an alias stands for what has its anchor."""
    waiting, seen = [node], set[int]()
    while waiting:
        one = waiting.pop()
        if id(one) in seen:
            continue
        seen.add(id(one))
        if isinstance(one, yaml.MappingNode):
            yield _Map(one)
            waiting += [part for pair in one.value for part in pair]
        elif isinstance(one, yaml.SequenceNode):
            waiting += one.value
