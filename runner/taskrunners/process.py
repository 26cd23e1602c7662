"""Commands as processes of this machine.

Each worker process has one supervisor (`shim.py`), started with its first command. It starts the
commands, so that a worker that is killed takes all of them with it, whatever they started.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

from runner.taskrunners import shim
from runner.taskrunners.base import (
    ATTEMPT_LABEL,
    TASK_RUN_LABEL,
    CannotRun,
    Command,
    Ended,
    LineSink,
    check_texts,
)
from runner.taskrunners.lines import LineSplitter

MARK = "TASK_PROCESS_MARK"
"""Environment variable by which the processes of a command are found again."""

GRACE = timedelta(seconds=2)
_CHUNK_BYTES = 64 * 1024
_AT_ONCE_BYTES = 32 * 1024  # a socket holds these before anybody reads: one wake-up less
_READ_ON_SECONDS = 1.0  # from pipes that a process elsewhere still holds open


class ProcessRunner:
    """Runs a command on this machine. *environment* is what it sees of the worker's environment."""

    def __init__(self, environment: Mapping[str, str], grace: timedelta = GRACE) -> None:
        self._environment = environment
        self._grace = grace
        self._lock = threading.Lock()
        self._is_stopping = False
        self._control: socket.socket | None = None

    def workdir(self, local: Path) -> str:
        return str(local)

    def run(self, command: Command, on_line: LineSink, marker: Callable[[str], None]) -> Ended:
        if self._is_stopping:
            return Ended(None, stopped=True)
        mark = _mark(command.labels)
        marker(_marker(mark))
        running = self._start(command, mark)
        try:
            with self._controlled_by(running.control):
                result = running.follow(on_line, command.timeout)
        finally:
            running.end()
        return _ended(command, result)

    def stop(self) -> None:
        """Send SIGTERM to all processes of the command, then SIGKILL after the grace."""
        with self._lock:
            self._is_stopping = True
            if self._control is not None:
                send(self._control, b"T")

    def _start(self, command: Command, mark: str) -> Running:
        env = {**self._environment, **command.env, MARK: mark}
        env.setdefault("PATH", os.defpath)
        check_texts(command.argv, env)
        request = shim.Request(
            argv=list(command.argv),
            cwd=str(command.working_dir),
            env=env,
            mark=f"{MARK}={mark}",
            grace_seconds=self._grace.total_seconds(),
        )
        return supervisor().start(request)

    @contextlib.contextmanager
    def _controlled_by(self, control: socket.socket) -> Any:
        with self._lock:
            self._control = control
            if self._is_stopping:
                send(control, b"T")
        try:
            yield
        finally:
            with self._lock:
                self._control = None


class Running:
    """A command under way: its streams, and the socket over which it is controlled."""

    def __init__(self, control: socket.socket, stdout: int, stderr: int, mark: str) -> None:
        self.control = control
        self._streams = {stdout: LineSplitter(), stderr: LineSplitter()}
        self._stderr = stderr
        self._mark = mark
        self._answer = b""
        self._result: dict[str, Any] | None = None
        self._poll = select.poll()
        for descriptor in (control.fileno(), stdout, stderr):
            self._poll.register(descriptor, select.POLLIN)

    def follow(self, on_line: LineSink, timeout: timedelta | None) -> dict[str, Any]:
        """Pass on what it writes until it has ended and all is read; return how it ended."""
        stop_at = time.monotonic() + timeout.total_seconds() if timeout else None
        until: float | None = None
        while self._result is None or (
            self._streams and (until is None or until > time.monotonic())
        ):
            self._read(on_line, _milliseconds(until if self._result else stop_at))
            if self._result is not None:
                until = until or time.monotonic() + _READ_ON_SECONDS
            elif stop_at is not None and time.monotonic() >= stop_at:
                send(self.control, b"T")
                stop_at = None
        for descriptor in list(self._streams):
            self._finish(descriptor, on_line)
        return self._result

    def end(self) -> None:
        """Kill what is left of it, read the rest away, and close everything."""
        if self._result is None:
            send(self.control, b"K")
            while self._result is None:
                self._read(_drop, None)
        for descriptor in list(self._streams):
            self._finish(descriptor, _drop)
        self.control.close()

    def _read(self, on_line: LineSink, milliseconds: float | None) -> None:
        for descriptor, _ in self._poll.poll(milliseconds):
            if descriptor not in self._streams:
                self._hear()
            elif data := os.read(descriptor, _CHUNK_BYTES):
                for line in self._streams[descriptor].feed(data):
                    on_line(line, descriptor == self._stderr)
            else:
                self._finish(descriptor, on_line)

    def _finish(self, descriptor: int, on_line: LineSink) -> None:
        splitter = self._streams.pop(descriptor)
        self._poll.unregister(descriptor)
        os.close(descriptor)
        for line in splitter.end():
            on_line(line, descriptor == self._stderr)

    def _hear(self) -> None:
        try:
            data = self.control.recv(_CHUNK_BYTES)
        except OSError:
            data = b""
        self._answer += data
        self._result = shim.unpacked(self._answer)
        if not data:
            kill_marked(self._mark)
            self._result = {"lost": True}
        if self._result is not None:
            self._poll.unregister(self.control)


class Supervisor:
    """This process's end of the supervisor."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        self._socket = ours
        self._lock = threading.Lock()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-I", "-S", shim.__file__],
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                cwd="/",
                env={},
                start_new_session=True,
            )

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def start(self, request: shim.Request) -> Running:
        """Start a command. Raises CannotRun when the supervisor is gone."""
        ours, theirs = socket.socketpair()
        out_reading, out_writing = os.pipe()
        err_reading, err_writing = os.pipe()
        running = Running(ours, out_reading, err_reading, request.mark)
        message = shim.packed(tuple(request))
        at_once = message[:_AT_ONCE_BYTES]
        try:
            ours.sendall(at_once)
            with self._lock:
                socket.send_fds(self._socket, [b"C"], [theirs.fileno(), out_writing, err_writing])
            ours.sendall(message[len(at_once) :])
        except OSError as exc:
            running.end()
            raise CannotRun(f"the process supervisor is gone: {exc}") from exc
        finally:
            theirs.close()
            os.close(out_writing)
            os.close(err_writing)
        return running

    def close(self) -> None:
        """End it and with it all that it started."""
        self._socket.close()
        self._process.wait()

    def forget(self) -> None:
        """Let go of it in a forked child, which must not keep it alive."""
        self._socket.close()
        self._process.returncode = 0  # not a child of ours: nothing to wait for


_supervisor: Supervisor | None = None
_supervisor_lock = threading.Lock()


def supervisor() -> Supervisor:
    """Return this process's supervisor; it is started when there is none."""
    global _supervisor
    with _supervisor_lock:
        if _supervisor is not None and not _supervisor.is_alive:
            _supervisor.close()
            _supervisor = None
        if _supervisor is None:
            _supervisor = Supervisor()
        return _supervisor


@atexit.register
def close_supervisor() -> None:
    """End this process's supervisor, if it has one."""
    global _supervisor
    with _supervisor_lock:
        if _supervisor is not None:
            _supervisor.close()
            _supervisor = None


def _forget_supervisor() -> None:
    global _supervisor, _supervisor_lock
    _supervisor_lock = threading.Lock()
    if _supervisor is not None:
        _supervisor.forget()
        _supervisor = None


os.register_at_fork(after_in_child=_forget_supervisor)


def marker_of(task_run_id: str, attempt: int) -> str:
    """Return the marker of an attempt's command on this machine, which needs no remembering."""
    return _marker(_mark({TASK_RUN_LABEL: task_run_id, ATTEMPT_LABEL: str(attempt)}))


def _mark(labels: Mapping[str, str]) -> str:
    task_run_id, attempt = labels.get(TASK_RUN_LABEL), labels.get(ATTEMPT_LABEL)
    return f"{task_run_id}-{attempt}" if task_run_id and attempt else uuid4().hex


def _marker(mark: str) -> str:
    return f"process:{mark}@{socket.gethostname()}"


def kill_marked(mark: str) -> None:
    """Kill every process of a command, told by its mark (``NAME=value``), until there is none."""
    until = time.monotonic() + 5
    while (pids := shim.marked(mark.encode())) and time.monotonic() < until:
        for pid in pids:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.01)


def send(control: socket.socket, order: bytes) -> None:
    """Send an order; a command that is over needs none."""
    with contextlib.suppress(OSError):
        control.sendall(order)


def _ended(command: Command, result: Mapping[str, Any]) -> Ended:
    if "error" in result:
        raise CannotRun(_explain(command, result["error"], result["file"]))
    if result.get("lost"):
        raise CannotRun("the process supervisor was killed; the command was ended")
    if left := result.get("left"):
        numbers = ", ".join(map(str, left))
        raise CannotRun(f"these processes of the command cannot be ended: {numbers}")
    code: int = result["exit"]
    if code < 0:  # by a signal, as a shell tells it
        return Ended(None if result["stopped"] else 128 - code, stopped=result["stopped"])
    return Ended(code, stopped=result["stopped"])


def _explain(command: Command, error: str, file: str) -> str:
    program = command.argv[0]
    if not os.path.isdir(command.working_dir):
        return f"the working directory {command.working_dir} is missing"
    if error == os.strerror(errno.E2BIG):
        return (
            f"cannot run {program}: the commands or the environment are too long for it. "
            "Put large texts into files: `inputFiles` takes them"
        )
    return (
        f"cannot run {program}: {error} ({file or program}). Is it installed on the worker? "
        "Install it, name another `interpreter`, or run the task in a container"
    )


def _milliseconds(until: float | None) -> float | None:
    return None if until is None else max(0.0, until - time.monotonic()) * 1000


def _drop(line: str, is_error: bool) -> None:
    """Nobody reads it any more."""
