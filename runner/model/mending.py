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
from runner.model.rewriting import Change, Edit, Editor, Map, apart, only, parts_in

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
class Mended:
    """The new text, and what is new in it."""

    text: str
    changes: tuple[Change, ...] = ()


class Unreadable(ValueError):
    """The text is no YAML."""


def mend(source: str, catalogue: Catalogue) -> Mended:
    """Return the flow in today's words.

    Raises:
        Unreadable: it is no YAML, or has anchors, which a change in one place would break.
    """
    root = _composed(source)
    if not isinstance(root, yaml.MappingNode) or not {"id", "tasks"} <= Map(root).pairs.keys():
        return Mended(source)  # no flow
    if any(getattr(event, "anchor", None) for event in yaml.parse(source, yaml.SafeLoader)):
        raise Unreadable("anchors and aliases are not supported: write their values out")
    edits = apart(_Mender(source, catalogue).edits(root))
    text = source
    for edit in reversed(edits):
        text = text[: edit.start] + edit.text + text[edit.end :]
    if edits:
        _composed(text)  # better no change than a flow that cannot be read
    return Mended(text, tuple(edit.change for edit in edits))


def _composed(source: str) -> yaml.Node | None:
    try:
        return yaml.compose(source, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, RecursionError) as exc:
        raise Unreadable(str(exc)) from exc


class _Mender:
    def __init__(self, source: str, catalogue: Catalogue) -> None:
        self._text = Editor(source)
        self._catalogue = catalogue

    def edits(self, root: yaml.MappingNode) -> Iterator[Edit]:
        flow = Map(root)
        if "pluginDefaults" not in flow:
            yield from self._text.rename(flow, "taskDefaults", "pluginDefaults")
        yield from self._inputs(flow, "inputs")
        for trigger in flow.maps("triggers"):
            if "logLevel" not in trigger:
                yield from self._text.rename(trigger, "minLogLevel", "logLevel")
        for default in (*flow.maps("pluginDefaults"), *flow.maps("taskDefaults")):
            for values in default.map("values"):
                yield from self._retry(values)
        for each in parts_in(root):
            yield from self._retry(each)
            yield from self._typed(each)

    # ── by place ─────────────────────────────────────────────────────────────────────────────────

    def _inputs(self, owner: Map, name: str) -> Iterator[Edit]:
        for each in owner.maps(name):
            if "id" not in each:
                yield from self._text.rename(each, "name", "id")
            kind = each.text("type")
            if kind in _INPUT_TYPES:
                yield self._text.set(each, "type", _INPUT_TYPES[kind])
            if kind == "MULTISELECT" and "values" not in each:
                yield from self._text.rename(each, "options", "values")
            yield from self._inputs(each, "inputs")

    def _retry(self, owner: Map) -> Iterator[Edit]:
        retry = owner.value("retry")
        if isinstance(retry, yaml.MappingNode) and "maxAttempts" not in Map(retry):
            yield from self._text.rename(Map(retry), "maxAttempt", "maxAttempts")

    # ── by type ──────────────────────────────────────────────────────────────────────────────────

    def _typed(self, each: Map) -> Iterator[Edit]:
        written = each.text("type")
        info = self._catalogue.look_up(written) if written and "." in written else None
        if info is None or written is None:
            return
        name = info.name
        new = _NEW_TYPES.get(name, name)
        if new != written and not new.endswith(f".{written}"):
            yield self._text.set(each, "type", new)
        for old_key, new_key in _NEW_KEYS.get(name, {}).items():
            if new_key not in each:
                yield from self._text.rename(each, old_key, new_key)
        if name == _CORE + "flow.EachParallel" and not {"concurrent", "concurrencyLimit"} & set(
            each.pairs
        ):
            yield self._text.add(each, "concurrencyLimit: 0")
        if name == _CORE + "flow.Pause":
            yield from self._inputs(each, "onResume")
        if name == _CORE + "trigger.Schedule":
            yield from self._cron(each)
            yield from self._text.remove(each, "backfill")
        if name == _CORE + "condition.MultipleCondition":
            yield from self._window(each)
        if name.startswith(_CORE + "http."):
            yield from self._http(each)
        if name == _CORE + "kv.PurgeKV" and "behavior" not in each and each.text("expiredOnly"):
            only_expired = self._text.in_braces(each.pairs["expiredOnly"][1])
            text = f"behavior: {{type: key, expiredOnly: {only_expired}}}"
            yield self._text.replace(each, "expiredOnly", text)
        if name == _CORE + "execution.Exit" and each.text("state") == "CANCELED":
            yield self._text.set(each, "state", "CANCELLED")
        if name.startswith(_SCRIPTS):
            yield from self._script(each)

    def _cron(self, trigger: Map) -> Iterator[Edit]:
        cron = trigger.text("cron")
        unix = (
            unix_of(cron) if cron and (trigger.text("withSeconds") or "false") == "false" else None
        )
        if unix is not None:
            yield self._text.set(trigger, "cron", json.dumps(unix))

    def _script(self, task: Map) -> Iterator[Edit]:
        """``runner`` and ``docker``, and an image inside of a runner; outputDir hangs on
        ``runner``.
        """
        yield from self._text.remove(task, "warningOnStdErr")
        if "taskRunner" in task:
            yield from self._image_of(task, task.value("taskRunner"))
            return
        if "runner" in task and "outputDir" in self._text.of(task.node):
            return
        docker = task.value("docker")
        image = only(docker, "image")
        kind = (task.text("runner") or "").upper()
        if docker is not None and image is None:
            yield from self._whole_docker(task, docker, kind)
            return
        if kind in ("PROCESS", "DOCKER"):
            runner = _PROCESS if kind == "PROCESS" else _DOCKER
            yield self._text.replace(task, "runner", f"taskRunner: {{type: {runner}}}")
        if image is not None and "containerImage" not in task:
            yield self._text.replace(task, "docker", f"containerImage: {self._text.of(image)}")

    def _whole_docker(self, task: Map, docker: yaml.Node, kind: str) -> Iterator[Edit]:
        """A ``docker`` that says more than an image is a task runner but for its name and type."""
        if not isinstance(docker, yaml.MappingNode) or not docker.value or kind == "PROCESS":
            return
        options, kind_of = Map(docker), f"type: {_DOCKER}"
        yield from self._text.rename(task, "docker", "taskRunner")
        yield from self._text.remove(task, "runner")
        image = options.value("image")
        if image is None or "containerImage" in task:
            yield self._text.add(options, kind_of)
        else:
            yield self._text.replace(options, "image", kind_of)
            yield self._text.add(task, f"containerImage: {self._text.of(image)}")

    def _image_of(self, task: Map, runner: yaml.Node | None) -> Iterator[Edit]:
        """The image belongs to the task."""
        options = Map(runner) if isinstance(runner, yaml.MappingNode) else None
        if options is not None and options.text("image") and "containerImage" not in task:
            image = options.value("image")
            assert image is not None
            yield from self._text.remove(options, "image")
            yield self._text.add(task, f"containerImage: {self._text.of(image)}")

    def _http(self, task: Map) -> Iterator[Edit]:
        """What has become part of ``options``."""
        for old, new in (("allowFailed", "allowFailed"), ("sslOptions", "ssl")):
            value = task.value(old)
            if value is None or not self._is_short(value):
                continue
            text = f"{new}: {self._text.in_braces(value)}"
            options = task.value("options")
            if isinstance(options, yaml.MappingNode) and options.value:
                yield self._text.add(Map(options), text)
                yield from self._text.remove(task, old)
            elif options is None:
                yield self._text.replace(task, old, f"options: {{{text}}}")
                return  # another one finds its place next time

    def _window(self, condition: Map) -> Iterator[Edit]:
        given = [name for name in ("window", "windowAdvance") if name in condition]
        if not given or "timeWindow" in condition:
            return
        values = {name: condition.value(name) for name in given}
        text = ", ".join(
            f"{name}: {self._text.in_braces(node)}" for name, node in values.items() if node
        )
        yield self._text.replace(condition, given[0], f"timeWindow: {{{text}}}")
        for name in given[1:]:
            yield from self._text.remove(condition, name)

    def _is_short(self, value: yaml.Node) -> bool:
        is_flow = isinstance(value, yaml.ScalarNode) or bool(getattr(value, "flow_style", False))
        return is_flow and "\n" not in self._text.of(value)
