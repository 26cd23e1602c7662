"""The world of one attempt of a worker task."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from runner.attempt import folders
from runner.attempt.control import AttemptControl
from runner.attempt.environment import setting, worker_environment
from runner.attempt.files import NamespaceFiles, TaskFiles
from runner.attempt.inline import with_extra
from runner.attempt.kv import TaskKv, stored
from runner.attempt.logs import FileLog, StoredLog
from runner.attempt.server import TaskServer
from runner.attempt.subject import Subject
from runner.expressions import Context, render_value
from runner.model.parse_tasks import COMMON
from runner.model.states import State
from runner.plugin import Task, TaskError, TaskStopped
from runner.runtime import Runtime
from runner.store.base import AttemptRow, Metric
from runner.taskrunners import process

_SURE_SECONDS = 1.0
"""So soon after the claim nobody else can have the attempt, and asking again would tell nothing."""


class AttemptContext:
    """A `runner.plugin.RunContext` over the real neighbours. Close it after the attempt."""

    def __init__(
        self,
        runtime: Runtime,
        subject: Subject,
        claimed: AttemptRow,
        context: Context,
        control: AttemptControl,
        folder: Path | None = None,
    ) -> None:
        self._runtime = runtime
        self._subject = subject
        self._claimed = claimed
        self._context = context
        self._control = control
        self._lock = threading.Lock()
        self._working_dir = folder
        self._is_folder_shared = folder is not None
        self.identity = subject.identity()
        self.deadline: datetime | None = None
        self.metrics: list[Metric] = []
        self.made: list[Mapping[str, Any]] = []
        self.log = _log(runtime, subject)
        self.files = TaskFiles(runtime, subject)
        self.namespace_files = NamespaceFiles(runtime, subject)
        self.server = TaskServer(runtime)
        self.kv: TaskKv = stored(runtime.store, subject.execution.namespace, runtime.clock)

    def close(self) -> None:
        """Store the last log lines and remove the working directory."""
        self.log.close()
        if self._working_dir is not None and not self._is_folder_shared:
            folders.remove_soon(self._working_dir)

    def log_file(self) -> str | None:
        """Store the log as a file where the task wants that; returns its URI."""
        if not isinstance(self.log, FileLog):
            return None
        return self.log.put_away(lambda file: self.files.put(file, log_name(self.identity.attempt)))

    @property
    def working_dir(self) -> Path:
        with self._lock:
            if self._working_dir is None:
                prefix = f"{self.identity.task_run_id}-{self.identity.attempt}-"
                self._working_dir = folders.make(self._runtime.work_folder, prefix)
        return self._working_dir

    @property
    def variables(self) -> Mapping[str, Any]:
        return self._context.variables

    def render_as(self, value: JsonValue, typed: bool) -> Any:
        """Render for the registry."""
        return render_value(value, self._context, typed=typed)

    def render(
        self, value: JsonValue, *, typed: bool = False, extra: Mapping[str, Any] | None = None
    ) -> Any:
        return render_value(value, with_extra(self._context, extra), typed=typed)

    def build(self, raw: Mapping[str, Any]) -> Task:
        """Return the task of a map with a ``type``. Raises TaskError, ExpressionError."""
        own = {name: value for name, value in raw.items() if name == "type" or name not in COMMON}
        built = self._runtime.registry.build_whole(own, self.render_as)
        if not isinstance(built, Task):
            raise TaskError(f"{raw.get('type')} is no task")
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
        self._runtime.mask.add(text)
        return self._runtime.seal.close_output(text)

    def metric(
        self, name: str, kind: str, value: float, tags: Mapping[str, str] | None = None
    ) -> None:
        identity = self.identity
        with self._lock:
            self.metrics.append(
                Metric(
                    identity.execution_id,
                    identity.task_run_id,
                    identity.attempt,
                    len(self.metrics),
                    identity.task_id,
                    name,
                    kind,
                    value,
                    self._runtime.clock.now(),
                    tags or {},
                )
            )

    def holds_secret(self, text: str) -> bool:
        return self._runtime.mask.apply(text) != text

    @property
    def stopping(self) -> bool:
        return self._control.stopping

    def on_stop(self, action: Any) -> AbstractContextManager[None]:
        return self._control.on_stop(action)

    def sleep(self, duration: timedelta) -> None:
        if self._control.wait(duration):
            raise TaskStopped

    def environment(self) -> Mapping[str, str]:
        return worker_environment(self._runtime)

    def setting(self, name: str) -> Any:
        return setting(self._runtime, self._subject.execution.source, name)

    def spawn_marker(self, marker: str) -> None:
        """Remember what is about to be started.

        Raises:
            TaskStopped: the attempt is somebody else's by now.
        """
        claimed = self._claimed
        is_known = marker == process.marker_of(claimed.task_run_id, claimed.attempt)
        if is_known and self._control.seconds < _SURE_SECONDS:
            return
        with self._runtime.store.begin() as tx:
            is_ours = tx.attempts.mark(claimed.task_run_id, claimed.attempt, claimed.fence, marker)
        if not is_ours:
            raise TaskStopped("another worker has this attempt now")


def log_name(attempt: int) -> str:
    """Return what the log of an attempt is called as a file."""
    return f"attempt-{attempt}.log"


def _log(runtime: Runtime, subject: Subject) -> FileLog | StoredLog:
    about = (
        subject.line(),
        runtime.mask,
        runtime.clock,
        subject.task.log_level,
        runtime.settings.limits.log_bytes,
    )
    return (
        FileLog(*about) if subject.task.log_to_file else StoredLog(runtime.store.logs.write, *about)
    )
