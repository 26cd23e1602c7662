"""What functions in expressions may reach: clock, secrets, keys, files of one execution's flow."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, BinaryIO

from runner import ids
from runner.errors import HeadraceError, NotFound
from runner.expressions import ExpressionError, HttpRequest, secret_entry
from runner.model.logs import Level, LogLine
from runner.runtime.fetching import fetch
from runner.runtime.files import NAMESPACE_SCHEME, open_uri, open_version
from runner.runtime.runs import Reader
from runner.store.base import KvRow, LogQuery

if TYPE_CHECKING:
    from runner.runtime import Runtime

_MAX_READ_BYTES = 16 * 1024 * 1024


class FlowWorld:
    """The world of one flow's expressions; *execution_id* when there is an execution.

    *pending* gives its log lines that are not stored yet, *keys* looks a key up where some are not
    stored yet. *reader* gives the transaction to read in where one is open already.
    """

    def __init__(
        self,
        runtime: Runtime,
        namespace: str,
        *,
        execution_id: str | None = None,
        source: str | None = None,
        commit: str | None = None,
        pending: Callable[[], Sequence[LogLine]] = tuple,
        reader: Reader | None = None,
        keys: Callable[[str, str], KvRow | None] | None = None,
    ) -> None:
        self._runtime = runtime
        self._reader = reader or runtime.store.read
        self._namespace = namespace
        self._execution_id = execution_id
        self._source = source
        self._commit = commit
        self._pending = pending
        self._keys = keys

    def now(self) -> datetime:
        return self._runtime.clock.now()

    def monotonic(self) -> float:
        return time.thread_time()  # a starved worker is not the expression's fault

    def random_bytes(self, count: int) -> bytes:
        return os.urandom(count)

    def new_id(self) -> str:
        return ids.new()

    def secret(self, key: str, namespace: str | None, subkey: str | None) -> str:
        try:
            value = self._runtime.secrets.get(namespace or self._namespace, key)
        except NotFound as exc:
            raise ExpressionError(exc.message) from exc
        self._runtime.mask.add(value)
        if subkey is None:
            return value
        entry = secret_entry(value, subkey)
        self._runtime.mask.add(entry)
        return entry

    def kv(self, key: str, namespace: str | None, error_on_missing: bool) -> Any:
        for candidate in [namespace] if namespace else _with_parents(self._namespace):
            row = self._key(candidate, key)
            if row is not None and (row.expires_at is None or row.expires_at > self.now()):
                return row.value
        if error_on_missing:
            raise ExpressionError(
                f"The key '{key}' does not exist in the namespace '{namespace or self._namespace}'."
            )
        return None

    def _key(self, namespace: str, key: str) -> KvRow | None:
        if self._keys is not None:
            return self._keys(namespace, key)
        with self._reader() as tx:
            return tx.kv.find(namespace, key)

    def read(self, uri: str, version: int | None = None) -> str:
        try:
            with self._opened(uri, version) as stream:
                content = stream.read(_MAX_READ_BYTES + 1)
        except HeadraceError as exc:
            raise ExpressionError(f"cannot read {uri}: {exc.message}") from exc
        if len(content) > _MAX_READ_BYTES:
            raise ExpressionError(
                f"{uri} is larger than {_MAX_READ_BYTES} bytes, too much for read()"
            )
        return content.decode("utf-8", "replace")

    def _opened(self, uri: str, version: int | None = None) -> BinaryIO:
        if version is not None and uri.startswith(NAMESPACE_SCHEME):
            namespace, _, path = uri.removeprefix(NAMESPACE_SCHEME).partition("/")
            return open_version(self._runtime, namespace or self._namespace, path, version)
        return open_uri(
            self._runtime, uri, self._namespace, self._source, self._commit, reader=self._reader
        )

    def file_size(self, uri: str) -> int:
        try:
            with self._opened(uri) as stream:
                return sum(len(block) for block in iter(lambda: stream.read(1 << 20), b""))
        except HeadraceError as exc:
            raise ExpressionError(f"cannot read {uri}: {exc.message}") from exc

    def file_exists(self, uri: str) -> bool:
        try:
            self._opened(uri).close()
        except NotFound:
            return False
        except HeadraceError as exc:
            raise ExpressionError(f"cannot look at {uri}: {exc.message}") from exc
        return True

    def error_logs(self) -> list[Mapping[str, Any]]:
        if self._execution_id is None:
            return []
        query = LogQuery(execution_id=self._execution_id, min_level=Level.ERROR)
        pending = [line for line in self._pending() if line.level is Level.ERROR]
        lines = [*self._runtime.store.logs.search(query, limit=25).items, *pending][:25]
        return [
            {
                "taskId": line.task_id,
                "message": line.message,
                "level": str(line.level),
                "timestamp": line.at,
            }
            for line in lines
        ]

    def environment(self, name: str) -> str | None:
        return self._runtime.envs.get(name.lower())

    def free_port(self) -> int:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            return int(probe.getsockname()[1])

    def http(self, request: HttpRequest) -> str:
        hosts = self._runtime.settings.expressions.http_hosts
        if not hosts:
            raise ExpressionError(
                "http() is off: the operator allows hosts in the setting expressions.http_hosts; "
                "a core.http.Request task needs no such leave"
            )
        return fetch(request, hosts)


def _with_parents(namespace: str) -> list[str]:
    parts = namespace.split(".")
    return [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
