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
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

from pydantic import JsonValue

from runner import ids
from runner.clock import SystemClock
from runner.errors import NotFound, Refused
from runner.expressions import Context, EmptyWorld, ExpressionError, render_value, secret_entry
from runner.expressions import Settings as ExpressionSettings
from runner.model.logs import Level, LogLine
from runner.model.states import State
from runner.plugin import FileVersion, Identity, NamespaceFile, Task, TaskStopped
from runner.registry import load
from runner.sealing import Seal
from runner.taskrunners.base import CannotRun, Command, Ended, LineSink

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
_KEY = re.compile(r"\[['\"]([^'\"]+)['\"]\]|([\w\-]+)")
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

    def size(self, uri: str) -> int:
        with self.open(uri) as file:
            return len(file.read())

    def delete(self, uri: str) -> bool:
        return self.stored.pop(uri, None) is not None

    def own(self) -> Sequence[str]:
        return sorted(self.stored)


class FakeNamespaceFiles:
    """Namespace files as namespace → path → content."""

    def __init__(self, stored: Mapping[str, Mapping[str, bytes]] | None = None) -> None:
        self.stored = {name: dict(files) for name, files in (stored or {}).items()}
        self.before: dict[str, Sequence[FileVersion]] = {}

    def list(self, namespace: str) -> Sequence[NamespaceFile]:
        files = self.stored.get(namespace, {})
        return [NamespaceFile(path, len(files[path])) for path in sorted(files)]

    def open(self, namespace: str, path: str) -> BinaryIO:
        try:
            return io.BytesIO(self.stored[namespace][path])
        except KeyError:
            raise NotFound(f"there is no file {path} in {namespace}") from None

    def put(self, namespace: str, path: str, source: BinaryIO) -> None:
        self.stored.setdefault(namespace, {})[path] = source.read()

    def delete(self, namespace: str, path: str) -> bool:
        return self.stored.get(namespace, {}).pop(path, None) is not None

    def namespaces(self) -> Sequence[str]:
        return sorted(self.stored)

    def versions(self, namespace: str) -> Sequence[FileVersion]:
        return self.before.get(namespace, ())

    def forget(self, namespace: str, version: FileVersion) -> bool:
        known = list(self.before.get(namespace, ()))
        self.before[namespace] = [each for each in known if each != version]
        return version in known


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

    def replace(self, namespace: str, key: str, value: Any) -> None:
        self.get(namespace, key)
        self.stored[namespace, key] = value

    def keys(self, namespace: str, *, prefix: str = "", expired: bool = False) -> Sequence[str]:
        keys = sorted(key for place, key in self.stored if place == namespace)
        return [] if expired else [key for key in keys if key.startswith(prefix)]

    def namespaces(self) -> Sequence[str]:
        return sorted({place for place, _ in self.stored})


class FakeServer:
    """Log lines in a list, and triggers (namespace, flow, trigger) → enabled."""

    def __init__(self) -> None:
        self.lines: list[LogLine] = []
        self.triggers: dict[tuple[str, str, str], bool] = {}
        self.storage_purges: list[tuple[object, ...]] = []

    def logs(self, execution_id: str, *, min_level: Level = Level.TRACE) -> Iterator[LogLine]:
        for line in self.lines:
            if line.execution_id == execution_id and line.level.rank >= min_level.rank:
                yield line

    def purge_logs(
        self,
        *,
        since: datetime | None,
        until: datetime,
        namespace: str | None = None,
        flow_id: str | None = None,
        execution_id: str | None = None,
        levels: Sequence[Level] = (),
    ) -> int:
        kept = [
            line
            for line in self.lines
            if line.at >= until
            or (since is not None and line.at < since)
            or namespace not in (None, line.namespace)
            or flow_id not in (None, line.flow_id)
            or execution_id not in (None, line.execution_id)
            or (levels and line.level not in levels)
        ]
        gone = len(self.lines) - len(kept)
        self.lines = kept
        return gone

    def purge_storage(
        self,
        *,
        since: datetime | None,
        until: datetime,
        namespace: str | None = None,
        flow_id: str | None = None,
        dry_run: bool = False,
    ) -> tuple[int, int, int]:
        self.storage_purges.append((since, until, namespace, flow_id, dry_run))
        return 3, 2, 5

    def toggle_trigger(
        self, namespace: str, flow_id: str, trigger_id: str, *, enabled: bool
    ) -> None:
        if (namespace, flow_id, trigger_id) not in self.triggers:
            raise NotFound(f"there is no trigger {trigger_id}")
        self.triggers[namespace, flow_id, trigger_id] = enabled


@dataclass(frozen=True, slots=True)
class Metric:
    """One recorded metric."""

    name: str
    kind: str
    value: float
    tags: Mapping[str, str] = field(default_factory=dict)


class FakeTaskRunner:
    """Plays a command: passes on *lines* (text, is stderr), writes *files*, ends with *exit_code*.

    With *until_stopped* it does not end by itself. *refusal*: it cannot be started. The commands it
    was given are kept.
    """

    def __init__(
        self,
        *,
        lines: Sequence[tuple[str, bool]] = (),
        files: Mapping[str, bytes] | None = None,
        exit_code: int = 0,
        until_stopped: bool = False,
        refusal: str | None = None,
    ) -> None:
        self.commands: list[Command] = []
        self._lines = lines
        self._files = files or {}
        self._exit_code = exit_code
        self._until_stopped = until_stopped
        self._refusal = refusal
        self._stopped = threading.Event()

    def workdir(self, local: Path) -> str:
        return str(local)

    def stop(self) -> None:
        self._stopped.set()

    def run(self, command: Command, on_line: LineSink, marker: Callable[[str], None]) -> Ended:
        if self._stopped.is_set():
            return Ended(None, stopped=True)
        self.commands.append(command)
        marker("fake:1@here")
        if self._refusal is not None:
            raise CannotRun(self._refusal)
        for name, content in self._files.items():
            target = command.working_dir / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content)
        for line, is_error in self._lines:
            on_line(line, is_error)
        if self._until_stopped:
            self._stopped.wait(command.timeout.total_seconds() if command.timeout else None)
            return Ended(None, stopped=True)
        return Ended(self._exit_code, details={"fake": True})


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
        self.server = FakeServer()
        self.made: list[Mapping[str, Any]] = []
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

    def build(self, raw: Mapping[str, Any]) -> Task:
        own = {name: value for name, value in raw.items() if name not in ("id", "description")}
        built = load().build_whole(own, lambda value, typed: self.render(value, typed=typed))
        assert isinstance(built, Task)
        return built

    def add_run(
        self,
        task_id: str,
        *,
        state: State = State.SUCCESS,
        value: str | None = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        shown = {"task_id": task_id, "state": str(state), "value": value, "outputs": outputs}
        self.made.append({name: each for name, each in shown.items() if each is not None})

    def sealed(self, text: str) -> Mapping[str, str]:
        return Seal(None).close_output(text)

    def metric(
        self, name: str, kind: str, value: float, tags: Mapping[str, str] | None = None
    ) -> None:
        self.metrics.append(Metric(name, kind, value, dict(tags or {})))

    def holds_secret(self, text: str) -> bool:
        """Secrets of the fake begin with ``secret-``."""
        return "secret-" in text

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
    for quoted, plain in _KEY.findall(path):
        key = quoted or plain
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def _content(source: Path | bytes | BinaryIO) -> bytes:
    if isinstance(source, bytes):
        return source
    return source.read_bytes() if isinstance(source, Path) else source.read()


# ---- expressions


class FixtureWorld(EmptyWorld):
    """The outside world of an expression, made of data: secrets, keys, files, error logs.

    `files` is namespace → path → text, `storage` is URI → text, `kv` is namespace → key → value.
    """

    def __init__(self, fixtures: Mapping[str, Any], namespace: str | None = None) -> None:
        super().__init__()
        self.fixtures = fixtures
        self.namespace = namespace
        self.given_away: list[str] = []

    def now(self) -> datetime:
        return SystemClock().now()

    def monotonic(self) -> float:
        return time.thread_time()

    def random_bytes(self, count: int) -> bytes:
        return secrets.token_bytes(count)

    def new_id(self) -> str:
        return ids.new()

    def secret(self, key: str, namespace: str | None, subkey: str | None) -> str:
        known = {name.upper(): value for name, value in self._part("secrets").items()}
        if key.upper() not in known:
            raise ExpressionError(f"there is no secret {key!r}")
        value = str(known[key.upper()])
        given = secret_entry(value, subkey) if subkey else value
        self.given_away.append(given)
        return given

    def kv(self, key: str, namespace: str | None, error_on_missing: bool) -> Any:
        stores = self._part("kv")
        if namespace is not None and namespace not in stores:
            raise ExpressionError(f"there is no namespace {namespace!r}")
        owner = namespace or self.namespace or ""
        while owner:
            if key in stores.get(owner, {}):
                return stores[owner][key]
            owner = "" if namespace else owner.rpartition(".")[0]
        if error_on_missing:
            raise ExpressionError(f"there is no key {key!r}")
        return None

    def read(self, uri: str, version: int | None = None) -> str:
        content = self._content(uri)
        if content is None:
            raise ExpressionError(f"there is no file {uri}")
        return content

    def file_size(self, uri: str) -> int:
        return len(self.read(uri).encode())

    def file_exists(self, uri: str) -> bool:
        return self._content(uri) is not None

    def error_logs(self) -> list[Mapping[str, Any]]:
        return list(self.fixtures.get("error_logs") or [])

    def environment(self, name: str) -> str | None:
        value: str | None = self._part("environment").get(name)
        return value

    def free_port(self) -> int:
        return 49_152 + secrets.randbelow(16_384)

    def _part(self, name: str) -> Mapping[str, Any]:
        return self.fixtures.get(name) or {}

    def _content(self, uri: str) -> str | None:
        files: Mapping[str, Mapping[str, str]] = self._part("files")
        if uri.startswith("nsfile://"):
            namespace, _, path = uri.removeprefix("nsfile://").partition("/")
            return files.get(namespace, {}).get(path)
        folder, separator, path = uri.removeprefix("kestra:///").partition("/_files/")
        if separator:
            return files.get(folder.replace("/", "."), {}).get(path)
        stored: Mapping[str, str] = self._part("storage")
        return stored.get(uri)


def render_vector(
    template: Any,
    variables: Mapping[str, Any],
    *,
    typed: bool,
    config: Mapping[str, Any] | None = None,
    fixtures: Mapping[str, Any] | None = None,
) -> Any:
    """Render as the conformance vectors for expressions ask it."""
    flow = variables.get("flow")
    namespace = flow.get("namespace") if isinstance(flow, Mapping) else None
    given = config or {}
    settings = ExpressionSettings(
        timezone=given.get("timezone", "UTC"),
        locale=given.get("locale", "en_US"),
        recursive=bool(given.get("recursive_rendering")),
    )
    context = Context(variables, FixtureWorld(fixtures or {}, namespace), settings)
    return render_value(template, context, typed=typed)
