"""The key-value store of namespaces, as the API offers it (rest-api §16.3)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any

import orjson

from runner import durations
from runner.errors import ArgumentInvalid, Expired, HeadraceError, NotFound
from runner.model.names import KV_KEY
from runner.runtime import Runtime
from runner.services.audit import record
from runner.services.principal import Principal
from runner.store.base import KvRow

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}")
_DATETIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}\S*")
_DURATION = re.compile(r"-?P(?:\d+D)?(?:T\S+)?", re.IGNORECASE)


class Kv:
    """The use cases around keys."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime

    def get(self, namespace: str, key: str) -> KvRow:
        """Return a key with its value. Raises NotFound, Expired."""
        with self._runtime.store.read() as tx:
            row = tx.kv.find(namespace, key)
        if row is None:
            raise NotFound(f"No value found for key '{key}' in namespace '{namespace}'")
        if self._is_over(row):
            raise Expired(f"the key '{key}' of namespace '{namespace}' has expired")
        return row

    def list(self, namespace: str) -> Sequence[KvRow]:
        """Return the keys of exactly this namespace that have not expired."""
        rows: list[KvRow] = []
        with self._runtime.store.read() as tx:
            cursor: str | None = None
            while True:
                page = tx.kv.list(namespace, cursor=cursor)
                rows.extend(row for row in page.items if not self._is_over(row))
                cursor = page.cursor
                if cursor is None:
                    return rows

    def namespaces(self) -> Sequence[str]:
        """Return the namespaces that have keys."""
        with self._runtime.store.read() as tx:
            return tx.kv.namespaces()

    def set(
        self,
        namespace: str,
        key: str,
        value: Any,
        kind: str,
        *,
        by: Principal,
        ttl: timedelta | None = None,
        description: str | None = None,
    ) -> KvRow:
        """Create or replace a key. Raises ArgumentInvalid: the key is no legal one."""
        if fault := KV_KEY.fault(key):
            raise ArgumentInvalid(f"the key '{key}' is not valid: {fault}")
        now = self._runtime.clock.now()
        row = KvRow(
            namespace=namespace,
            key=key,
            version=1,
            kind=kind,
            value=value,
            created_at=now,
            updated_at=now,
            description=description,
            expires_at=None if ttl is None else now + ttl,
        )
        with self._runtime.store.begin() as tx:
            tx.kv.set(row)
            record(self._runtime, tx, by, "kv.set", f"{namespace}/{key}")
        return row

    def delete(self, namespace: str, key: str, *, by: Principal) -> bool:
        """Remove a key; False if there was none."""
        with self._runtime.store.begin() as tx:
            existed = tx.kv.delete(namespace, key)
            if existed:
                record(self._runtime, tx, by, "kv.delete", f"{namespace}/{key}")
        return existed

    def _is_over(self, row: KvRow) -> bool:
        return row.expires_at is not None and row.expires_at <= self._runtime.clock.now()


def typed(text: str) -> tuple[Any, str]:
    """Return the value that a request's body means, and its type.

    The body is read as JSON; unquoted dates, date-times and durations keep their text; what is no
    JSON is a text.
    """
    stripped = text.strip()
    for pattern, kind, check in (
        (_DATE, "DATE", date.fromisoformat),
        (_DATETIME, "DATETIME", datetime.fromisoformat),
        (_DURATION, "DURATION", durations.parse),
    ):
        if pattern.fullmatch(stripped) and _holds(check, stripped):
            return stripped, kind
    try:
        value = orjson.loads(stripped)
    except orjson.JSONDecodeError:
        return text, "STRING"
    return value, _kind_of(value)


def _kind_of(value: Any) -> str:
    if isinstance(value, bool):
        return "BOOLEAN"
    if isinstance(value, int | float):
        return "NUMBER"
    return "STRING" if isinstance(value, str) else "JSON"


def _holds(check: Any, text: str) -> bool:
    try:
        check(text)
    except (ValueError, HeadraceError):
        return False
    return True
