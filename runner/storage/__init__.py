"""Files of executions and namespaces: in a folder, an object store, or the database."""

from __future__ import annotations

from runner.storage.opening import open_storage

__all__ = ["open_storage"]
