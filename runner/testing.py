"""Fakes for tests of task types, inside Headrace and outside: handed in, never patched in.

    ctx = FakeRunContext(tmp_path, variables={"inputs": {"name": "Ada"}})
    outputs = Return(type="…", format="x").run(ctx)
    assert ctx.log.messages() == []

Each fake passes the contract suite of what it stands for.
"""

from __future__ import annotations

import io
import json
import re
import shutil
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import JsonValue

from runner.errors import NotFound, Refused
from runner.model.logs import Level
from runner.plugin import Identity, NamespaceFile, TaskStopped

Renderer = Callable[[str, Mapping[str, Any], bool], Any]
"""(template, variables, typed) → value."""

IDENTITY = Identity(
    execution_id="exec1",
    task_run_id="run1",
    task_id="task",
    task_type="io.kestra.plugin.core.log.Log",
    namespace="company.team",
    flow_id="flow",
    revision=1,
    attempt=0,
)

_PLACE = re.compile(r"\{\{\s*([\w.\-\[\]'\"]+)\s*\}\}")
_KEY = re.compile(r"[\w\-]+")
_SCHEMES = ("kestra://", "nsfile://", "file://")


class FakeLog:
    """Keeps lines as (level, message)."""

    def __init__(self) -> None:
        self.lines: list[tuple[Level, str]] = []

    def messages(self, level: Level | None = None) -> list[str]:
        return [message for at, message in self.lines if level in (None, at)]

    def write(self, level: Level, message: str, at: datetime | None = None) -> None:
        self.lines.append((level, message))

    def trace(self, message: str, **fields: Any) -> None:
        self.write(Level.TRACE, message)

    def debug(self, message: str, **fields: Any) -> None:
        self.write(Level.DEBUG, message)

    def info(self, message: str, **fields: Any) -> None:
        self.write(Level.INFO, message)

    def warn(self, message: str, **fields: Any) -> None:
        self.write(Level.WARN, message)

    def error(self, message: str, **fields: Any) -> None:
        self.write(Level.ERROR, message)

    def flush(self) -> None:
        """All lines are visible at once."""


class FakeFiles:
    """Internal storage as a map of URI to content."""

    def __init__(self, stored: Mapping[str, bytes] | None = None) -> None:
        self.stored = dict(stored or {})

    def open(self, uri: str) -> BinaryIO:
        try:
            return io.BytesIO(self.stored[uri])
        except KeyError:
            raise NotFound(f"there is no file {uri}") from None

    def put(self, source: Path | bytes | BinaryIO, name: str) -> str:
        uri = f"kestra:///company/team/flow/executions/exec1/tasks/task/run1/{len(self.stored)}-{name}"
        self.stored[uri] = _content(source)
        return uri

    def fetch(self, uri: str, into: Path) -> None:
        into.parent.mkdir(parents=True, exist_ok=True)
        with self.open(uri) as source, into.open("wb") as target:
            shutil.copyfileobj(source, target)

    def is_uri(self, text: str) -> bool:
        return text.startswith(_SCHEMES) and not any(char.isspace() for char in text)


class FakeNamespaceFiles:
    """Namespace files as namespace → path → content."""

    def __init__(self, stored: Mapping[str, Mapping[str, bytes]] | None = None) -> None:
        self.stored = stored or {}

    def list(self, namespace: str) -> Sequence[NamespaceFile]:
        files = self.stored.get(namespace, {})
        return [NamespaceFile(path, len(files[path])) for path in sorted(files)]

    def open(self, namespace: str, path: str) -> BinaryIO:
        try:
            return io.BytesIO(self.stored[namespace][path])
        except KeyError:
            raise NotFound(f"there is no file {path} in {namespace}") from None


class FakeKv:
    """Key-value store without expiry."""

    def __init__(self) -> None:
        self.stored: dict[tuple[str, str], Any] = {}

    def get(self, namespace: str, key: str) -> Any:
        try:
            return self.stored[namespace, key]
        except KeyError:
            raise NotFound(f"there is no key {key} in {namespace}") from None

    def set(
        self,
        namespace: str,
        key: str,
        value: Any,
        *,
        kind: str | None = None,
        description: str | None = None,
        ttl: timedelta | None = None,
        overwrite: bool = True,
    ) -> None:
        if not overwrite and (namespace, key) in self.stored:
            raise Refused(f"the key {key} exists already")
        self.stored[namespace, key] = value

    def delete(self, namespace: str, key: str) -> bool:
        return self.stored.pop((namespace, key), None) is not None


@dataclass(frozen=True, slots=True)
class Metric:
    """One recorded metric."""

    name: str
    kind: str
    value: float
    tags: Mapping[str, str] = field(default_factory=dict)


class FakeRunContext:
    """The world of one attempt, in memory. *folder* is the parent of its working directory.

    Expressions are paths only (``{{ inputs.name }}``) unless a *renderer* is given.
    """

    def __init__(
        self,
        folder: Path,
        *,
        variables: Mapping[str, Any] | None = None,
        settings: Mapping[str, Any] | None = None,
        environment: Mapping[str, str] | None = None,
        files: Mapping[str, bytes] | None = None,
        namespace_files: Mapping[str, Mapping[str, bytes]] | None = None,
        identity: Identity = IDENTITY,
        deadline: datetime | None = None,
        renderer: Renderer | None = None,
    ) -> None:
        self.identity = identity
        self.deadline = deadline
        self.log = FakeLog()
        self.files = FakeFiles(files)
        self.namespace_files = FakeNamespaceFiles(namespace_files)
        self.kv = FakeKv()
        self.metrics: list[Metric] = []
        self.markers: list[str] = []
        self._folder = folder / "working-dir"
        self._variables = dict(variables or {})
        self._settings = {"task_runner.default": "process", **(settings or {})}
        self._environment = environment
        self._renderer = renderer or render_paths
        self._stopped = threading.Event()
        self._actions: list[Callable[[], Any]] = []
        self._lock = threading.Lock()

    @property
    def working_dir(self) -> Path:
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder

    @property
    def variables(self) -> Mapping[str, Any]:
        return self._variables

    def render(
        self, value: JsonValue, *, typed: bool = False, extra: Mapping[str, Any] | None = None
    ) -> Any:
        variables = {**self._variables, **(extra or {})}
        if isinstance(value, str):
            return self._renderer(value, variables, typed)
        if isinstance(value, list):
            return [self.render(item, typed=typed, extra=extra) for item in value]
        if isinstance(value, dict):
            return {key: self.render(item, typed=typed, extra=extra) for key, item in value.items()}
        return value

    def metric(
        self, name: str, kind: str, value: float, tags: Mapping[str, str] | None = None
    ) -> None:
        self.metrics.append(Metric(name, kind, value, dict(tags or {})))

    @property
    def stopping(self) -> bool:
        return self._stopped.is_set()

    def stop(self) -> None:
        """Play the end of the attempt from outside (kill, timeout, shutdown)."""
        with self._lock:
            self._stopped.set()
            actions = list(self._actions)
        for action in actions:
            action()

    @contextmanager
    def on_stop(self, action: Any) -> Iterator[None]:
        with self._lock:
            self._actions.append(action)
            late = self._stopped.is_set()
        if late:
            action()
        try:
            yield
        finally:
            with self._lock:
                self._actions.remove(action)

    def sleep(self, duration: timedelta) -> None:
        if self._stopped.wait(duration.total_seconds()):
            raise TaskStopped

    def environment(self) -> Mapping[str, str]:
        if self._environment is not None:
            return self._environment
        return {"PATH": "/usr/local/bin:/usr/bin:/bin", "HOME": str(self._folder.parent)}

    def setting(self, name: str) -> Any:
        return self._settings.get(name)

    def spawn_marker(self, marker: str) -> None:
        self.markers.append(marker)


def render_paths(template: str, variables: Mapping[str, Any], typed: bool) -> Any:
    """Render ``{{ a.b }}`` and ``{{ a['b'] }}`` alone; a missing variable raises KeyError."""
    if typed and (alone := _PLACE.fullmatch(template)):
        return _look_up(alone[1], variables)
    return _PLACE.sub(lambda match: _text(_look_up(match[1], variables)), template)


def _look_up(path: str, variables: Any) -> Any:
    value = variables
    for key in _KEY.findall(path):
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _content(source: Path | bytes | BinaryIO) -> bytes:
    if isinstance(source, bytes):
        return source
    return source.read_bytes() if isinstance(source, Path) else source.read()
