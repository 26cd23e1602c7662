"""Putting a process together: the one place where settings and environment become neighbours.

with open_runtime(settings) as runtime: ...
"""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

from runner import registry
from runner.errors import SettingsInvalid
from runner.queue import Queue
from runner.queue.rq import RqQueue, connect
from runner.queue.server import url_of
from runner.runtime import Runtime
from runner.runtime.flows import FlowCache
from runner.sealing import Seal
from runner.secret_store import FILE_NAME, SecretFile, StoredSecrets
from runner.secrets import ConfiguredSecrets, Mask, from_environment, from_file
from runner.settings import Settings, resolve
from runner.storage import open_storage
from runner.store import check_version, migrate, open_store
from runner.store.base import Store

DOCKER_SOCKETS = ("/var/run/docker.sock", "/dind/docker.sock")


@contextmanager
def open_runtime(
    settings: Settings,
    *,
    queue: Queue | None = None,
    environment: Mapping[str, str] = os.environ,
    migrated: bool = False,
) -> Iterator[Runtime]:
    """Open everything a process needs, and close it at the end.

    With *migrated* the database is brought to this version first (``up``, ``run``); else one of
    another version is refused.

    Raises:
        SettingsInvalid, Unavailable, or the error that names ``headrace db upgrade``.
    """
    runtime = make_runtime(settings, queue=queue, environment=environment, migrated=migrated)
    try:
        yield runtime
    finally:
        runtime.store.close()


def make_runtime(
    settings: Settings,
    *,
    queue: Queue | None = None,
    environment: Mapping[str, str] = os.environ,
    migrated: bool = False,
) -> Runtime:
    """Like `open_runtime`, for a process that keeps it until it ends."""
    url = database_url(settings)
    if settings.is_sqlite:
        settings.home.mkdir(parents=True, exist_ok=True)
    if migrated:
        migrate(url)
    else:
        check_version(url)
    store = open_store(url, synchronous=settings.sqlite_synchronous)
    secrets = _secrets(settings, environment)
    mask = _mask(settings, environment, secrets.values())
    types = registry.load()
    return Runtime(
        settings=settings,
        store=store,
        storage=open_storage(storage_setting(settings), settings.home, _database(settings, store)),
        queue=queue if queue is not None else RqQueue(connect(redis_url(settings, environment))),
        secrets=StoredSecrets(ConfiguredSecrets(secrets), secret_file(settings, environment), mask),
        mask=mask,
        registry=types,
        flows=FlowCache(types),
        default_task_runner=default_task_runner(settings, environment),
        envs=_envs(settings, environment),
        seal=seal_of(settings, environment),
    )


def seal_of(settings: Settings, environment: Mapping[str, str] = os.environ) -> Seal:
    """Return what encrypts with the server's key. Raises SettingsInvalid: it is no key."""
    key = settings.encryption_key
    return Seal(resolve(key, environment) if key else None)


def secret_file(settings: Settings, environment: Mapping[str, str] = os.environ) -> SecretFile:
    """Return the encrypted secrets of the home."""
    return SecretFile(settings.home / FILE_NAME, seal_of(settings, environment))


def database_url(settings: Settings) -> str:
    """Return the database's URL: the one set, or a SQLite file in the home."""
    return settings.database_url or f"sqlite:///{settings.home.resolve() / 'headrace.db'}"


def redis_url(settings: Settings, environment: Mapping[str, str] = os.environ) -> str:
    """Return the Redis to use: the one set, ``REDIS_URL``, or the home's own."""
    return settings.redis_url or environment.get("REDIS_URL") or url_of(settings.home)


def storage_setting(settings: Settings) -> str:
    """Return where files are kept: in the home with SQLite, in the database with PostgreSQL.

    Raises:
        SettingsInvalid: PostgreSQL with a folder that other machines do not see.
    """
    if settings.storage:
        if not settings.is_sqlite and _is_local(settings.storage):
            raise SettingsInvalid(
                f"storage '{settings.storage}' is a folder of this machine, but workers on other "
                "machines share the PostgreSQL database: leave storage out (it defaults to "
                "database) or use s3://…"
            )
        return settings.storage
    return "" if settings.is_sqlite else "database"


def _is_local(storage: str) -> bool:
    return storage != "database" and "://" not in storage


def _database(settings: Settings, store: Store) -> Store | None:
    return store if storage_setting(settings) == "database" else None


def default_task_runner(settings: Settings, environment: Mapping[str, str] = os.environ) -> str:
    """Return where scripts run that name no runner, ``docker`` or ``process``.

    As set; with ``auto`` Docker if an engine answers.
    """
    if settings.task_runner.default != "auto":
        return settings.task_runner.default
    return "docker" if docker_answers(settings, environment) else "process"


def docker_answers(settings: Settings, environment: Mapping[str, str] = os.environ) -> bool:
    """Say whether a container engine takes connections."""
    host = settings.docker.host or environment.get("DOCKER_HOST")
    if host and not host.startswith("unix://"):
        return _takes_tcp(host)
    return any(map(_takes, [host.removeprefix("unix://")] if host else DOCKER_SOCKETS))


def _takes(path: str) -> bool:
    if not Path(path).exists():
        return False
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(2)
        return probe.connect_ex(path) == 0


def _takes_tcp(host: str) -> bool:
    name, _, port = host.rpartition("://")[2].partition(":")
    try:
        socket.create_connection((name, int(port or 2375)), timeout=2).close()
    except (OSError, ValueError):
        return False
    return True


def _secrets(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    found = from_environment(environment)
    if settings.secrets_file is not None:
        found.update(from_file(settings.secrets_file))
    return found


def _mask(settings: Settings, environment: Mapping[str, str], secrets: Iterable[str]) -> Mask:
    """The mask knows from the start each secret, and what the settings refer to.

    Whichever process prints it need not be the one that looked it up.
    """
    mask = Mask()
    for secret in (*secrets, *_passwords(settings, environment)):
        mask.add(secret)
    for reference in _references(settings):
        if (value := environment.get(reference[2:-1])) is not None:
            mask.add(value)
    return mask


def _passwords(settings: Settings, environment: Mapping[str, str]) -> Iterator[str]:
    """Those inside the addresses of database and Redis."""
    for address in (settings.database_url, redis_url(settings, environment)):
        if address and (password := urlsplit(address).password):
            yield unquote(password)


def _references(settings: Settings) -> Iterator[str]:
    web = settings.web
    yield from (r for r in (web.password, web.session_secret, settings.encryption_key) if r)
    yield from (token.token for token in web.tokens)
    for source in settings.sources:
        if source.webhook_secret:
            yield source.webhook_secret
        if source.credentials and source.credentials.password:
            yield source.credentials.password


def _envs(settings: Settings, environment: Mapping[str, str]) -> dict[str, str]:
    prefix = settings.environment_prefix
    return {
        name.removeprefix(prefix).lower(): value
        for name, value in environment.items()
        if prefix and name.startswith(prefix)
    }


__all__ = ["database_url", "make_runtime", "open_runtime", "redis_url"]
