"""Commands in containers of a Docker engine (API: docs.docker.com/reference/api/engine).

Output is read by an attach that is opened before the start, so that no line of a fast command is
lost. A container has the name of its attempt: who holds the name owns it, and a runner that was
declared dead and comes back finds a container that was taken over under no name it knows.
"""

from __future__ import annotations

import contextlib
import re
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from uuid import uuid4

from runner.taskrunners.base import (
    ATTEMPT_LABEL,
    TASK_RUN_LABEL,
    CannotRun,
    Command,
    Ended,
    LineSink,
    check_texts,
)
from runner.taskrunners.containers import Container, Creation, Deadline, DockerOptions
from runner.taskrunners.engines import client, default_host, engine_errors

_BY_SIGNAL, _KILLED = 128, 137
_OUT_OF_MEMORY = "The container ran out of memory: raise `memory` of the task runner"


class DockerRunner:
    """Runs a command in a container; *log* gets what the runner itself has to say."""

    def __init__(self, options: DockerOptions, log: Callable[[str], None]) -> None:
        self._options = options
        self._log = log
        self._host = options.host or default_host()
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._running: Container | None = None

    def workdir(self, local: Path) -> str:
        return str(local)

    def run(self, command: Command, on_line: LineSink, marker: Callable[[str], None]) -> Ended:
        if not command.image:
            raise CannotRun("This task runner needs the `containerImage` property to be set")
        if self._stopping.is_set():
            return Ended(None, stopped=True)
        check_texts(command.argv, command.env)
        with engine_errors(self._host):
            name = container_name(command.labels)
            engine = Creation(client(self._host), self._host, self._options, self._log)
            marker(f"container:{name}@{self._host}")
            return self._run(engine, command, name, _without_empty(on_line))

    def stop(self) -> None:
        """Kill the container, or stop it with the grace of its options; ends a pull as well."""
        self._stopping.set()
        with self._lock:
            if self._running is not None:
                self._running.stop(self._options.kill_grace)

    def _run(self, engine: Creation, command: Command, name: str, on_line: LineSink) -> Ended:
        container = engine.obtain(command, name, self._stopping)
        if container is None:
            return Ended(None, stopped=True)
        with self._removing(container):
            if container.is_taken_over:
                self._begin(container)
                container.read_again(on_line)
                return self._end(container, command)
            with container.attached() as stream:
                if not self._begin(container):
                    return Ended(None, stopped=True)
                if not self._options.wait:
                    return Ended(0, details={"containerId": container.id})
                container.read(stream, on_line, self._deadline(command))
            return self._end(container, command)

    def _deadline(self, command: Command) -> Deadline:
        at = time.monotonic() + command.timeout.total_seconds() if command.timeout else None
        return Deadline(at, self.stop)

    def _begin(self, container: Container) -> bool:
        """Start it; False when the attempt is to end before that."""
        with self._lock:
            if not container.is_taken_over:
                if self._stopping.is_set():
                    return False
                container.start()
            self._running = container
        if self._stopping.is_set():
            self.stop()
        return True

    def _end(self, container: Container, command: Command) -> Ended:
        code = container.wait()
        with self._lock:
            self._running = None
        if command.outputs:
            container.fetch(command.working_dir)
        details = {"containerId": container.id}
        if container.is_stopped:
            return Ended(None if code > _BY_SIGNAL else code, stopped=True, details=details)
        is_short = code == _KILLED and container.ran_out_of_memory()
        return Ended(code, details=details, reason=_OUT_OF_MEMORY if is_short else None)

    @contextlib.contextmanager
    def _removing(self, container: Container) -> Iterator[None]:
        keep = False
        try:
            yield
            keep = not self._options.delete or not self._options.wait
        finally:
            with self._lock:
                self._running = None
            if not keep:
                container.remove()


def container_name(labels: Mapping[str, str]) -> str:
    """Return the name of an attempt's container."""
    if TASK_RUN_LABEL not in labels:
        return f"headrace-{uuid4().hex}"
    text = f"headrace-{labels[TASK_RUN_LABEL]}-{labels.get(ATTEMPT_LABEL, '0')}"
    return re.sub(r"[^a-zA-Z0-9_.-]", "-", text)


def _without_empty(on_line: LineSink) -> LineSink:
    def pass_on(line: str, is_error: bool) -> None:
        if line:
            on_line(line, is_error)

    return pass_on
