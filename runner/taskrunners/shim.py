"""The process that starts commands for one worker and outlives it just long enough to end them.

Run as ``python -I -S shim.py`` with a stream socket as standard input; it imports nothing of
Headrace. Each byte that comes over that socket brings three descriptors: a control socket, the
command's stdout and its stderr. Over a control socket come, in this order, the `Request`, then
``T`` (end it gracefully) or ``K`` (kill it); back goes the result, once, when nothing of the
command is left.

A command leads a session of its own. What leaves the session is found too: as a subreaper this
process becomes the parent of every orphan below it, and tells whose it was by the mark in its
environment. When the worker is gone (the socket ends) everything is killed.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import marshal
import os
import select
import signal
import socket
import sys
import time
from typing import Any, NamedTuple

_PR_SET_CHILD_SUBREAPER = 36
_LINGER_SECONDS = 1.0  # for what a command left in the background to end by itself
_STUCK_SECONDS = 10.0  # after SIGKILL: then what is left is reported as not to be ended
_TICK_SECONDS = 0.02
_HAS_PROC = os.path.exists("/proc/self/stat")
_ALL_SIGNALS = sorted(set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP})


class Request(NamedTuple):
    """What to start; *mark* is ``NAME=value`` as it stands in *env*."""

    argv: list[str]
    cwd: str
    env: dict[str, str]
    mark: str
    grace_seconds: float


class Process(NamedTuple):
    """A line of the process table."""

    pid: int
    parent: int
    session: int


class Command:
    """A command from its request to its result."""

    def __init__(self, control: socket.socket, stdout: int, stderr: int) -> None:
        self.control = control
        self.streams = (stdout, stderr)
        self.received = b""
        self.request = Request([], "/", {}, "", 0.0)  # until it comes
        self.pid = 0
        self.status: int | None = None
        self.is_stopped = False
        self.term_at: float | None = None
        self.kill_at: float | None = None
        self.killed_at: float | None = None

    @property
    def is_started(self) -> bool:
        return self.pid != 0

    def stop(self, grace_seconds: float) -> None:
        """End it: SIGTERM now, SIGKILL after the grace."""
        now = time.monotonic()
        self.is_stopped = self.is_stopped or self.status is None
        self.term_at = now if grace_seconds else None
        self.kill_at = min(now + grace_seconds, self.kill_at or now + grace_seconds)

    def answer(self, **result: Any) -> None:
        with contextlib.suppress(OSError):
            self.control.sendall(packed(result))
        self.control.close()


class Supervisor:
    """Serves one worker."""

    def __init__(self, worker: socket.socket) -> None:
        self.worker = worker
        self.commands: dict[int, Command] = {}  # by the descriptor of the control socket
        self.poll = select.poll()
        self.poll.register(worker, select.POLLIN)
        self.poll.register(wake_up_on_sigchld(), select.POLLIN)

    def serve(self) -> None:
        """Work until the worker is gone, then end all that is left."""
        while True:
            for descriptor, _ in self.poll.poll(self._milliseconds()):
                if descriptor == self.worker.fileno():
                    if not self._accept():
                        return kill_all()
                elif descriptor in self.commands:
                    self._hear(self.commands[descriptor])
                else:
                    os.read(descriptor, 4096)
            self._reap()
            for command in list(self.commands.values()):
                self._go_on(command)

    def _milliseconds(self) -> float | None:
        ending = any(c.kill_at or c.status is not None for c in self.commands.values())
        return _TICK_SECONDS * 1000 if ending else None

    def _accept(self) -> bool:
        data, descriptors = receive(self.worker)
        if not data:
            return False
        control = socket.socket(fileno=descriptors[0])
        self.commands[control.fileno()] = Command(control, descriptors[1], descriptors[2])
        self.poll.register(control, select.POLLIN)
        self._hear(self.commands[control.fileno()])  # most requests are there already
        return True

    def _hear(self, command: Command) -> None:
        try:
            data = command.control.recv(1 << 20, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.poll.unregister(command.control)
            self._lose(command)
            return
        if command.is_started:
            command.stop(0 if b"K" in data else command.request.grace_seconds)
            return
        command.received += data
        if (request := unpacked(command.received)) is not None:
            command.request = Request(*request)
            self._start(command)

    def _lose(self, command: Command) -> None:
        """Nobody waits for it any more."""
        if command.is_started:
            command.stop(0)
        else:
            self._forget(command)

    def _start(self, command: Command) -> None:
        try:
            command.pid = spawn(command.request, *command.streams)
        except OSError as exc:
            command.answer(error=exc.strerror or str(exc), file=exc.filename or "")
            self._forget(command)
        finally:
            for descriptor in command.streams:
                os.close(descriptor)

    def _forget(self, command: Command) -> None:
        for number, known in list(self.commands.items()):
            if known is command:
                del self.commands[number]
                with contextlib.suppress(KeyError, ValueError):
                    self.poll.unregister(number)
        command.control.close()

    def _reap(self) -> None:
        by_pid = {command.pid: command for command in self.commands.values()}
        for pid, status in ended_children():
            if command := by_pid.get(pid):
                command.status = os.waitstatus_to_exitcode(status)

    def _go_on(self, command: Command) -> None:
        """Take the next step of ending, if it is ending."""
        if not command.is_started or (command.status is None and command.kill_at is None):
            return
        left = self._left(command)
        if command.status is not None and not left:
            command.answer(exit=command.status, stopped=command.is_stopped)
            return self._forget(command)
        self._press(command, left)

    def _press(self, command: Command, left: set[int]) -> None:
        now = time.monotonic()
        if command.kill_at is None:  # it ended by itself and left something behind
            command.term_at = now + _LINGER_SECONDS
            command.kill_at = command.term_at + command.request.grace_seconds
        elif now >= command.kill_at:
            send_signal(signal.SIGKILL, command, left)
            command.killed_at = command.killed_at or now
            if now > command.killed_at + _STUCK_SECONDS:
                command.answer(exit=command.status, stopped=command.is_stopped, left=sorted(left))
                self._forget(command)
        elif command.term_at is not None and now >= command.term_at:
            send_signal(signal.SIGTERM, command, left)
            command.term_at = None

    def _left(self, command: Command) -> set[int]:
        """Return the processes of a command that are still there, itself included."""
        alive = {command.pid} if command.status is None else set()
        mains = {c.pid for c in self.commands.values() if c.status is None}
        if not alive and children() <= mains:
            return alive  # orphans of the command would be children of ours
        if not _HAS_PROC:
            return alive | group_of(command.pid)
        table = process_table()
        alone = len(self.commands) == 1
        roots = [p.pid for p in table if p.parent == os.getpid() and p.pid not in mains]
        sessions = {p.pid: p.session for p in table}
        theirs = {pid for pid in roots if alone or self._is_of(command, pid, sessions[pid])}
        return alive | below(alive | theirs, table)

    @staticmethod
    def _is_of(command: Command, pid: int, session: int) -> bool:
        return session == command.pid or has_mark(pid, command.request.mark.encode())


# --- messages ---------------------------------------------------------------------------------


def packed(value: dict[str, Any] | tuple[Any, ...]) -> bytes:
    data = marshal.dumps(value)
    return len(data).to_bytes(4, "big") + data


def unpacked(data: bytes) -> Any:
    """Return the first message in *data*, None while it is not whole."""
    end = 4 + int.from_bytes(data[:4], "big")
    return marshal.loads(data[4:end]) if len(data) >= end else None  # noqa: S302 from our parent


def receive(sock: socket.socket) -> tuple[bytes, list[int]]:
    """Return one byte and the three descriptors that came with it."""
    numbers = array.array("i")
    size = socket.CMSG_SPACE(3 * numbers.itemsize)
    data, extra, _, _ = sock.recvmsg(1, size)
    for _, _, content in extra:
        numbers.frombytes(content[: len(content) - len(content) % numbers.itemsize])
    for number in numbers:
        os.set_inheritable(number, False)
    return data, list(numbers)


# --- processes --------------------------------------------------------------------------------


def spawn(request: Request, stdout: int, stderr: int) -> int:
    """Start a command as the leader of a new session and return its process id."""
    os.chdir(request.cwd)
    try:
        return os.posix_spawn(
            find_program(request.argv[0], request.env.get("PATH", os.defpath)),
            request.argv,
            request.env,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0),
                (os.POSIX_SPAWN_DUP2, stdout, 1),
                (os.POSIX_SPAWN_DUP2, stderr, 2),
            ],
            setsid=True,
            setsigmask=[],
            setsigdef=_ALL_SIGNALS,
        )
    finally:
        os.chdir("/")


def find_program(name: str, path: str) -> str:
    """Return where the program is; relative names are looked up in the current folder."""
    if "/" in name:
        return name
    for folder in path.split(os.pathsep):
        candidate = os.path.join(folder or ".", name)
        if os.access(candidate, os.X_OK) and not os.path.isdir(candidate):
            return candidate
    return name


def ended_children() -> list[tuple[int, int]]:
    """Reap every child that has ended; return (process id, status) of each."""
    found = []
    with contextlib.suppress(ChildProcessError):
        while (ended := os.waitpid(-1, os.WNOHANG)) != (0, 0):
            found.append(ended)
    return found


def children() -> set[int]:
    """Return our own children."""
    try:
        with open(f"/proc/self/task/{os.getpid()}/children", "rb") as file:
            return {int(word) for word in file.read().split()}
    except OSError:
        return {p.pid for p in process_table() if p.parent == os.getpid()}


def process_table() -> list[Process]:
    if not _HAS_PROC:
        return []
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit():
            with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as file:
                fields = file.read().rpartition(b")")[2].split()
                found.append(Process(int(name), int(fields[1]), int(fields[3])))
    return found


def below(roots: set[int], table: list[Process]) -> set[int]:
    """Return the *roots* and all that descends from them."""
    by_parent: dict[int, list[int]] = {}
    for process in table:
        by_parent.setdefault(process.parent, []).append(process.pid)
    found: set[int] = set()
    waiting = list(roots)
    while waiting:
        pid = waiting.pop()
        if pid not in found:
            found.add(pid)
            waiting += by_parent.get(pid, ())
    return found


def group_of(pid: int) -> set[int]:
    """Return the leader of a process group that still has members (where there is no /proc)."""
    try:
        os.killpg(pid, 0)
    except OSError:
        return set()
    return {pid}


def has_mark(pid: int, mark: bytes) -> bool:
    try:
        with open(f"/proc/{pid}/environ", "rb") as file:
            return mark in file.read().split(b"\0")
    except OSError:
        return False


def marked(mark: bytes) -> list[int]:
    """Return all processes of this machine with that mark."""
    return [process.pid for process in process_table() if has_mark(process.pid, mark)]


def send_signal(number: signal.Signals, command: Command, pids: set[int]) -> None:
    if command.status is None or not _HAS_PROC:
        with contextlib.suppress(OSError):
            os.killpg(command.pid, number)
    for pid in pids - {command.pid}:
        with contextlib.suppress(OSError):
            os.kill(pid, number)


def kill_all() -> None:
    """Kill every descendant until there is none."""
    until = time.monotonic() + _STUCK_SECONDS
    while time.monotonic() < until:
        ended_children()
        if not children():
            return
        for pid in below({os.getpid()}, process_table()) - {os.getpid()}:
            with contextlib.suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.005)


def become_subreaper() -> None:
    """Make orphans below us our children (prctl(2))."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def wake_up_on_sigchld() -> int:
    """Return a descriptor that becomes readable when a child ends."""
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    return reading


def main() -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # it ends when its worker does
    become_subreaper()
    worker = socket.socket(fileno=os.dup(0))
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    Supervisor(worker).serve()


if __name__ == "__main__":
    main()
