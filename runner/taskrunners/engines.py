"""Docker engines: their clients, their errors told to people, and containers nobody owns."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING

from runner.errors import Unavailable
from runner.taskrunners.base import KEEP_LABEL, TASK_RUN_LABEL, CannotRun

if TYPE_CHECKING:
    from docker import APIClient

BAD_REQUEST, CONFLICT = 400, 409
_SOCKETS = ("/var/run/docker.sock", "/dind/docker.sock")
_REQUEST_SECONDS = 120
_NO_PROGRAM = "The image lacks it: name another `interpreter`, or another `containerImage`"
_ADVICE = (
    ("executable file not found", _NO_PROGRAM),
    ("no such file or directory: unknown", _NO_PROGRAM),
    ("invalid reference format", "Check the name of the image: lower case, as HOST/NAME:TAG"),
    ("port is already allocated", "Choose another host port in `portBindings`"),
    ("unable to find user", "Name a `user` that the image knows, or its number"),
)

shares_files: dict[str, bool] = {}
"""Engine → whether it sees our files under the same paths; filled by the first container."""

_clients: dict[tuple[int, str], APIClient] = {}
_clients_lock = threading.Lock()


def default_host() -> str:
    """Return the address of this machine's engine."""
    found = (path for path in _SOCKETS if os.path.exists(path))
    return f"unix://{next(found, _SOCKETS[0])}"


def client(host: str | None = None) -> APIClient:
    """Return this process's client of an engine.

    Raises:
        Unavailable: the engine does not answer.
    """
    import docker

    host = host or default_host()
    with _clients_lock:
        key = (os.getpid(), host)
        if key not in _clients:
            _knock(host)
            try:
                _clients[key] = docker.APIClient(
                    base_url=host, version="auto", timeout=_REQUEST_SECONDS, max_pool_size=64
                )
            except docker.errors.DockerException as exc:
                raise Unavailable(no_engine(host, exc)) from exc
        return _clients[key]


def _knock(host: str) -> None:
    """Connect to a local socket: it says better than the SDK why that does not work."""
    if not host.startswith("unix://"):
        return
    try:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.connect(host.removeprefix("unix://"))
    except OSError as exc:
        raise Unavailable(no_engine(host, exc.strerror or exc)) from exc


def answers(host: str | None = None) -> bool:
    """Say whether an engine answers there."""
    try:
        return bool(client(host).ping())
    except Exception:  # noqa: BLE001 whatever it is, it is no answer
        return False


def no_engine(host: str, reason: object) -> str:
    """Return what to tell people when there is no engine."""
    return (
        f"no Docker engine answers at {host} ({reason}). Start Docker, give the worker its socket "
        f"(a container needs `-v /var/run/docker.sock:/var/run/docker.sock`, a user the group "
        f"`docker`), or run the task as a process: "
        f"`taskRunner: {{type: io.kestra.plugin.core.runner.Process}}`"
    )


@contextlib.contextmanager
def engine_errors(host: str) -> Iterator[None]:
    """Turn errors of the engine into `CannotRun`."""
    import docker
    import requests

    try:
        yield
    except Unavailable as exc:
        raise CannotRun(exc.message) from exc
    except docker.errors.APIError as exc:
        raise CannotRun(f"Docker at {host}: {_advised(str(exc.explanation or exc))}") from exc
    except (requests.RequestException, ConnectionError) as exc:
        raise CannotRun(no_engine(host, exc)) from exc


def _advised(words: str) -> str:
    """Return the engine's words and, where they are known, what to do."""
    found = (advice for sign, advice in _ADVICE if sign in words)
    return f"{words}. {advice}" if (advice := next(found, None)) else words


def remove(api: APIClient, name: str) -> None:
    """Remove a container with its volumes, running or not; return when it is gone."""
    import docker

    for _ in range(50):
        try:
            api.remove_container(name, v=True, force=True)
        except docker.errors.NotFound:
            return
        except docker.errors.APIError as exc:
            if exc.status_code != CONFLICT:
                raise
            time.sleep(0.2)  # somebody else is removing it
        else:
            return
    raise Unavailable(f"the container {name} cannot be removed")


def reap(api: APIClient, is_live: Callable[[Mapping[str, str]], bool]) -> list[str]:
    """Remove the containers of attempts that are not live; return their names.

    *is_live* gets a container's labels. It must say True for what it does not know: another
    installation may use the same engine.
    """
    gone = []
    for found in api.containers(all=True, filters={"label": TASK_RUN_LABEL}):
        if KEEP_LABEL not in found["Labels"] and not is_live(found["Labels"]):
            name = found["Names"][0].removeprefix("/")
            remove(api, name)
            gone.append(name)
    return gone


def may_mount() -> bool:
    """Say whether we can remove files that a container's root makes: then folders are mounted."""
    return os.geteuid() == 0
