"""Outputs of an earlier, identical run of a task (execution-semantics §8.4).

The key is a hash of the task with everything in it rendered, and of the loop's value; what differs
by a moment or a new file never hits. Whatever is wrong with the cache, the task runs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any

from runner.attempt.context import AttemptContext
from runner.attempt.subject import Subject
from runner.engine.codec import from_text, to_text
from runner.engine.events import TaskSucceeded
from runner.errors import HeadraceError, NotFound
from runner.ids import slug
from runner.model.logs import Level
from runner.runtime import Runtime

_NO_FOLDER = "/"


class OutputCache:
    """What is kept for one attempt's task; without a key (it cannot be rendered) nothing."""

    def __init__(self, runtime: Runtime, subject: Subject, ctx: AttemptContext) -> None:
        self._runtime, self._subject, self._ctx = runtime, subject, ctx
        self._path = self._place()

    def find(self) -> Mapping[str, Any] | None:
        """Return the outputs of an earlier run that is not too old."""
        if self._path is None:
            return None
        try:
            return self._found(self._path)
        except HeadraceError as exc:
            self._ctx.log.write(Level.WARN, f"The task cache cannot be read: {exc.message}")
            return None

    def keep(self, event: TaskSucceeded) -> None:
        """Keep the outputs of a good end."""
        if self._path is None:
            return
        try:
            self._runtime.storage.put(self._path, BytesIO(to_text(event.outputs).encode()))
        except HeadraceError as exc:
            self._ctx.log.write(Level.WARN, f"The task cache cannot be written: {exc.message}")

    def _found(self, path: str) -> Mapping[str, Any] | None:
        storage, cache = self._runtime.storage, self._subject.task.cache
        assert cache is not None
        try:
            stored = storage.stat(path)
            if cache.ttl is not None and stored.modified_at + cache.ttl < self._runtime.clock.now():
                storage.delete(path)
                return None
            with storage.open(path) as stream:
                found: Mapping[str, Any] = from_text(stream.read().decode())
                return found
        except NotFound:
            return None

    def _place(self) -> str | None:
        task, execution = self._subject.task, self._subject.execution
        shape = {"id": task.id, "type": task.type, **task.properties}
        try:
            rendered = self._ctx.render(shape, extra={"workingDir": _NO_FOLDER})
        except HeadraceError as exc:
            self._ctx.log.write(Level.DEBUG, f"The task is not cached: {exc.message}")
            return None
        text = json.dumps([rendered, self._subject.run.value], sort_keys=True, default=str)
        key = hashlib.sha256(text.encode()).hexdigest()
        flow = f"/{execution.namespace.replace('.', '/')}/{slug(execution.flow_id)}"
        return f"{flow}/{slug(task.id)}/cache/{key}/outputs.json"
