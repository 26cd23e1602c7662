"""Containers: how one is made by the options of a task, and how it is read, stopped and removed."""

from __future__ import annotations

import contextlib
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal
from uuid import uuid4

from runner.taskrunners import archives
from runner.taskrunners.base import (
    ATTEMPT_LABEL,
    CACHE_FOLDER,
    CACHE_LABEL,
    KEEP_LABEL,
    TASK_RUN_LABEL,
    CannotRun,
    Command,
    LineSink,
)
from runner.taskrunners.engines import (
    BAD_REQUEST,
    CONFLICT,
    may_mount,
    remove,
    shares_files,
)
from runner.taskrunners.lines import LineSplitter
from runner.taskrunners.pulling import PULL_WAITS, Pull, login

if TYPE_CHECKING:
    from docker import APIClient

_TICK_SECONDS = 1.0
_SILENT_TICKS = 10  # then the engine is asked whether the container still runs
_CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class DockerOptions:
    """How containers are made. *limits* are more arguments of the SDK's `create_host_config`."""

    host: str | None = None
    credentials: Mapping[str, str] = field(default_factory=dict)  # as the engine's API names them
    logins: Mapping[str, Mapping[str, str]] = field(default_factory=dict)  # by registry, likewise
    user: str | None = None
    entry_point: Sequence[str] = ("",)
    extra_hosts: Mapping[str, str] = field(default_factory=dict)
    network_mode: str | None = None
    port_bindings: Sequence[str] = ()
    volumes: Sequence[str] = ()
    pull_policy: Literal["IF_NOT_PRESENT", "ALWAYS", "NEVER"] = "IF_NOT_PRESENT"
    limits: Mapping[str, Any] = field(default_factory=dict)
    files: Literal["AUTO", "MOUNT", "VOLUME"] = "AUTO"
    delete: bool = True
    wait: bool = True
    kill_grace: timedelta = timedelta(0)
    resume: bool = True
    pull_waits: Sequence[timedelta] = PULL_WAITS


class Deadline:
    """Calls *over* once, when the time has come."""

    def __init__(self, at: float | None, over: Callable[[], None]) -> None:
        self._at = at
        self._over = over

    def look(self) -> None:
        if self._at is not None and time.monotonic() > self._at:
            self._at = None
            self._over()


class Container:
    """One container, addressed by its name: it is ours while it has it."""

    def __init__(
        self,
        api: APIClient,
        name: str,
        ident: str,
        brings: str | None,
        *,
        is_taken_over: bool = False,
    ) -> None:
        self.id = ident
        self.is_taken_over = is_taken_over
        self.is_stopped = False
        self._api = api
        self._name = name
        self._brings = brings  # the folder in it whose files come back as an archive

    @contextlib.contextmanager
    def attached(self) -> Iterator[Any]:
        """Open its output; before the start, else an ended container never answers.

        The engine keeps what comes from then on. With ``logs=1`` it would also replay its log,
        and a fast command's lines came twice.
        """
        params = {"stdout": 1, "stderr": 1, "stream": 1}
        stream = self._api.attach_socket(self._name, params=params)
        sock = getattr(stream, "_sock", stream)
        try:
            yield sock
        finally:
            stream.close()
            sock.close()

    def start(self) -> None:
        self._api.start(self._name)

    def stop(self, grace: timedelta) -> None:
        import docker

        was_stopped, self.is_stopped = self.is_stopped, True
        try:
            if grace:
                self._api.stop(self._name, timeout=math.ceil(grace.total_seconds()))
            else:
                self._api.kill(self._name)
        except docker.errors.NotFound:
            pass  # gone, or somebody else's now
        except docker.errors.APIError as exc:
            if exc.status_code != CONFLICT:
                raise
            self.is_stopped = was_stopped or self.is_running()  # else it had ended by itself

    def read(self, sock: Any, on_line: LineSink, deadline: Deadline) -> None:
        """Pass on its output to the end."""
        sock.settimeout(_TICK_SECONDS)
        frames = Frames(on_line)
        silent = 0
        while silent < _SILENT_TICKS or self.is_running():
            deadline.look()
            try:
                data = sock.recv(_CHUNK_BYTES)
            except TimeoutError:
                silent = silent % _SILENT_TICKS + 1
                continue
            if not data:
                break
            silent = 0
            frames.feed(data)
        frames.end()

    def read_again(self, on_line: LineSink) -> None:
        """Pass on its output from the start to the end, whether it still runs or not."""
        chunks: queue.Queue[tuple[bytes | None, bool]] = queue.Queue(maxsize=64)

        def pump(is_error: bool) -> None:
            try:
                for chunk in self._api.logs(
                    self.id, stdout=not is_error, stderr=is_error, stream=True, follow=True
                ):
                    chunks.put((chunk, is_error))
            finally:
                chunks.put((None, is_error))

        for is_error in (False, True):
            threading.Thread(target=pump, args=(is_error,), daemon=True).start()
        splitters = {False: LineSplitter(), True: LineSplitter()}
        while splitters:
            chunk, is_error = chunks.get()
            splitter = splitters[is_error] if chunk is not None else splitters.pop(is_error)
            for line in splitter.end() if chunk is None else splitter.feed(chunk):
                on_line(line, is_error)

    def wait(self) -> int:
        """Return its exit code once it has ended."""
        return int(self._api.wait(self.id, timeout=None)["StatusCode"])

    def fetch(self, into: Path) -> None:
        """Bring its files back, where it does not share them."""
        if self._brings is not None:
            chunks, _ = self._api.get_archive(self.id, self._brings, chunk_size=_CHUNK_BYTES * 16)
            archives.unpack(chunks, into)

    def is_running(self) -> bool:
        return bool(self._api.inspect_container(self.id)["State"]["Running"])

    def ran_out_of_memory(self) -> bool:
        return bool(self._api.inspect_container(self.id)["State"]["OOMKilled"])

    def remove(self) -> None:
        remove(self._api, self._name)


class Creation:
    """Makes containers by the options of one task."""

    def __init__(
        self, api: APIClient, host: str, options: DockerOptions, log: Callable[[str], None]
    ) -> None:
        self._api = api
        self._host = host
        self._options = options
        self._log = log

    def obtain(self, command: Command, name: str, stopping: threading.Event) -> Container | None:
        """Return a container ready to start, its image pulled, or one that a lost attempt left.

        None when it is to stop meanwhile.
        """
        import docker

        image = command.image or ""
        if left := self._left_over(command, name):
            return left
        if self._options.pull_policy == "ALWAYS" and not self._pull(image, stopping):
            return None
        for _ in range(3):
            try:
                return self._create(command, name)
            except docker.errors.ImageNotFound:
                self._refuse_if_never(image)
                if not self._pull(image, stopping):
                    return None
            except docker.errors.APIError as exc:
                if exc.status_code != CONFLICT:
                    raise
                if left := self._adopt(name, name):
                    return left
        raise CannotRun(f"the container {name} exists, and a new one takes its place each time")

    def _left_over(self, command: Command, name: str) -> Container | None:
        """Look for what an earlier attempt left; one of this attempt is met when it is made."""
        if int(command.labels.get(ATTEMPT_LABEL, "0")) == 0:
            return None
        filters = {"label": f"{TASK_RUN_LABEL}={command.labels[TASK_RUN_LABEL]}"}
        for found in self._api.containers(all=True, filters=filters):
            if left := self._adopt(found["Names"][0].removeprefix("/"), name):
                return left
        return None

    def _adopt(self, old: str, name: str) -> Container | None:
        """Take over a container that still runs, under our name; remove it otherwise."""
        import docker

        with contextlib.suppress(docker.errors.NotFound):
            details = self._api.inspect_container(old)
            if not (self._options.resume and details["State"]["Running"]):
                remove(self._api, old)
                return None
            if old != name:
                self._api.rename(old, name)
            self._log(f"Took over the running container {details['Id'][:12]}")
            folder = details["Config"]["WorkingDir"]
            return Container(self._api, name, details["Id"], folder, is_taken_over=True)
        return None

    def _pull(self, image: str, stopping: threading.Event) -> bool:
        credentials = self._options.credentials or login(image, self._options.logins)
        return Pull(self._api, image, credentials, self._log).run(
            self._options.pull_waits, stopping
        )

    def _create(self, command: Command, name: str) -> Container:
        import docker

        if not self._mounts():
            return self._create_with_archives(command, name)
        try:
            made = self._make(command, name, mount=True)
        except docker.errors.APIError as exc:
            missing = exc.status_code == BAD_REQUEST and "bind source path" in str(exc.explanation)
            if self._options.files == "MOUNT" or not missing:
                raise
            shares_files[self._host] = False
            return self._create_with_archives(command, name)
        if self._options.files == "MOUNT" or self._sees(made, command.working_dir):
            return Container(self._api, name, made, None)
        remove(self._api, name)
        return self._create_with_archives(command, name)

    def _create_with_archives(self, command: Command, name: str) -> Container:
        made = self._make(command, name, mount=False)
        folder = str(command.working_dir)
        with archives.pack(command.working_dir) as archive:
            self._api.put_archive(made, str(command.working_dir.parent), archive)
        return Container(self._api, name, made, folder if command.outputs else None)

    def _mounts(self) -> bool:
        if not self._options.wait:  # it needs its files longer than we keep them
            return False
        if self._options.files != "AUTO":
            return self._options.files == "MOUNT"
        return may_mount() and shares_files.get(self._host, True)

    def _sees(self, container: str, folder: Path) -> bool:
        """Say whether the engine's folder of that name is ours; asked once for an engine."""
        import docker

        if self._host not in shares_files:
            probe = folder / f".headrace-probe-{uuid4().hex}"
            probe.touch()
            try:
                deque(self._api.get_archive(container, str(probe))[0], maxlen=0)
                shares_files[self._host] = True
            except docker.errors.NotFound:
                shares_files[self._host] = False
            finally:
                probe.unlink()
        return shares_files[self._host]

    def _make(self, command: Command, name: str, *, mount: bool) -> str:
        folder = str(command.working_dir)
        if mount:
            archives.open_up(command.working_dir)
        ports = [binding.rpartition(":")[2] for binding in self._options.port_bindings]
        made = self._api.create_container(
            command.image,
            list(command.argv),
            name=name,
            user=self._options.user,
            entrypoint=list(self._options.entry_point),
            environment=dict(command.env),
            working_dir=folder,
            labels={**command.labels, **self._keeps()},
            ports=[tuple(port.split("/")) if "/" in port else port for port in ports] or None,
            host_config=self._host_config(folder if mount else None, command.cache),
        )
        if command.cache:
            with archives.empty_folder(CACHE_FOLDER) as archive:
                self._api.put_archive(made["Id"], "/", archive)
        return str(made["Id"])

    def _keeps(self) -> Mapping[str, str]:
        outlives = not (self._options.delete and self._options.wait)
        return {KEEP_LABEL: "true"} if outlives else {}

    def _host_config(self, folder: str | None, cache: str | None) -> Any:
        from docker.types import Mount

        bindings: dict[int | str, Any] = {}
        for binding in self._options.port_bindings:
            outside, _, inside = binding.rpartition(":")
            address, _, port = outside.rpartition(":")
            bindings.setdefault(inside, []).append((address, port) if address else port)
        mounts = [Mount(folder, folder, type="bind")] if folder else []
        if cache:
            labels = {CACHE_LABEL: "true"}
            mounts.append(Mount(CACHE_FOLDER, cache, type="volume", labels=labels))
        return self._api.create_host_config(
            mounts=mounts or None,
            binds=list(self._options.volumes) or None,
            network_mode=self._options.network_mode,
            extra_hosts=dict(self._options.extra_hosts) or None,
            port_bindings=bindings or None,
            **self._options.limits,
        )

    def _refuse_if_never(self, image: str) -> None:
        if self._options.pull_policy == "NEVER":
            raise CannotRun(
                f"the image {image} is not on {self._host} and `pullPolicy` is NEVER: "
                f"run `docker pull {image}` there, or set `pullPolicy: IF_NOT_PRESENT`"
            )


class Frames:
    """Takes the engine's multiplexed stream apart: a header (stream, length), then the payload."""

    def __init__(self, on_line: LineSink) -> None:
        self._on_line = on_line
        self._splitters = {1: LineSplitter(), 2: LineSplitter()}
        self._header = b""
        self._stream, self._left = 1, 0

    def feed(self, data: bytes) -> None:
        while data:
            if self._left == 0:
                wanted = 8 - len(self._header)
                self._header, data = self._header + data[:wanted], data[wanted:]
                if len(self._header) == 8:
                    self._stream = self._header[0]
                    self._left = int.from_bytes(self._header[4:], "big")
                    self._header = b""
                continue
            payload, data = data[: self._left], data[self._left :]
            self._left -= len(payload)
            self._pass_on(self._stream, self._splitters[self._stream].feed(payload))

    def end(self) -> None:
        for stream, splitter in self._splitters.items():
            self._pass_on(stream, splitter.end())

    def _pass_on(self, stream: int, lines: Iterator[str]) -> None:
        for line in lines:
            self._on_line(line, stream == 2)
