"""Reading keys during a fold, before its transaction."""

from __future__ import annotations

from runner.store.base import KvRow, Store


class StoredKv:
    """The key-value table as it is stored now, in short reads."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def find(self, namespace: str, key: str) -> KvRow | None:
        """Return the row of a key, an expired one too."""
        with self._store.read() as tx:
            return tx.kv.find(namespace, key)
