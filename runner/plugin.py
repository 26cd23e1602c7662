"""The surface that task types and triggers are written against.

A task type is one class with typed fields, typed outputs and `run(ctx)`; it never sees a database
or a queue. Third parties add types through the entry point group ``headrace.plugins`` (a module,
or a package whose modules are walked). See CONTRIBUTING for a walk-through.
"""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, BinaryIO, ClassVar, Protocol

from pydantic import BaseModel, ConfigDict, Field, JsonValue
from pydantic.alias_generators import to_camel

from runner.errors import HeadraceError
from runner.model.facts import Facts
from runner.model.flow import TaskKind
from runner.model.logs import Level, LogLine
from runner.model.states import State


class Read(Enum):
    """How a field is read; put it into the annotation: ``script: Annotated[str, Read.ASKED]``.

    A field without a mark is TEXT.
    """

    STATIC = "static"  # as written; braces are plain text; checked when the flow is saved
    TEXT = "text"  # each string inside rendered to text, then converted to the field's type
    TYPED = "typed"  # a lone expression keeps its type
    ASKED = "asked"  # left as written; the task calls ctx.render when it knows more


class Fixed:
    """Mark of a rendered field whose kind is fixed: ``condition: Annotated[str, Fixed()]``.

    Whether a text, a list or a map stands there is checked when the flow is saved. Of others
    nothing is known before the task runs: there a value of the wrong kind is a warning.
    """


class TaskError(HeadraceError):
    """The task failed.

    *outputs* are kept on the task run in spite of the failure; *state* may be another end than
    FAILED.
    """

    code = "task_failed"

    def __init__(self, message: str | None = None, *, outputs: BaseModel | None = None) -> None:
        super().__init__(message)
        self.outputs = outputs


class TaskStopped(HeadraceError):
    """The task was killed or its time was over; raised out of waiting calls of `RunContext`."""

    code = "task_stopped"


class MissingExtra(TaskError):
    """A library of an extra is not installed."""

    code = "missing_extra"


@dataclass(frozen=True)
class Family:
    """A group of task types that share a title and an extra of the distribution."""

    name: str
    title: str
    extra: str | None = None

    def require(self, module: str) -> ModuleType:
        """Import a library of the extra. Raises `MissingExtra`: the command that installs it."""
        try:
            return importlib.import_module(module)
        except ModuleNotFoundError as exc:
            raise MissingExtra(f"{self.title} needs: pip install 'headrace[{self.extra}]'") from exc


class _Model(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        alias_generator=to_camel,
        populate_by_name=True,
        arbitrary_types_allowed=True,
    )


class Outputs(_Model):
    """Base of a task's outputs. `state` of the result is SUCCESS unless `ended` says otherwise.

    What is null is left out of them, at any depth, unless *keeps_nulls*.
    """

    ended: ClassVar[State] = State.SUCCESS
    keeps_nulls: ClassVar[bool] = False


class Plugin(_Model):
    """Base of everything that has a ``type`` in a flow: tasks, triggers, conditions, task runners.

    The canonical name is the default (or only Literal) of the field ``type``. `aliases` are
    other names that Kestra knows. `later` names properties that exist in Kestra but are not
    built yet: using one is the problem ``not_available_yet``; `deprecated` maps old property
    names to the advice to show; `superseded` is the advice for a type that is deprecated itself.
    """

    aliases: ClassVar[tuple[str, ...]] = ()
    later: ClassVar[frozenset[str]] = frozenset()
    deprecated: ClassVar[Mapping[str, str]] = {}
    superseded: ClassVar[str | None] = None
    ignored: ClassVar[Mapping[str, str]] = {}  # properties that are taken, and do nothing: advice
    read: ClassVar[Read] = Read.TEXT  # how fields without a mark are read
    family: ClassVar[Family | None] = None


class Task(Plugin):
    """Base of every task type. Common properties (id, retry, timeout …) are not fields here."""

    kind: ClassVar[TaskKind] = TaskKind.WORKER
    lists: ClassVar[tuple[str, ...]] = ()  # flowables: names of properties that hold lists of tasks

    class Outputs(Outputs):
        """No outputs."""

    def run(self, ctx: RunContext) -> Any:
        """Do the work; return an `Outputs` (or None); an INLINE task may return
        `runner.model.directives.Directives` instead.

        Called once per attempt, in any thread, with all fields rendered and typed. An INLINE
        task must be quick and have no effect but ``ctx.log``, ``ctx.kv`` and its outputs: it
        runs inside the fold.

        Raises:
            TaskError: the task failed; retry and error handling follow.
        """
        raise NotImplementedError(f"{type(self).__name__} is decided by the engine")


class TriggerType(Plugin):
    """Base of every trigger type: its own properties. `evaluated_by` says who looks at it."""

    evaluated_by: ClassVar[str] = (
        "scheduler"  # scheduler (dates) | webhook | flow | commit | polling
    )


class PollingTrigger(TriggerType):
    """Base of triggers that a worker evaluates again and again."""

    evaluated_by = "polling"

    interval: Annotated[timedelta, Read.STATIC] = Field(
        default=timedelta(seconds=60), description="time between two evaluations"
    )

    def evaluate(self, ctx: RunContext) -> BaseModel | None:
        """Look; return what expressions see as ``trigger`` if an execution is to start, else None.

        Files that are stored meanwhile belong to that execution.

        Raises:
            TaskError: it could not look; the trigger's log says why.
        """
        raise NotImplementedError


@dataclass(frozen=True, slots=True)
class Span:
    """A time around a date, from *start* until *end*, in which a condition's answer is the same."""

    start: datetime
    end: datetime


class Condition(Plugin):
    """Base of every condition of a trigger; its fields are rendered before it is asked."""

    category: ClassVar[str] = "condition"
    on_schedule: ClassVar[bool] = False  # shapes the dates of a Schedule
    is_combined: ClassVar[bool] = False  # of its `conditions`, which are asked one after the other

    def holds(self, facts: Facts) -> bool:
        """Say whether it holds.

        Raises:
            ValueError: it cannot be judged: a needed fact or property is missing.
        """
        raise NotImplementedError

    @staticmethod
    def combine(answers: Iterable[bool]) -> bool:
        """Return what the answers of its `conditions` make, where it is combined of them."""
        raise NotImplementedError

    def span(self, facts: Facts) -> Span | None:
        """Return when around the date of *facts* the answer is the same; None: that is not known.

        With it the next date that suits is found without asking about each one.
        """
        return None


class TaskLog(Protocol):
    """The log of one attempt; lines are numbered, masked and stored in batches."""

    def write(self, level: Level, message: str, at: datetime | None = None) -> None: ...
    def trace(self, message: str, **fields: Any) -> None: ...
    def debug(self, message: str, **fields: Any) -> None: ...
    def info(self, message: str, **fields: Any) -> None: ...
    def warn(self, message: str, **fields: Any) -> None: ...
    def error(self, message: str, **fields: Any) -> None: ...
    def flush(self) -> None:
        """Make all lines so far visible to readers."""


class TaskFiles(Protocol):
    """Internal storage as one task run may use it: ``kestra:///…`` URIs in, and out below its own
    folder.
    """

    def open(self, uri: str) -> BinaryIO:
        """Open a ``kestra://``, ``nsfile://`` or allowed ``file://`` URI for reading; the caller
        closes it.

        Raises:
            NotFound: no such file. Forbidden: the URI is outside of what this execution may read.
        """

    def put(self, source: Path | bytes | BinaryIO, name: str) -> str:
        """Store a file of this task run, return its URI. *name* may have folders, never ``..``."""

    def fetch(self, uri: str, into: Path) -> None:
        """Copy the file of a URI to a local path; parents are made."""

    def is_uri(self, text: str) -> bool:
        """Say whether *text* as a whole is a URI of a supported scheme."""

    def size(self, uri: str) -> int:
        """Return the bytes of a file. Raises NotFound, Forbidden."""

    def delete(self, uri: str) -> bool:
        """Remove a file of the flow's namespace; False: there was none. Raises Forbidden."""

    def own(self) -> Sequence[str]:
        """Return the URIs of all files of this execution: its inputs, and what its tasks stored."""


@dataclass(frozen=True, slots=True)
class NamespaceFile:
    """A file of a namespace at the execution's commit: path without leading slash, and size."""

    path: str
    size: int


@dataclass(frozen=True, slots=True)
class FileVersion:
    """What a namespace file was until it was written again; *at*: when that had been written."""

    path: str
    version: int
    at: datetime


class NamespaceFiles(Protocol):
    """Namespace files as the execution sees them: those of its commit, or the API's own."""

    def list(self, namespace: str) -> Sequence[NamespaceFile]: ...
    def open(self, namespace: str, path: str) -> BinaryIO: ...
    def put(self, namespace: str, path: str, source: BinaryIO) -> None:
        """Create or replace a file. Raises Refused: Git owns it. ArgumentInvalid: the path."""

    def delete(self, namespace: str, path: str) -> bool:
        """Remove a file; False: there was none. Raises Refused: Git owns it."""

    def namespaces(self) -> Sequence[str]:
        """Return the namespaces that have files of the API's own."""

    def versions(self, namespace: str) -> Sequence[FileVersion]:
        """Return what the API's own files were before, by path and version."""

    def forget(self, namespace: str, version: FileVersion) -> bool:
        """Remove what a file was before; False: it is not there."""


class TaskKv(Protocol):
    """Key-value store. Values are plain JSON-like data; *kind* is STRING NUMBER BOOLEAN DATETIME
    DATE DURATION JSON.
    """

    def get(self, namespace: str, key: str) -> Any:
        """Return the value. Raises NotFound (missing or expired)."""

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
        """Store a new version. Raises Refused if it exists and *overwrite* is false."""

    def delete(self, namespace: str, key: str) -> bool: ...
    def replace(self, namespace: str, key: str, value: Any) -> None:
        """Store a new version; its description and the end of its life stay. Raises NotFound."""

    def keys(self, namespace: str, *, prefix: str = "", expired: bool = False) -> Sequence[str]:
        """Return the keys that live, or those that have expired."""

    def namespaces(self) -> Sequence[str]:
        """Return the namespaces that have keys."""


@dataclass(frozen=True, slots=True)
class Purge:
    """Which ended executions to remove, and what of them. *namespace* with its children."""

    until: datetime
    since: datetime | None = None
    namespace: str | None = None
    flow_id: str | None = None
    states: Sequence[State] = ()
    executions: bool = True
    logs: bool = True
    storage: bool = True


@dataclass(frozen=True, slots=True)
class Purged:
    """How many executions, log lines, metrics and files were removed."""

    executions: int = 0
    logs: int = 0
    metrics: int = 0
    files: int = 0


class TaskServer(Protocol):
    """What maintenance tasks may see and change beyond their own execution."""

    def logs(self, execution_id: str, *, min_level: Level = Level.TRACE) -> Iterator[LogLine]:
        """Yield the lines of an execution, by time."""

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
        """Remove the lines that fit; returns how many there were. No levels: those of all."""

    def toggle_trigger(
        self, namespace: str, flow_id: str, trigger_id: str, *, enabled: bool
    ) -> None:
        """Switch a trigger on or off. Raises NotFound."""

    def resume(self, execution_id: str, inputs: Mapping[str, Any], *, by: str) -> None:
        """Let a paused execution go on.

        Raises:
            NotFound. Refused: it is not paused. InputInvalid.
        """

    def count_executions(
        self,
        namespace: str,
        flow_id: str | None,
        *,
        since: datetime | None,
        until: datetime | None,
        states: Sequence[State] = (),
    ) -> Mapping[str, int]:
        """Return how many executions began in that time, by flow: those of a namespace that have
        any, or the one that is named.
        """

    def purge_executions(self, wanted: Purge) -> Purged:
        """Remove ended executions, with what belongs to them."""

    def purge_storage(
        self,
        *,
        since: datetime | None,
        until: datetime,
        namespace: str | None = None,
        flow_id: str | None = None,
        dry_run: bool = False,
    ) -> tuple[int, int, int]:
        """Remove the files of executions whose last one was stored in that time.

        Returns how many executions had files, of how many they went, and how many files these were.
        """


@dataclass(frozen=True, slots=True)
class Identity:
    """Whose attempt this is. *attempt* counts from 0; *commit* and *source* pin the execution."""

    execution_id: str
    task_run_id: str
    task_id: str
    task_type: str
    namespace: str
    flow_id: str
    revision: int
    attempt: int
    value: str | None = None
    source: str | None = None
    commit: str | None = None


class RunContext(Protocol):
    """The world of one attempt."""

    @property
    def identity(self) -> Identity:
        """Whose attempt it is."""

    @property
    def log(self) -> TaskLog: ...
    @property
    def files(self) -> TaskFiles: ...
    @property
    def namespace_files(self) -> NamespaceFiles: ...
    @property
    def kv(self) -> TaskKv: ...
    @property
    def server(self) -> TaskServer: ...
    @property
    def deadline(self) -> datetime | None:
        """When the task's timeout is over."""

    @property
    def working_dir(self) -> Path:
        """A fresh folder, made on first use and removed after the attempt."""

    @property
    def variables(self) -> Mapping[str, Any]:
        """What expressions see: flow, execution, inputs, outputs, vars, …"""

    def render(
        self, value: JsonValue, *, typed: bool = False, extra: Mapping[str, Any] | None = None
    ) -> Any:
        """Render a text, or each string of a structure, with *extra* variables on top.

        Raises:
            ExpressionError: with the expression, its line and column.
        """

    def build(self, raw: Mapping[str, Any]) -> Task:
        """Return the task of a map with a ``type``, its properties rendered; common ones are
        dropped. Raises TaskError.
        """

    def add_run(
        self,
        task_id: str,
        *,
        state: State = State.SUCCESS,
        value: str | None = None,
        outputs: Mapping[str, Any] | None = None,
    ) -> None:
        """Show a task run of the task's own below this one: of a model, a query …"""

    def sealed(self, text: str) -> Mapping[str, str]:
        """Return a text as an output that is stored encrypted; expressions see the text."""

    def metric(
        self, name: str, kind: str, value: float, tags: Mapping[str, str] | None = None
    ) -> None:
        """Record a ``counter``, ``timer`` (seconds) or ``gauge``."""

    def holds_secret(self, text: str) -> bool:
        """Say whether a text holds a known secret: it must not become an argument, which everybody
        on the machine may read.
        """

    @property
    def stopping(self) -> bool:
        """True once the attempt is to end (kill, timeout, shutdown): look at it in long loops."""

    def on_stop(self, action: Any) -> AbstractContextManager[None]:
        """Inside, *action()* is called (by another thread) as soon as the attempt is to end."""

    def sleep(self, duration: timedelta) -> None:
        """Wait. Raises TaskStopped when the attempt is to end meanwhile."""

    def environment(self) -> Mapping[str, str]:
        """The worker's environment that a task's process may see: nothing of SECRET_*, HEADRACE_*,
        REDIS_URL, database URLs or referenced credentials."""

    def setting(self, name: str) -> Any:
        """A setting that plugins may read: ``task_runner.default`` (docker|process),
        ``docker.volumes_enabled``, ``git.source`` (url, credentials of the execution's source) …"""

    def spawn_marker(self, marker: str) -> None:
        """Remember durably what is about to be started outside (``container:NAME``,
        ``process:ID@HOST``), so that a successor can find or remove it; it need not be written
        where the attempt itself tells it."""


def lines_of(chunks: Iterator[bytes], encoding: str = "utf-8") -> Iterator[str]:
    """Yield text lines of a byte stream, a last one without line end too; undecodable bytes are
    replaced.
    """
    rest = b""
    for chunk in chunks:
        *whole, rest = (rest + chunk).split(b"\n")
        for line in whole:
            yield line.rstrip(b"\r").decode(encoding, "replace")
    if rest:
        yield rest.decode(encoding, "replace")
