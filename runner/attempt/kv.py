"""The key-value store as a task sees it (spec: core-plugins §6, flow-language §3)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Protocol

from runner import durations
from runner.clock import Clock, iso
from runner.errors import ArgumentInvalid, Expired, NotFound, Refused
from runner.plugin import TaskError
from runner.store.base import KvRow, Page, Store

_KEY = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*")


class Rows(Protocol):
    """What is needed of the table: that of a transaction, or `KvBuffer`."""

    def find(self, namespace: str, key: str) -> KvRow | None: ...
    def set(self, row: KvRow) -> None: ...
    def delete(self, namespace: str, key: str) -> bool: ...
    def namespaces(self) -> Sequence[str]: ...
    def list(self, namespace: str, *, prefix: str = "", cursor: str | None = None) -> Page: ...


class Stored(Protocol):
    """Where keys are read from."""

    def find(self, namespace: str, key: str) -> KvRow | None: ...


class KvBuffer:
    """The table as it will be when the fold is saved: reads see the writes before them."""

    def __init__(self, stored: Stored) -> None:
        self._stored = stored
        self._changed: dict[tuple[str, str], KvRow | None] = {}
        self.writes: list[KvRow | tuple[str, str]] = []

    def find(self, namespace: str, key: str) -> KvRow | None:
        place = (namespace, key)
        if place in self._changed:
            return self._changed[place]
        return self._stored.find(namespace, key)

    def set(self, row: KvRow) -> None:
        self._changed[row.namespace, row.key] = row
        self.writes.append(row)

    def delete(self, namespace: str, key: str) -> bool:
        existed = self.find(namespace, key) is not None
        self._changed[namespace, key] = None
        self.writes.append((namespace, key))
        return existed

    def namespaces(self) -> Sequence[str]:
        raise TaskError("a task that runs inside the fold cannot list keys")

    def list(self, namespace: str, *, prefix: str = "", cursor: str | None = None) -> Page:
        raise TaskError("a task that runs inside the fold cannot list keys")


class TaskKv:
    """Reads and writes keys; *open* gives the rows to work on, for reading or (True) writing."""

    def __init__(
        self, open: Callable[[bool], AbstractContextManager[Rows]], own: str, clock: Clock
    ) -> None:
        self._open = open
        self._own = own
        self._clock = clock

    def get(self, namespace: str, key: str) -> Any:
        """Return the value; below the task's own namespace its parents are searched too."""
        with self._open(False) as rows:
            for place in _searched(namespace, self._own):
                if row := rows.find(place, key):
                    return self._living(row).value
        raise NotFound(f"No value found for key '{key}' in namespace '{namespace}'")

    def set(
        self,
        namespace: str,
        key: str,
        value: Any,
        *,
        kind: str | None = None,
        description: str | None = None,
        ttl: timedelta | None = None,
        overwrite: bool = True,
    ) -> None:
        """Store a new version.

        Raises:
            Refused: it exists and *overwrite* is false. ArgumentInvalid: the key or value.
        """
        _check(key)
        now = self._clock.now()
        found, plain = kind_of(value)
        with self._open(True) as rows:
            existing = rows.find(namespace, key)
            if existing and not overwrite and not _is_over(existing, now):
                raise Refused(f"the key '{key}' exists already")
            rows.set(
                KvRow(
                    namespace,
                    key,
                    existing.version + 1 if existing else 1,
                    kind or found,
                    plain,
                    created_at=existing.created_at if existing else now,
                    updated_at=now,
                    description=description,
                    expires_at=now + ttl if ttl is not None else None,
                )
            )

    def delete(self, namespace: str, key: str) -> bool:
        with self._open(True) as rows:
            return rows.delete(namespace, key)

    def replace(self, namespace: str, key: str, value: Any) -> None:
        """Store a new version that lives as long as the one before. Raises NotFound, Expired."""
        kind, plain = kind_of(value)
        now = self._clock.now()
        with self._open(True) as rows:
            before = rows.find(namespace, key)
            if before is None:
                raise NotFound(f"No value found for key '{key}' in namespace '{namespace}'")
            self._living(before)
            rows.set(replace(before, kind=kind, value=plain, updated_at=now))

    def keys(self, namespace: str, *, prefix: str = "", expired: bool = False) -> Sequence[str]:
        """Return the keys that live, or those that have expired."""
        now = self._clock.now()
        found: list[str] = []
        with self._open(False) as rows:
            page = rows.list(namespace, prefix=prefix)
            while True:
                found += [row.key for row in page.items if _is_over(row, now) == expired]
                if page.cursor is None:
                    return found
                page = rows.list(namespace, prefix=prefix, cursor=page.cursor)

    def namespaces(self) -> Sequence[str]:
        """Return the namespaces that have keys."""
        with self._open(False) as rows:
            return rows.namespaces()

    def _living(self, row: KvRow) -> KvRow:
        if _is_over(row, self._clock.now()):
            raise Expired(f"the value of key '{row.key}' in '{row.namespace}' has expired")
        return row


def buffered(buffer: KvBuffer, own: str, clock: Clock) -> TaskKv:
    """Return the store for a task inside a fold."""

    @contextmanager
    def open(writing: bool) -> Iterator[Rows]:
        yield buffer

    return TaskKv(open, own, clock)


def stored(store: Store, own: str, clock: Clock) -> TaskKv:
    """Return the store for a task outside: each call is a transaction of its own."""

    @contextmanager
    def open(writing: bool) -> Iterator[Rows]:
        with store.begin() if writing else store.read() as tx:
            yield tx.kv

    return TaskKv(open, own, clock)


def kind_of(value: Any) -> tuple[str, Any]:
    """Return the kind of a value, and the value as plain data. Raises ArgumentInvalid."""
    match value:
        case bool():
            return "BOOLEAN", value
        case str():
            return "STRING", str(value)
        case int():
            return "NUMBER", int(value)
        case float() | Decimal():
            return "NUMBER", float(value)
        case datetime():
            return "DATETIME", iso(value)
        case date():
            return "DATE", value.isoformat()
        case timedelta():
            return "DURATION", durations.format(value)
        case None:
            return "JSON", None
        case Mapping():
            return "JSON", {str(name): kind_of(item)[1] for name, item in value.items()}
        case list() | tuple():
            return "JSON", [kind_of(item)[1] for item in value]
    raise ArgumentInvalid(f"a {type(value).__name__} cannot be stored under a key")


def _searched(namespace: str, own: str) -> Iterator[str]:
    yield namespace
    while namespace == own and "." in own:
        namespace = own = own.rpartition(".")[0]
        yield own


def _check(key: str) -> None:
    if not _KEY.fullmatch(key):
        raise ArgumentInvalid(
            "Key must start with an alphanumeric character (uppercase or lowercase) and can "
            "contain alphanumeric characters (uppercase or lowercase), dots (.), "
            "underscores (_), and hyphens (-) only."
        )


def _is_over(row: KvRow, now: datetime) -> bool:
    return row.expires_at is not None and row.expires_at <= now
