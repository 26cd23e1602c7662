"""Task runners: where the commands of a script run."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, SecretStr
from pydantic.alias_generators import to_camel

from runner.plugin import Fixed, Plugin, Read, RunContext, TaskError
from runner.taskrunners.base import TaskRunner
from runner.taskrunners.containers import DockerOptions
from runner.taskrunners.docker import DockerRunner
from runner.taskrunners.process import ProcessRunner

_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", re.IGNORECASE)
_UNITS = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}


def _bytes(value: Any) -> Any:
    """Read ``512MB`` or ``1g``, units of 1024."""
    if isinstance(value, str):
        match = _SIZE.fullmatch(value.strip())
        if match is None:
            raise ValueError(f"{value!r} is no size: write a number with a unit, such as 512MB")
        return int(float(match[1]) * _UNITS[match[2].lower()])
    return value


def _swap_bytes(value: Any) -> Any:
    return -1 if str(value).strip() == "-1" else _bytes(value)


Size = Annotated[int, BeforeValidator(_bytes)]
SwapSize = Annotated[int, BeforeValidator(_swap_bytes)]


class RunnerType(Plugin):
    """Base of every task runner: its properties, and how it is made."""

    needs_image: ClassVar[bool] = False

    @property
    def own_image(self) -> str | None:
        """The image that the runner itself names, if it can."""
        return None

    def create(self, ctx: RunContext) -> TaskRunner:
        """Return a runner for one attempt. Raises TaskError: the settings do not allow it."""
        raise NotImplementedError


class Process(RunnerType):
    """Run the commands as processes of the worker's machine.

    What a command starts ends with it, and with the worker. The machine needs what the commands
    call. They see the worker's environment without secrets and settings.

    Example:
        taskRunner:
          type: io.kestra.plugin.core.runner.Process
    """

    aliases = (
        "io.kestra.core.models.tasks.runners.types.ProcessTaskRunner",
        "io.kestra.plugin.core.runner.ProcessTaskRunner",
    )

    type: Literal["io.kestra.plugin.core.runner.Process"] = "io.kestra.plugin.core.runner.Process"

    def create(self, ctx: RunContext) -> TaskRunner:
        return ProcessRunner(ctx.environment())


class _Fields(BaseModel):
    model_config = ConfigDict(
        frozen=True, extra="forbid", alias_generator=to_camel, populate_by_name=True
    )


class Credentials(_Fields):
    """How to log in to a registry."""

    registry: str | None = Field(default=None, description="host; default: that of the image")
    username: str | None = Field(default=None, description="user name")
    password: SecretStr | None = Field(default=None, description="password or access token")
    registry_token: SecretStr | None = Field(default=None, description="bearer token")
    identity_token: SecretStr | None = Field(default=None, description="refresh token")
    auth: SecretStr | None = Field(default=None, description="user:password in base64")

    def for_engine(self) -> Mapping[str, str]:
        """Return them as the engine's API names them."""
        username, password = self._login()
        named = {
            "serveraddress": self.registry,
            "username": username,
            "password": password,
            "registrytoken": _plain(self.registry_token),
            "identitytoken": _plain(self.identity_token),
        }
        return {name: value for name, value in named.items() if value is not None}

    def _login(self) -> tuple[str | None, str | None]:
        """Return user and password; the engine does not read ``auth``. Raises TaskError."""
        auth = _plain(self.auth)
        if not auth:
            return self.username, _plain(self.password)
        try:
            user, colon, password = base64.b64decode(auth, validate=True).decode().partition(":")
        except ValueError:
            colon = ""
        if not colon:
            raise TaskError("`auth` of `credentials` is no base64 of user:password")
        return user, password


class Cpu(_Fields):
    """Limit of processor time."""

    cpus: float | None = Field(default=None, description="number of cores, such as 0.5")


class Memory(_Fields):
    """Limits of memory."""

    memory: Size | None = Field(default=None, description="most it may use, such as 512MB")
    memory_swap: SwapSize | None = Field(
        default=None, description="memory and swap together; -1: any"
    )
    memory_swappiness: int | None = Field(default=None, description="0 to 100")
    memory_reservation: Size | None = Field(default=None, description="soft limit")
    kernel_memory: Size | None = Field(default=None, description="most for the kernel's part")
    oom_kill_disable: bool | None = Field(default=None, description="do not kill at the limit")

    def for_engine(self) -> Mapping[str, Any]:
        """Return them as the SDK's `create_host_config` names them."""
        return {
            "mem_limit": self.memory,
            "memswap_limit": self.memory_swap,
            "mem_swappiness": self.memory_swappiness,
            "mem_reservation": self.memory_reservation,
            "kernel_memory": self.kernel_memory,
            "oom_kill_disable": self.oom_kill_disable,
        }


class DeviceRequest(_Fields):
    """Devices that a container gets, such as GPUs."""

    driver: str | None = Field(default=None, description="driver, such as nvidia")
    count: int | None = Field(default=None, description="how many; -1: all")
    device_ids: list[str] = Field(default=[], description="which ones")
    capabilities: list[list[str]] = Field(default=[], description="such as [[gpu]]")
    options: dict[str, str] = Field(default={}, description="options of the driver")

    def for_engine(self) -> Mapping[str, Any]:
        """Return it as the SDK names it."""
        return self.model_dump(exclude_none=True)


class DockerFields(_Fields):
    """What may be said about a container; also the old property ``docker`` of script tasks."""

    image: str | None = Field(
        default=None, description="image, the old way; wins over `containerImage` of the task"
    )
    host: str | None = Field(default=None, description="engine, such as unix:///run/docker.sock")
    credentials: Annotated[Credentials | None, Fixed()] = Field(
        default=None, description="login to the registry"
    )
    config: dict[str, JsonValue] | str | None = Field(
        default=None, description="configuration of Docker's client, whose `auths` are used to pull"
    )
    user: str | None = Field(default=None, description="user, or user:group, in the container")
    entry_point: list[str] = Field(default=[""], description="default: the image's is cleared")
    extra_hosts: list[str] = Field(default=[], description="more host names, as name:address")
    network_mode: str | None = Field(default=None, description="bridge, host, none, a network")
    port_bindings: list[str] = Field(default=[], description="published ports, as host:container")
    volumes: list[str] = Field(
        default=[],
        description="host:container[:mode]; refused unless docker.volumes_enabled is set",
    )
    pull_policy: Literal["IF_NOT_PRESENT", "ALWAYS", "NEVER"] = Field(
        default="IF_NOT_PRESENT", description="when to pull the image"
    )
    cpu: Annotated[Cpu | None, Fixed()] = Field(default=None, description="limit of processor time")
    memory: Annotated[Memory | None, Fixed()] = Field(default=None, description="limits of memory")
    shm_size: Size | None = Field(default=None, description="size of /dev/shm, such as 64MB")
    device_requests: Annotated[list[DeviceRequest], Read.STATIC] = Field(
        default=[], description="devices that the container gets"
    )
    privileged: bool = Field(default=False, description="give the container all rights")
    file_handling_strategy: Literal["AUTO", "MOUNT", "VOLUME"] = Field(
        default="AUTO",
        description="MOUNT binds the working directory, VOLUME copies files; AUTO sees what works",
    )
    delete: bool = Field(default=True, description="remove the container afterwards")
    wait: bool = Field(default=True, description="false: start it and go on, without outputs")
    kill_grace_period: Annotated[timedelta, Read.STATIC] = Field(
        default=timedelta(0), description="time to end by itself when stopped; none: killed at once"
    )
    resume: bool = Field(
        default=True, description="take over the container of an attempt whose worker was lost"
    )

    def options(self, ctx: RunContext) -> DockerOptions:
        """Return what the runner works with. Raises TaskError: the settings do not allow it."""
        if self.volumes and not ctx.setting("docker.volumes_enabled"):
            raise TaskError(
                "`volumes` is switched off here: an operator can allow it by the setting "
                "`docker: {volumes_enabled: true}`; files of a task need no volume"
            )
        return DockerOptions(
            host=self.host or ctx.setting("docker.host"),
            credentials=self.credentials.for_engine() if self.credentials else {},
            logins=self._logins(),
            user=self.user,
            entry_point=self.entry_point,
            extra_hosts=dict(_split(host) for host in self.extra_hosts),
            network_mode=self.network_mode or ctx.setting("docker.network_mode"),
            port_bindings=self.port_bindings,
            volumes=self.volumes,
            pull_policy=self.pull_policy,
            limits=self._limits(),
            files=self.file_handling_strategy,
            delete=self.delete,
            wait=self.wait,
            kill_grace=self.kill_grace_period,
            resume=self.resume,
        )

    def _logins(self) -> Mapping[str, Mapping[str, str]]:
        """Return the logins of ``config`` by registry. Raises TaskError."""
        config: Any = self.config or {}
        try:
            config = json.loads(config) if isinstance(config, str) else config
            if programs := {"credsStore", "credHelpers"} & set(config):
                raise TaskError(f"`config` must not name programs ({min(programs)}): use `auths`")
            return {name: _of_config(entry) for name, entry in config.get("auths", {}).items()}
        except (AttributeError, TypeError, ValueError):  # not its text: there are passwords in it
            raise TaskError("`config` is no configuration of Docker: {auths: {HOST: …}}") from None

    def _limits(self) -> Mapping[str, Any]:
        limits: dict[str, Any] = {"shm_size": self.shm_size, "privileged": self.privileged or None}
        if self.memory is not None:
            limits |= self.memory.for_engine()
        if self.device_requests:
            limits["device_requests"] = [each.for_engine() for each in self.device_requests]
        if self.cpu is not None and self.cpu.cpus is not None:
            limits["nano_cpus"] = int(self.cpu.cpus * 1e9)
        return {name: value for name, value in limits.items() if value is not None}


class Docker(RunnerType, DockerFields):
    """Run the commands in a container of a Docker engine.

    Example:
        taskRunner:
          type: io.kestra.plugin.scripts.runner.docker.Docker
          memory: {memory: 512MB}
    """

    aliases = ("io.kestra.plugin.scripts.runner.docker.DockerTaskRunner",)
    deprecated = {"image": "'image' is deprecated: use 'containerImage' of the task"}
    needs_image = True

    type: Literal["io.kestra.plugin.scripts.runner.docker.Docker"] = (
        "io.kestra.plugin.scripts.runner.docker.Docker"
    )

    @property
    def own_image(self) -> str | None:
        return self.image

    def create(self, ctx: RunContext) -> TaskRunner:
        return DockerRunner(self.options(ctx), ctx.log.info)


def _split(host: str) -> tuple[str, str]:
    name, colon, address = host.partition(":")
    if not colon:
        raise TaskError(f"'extraHosts' needs name:address, not {host!r}")
    return name, address


def _of_config(entry: Mapping[str, str]) -> Mapping[str, str]:
    """Return an entry of ``auths`` as the engine's API names it. Raises ValueError."""
    known = {"username", "password", "auth", "identitytoken", "registrytoken"}
    fields = {name.replace("token", "_token"): entry.get(name) for name in known}
    return Credentials.model_validate(fields).for_engine()


def _plain(secret: SecretStr | None) -> str | None:
    return None if secret is None else secret.get_secret_value()
