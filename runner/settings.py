"""All settings: ``headrace.yaml``, then ``HEADRACE_…`` variables (nested with ``__``) on top.

Read once in `runner.wiring` and passed on; nothing else reads the environment. Secrets are given by
reference only: ``"${NAME}"`` names an environment variable; an inline one is refused.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    field_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from runner.errors import SettingsInvalid

_THINGS = (
    "executions", "files", "flows", "kv", "logs", "secrets", "sources", "triggers",
)  # fmt: skip
_UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}
_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(ms|s|m|h|d)")
_REFERENCE = re.compile(r"\$\{([A-Za-z_][A-Za-z0-9_]*)\}")


def _duration(value: Any) -> Any:
    """Read ``10s``, ``1.5m``, or a number of seconds."""
    if isinstance(value, int | float):
        return timedelta(seconds=value)
    if isinstance(value, str) and (match := _DURATION.fullmatch(value.strip())):
        return timedelta(seconds=float(match[1]) * _UNITS[match[2]])
    if isinstance(value, str) and value.strip().isdigit():
        return timedelta(seconds=int(value))
    return value


def _reference(value: str) -> str:
    if not _REFERENCE.fullmatch(value):
        raise ValueError('a secret is given by reference, as "${NAME}" of an environment variable')
    return value


def _without_secret(url: str) -> str:
    parts = urlsplit(url)
    is_web = parts.scheme.lower() in ("http", "https")
    if parts.password is not None or (is_web and parts.username is not None):
        raise ValueError("an address holds no user or password: give them as `credentials`")
    return url


def _inside(path: str) -> str:
    if path.startswith("/") or ".." in path.split("/"):
        raise ValueError("a folder inside the repository is meant, without '..'")
    return path


Duration = Annotated[timedelta, BeforeValidator(_duration)]
SecretReference = Annotated[str, AfterValidator(_reference)]


def resolve(reference: str, environment: Mapping[str, str] = os.environ) -> str:
    """Return the value behind ``${NAME}``. Raises SettingsInvalid when the variable is not set."""
    name = reference[2:-1]
    try:
        return environment[name]
    except KeyError:
        raise SettingsInvalid(
            f"the environment variable {name} is referenced in the settings but not set"
        ) from None


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class SourceCredentials(_Section):
    """How a source's repository is opened: a user and password (or token), or an SSH key file."""

    username: str = ""
    password: SecretReference | None = None
    ssh_key: Path | None = None
    known_hosts: Path | None = None
    ca: Path | None = None


class SourceSettings(_Section):
    """One Git repository and branch with flows below ``_flows/`` and files below ``_files/``."""

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,62}$")
    url: Annotated[str, AfterValidator(_without_secret)] = Field(min_length=1)
    branch: str = Field(default="main", pattern=r"^[^-\s~^:?*\[\\][^\s~^:?*\[\\]*$")
    path: Annotated[str, AfterValidator(_inside)] = "."
    namespace: str | None = Field(default=None, pattern=r"^[a-z0-9][a-z0-9._-]*$")
    poll: Duration = timedelta(seconds=10)
    missing: Literal["disable", "delete", "keep"] = "disable"
    credentials: SourceCredentials | None = None
    webhook_secret: SecretReference | None = None  # of the push endpoint
    timeout: Duration = timedelta(seconds=60)
    allow_local: bool = False  # a path on this machine instead of a URL


PERMISSIONS = frozenset(
    {
        *(f"{what}:{act}" for what in _THINGS for act in ("read", "write")),
        "executions:create",
        "namespaces:read",
        "server:read",
    }
)
"""What a token may be allowed, besides ``*`` for everything."""


def _permission(name: str) -> str:
    if name != "*" and name not in PERMISSIONS:
        near = get_close_matches(name, PERMISSIONS, n=1, cutoff=0.6)
        hint = f"; did you mean '{near[0]}'?" if near else f": {', '.join(sorted(PERMISSIONS))}, *"
        raise ValueError(f"there is no permission '{name}'{hint}")
    return name


class TokenSettings(_Section):
    """An API token: the name shown in the audit, and where its text comes from."""

    name: str
    token: SecretReference
    permissions: tuple[Annotated[str, AfterValidator(_permission)], ...] = ("*",)


class WebSettings(_Section):
    """The server. Beyond loopback it starts only with credentials."""

    host: str = "127.0.0.1"
    port: int = Field(default=8080, ge=0, le=65535)
    public_url: str | None = None
    trusted_proxies: int = 0  # how many proxies stand before it and set X-Forwarded-*
    username: str | None = None
    password: SecretReference | None = None
    tokens: tuple[TokenSettings, ...] = ()
    max_body_bytes: int = 64 * 1024 * 1024
    max_upload_bytes: int = 256 * 1024 * 1024
    threads: int = 256
    max_streams: int = 200
    session_secret: SecretReference | None = None


class WorkerSettings(_Section):
    """Workers. *count* 0: one a core (``headrace up``)."""

    count: int = Field(default=0, ge=0)
    slots: int = Field(default=8, ge=1)
    queues: tuple[str, ...] = ("default",)
    lease: Duration = timedelta(seconds=15)
    grace: Duration = timedelta(minutes=5)


class DockerSettings(_Section):
    """The container engine."""

    host: str | None = None  # default: DOCKER_HOST, else the local socket
    network_mode: str | None = None  # of containers whose task names none, such as "none"
    volumes_enabled: bool = False
    package_cache: bool = True  # keep what pip, uv and npm fetch, per image and namespace


class TaskRunnerSettings(_Section):
    """Where scripts run that name no runner: decided once at start."""

    default: Literal["auto", "docker", "process"] = "auto"


class ExpressionSettings(_Section):
    """What expressions may do. *http_hosts*: those that ``http()`` may ask (``"*"``: any)."""

    http_hosts: tuple[str, ...] = ()


class LimitSettings(_Section):
    """Limits, each with a clear error when it is passed."""

    outputs_bytes: int = 1024 * 1024
    log_bytes: int = 64 * 1024 * 1024
    flow_bytes: int = 3 * 1024 * 1024
    clones_bytes: int = 2 * 1024 * 1024 * 1024  # repositories that a worker keeps for git.Clone


class Settings(BaseSettings):
    """Everything that can be set."""

    model_config = SettingsConfigDict(
        env_prefix="HEADRACE_", env_nested_delimiter="__", extra="forbid", frozen=True
    )

    home: Path = Path(".headrace")
    database_url: str | None = None  # default: SQLite in home
    redis_url: str | None = None  # default: REDIS_URL, else our own in home
    # folder path, s3://bucket/prefix, or "database"; default home/storage, or database with
    # PostgreSQL
    storage: str = ""
    secrets_file: Path | None = None
    sources: tuple[SourceSettings, ...] = ()
    web: WebSettings = WebSettings()
    worker: WorkerSettings = WorkerSettings()
    docker: DockerSettings = DockerSettings()
    task_runner: TaskRunnerSettings = TaskRunnerSettings()
    limits: LimitSettings = LimitSettings()
    expressions: ExpressionSettings = ExpressionSettings()
    sqlite_synchronous: Literal["NORMAL", "FULL"] = "NORMAL"
    environment_prefix: str = "ENV_"  # variables shown in expressions as envs.*
    globals: dict[str, Any] = {}
    encryption_key: SecretReference | None = None

    @field_validator("sources")
    @classmethod
    def _names_are_unique(cls, sources: tuple[SourceSettings, ...]) -> tuple[SourceSettings, ...]:
        names = [source.name for source in sources]
        if doubles := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"two sources have the name {', '.join(doubles)}")
        return sources

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over file (the file's content comes as init arguments)."""
        return env_settings, init_settings

    @property
    def is_sqlite(self) -> bool:
        return self.database_url is None or self.database_url.startswith("sqlite")


def load(config: Path | None = None, **overrides: Any) -> Settings:
    """Read the settings of a file (default: ``headrace.yaml`` here, if there is one), variables,
    and *overrides*.

    Overrides (the command line) win over both; None means not given.

    Raises:
        SettingsInvalid: with each wrong field and what is wrong with it.
    """
    path = config or Path("headrace.yaml")
    content = _content(path) if config or path.exists() else {}
    try:
        settings = Settings(**content)
        given = {name: value for name, value in overrides.items() if value is not None}
        return _overridden(settings, given) if given else settings
    except ValidationError as exc:
        lines = (
            f"{'.'.join(map(str, e['loc']))}: {_said(e['type'], e['msg'])}" for e in exc.errors()
        )
        raise SettingsInvalid(f"the settings are wrong ({path}):\n  " + "\n  ".join(lines)) from exc


def _said(kind: str, message: str) -> str:
    if kind == "extra_forbidden":
        return "there is no such setting, see docs/reference/settings.md"
    return message.removeprefix("Value error, ")


def _content(path: Path) -> dict[str, Any]:
    try:
        content = yaml.safe_load(path.read_text("utf-8")) or {}
    except OSError as exc:
        raise SettingsInvalid(f"cannot read {path}: {exc.strerror}") from exc
    except UnicodeDecodeError:
        raise SettingsInvalid(f"{path} is not UTF-8") from None
    except yaml.YAMLError as exc:  # its text quotes the file
        raise SettingsInvalid(f"{path} is not YAML{_place_of(exc)}") from None
    if not isinstance(content, dict):
        raise SettingsInvalid(f"{path} must be a map of settings")
    return content


def _place_of(exc: yaml.YAMLError) -> str:
    mark, problem = getattr(exc, "problem_mark", None), getattr(exc, "problem", None)
    if mark is None:
        return ""
    return f": line {mark.line + 1}, column {mark.column + 1}: {problem}"


def _overridden(settings: Settings, overrides: Mapping[str, Any]) -> Settings:
    """Lay dotted overrides (``web__port=8081``) over settings and validate again."""
    content = settings.model_dump()
    for name, value in overrides.items():
        *sections, last = name.split("__")
        target = content
        for section in sections:
            target = target[section]
        target[last] = value
    return Settings.model_construct(
        **Settings.__pydantic_validator__.validate_python(content).__dict__
    )
